"""How commands end when they are misused, or their output cannot be written."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.integration.cli.conftest import Lnflow

from lnflow.store.database import open_writer

HISTORY = str(Path(__file__).parent / "fwdinghistory.json")


@pytest.fixture
async def database(lnflow: Lnflow) -> str:
    """Return the option that names a store with something in it."""
    assert (await lnflow("import", HISTORY)).code == 0
    return f"--database={lnflow.database}"


@pytest.mark.parametrize(
    "options",
    [
        ("--hours=nan",),
        ("--hours=inf",),
        ("--since=99999999999999999999",),
        ("--since=yesterday",),
        ("--hours=24", "--all"),
        ("--since=2026-11-21", "--until=2026-11-20"),
    ],
    ids="".join,
)
async def test_a_window_that_is_none_is_a_misuse(lnflow: Lnflow, options: tuple[str, ...]) -> None:
    result = await lnflow("analyze", *options)
    assert (result.code, result.out) == (2, b"")
    assert "Traceback" not in result.err


async def test_a_file_that_cannot_be_written_at_the_end_is_refused_at_the_beginning(lnflow: Lnflow) -> None:
    result = await lnflow("monitor", "--output", "/nowhere/at/all.json")
    assert result.code == 2
    assert "there is no folder /nowhere/at" in result.err


@pytest.mark.parametrize("until", ["2099-01-01", "1999-01-01"])
async def test_nobody_has_listened_in_the_future_or_backwards(lnflow: Lnflow, until: str) -> None:
    result = await lnflow("import", "--covered", "2026-11-21", until, HISTORY)
    assert result.code == 2
    assert "--covered" in result.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [("analyze", "--all"), ("analyze", "--all", "--json"), ("export", "--all")])
def test_a_full_disk_behind_standard_output_is_said(database: str, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run(
            [sys.executable, "-m", "lnflow", *arguments, database],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert run.returncode == 1
    assert run.stderr == f"lnflow: standard output: {os.strerror(28)}\n"


@pytest.mark.parametrize("arguments", [("report", "--all", "out.json"), ("export", "--all", "out.csv")], ids="".join)
def test_a_file_that_cannot_be_written_whole_stays_what_it_was(
    lnflow: Lnflow, database: str, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    for name in ("out.json", "out.csv"):
        (folder / name).write_text("of last week")
    with closing(open_writer(lnflow.database)):  # so that all files of the store are there
        run = subprocess.run(
            [sys.executable, "-m", "lnflow", *arguments, database],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20)),
        )
    assert (run.returncode, run.stdout) == (1, "")
    assert "cannot write" in run.stderr
    assert os.strerror(errno.EFBIG) in run.stderr
    assert {p.name: p.read_text() for p in folder.iterdir()} == dict.fromkeys(("out.json", "out.csv"), "of last week")


def test_a_pipe_takes_a_result_as_it_comes(database: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen([sys.executable, "-m", "lnflow", "export", "--all", str(pipe), database]) as run:
        assert pipe.read_text().startswith("arrived_at,")
    assert run.returncode == 0
    assert pipe.is_fifo()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this system does not list threads")
def test_an_answer_starts_no_threads_of_a_matrix_library(database: str) -> None:
    code = (
        "import os, sys; from lnflow.cli.main import main\n"
        "try: main(['analyze', '--all', sys.argv[1]])\n"
        "finally: print(len(os.listdir('/proc/self/task')), file=sys.stderr)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    run = subprocess.run(
        [sys.executable, "-c", code, database], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stderr == "1\n"


@pytest.mark.parametrize("descriptor", [0, 1, 2])
def test_a_stream_that_was_closed_at_the_start_is_no_trouble(database: str, descriptor: int) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "lnflow", "analyze", "--all", database],
        preexec_fn=lambda: os.close(descriptor),
        timeout=60,
        check=False,
    )
    assert run.returncode == 0


def test_ctrl_c_while_modules_load_prints_no_traceback(tmp_path: Path) -> None:
    """A click of the test's own stands where the real one is loaded, and presses the keys."""
    (tmp_path / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    run = subprocess.run(
        [sys.executable, "-m", "lnflow", "analyze"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr) == (-signal.SIGINT, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("arguments", [("analyze", "--all"), ("channels", "--all"), ("report", "--all"), ("doctor",)])
def test_a_terminal_without_utf8_gets_plain_characters(
    database: str, arguments: tuple[str, ...], encoding: str
) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "lnflow", *arguments, database],
        env={**os.environ, "PYTHONIOENCODING": encoding, "HOME": "/nowhere"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in run.stderr
    assert run.returncode == (1 if arguments == ("doctor",) else 0)  # it finds no node
    assert run.stdout.decode(encoding)


async def test_a_demo_that_is_ended_leaves_nothing_behind(lnflow: Lnflow, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    process = await lnflow.start("demo", TMPDIR=str(folder))
    async with asyncio.timeout(60):
        while not list(folder.glob("lnflow-demo-*/demo.sqlite")):
            await asyncio.sleep(0.01)
    process.terminate()
    assert (await lnflow.finish(process)).code == 128 + signal.SIGTERM
    assert list(folder.iterdir()) == []
