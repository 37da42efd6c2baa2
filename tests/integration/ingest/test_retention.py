"""`[retention] raw_days` at work: the collector prunes beside its stream, and no answer changes."""

from __future__ import annotations

import time
from pathlib import Path

from tests.builders import offered, refused, rows_of, settled, write
from tests.fakes import running_lnd
from tests.integration.ingest.live import NODE, collecting, rows, settled_count, settled_forward
from tests.integration.ingest.test_disk_faults import event_log

from lnflow.domain.time import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, SystemClock
from lnflow.ingest.importer import import_paths
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter


def totals(database: Path, until_ns: int) -> list[str]:
    with StoreReader(database) as store:
        answers = [
            *store.flows(0, until_ns),
            *store.refusals(0, until_ns),
            *store.pairs(0, until_ns)[0],
            *rows_of(store.demands(0, until_ns)),
            *store.hours(0, until_ns),
        ]
    return sorted(map(repr, answers))


async def test_the_collector_prunes_what_is_older_than_raw_days(tmp_path: Path) -> None:
    """Totals by channel, pair, hour and demand stay; younger attempts stay as they are."""
    database = tmp_path / "store.sqlite"
    now_ns = time.time_ns()
    old_ns, young_ns = (now_ns - 5 * DAY_NS) // HOUR_NS * HOUR_NS, now_ns - HOUR_NS
    end_ns = (now_ns - 4 * DAY_NS) // DAY_NS * DAY_NS
    with StoreWriter(database, NODE) as writer:
        for n, at_ns in ((0, old_ns), (10, young_ns)):
            write(writer, [offered(n, at_ns), settled(n, at_ns + SECOND_NS), refused(n + 1, at_ns + MINUTE_NS)])
        writer.upkeep(now_ns)
    before = totals(database, end_ns)
    assert before
    async with running_lnd() as lnd, collecting(lnd, database, raw_days=2) as running:
        old = f"SELECT count(*) FROM attempt WHERE accounted_ns < {old_ns + DAY_NS}"
        settled_forward(lnd)
        await running.until(lambda: rows(database, old) == [(0,)], "the old attempts gone")
        await running.until(lambda: settled_count(database) == 3, "what came meanwhile")
    assert rows(database, f"SELECT count(*) FROM attempt WHERE accounted_ns >= {young_ns}") == [(3,)]
    assert totals(database, end_ns) == before


def test_a_file_imported_again_after_its_attempts_were_pruned_changes_nothing(tmp_path: Path) -> None:
    """What can no longer be told from new is rejected, with the reason and the way out."""
    database, log = tmp_path / "store.sqlite", tmp_path / "events.jsonl"
    event_log(log, 3_000)
    with StoreWriter(database, NODE) as writer:
        import_paths(writer, [log], clock=SystemClock())
        before = totals(database, 2**62)
        [(middle_ns,)] = rows(database, "SELECT (min(accounted_ns) + max(accounted_ns)) / 2 FROM attempt")
        pruned = writer.prune_raw(middle_ns)
        [report] = import_paths(writer, [log], clock=SystemClock())
    assert (report.new, report.known, report.rejected) == (0, 3_000 - pruned, pruned)
    assert "import into another --database" in report.rejections[0].reason
    assert totals(database, 2**62) == before
