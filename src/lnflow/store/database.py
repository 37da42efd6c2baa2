"""Opening the database: pragmas, migrations, and errors in the operator's words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from lnflow.domain.errors import StoreDamaged, StoreError, StoreRefused

MIN_SQLITE = (3, 37, 0)  # STRICT tables
_BUSY_MS = 10_000
_EFFECTIVE = os.access in os.supports_effective_ids


def open_writer(path: Path) -> sqlite3.Connection:
    """Open for writing, create what is missing, bring the schema up to date.

    The connection may be handed to one other thread; transactions are explicit.  `StoreError` says what
    to do when the file is locked, damaged, full or from a newer lnflow.
    """
    if sqlite3.sqlite_version_info < MIN_SQLITE:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: lnflow needs 3.37 or newer")
    _refuse_other_than_file(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        con = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_MS / 1000)
        try:
            _refuse_foreign(con, path)
            _refuse_newer(con, path)
            con.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heeded only by a new file, before anything is in it
            con.execute("PRAGMA journal_mode = WAL")
            con.execute("PRAGMA synchronous = NORMAL")
            con.execute("PRAGMA temp_store = MEMORY")
            con.execute("PRAGMA cache_size = -24576")  # 24 MiB
            con.execute("PRAGMA wal_autocheckpoint = 4000")
            migrate(con, path)
        except BaseException:
            con.close()
            raise
    return con


def open_reader(path: Path) -> sqlite3.Connection:
    """Open for reading only; `StoreError` if there is no database or it is not ours."""
    if not path.exists():
        raise StoreError(
            f"no database at {path}: run 'lnflow monitor' or 'lnflow import' first, or name one with --database"
        )
    _refuse_other_than_file(path)
    with explained(path):
        mode, kind = ("immutable=1", _AsItWas) if _cannot_change(path) else ("mode=ro", sqlite3.Connection)
        uri = f"{path.absolute().as_uri()}?{mode}"
        con: sqlite3.Connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, factory=kind, timeout=_BUSY_MS / 1000
        )
        if isinstance(con, _AsItWas):
            con.remember(path)
        con.execute("PRAGMA temp_store = MEMORY")
        con.execute("PRAGMA cache_size = -65536")
        have = con.execute("PRAGMA user_version").fetchone()[0]
        if have != len(migrations()):
            try:
                _refuse_foreign(con, path)
                _refuse_newer(con, path)
            finally:
                con.close()
            # An older schema is brought up to date by whoever may write.
            open_writer(path).close()
            return open_reader(path)
    return con


def _cannot_change(path: Path) -> bool:
    """Whether nobody writes it and we may not: SQLite reads such a file only if it is told so (it would share memory
    with writers by a file beside it)."""
    return not _is_written(path) and not (
        os.access(path, os.W_OK, effective_ids=_EFFECTIVE) and os.access(path.parent, os.W_OK, effective_ids=_EFFECTIVE)
    )


def _is_written(path: Path) -> bool:
    return any(Path(f"{path}{end}").exists() for end in ("-wal", "-shm"))


class _AsItWas(sqlite3.Connection):
    """A connection to a file that nobody wrote when it was opened: SQLite does not look whether that is still so."""

    def remember(self, path: Path) -> None:
        """Note how the file is, before anything of it is read."""
        self._path, self._was = path, _state(path)

    def refuse_if_written(self) -> None:
        """Raise `StoreError` if somebody has written it since: what was read may be old, or of two states."""
        if _is_written(self._path) or _state(self._path) != self._was:
            raise StoreError(
                f"{self._path} was read as a file that nobody writes, and was written meanwhile: open it again"
            )


def _state(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _refuse_other_than_file(path: Path) -> None:
    if path.is_dir():
        raise StoreError(f"{path} is a folder: name a file in it with --database, such as {path / 'lnflow.sqlite'}")
    if path.exists() and not path.is_file():
        raise StoreError(f"{path} is a pipe or a device, not a file: name a file with --database")


def _refuse_foreign(con: sqlite3.Connection, path: Path) -> None:
    """A database with tables but none of ours belongs to another program."""
    tables = {name for (name,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and "attempt" not in tables:
        raise StoreError(f"{path} is another program's database: choose another file with --database")


def migrations() -> list[str]:
    """Return the migrations' SQL in order; the schema's version is how many were applied."""
    folder = resources.files("lnflow.store") / "schema"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [f.read_text(encoding="utf-8") for f in files]


def migrate(con: sqlite3.Connection, path: Path) -> None:
    """Apply the migrations that are missing, each in one transaction."""
    scripts = migrations()
    while True:
        have = con.execute("PRAGMA user_version").fetchone()[0]
        if have == len(scripts):
            return
        _refuse_newer(con, path)
        with transaction(con):
            # Another process may have been faster while we waited for the lock.
            if con.execute("PRAGMA user_version").fetchone()[0] != have:
                continue
            for statement in split_statements(scripts[have]):
                con.execute(statement)
            con.execute(f"PRAGMA user_version = {have + 1}")


def _refuse_newer(con: sqlite3.Connection, path: Path) -> None:
    """Raise before anything is written to a store that we do not understand."""
    have, known = con.execute("PRAGMA user_version").fetchone()[0], len(migrations())
    if have > known:
        raise StoreError(f"{path} was written by a newer lnflow (schema {have}, we know {known}): update")


def split_statements(script: str) -> Iterator[str]:
    """Yield the statements of a script (`executescript` would commit our transaction)."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip() and not all(x.strip().startswith("--") or not x.strip() for x in pending.splitlines()):
        raise StoreError(f"migration ends within a statement: {pending.strip()[:60]!r}")


@contextlib.contextmanager
def transaction(con: sqlite3.Connection) -> Iterator[None]:
    """Run one immediate transaction: all of it or nothing."""
    con.execute("BEGIN IMMEDIATE")
    try:
        yield
        con.execute("COMMIT")  # may fail too (full disk), and then leaves the transaction open
    except BaseException:
        # SQLite has already rolled back on some errors (full disk); then there is nothing to undo.
        with contextlib.suppress(sqlite3.OperationalError):
            con.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def snapshot(con: sqlite3.Connection) -> Iterator[None]:
    """Let several reads see one and the same state; `StoreError` if that could not be."""
    con.execute("BEGIN")
    try:
        yield
    finally:
        con.execute("ROLLBACK")
        if isinstance(con, _AsItWas):
            con.refuse_if_written()


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into `StoreError`s that say what to do."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError) as exc:
        raise StoreRefused(f"database {path}: it will not have these data: {exc}") from exc
    except sqlite3.Error as exc:
        if "integer overflow" in str(exc):
            raise StoreRefused(f"database {path}: a sum of these data is too large: {exc}") from exc
        kind = StoreDamaged if "malformed" in str(exc) else StoreError
        raise kind(_explain(path, str(exc))) from exc
    except OSError as exc:
        raise StoreError(f"cannot use {path}: {exc.strerror or exc}") from exc


def _explain(path: Path, text: str) -> str:
    known = {
        "database is locked": "another program holds it: wait for it or end it, then try again",
        "database or disk is full": "the disk is full: make room; nothing committed was lost",
        "file is not a database": "it is not an lnflow database: choose another file with --database",
        "attempt to write a readonly database": "the file or its folder cannot be written: check permissions",
        "unable to open database file": "the file or its folder cannot be opened: check the path and permissions",
        "malformed": "it is damaged: restore a backup ('lnflow restore')",
        "disk I/O error": "the disk failed or is full: check it, then try again",
    }
    for sign, remedy in known.items():
        if sign in text:
            return f"database {path}: {text}; {remedy}"
    return f"database {path}: {text}"
