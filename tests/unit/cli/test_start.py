from __future__ import annotations

import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from lnflow.cli.main import COMMANDS, cli

HEAVY = {"grpc", "numpy", "asyncio", "rich", "httpx2", "httpx", "starlette", "msgspec", "sqlite3", "google"}


def imported(*arguments: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "lnflow", *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    names = (line.rsplit("|", 1)[-1].strip() for line in run.stderr.splitlines() if "|" in line)
    return {name.split(".")[0] for name in names}


def test_help_imports_nothing_heavy() -> None:
    assert imported("--help") & HEAVY == set()


def test_help_is_quick() -> None:
    """150 ms on an idle machine; the best of five, against a bare interpreter, on a busy one."""

    def best(*command: str) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run([sys.executable, *command], capture_output=True, check=True, timeout=60)
            times.append(time.perf_counter() - start)
        return min(times)

    bare = best("-c", "pass")
    assert best("-m", "lnflow", "--help") < max(0.150, 8 * bare)


def test_every_command_is_listed_with_its_text() -> None:
    output = CliRunner().invoke(cli, ["--help"]).output
    for name in COMMANDS:
        assert f"  {name} " in output


def test_an_unknown_command_is_a_misuse_with_a_hint() -> None:
    result = CliRunner().invoke(cli, ["analise"])
    assert result.exit_code == 2
    assert "Did you mean 'analyze'?" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_its_options(name: str) -> None:
    command = cli.get_command(None, name)  # type: ignore[arg-type]  # the context is not looked at
    assert command is not None
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert getattr(parameter, "help", None), f"{name} {parameter.opts} has no help"
