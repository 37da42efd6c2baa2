"""What is not our database stays untouched, and a dead collector's lease does not outlive it."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.builders import T0

from lnflow.domain.errors import StoreError
from lnflow.domain.time import HOUR_NS
from lnflow.store.database import open_reader, open_writer
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter

_NOBODY = 65_534


@pytest.mark.parametrize("opening", [open_reader, open_writer])
def test_another_programs_database_is_refused_and_untouched(tmp_path: Path, opening: object) -> None:
    path = tmp_path / "other.sqlite"
    con = sqlite3.connect(path)
    con.execute("CREATE TABLE theirs (a)")
    con.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program's database"):
        opening(path)  # type: ignore[operator]  # one of two functions
    assert path.read_bytes() == before


@pytest.mark.parametrize("opening", [open_reader, open_writer])
def test_a_folder_is_no_database(tmp_path: Path, opening: object) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        opening(tmp_path)  # type: ignore[operator]  # one of two functions


@pytest.mark.parametrize("opening", [open_reader, open_writer])
def test_a_pipe_is_no_database_and_nobody_waits_for_it(tmp_path: Path, opening: object) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="is a pipe or a device"):
        opening(tmp_path / "pipe")  # type: ignore[operator]  # one of two functions


@contextmanager
def unprivileged() -> Iterator[None]:
    """Permissions mean nothing to root: be nobody for a while."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.mark.parametrize("folder_mode", [0o555, 0o777])
def test_a_store_that_may_only_be_read_is_read(folder_mode: int) -> None:
    """A copy on a read-only disk, or another user's: no collector is about, and nothing can be made beside it."""
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, which is closed to other users
        path = Path(folder) / "store.sqlite"
        StoreWriter(path, "node").close()
        path.chmod(0o444)
        Path(folder).chmod(folder_mode)
        with unprivileged(), StoreReader(path, "node") as store:
            assert store.span().first_ns is None
        assert [p.name for p in Path(folder).iterdir()] == ["store.sqlite"]
        Path(folder).chmod(0o755)


def test_a_store_that_was_read_as_never_written_is_not_believed_when_somebody_writes_it() -> None:
    """Its owner begins to collect while another user's program has it open: no old figures, and no damage told."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a store?.sqlite"
        StoreWriter(path, "node").close()
        path.chmod(0o644)
        Path(folder).chmod(0o755)
        with unprivileged():
            reader = StoreReader(path, "node")
        with reader, reader.consistent():
            assert reader.span().first_ns is None
        for closed in (False, True):
            with unprivileged():
                reader = StoreReader(path, "node")
            writer = StoreWriter(path, "node")
            writer.cover("live", T0, T0 + HOUR_NS)
            if closed:
                writer.close()
            with reader, pytest.raises(StoreError, match="was written meanwhile"), reader.consistent():
                reader.span()
            writer.close()


def test_the_lease_of_a_killed_process_of_this_machine_is_taken_over(tmp_path: Path) -> None:
    """A living process keeps it, a dead one and nobody else's machine does not."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    host = socket.gethostname()
    with StoreWriter(tmp_path / "s", "node") as writer:
        assert writer.take_lease(f"{host}:{process.pid}:aa", T0, T0 + HOUR_NS)
        assert not writer.take_lease(f"{host}:{os.getpid()}:bb", T0 + 1, T0 + HOUR_NS)
        process.kill()
        process.wait()
        assert writer.take_lease(f"{host}:{os.getpid()}:bb", T0 + 2, T0 + HOUR_NS)
        assert not writer.take_lease("elsewhere:1:cc", T0 + 3, T0 + HOUR_NS)
