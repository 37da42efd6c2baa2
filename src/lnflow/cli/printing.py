"""Where output goes: documents to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from lnflow.advice.documents import Document


def show(document: Document, as_json: bool, draw: Callable[[Console], None]) -> None:
    """Print the document as JSON, or draw it as tables."""
    if as_json:
        print_json(document)
    else:
        draw(console())


def print_json(document: Document) -> None:
    from lnflow.advice.documents import encode

    sys.stdout.buffer.write(encode(document))
    sys.stdout.buffer.flush()


def write_file(path: Path, content: bytes) -> None:
    """Write a result to a file; `ConfigurationError` if that cannot be done."""
    from lnflow.service.whole_files import whole_file

    with whole_file(path) as file:
        file.write(content)
    print(f"written to {path}", file=sys.stderr)  # noqa: T201  # for the operator, not data


def console() -> Console:
    """Return the console for results.  Piped output has no terminal width: it gets room for whole rows."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def error_console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False)
