"""Opening a store: from nothing, from an older schema, and what is none of ours."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.builders import offered, settled, write

from lnflow.domain.errors import StoreError
from lnflow.store.database import migrations, open_reader, open_writer, split_statements
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter


def schema(path: Path) -> list[tuple[str, str]]:
    con = sqlite3.connect(path)
    found = con.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    con.close()
    return found


def at_version(path: Path, version: int) -> None:
    """Make a store as an lnflow of that schema left it."""
    con = sqlite3.connect(path, isolation_level=None)
    for script in migrations()[:version]:
        for statement in split_statements(script):
            con.execute(statement)
    con.execute(f"PRAGMA user_version = {version}")
    con.close()


@pytest.mark.parametrize("version", range(len(migrations()) + 1))
def test_every_older_schema_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    """The result is the schema of a new store, and what was in it is still there."""
    old, new = tmp_path / "old", tmp_path / "new"
    at_version(old, version)
    con = sqlite3.connect(old)
    if version:
        con.execute("INSERT INTO node (name) VALUES ('kept')")
        con.commit()
    con.close()
    open_writer(old).close()
    open_writer(new).close()
    assert schema(old) == schema(new)
    if version:
        assert open_reader(old).execute("SELECT name FROM node").fetchall() == [("kept",)]


def test_a_reader_brings_an_older_schema_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old"
    at_version(path, 1)
    con = open_reader(path)
    assert con.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
    con.close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "newer"
    with StoreWriter(path, "node") as writer:
        write(writer, [offered(1), settled(1)])
        writer._con.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    for opened in (open_writer, open_reader):
        with pytest.raises(StoreError, match=r"written by a newer lnflow \(schema 99, we know \d+\): update"):
            opened(path)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes\n" * 1000)
    with pytest.raises(StoreError, match=r"notes\.txt: .*not an lnflow database: choose another file with --database"):
        StoreWriter(path, "node")
    with pytest.raises(StoreError, match="choose another file"):
        StoreReader(path)
    assert path.read_text().startswith("these are my notes\n")


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with StoreWriter(path, "node") as writer:
        write(writer, [offered(1)])


def test_a_damaged_store_is_told(tmp_path: Path) -> None:
    """Pages overwritten by something else: the remedy is a backup."""
    path = tmp_path / "s"
    with StoreWriter(path, "node") as writer:
        write(writer, [offered(n) for n in range(5_000)])
    raw = bytearray(path.read_bytes())
    raw[4096 * 3 :] = b"\x5a" * (len(raw) - 4096 * 3)
    path.write_bytes(raw)
    told = pytest.raises(StoreError, match=r"damaged: restore a backup|not an lnflow database")
    with told, StoreWriter(path, "node") as writer:
        write(writer, [offered(n) for n in range(5_000, 6_000)])


def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        StoreWriter(tmp_path, "node")


def test_a_migration_that_fails_leaves_the_schema_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is one transaction: half of one is never seen."""
    path = tmp_path / "s"
    open_writer(path).close()
    scripts = migrations()
    broken = [*scripts, "CREATE TABLE half (x INTEGER) STRICT;\nINSERT INTO nowhere VALUES (1);\n"]
    monkeypatch.setattr("lnflow.store.database.migrations", lambda: broken)
    with pytest.raises(StoreError, match="nowhere"):
        open_writer(path)
    monkeypatch.undo()
    con = open_writer(path)
    assert con.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
    con.close()


def test_two_programs_may_make_the_store_at_once(tmp_path: Path) -> None:
    """The second waits for the first, and finds it done."""
    path = tmp_path / "s"
    code = (
        "import sys; from pathlib import Path; from lnflow.store.writing import StoreWriter;"
        "StoreWriter(Path(sys.argv[1]), 'n').close()"
    )
    programs = [subprocess.Popen([sys.executable, "-c", code, path], stderr=subprocess.PIPE) for _ in range(3)]
    errors = [program.communicate(timeout=60)[1].decode() for program in programs]
    assert [program.returncode for program in programs] == [0, 0, 0], errors
    with StoreReader(path) as store:
        assert [node.name for node in store.nodes()] == ["n"]
