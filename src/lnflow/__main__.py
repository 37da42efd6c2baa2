"""The command `lnflow`, also as `python -m lnflow`: from the first instant on Ctrl-C ends it without a word."""

from __future__ import annotations

import signal


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while modules load Python would print where it was
    from lnflow.cli.main import main as run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
