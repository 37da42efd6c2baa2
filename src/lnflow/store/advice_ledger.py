"""The ledger of recommendations: what was advised, when, with which numbers, and what became of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct

from lnflow.domain.errors import ConfigurationError
from lnflow.store.database import explained, open_writer, transaction


class NewAdvice(Struct, frozen=True, kw_only=True):
    """A recommendation as it was given; `recommendation` is JSON, gains are msat per month."""

    peer_pubkey: str | None
    peer_alias: str | None
    cause: str
    recommendation: str
    expected_msat: int | None
    low_msat: int | None
    high_msat: int | None


class StoredAdvice(NewAdvice, frozen=True, kw_only=True):
    """`ended_ns` is when it was taken, ran out or was withdrawn; `marked`: the operator said so."""

    advice_id: int
    given_ns: int
    status: str
    ended_ns: int | None
    marked: bool


def load_advice(con: sqlite3.Connection, node_id: int) -> list[StoredAdvice]:
    """Return all that was ever advised, the oldest first."""
    names = StoredAdvice.__struct_fields__
    rows = con.execute(f"SELECT {', '.join(names)} FROM advice WHERE node_id = ? ORDER BY advice_id", (node_id,))
    found = []
    for row in rows:
        fields = dict(zip(names, row, strict=True))
        fields["marked"] = bool(fields["marked"])
        found.append(StoredAdvice(**fields))
    return found


class AdviceLedger:
    """Writes one node's ledger, in short transactions of its own; may stand beside a collector."""

    def __init__(self, path: Path, node_id: int) -> None:
        self.path = path
        self._con = open_writer(path)
        self._node_id = node_id

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._con.close()

    def give(self, advice: Sequence[NewAdvice], at_ns: int) -> None:
        """Record what is advised from now on, all in one transaction."""
        with explained(self.path), transaction(self._con):
            self._con.executemany(
                """INSERT INTO advice (node_id, given_ns, peer_pubkey, peer_alias, cause, recommendation,
                     expected_msat, low_msat, high_msat, status, marked)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', 0)""",
                (
                    (
                        self._node_id, at_ns, a.peer_pubkey, a.peer_alias, a.cause, a.recommendation,
                        a.expected_msat, a.low_msat, a.high_msat,
                    )
                    for a in advice
                ),
            )  # fmt: skip

    def end(self, advice_id: int, status: str, at_ns: int, *, marked: bool) -> None:
        """Record what became of it; `ConfigurationError` if there is no such recommendation."""
        with explained(self.path), transaction(self._con):
            changed = self._con.execute(
                "UPDATE advice SET status = ?, ended_ns = ?, marked = ? WHERE advice_id = ? AND node_id = ?",
                (status, at_ns, marked, advice_id, self._node_id),
            ).rowcount
        if not changed:
            raise ConfigurationError(f"there is no recommendation {advice_id}: 'lnflow advice' lists them")
