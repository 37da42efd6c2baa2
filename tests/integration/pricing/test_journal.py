"""The audit of prices: recorded before it is sent, completed after, and what follows from it for the next run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lnflow.domain.errors import ConfigurationError, StoreError
from lnflow.domain.time import DAY_NS, HOUR_NS
from lnflow.store.fee_journal import DONE, FAILED, FeeJournal, NewFeeChange, PastChanges

NOW_NS = 1_795_256_337_000_000_000


def change(point: str = "aa:0", **values: Any) -> NewFeeChange:
    fields: dict[str, Any] = {
        "channel_point": point,
        "scid": "1x1x1",
        "kind": "update",
        "rule": "rule",
        "strategy": "static",
        "old_values": "{}",
        "new_values": '{"fee_ppm": 5}',
        "status_change": None,
        "reason": "because",
        "inputs": "{}",
        "may_roll_back": True,
        "threshold": 0.3,
    }
    return NewFeeChange(**(fields | values))


def begin(journal: FeeJournal, changes: list[NewFeeChange], at_ns: int) -> list[int]:
    """Record changes that nothing keeps back."""
    return [number for number in journal.begin(changes, at_ns) if number is not None]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def test_a_change_is_there_before_it_is_sent_and_complete_after(database: Path) -> None:
    with FeeJournal(database, "alice") as journal:
        [number] = begin(journal, [change()], NOW_NS)
        with FeeJournal(database, "alice", read_only=True) as other:
            [under_way] = other.changes()
        journal.complete(number, DONE, None, NOW_NS + 5)
        [done] = journal.changes()
    assert (under_way.result, under_way.completed_ns) == (None, None)
    assert (done.result, done.completed_ns, done.may_roll_back, done.rule) == (DONE, NOW_NS + 5, True, "rule")


def test_a_write_of_which_nobody_knows_the_end_counts_as_written_and_a_failed_one_does_not(database: Path) -> None:
    with FeeJournal(database, "alice") as journal:
        begin(journal, [change("died:0")], NOW_NS)
        [failed] = begin(journal, [change("failed:0")], NOW_NS)
        journal.complete(failed, FAILED, "no", NOW_NS)
        assert journal.past(NOW_NS) == {"died:0": PastChanges(last_change_ns=NOW_NS, changes_last_day=1)}


def test_what_limits_the_next_change(database: Path) -> None:
    with FeeJournal(database, "alice") as journal:
        for hours, values in (
            (30, {}),
            (20, {"status_change": "disable"}),
            (10, {"status_change": "enable"}),
            (5, {"kind": "rollback"}),
            (2, {"status_change": "disable"}),
        ):
            [number] = begin(journal, [change(**values)], NOW_NS - hours * HOUR_NS)
            journal.complete(number, DONE, None, NOW_NS)
        [past] = journal.past(NOW_NS).values()
    assert past == PastChanges(
        last_change_ns=NOW_NS - 2 * HOUR_NS,
        changes_last_day=4,
        rolled_back_ns=NOW_NS - 5 * HOUR_NS,
        disabled_by_us=True,
    )


def test_a_refusal_that_repeats_is_one_row(database: Path) -> None:
    refused = change(kind="refused")
    with FeeJournal(database, "alice") as journal:
        for minutes in range(5):
            journal.note([refused], NOW_NS + minutes)
        [row] = journal.changes()
        assert (row.at_ns, row.last_seen_ns) == (NOW_NS, NOW_NS + 4)
        journal.note([change(kind="refused", new_values='{"fee_ppm": 6}')], NOW_NS + 9)
        assert len(journal.changes()) == 2
        assert journal.past(NOW_NS) == {}


def test_the_latest_change_of_each_channel(database: Path) -> None:
    with FeeJournal(database, "alice") as journal:
        numbers = begin(journal, [change("aa:0"), change("bb:0"), change("aa:0", rule="later")], NOW_NS)
        for number in numbers:
            journal.complete(number, DONE, None, NOW_NS)
        journal.note([change("bb:0", kind="refused")], NOW_NS + DAY_NS)
        assert {(c.channel_point, c.rule) for c in journal.latest_written()} == {("aa:0", "later"), ("bb:0", "rule")}


def test_nodes_have_their_own_journals(database: Path) -> None:
    with FeeJournal(database, "alice") as journal:
        begin(journal, [change()], NOW_NS)
    with FeeJournal(database, "bob") as journal:
        assert journal.changes() == []
    with FeeJournal(database, "carol", read_only=True) as journal:
        assert (journal.changes(), journal.past(NOW_NS)) == ([], {})


def test_a_name_that_belongs_to_another_node_is_refused(database: Path) -> None:
    with FeeJournal(database, "alice") as journal:
        journal._con.execute("UPDATE node SET pubkey = '02aa'")
        journal.refuse_other_node("02aa")
        with pytest.raises(ConfigurationError, match="is 02aa, but this is 02bb"):
            journal.refuse_other_node("02bb")


def test_without_a_store_there_is_nothing_to_read(database: Path) -> None:
    with pytest.raises(StoreError):
        FeeJournal(database, "alice", read_only=True)
    assert not database.exists()


def test_old_refusals_go_and_changes_stay_for_a_year(database: Path) -> None:
    old_ns = NOW_NS - 400 * DAY_NS
    with FeeJournal(database, "alice") as journal:
        begin(journal, [change("last:0"), change("again:0")], old_ns)
        [reverted] = begin(journal, [change("reverted:0")], old_ns)
        begin(journal, [change("off:0", status_change="disable")], old_ns)
        begin(journal, [change("off:0")], NOW_NS - 300 * DAY_NS)
        begin(journal, [change("reverted:0", kind="rollback", reverts=reverted)], NOW_NS - 300 * DAY_NS)
        begin(journal, [change("again:0")], NOW_NS - 300 * DAY_NS)
        journal.note([change("last:0", kind="refused")], NOW_NS - 100 * DAY_NS)
        journal.note([change("fresh:0", kind="refused")], NOW_NS - 80 * DAY_NS)
        before = journal.past(NOW_NS)
        assert journal.prune(NOW_NS, held_back_days=90) == 2
        left = [(c.channel_point, c.kind, c.at_ns == old_ns) for c in reversed(journal.changes())]
        assert journal.past(NOW_NS) == before
        assert journal.prune(NOW_NS, held_back_days=90) == 0
    assert left == [
        ("last:0", "update", True),  # what the next run of its channel builds on
        ("reverted:0", "update", True),  # a rollback that is kept says that it took this back
        ("off:0", "update", True),  # it was us who disabled the channel
        ("off:0", "update", False),
        ("reverted:0", "rollback", False),
        ("again:0", "update", False),
        ("fresh:0", "refused", False),
    ]


def test_refusals_are_kept_as_long_as_single_attempts(database: Path) -> None:
    with FeeJournal(database, "alice") as journal:
        journal.note([change("old:0", kind="refused")], NOW_NS - 500 * DAY_NS)
        assert journal.prune(NOW_NS, held_back_days=800) == 0
        assert journal.prune(NOW_NS, held_back_days=400) == 1
