"""Reading the history of a Core Lightning node, against decoding the same pages and inserting bare rows.

The node is a process of its own, as a real one is; it makes its pages as it is asked, on both sides of the ratio,
and faster than a real one (125,000-200,000 rows a second), so that reading is no excuse.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.table import Row, Spent, rate, ratios
from lnflow.domain.time import SystemClock
from lnflow.ingest.cln_collector import ClnCollector
from lnflow.nodes.cln.facts import NodeFacts
from lnflow.nodes.cln.forwards import ForwardReader
from lnflow.nodes.cln.history import NodeHistory
from lnflow.nodes.cln.live import LiveForwards
from lnflow.nodes.cln.methods import READ_METHODS
from lnflow.nodes.cln.socket import SocketRpc
from lnflow.nodes.cln.wire import ForwardPage
from lnflow.store.writing import StoreWriter

START_S = 1_700_000_000
PAGE = 5000
_MEMORY_LIMIT_MIB = 150.0
_FEE_MSAT = 100
_GETINFO = b'{"id":"02","alias":"x","version":"v26.06","blockheight":1,"network":"regtest","fees_collected_msat":%d}'
OTHERS = {
    "listpeerchannels": b'{"channels":[]}',
    "listclosedchannels": b'{"closedchannels":[]}',
    "listconfigs": b'{"configs":{}}',
    "autoclean-status": b'{"autoclean":{"failedforwards":{"enabled":false},"succeededforwards":{"enabled":false}}}',
}


def row(number: int) -> bytes:
    """One of three forwards settles, the others are refused or fail later, on 40 channels."""
    base = (
        b'{"created_index":%d,"in_channel":"8000%02dx1x0","in_htlc_id":%d,"out_channel":"8000%02dx2x1",'
        b'"in_msat":%d,"received_time":%d.123456789,"style":"tlv"'
        % (number, number % 40, number, number * 7 % 40, 1_000_000 + number % 9999, START_S + number)
    )
    if number % 3 == 0:
        out = b',"updated_index":%d,"out_htlc_id":%d,"out_msat":%d,"fee_msat":%d,"status":"settled"'
        return (
            base
            + out % (number // 3 + 1, number, 1_000_000 - _FEE_MSAT + number % 9999, _FEE_MSAT)
            + (b',"resolved_time":%d.223456789}' % (START_S + number))
        )
    return base + b',"status":"local_failed","failcode":4103,"failreason":"WIRE_TEMPORARY_CHANNEL_FAILURE"}'


async def serve(path: Path, rows: int) -> asyncio.Server:
    """A socket that answers wait and listforwards of a node with so many rows, without holding them."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = msgspec.json.decode(await reader.readuntil(b"\n\n"))
        except asyncio.IncompleteReadError:  # who asked went away
            writer.close()
            return
        params: dict[str, Any] = request["params"]
        if request["method"] == "wait":
            index = params["indexname"]
            reached = {"created": rows, "updated": rows // 3 + 1, "deleted": 0}[index]
            if params["nextvalue"] > reached:
                await reader.read()  # nothing happens until who waits goes away
                writer.close()
                return
            body = msgspec.json.encode({"subsystem": "forwards", index: reached})
        elif request["method"] == "getinfo":
            body = _GETINFO % (rows // 3 * _FEE_MSAT)
        elif request["method"] in OTHERS:
            body = OTHERS[request["method"]]
        else:
            last = 0 if params["index"] == "updated" else rows
            numbers = range(params["start"], min(params["start"] + params["limit"], last + 1))
            body = b'{"forwards":[' + b",".join(map(row, numbers)) + b"]}"
        writer.write(b'{"jsonrpc":"2.0","id":%s,"result":%s}\n\n' % (msgspec.json.encode(request["id"]), body))
        with contextlib.suppress(ConnectionResetError):  # who asked went away
            await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(answer, path=str(path))


@contextlib.contextmanager
def node(path: Path, rows: int) -> Iterator[None]:
    """Run such a node in a process of its own."""
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.cln_hydration", "serve", str(path), str(rows)],
        cwd=Path(__file__).parents[1], stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    try:
        if not child.stdout.readline():
            raise RuntimeError("the made-up node did not start")
        yield
    finally:
        child.terminate()
        child.wait()
        child.stdout.close()


async def pages(path: Path) -> AsyncIterator[ForwardPage]:
    reader = ForwardReader(SocketRpc(path, allowed=READ_METHODS), SystemClock(), page_size=PAGE)
    async for batch in reader.history((await reader.newest()).created + 1):
        yield ForwardPage(forwards=batch.rows)


async def bare(path: Path, database: Path) -> int:
    """Decode and insert nothing but the columns."""
    con = sqlite3.connect(database)
    con.execute("PRAGMA journal_mode = WAL")
    con.execute("PRAGMA synchronous = NORMAL")
    con.execute("CREATE TABLE f (i INTEGER PRIMARY KEY, ic TEXT, ih INT, oc TEXT, im INT, om INT, s TEXT, t REAL)")
    count = 0
    async for page in pages(path):
        with con:
            con.executemany(
                "INSERT INTO f VALUES (?,?,?,?,?,?,?,?)",
                [
                    (r.created_index, r.in_channel, r.in_htlc_id, r.out_channel, r.in_msat, r.out_msat, r.status,
                     float(r.received_time))
                    for r in page.forwards
                ],
            )  # fmt: skip
        count += len(page.forwards)
    con.close()
    return count


async def hydrate(path: Path, database: Path, stored: Callable[[], None] = lambda: None) -> int:
    """What the collector does: it stores one page while the next is read.

    `stored` is called when all of it is in the store with its rollups; the wishes are found after that.
    """
    rpc, clock = SocketRpc(path, allowed=READ_METHODS), SystemClock()
    with StoreWriter(database, "default") as writer:
        live = LiveForwards(ForwardReader(rpc, clock), NodeFacts(rpc), NodeHistory(), clock)
        collector = ClnCollector(rpc, live, writer, clock, history_page=PAGE)
        running = asyncio.create_task(collector.run())
        while not (collector.status.history_down_to == 1 or running.done()):
            await asyncio.sleep(0.02)
        stored()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return collector.status.backfilled


class _Stopwatch:
    """Time by the clock and by the processor since it was made."""

    def __init__(self) -> None:
        self._began_s, self._cpu_s = time.perf_counter(), time.process_time()

    def now(self) -> Spent:
        return Spent(time.perf_counter() - self._began_s, time.process_time() - self._cpu_s)


def measure(scratch: Path, *, rows: int, rounds: int) -> list[Row]:
    """Return the rows of the table about the history of a Core Lightning node."""
    with node(scratch / "rpc", rows):
        return asyncio.run(_measure(scratch, rows, rounds))


async def _measure(scratch: Path, rows: int, rounds: int) -> list[Row]:
    path = scratch / "rpc"
    spent: dict[str, list[Spent]] = {"bare": [], "stored": [], "with wishes": []}
    for _ in range(rounds):
        since = _Stopwatch()
        assert await bare(path, scratch / "bare.sqlite") == rows
        spent["bare"].append(since.now())
        since = _Stopwatch()
        assert await hydrate(path, scratch / "hydrated.sqlite", lambda: spent["stored"].append(since.now())) == rows  # noqa: B023
        spent["with wishes"].append(since.now())
        for file in (*scratch.glob("bare.sqlite*"), *scratch.glob("hydrated.sqlite*")):
            file.unlink()
    wall, cpu_ratio = ratios(spent["stored"], spent["bare"])
    with_wishes, _ = ratios(spent["with wishes"], spent["bare"])
    figures = f"stored {rate(spent['stored'], rows)}, bare {rate(spent['bare'], rows)}; {rows:,} forwards"
    short, long = (_peak_mib(count) for count in (rows // 4, rows))
    lines = f"{short:.0f} MiB at {rows // 4:,} forwards, {long:.0f} MiB at {rows:,}"
    return [
        Row(name="CLN history stored / same pages decoded + bare rows", value=wall, bar=0.5, figures=figures),
        Row(name="  the same by processor time", value=cpu_ratio, bar=None, figures=""),
        Row(
            name="  with its wishes found / the same", value=with_wishes, bar=None,
            figures=rate(spent["with wishes"], rows),
        ),
        Row(
            name="CLN history: peak memory", value=max(short, long),
            bar=_MEMORY_LIMIT_MIB, at_least=False, unit="MiB", figures=lines,
        ),
    ]  # fmt: skip


def _peak_mib(rows: int) -> float:
    """Read a history of so many rows in a process of its own; return its peak memory."""
    with tempfile.TemporaryDirectory() as folder, node(Path(folder) / "rpc", rows):
        child = subprocess.run(
            [sys.executable, "-m", "benchmarks.cln_hydration", "hydrate", str(Path(folder) / "rpc"), str(rows)],
            cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True,
        )  # fmt: skip
    return float(child.stdout)


async def _serve_for_ever(path: Path, rows: int) -> None:
    server = await serve(path, rows)
    print("ready", flush=True)
    await server.serve_forever()


async def _hydrate_once(path: Path, rows: int) -> None:
    assert await hydrate(path, path.parent / "lnflow.sqlite") == rows
    # not ru_maxrss, which begins with what the process that started this one had
    print(int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024)  # type: ignore[index]


if __name__ == "__main__":
    work = {"serve": _serve_for_ever, "hydrate": _hydrate_once}[sys.argv[1]]
    asyncio.run(work(Path(sys.argv[2]), int(sys.argv[3])))
