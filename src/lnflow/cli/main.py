"""Entry point: the lazy group of commands, and how errors end."""

from __future__ import annotations

import codecs
import io
import os
import sys
from importlib import import_module

import click

from lnflow.cli.text import in_plain_characters
from lnflow.domain.errors import LnflowError

# name: (module with a `command`, what it does); in the order of a first visit.
COMMANDS = {
    "demo": ("lnflow.cli.demo", "Run a simulated node through the whole pipeline and show what it missed."),
    "monitor": ("lnflow.cli.monitor", "Record a node's HTLC events, with a live view."),
    "analyze": ("lnflow.cli.analyze", "Rank what the node failed to earn, and what would mend it."),
    "why": ("lnflow.cli.why", "Show the working behind one peer's figure."),
    "advice": ("lnflow.cli.advice", "List what was advised, what of it was taken, and what it brought."),
    "report": ("lnflow.cli.report", "Write the whole analysis as text or JSON."),
    "import": ("lnflow.cli.imports", "Read saved events, histories and channel listings."),
    "failures": ("lnflow.cli.failures", "Count refusals by cause, peer, channel, pair or hour."),
    "channels": ("lnflow.cli.channels", "List the channels with flows, income and failures."),
    "channel": ("lnflow.cli.channel", "Show everything about one channel."),
    "policy": ("lnflow.cli.policy", "Set prices by rules: check, try, apply, watch, take back."),
    "doctor": ("lnflow.cli.doctor", "Check connection, credentials and coverage; say how to mend them."),
    "export": ("lnflow.cli.export", "Write attempts as CSV, JSON or Parquet, or the raw exchange files."),
    "backup": ("lnflow.cli.backup", "Copy the database while it is in use."),
    "restore": ("lnflow.cli.restore", "Put a backup in place of the database."),
}


class LazyGroup(click.Group):
    """A group that imports a command only to run it or to show its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"lnflow {version('lnflow')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """What your Lightning node failed to earn, why, and what would mend it.

    Try 'lnflow demo' first: it needs no node.  Then 'lnflow monitor' beside yours.
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 misused."""
    _open_closed_streams()
    _write_what_can_be_written()
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what goes wrong is said once, in our words
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # no matrices here: numpy's threads only cost a slow start
    try:
        cli.main(args=args, prog_name="lnflow")
    except LnflowError as exc:
        click.echo(f"lnflow: {exc}", err=True)
        sys.exit(1)
    except OSError as exc:  # chiefly a full disk behind standard output
        click.echo(f"lnflow: {exc.filename or 'standard output'}: {exc.strerror or exc}", err=True)
        _discard_output()
        sys.exit(1)


def _open_closed_streams() -> None:
    """A service may start us without standard streams; Python then has None in their place."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115  # for the life of the process
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def _write_what_can_be_written() -> None:
    """A terminal of another character set gets plain characters, never an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            codecs.register_error("lnflow", in_plain_characters)
            stream.reconfigure(errors="lnflow")


def _discard_output() -> None:
    """Keep Python from failing once more over what standard output would not take."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
