"""Backup and restore of the whole database, while it is in use."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from itertools import chain, count
from pathlib import Path

from lnflow.domain.errors import StoreDamaged, StoreError
from lnflow.domain.time import iso_utc
from lnflow.store.database import explained, migrations, open_reader, open_writer

_PAGES = 4_000  # a writer that waits gets its turn between two steps
_BEFORE = ".before-restore"


def backup(database: Path, target: Path) -> int:
    """Copy the database to a new file, as of one instant; return its bytes.

    The copy is checked before it gets its name.  `StoreError` if `target` exists or the copy is damaged.
    """
    if target.exists():
        raise StoreError(f"{target} exists already: name another file, or move it away")
    draft = target.with_name(target.name + ".part")
    source = open_reader(database)
    try:
        with explained(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.unlink(missing_ok=True)
            _copy(source, draft)
            _check(draft)
            draft.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    finally:
        source.close()
    return target.stat().st_size


def restore(saved: Path, database: Path, now_ns: int) -> Path | None:
    """Put a backup in place of the database; return where the old content was kept, None if there was none.

    `StoreError` if the backup is no sound lnflow database, or if a collector is writing to the present one.
    """
    if not saved.exists():
        raise StoreError(f"{saved}: no such backup")
    if database.exists() and os.path.samefile(saved, database):
        raise StoreError(f"{saved} is the database itself: name the backup")
    _check(saved)
    kept = _keep(database, now_ns) if database.exists() else None
    source = open_reader(saved)
    # SQLite's own copy replaces the content in one transaction: readers see the old or the new state.
    target = open_writer(database)
    try:
        with explained(database):
            source.backup(target)
    finally:
        target.close()
        source.close()
    return kept


def _keep(database: Path, now_ns: int) -> Path:
    """Keep the present content under a name of its own, never one that holds something; return it."""
    names = (f"{database.name}{_BEFORE}{number}" for number in chain([""], (f"-{n}" for n in count(2))))
    kept = next(path for name in names if not (path := database.with_name(name)).exists())
    try:
        _refuse_if_collecting(database, now_ns)
        backup(database, kept)
    except StoreDamaged:  # it cannot be copied: keep the very files, for whoever can mend them
        with explained(database):
            for end in ("-wal", "-shm", ""):
                with contextlib.suppress(FileNotFoundError):
                    database.with_name(database.name + end).rename(kept.with_name(kept.name + end))
    return kept


def _copy(source: sqlite3.Connection, path: Path) -> None:
    copy = sqlite3.connect(path)
    try:
        source.backup(copy, pages=_PAGES)
        # One file, without a log beside it, that can be moved anywhere.
        copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        copy.close()


def _check(path: Path) -> None:
    with explained(path):
        con = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            version = con.execute("PRAGMA user_version").fetchone()[0]
            known = con.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('node', 'attempt')").fetchone()[0]
            if known != 2:
                raise StoreError(f"{path} is not an lnflow database")
            if version > len(migrations()):
                raise StoreError(f"{path} was written by a newer lnflow (schema {version}): update")
            [verdict] = con.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise StoreDamaged(f"{path} is damaged: {verdict}")
        finally:
            con.close()


def _refuse_if_collecting(database: Path, now_ns: int) -> None:
    con = open_reader(database)
    try:
        with explained(database):
            row = con.execute("SELECT holder, until_ns FROM lease WHERE until_ns > ? LIMIT 1", (now_ns,)).fetchone()
    finally:
        con.close()
    if row is not None:
        raise StoreError(
            f"an lnflow is collecting into {database} (until {iso_utc(row[1])} at least): stop it, then restore"
        )
