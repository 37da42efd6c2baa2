"""The reader against the fake node: two cursors, every row, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.integration.cln.network import Network
from tests.integration.cln.recorded import expected, final_rows, recording
from tests.integration.cln.schemas import RECORDINGS

from lnflow.domain.errors import NodeRefused, NodeUnavailable
from lnflow.domain.time import SystemClock
from lnflow.nodes.cln.forwards import Cursor, ForwardBatch, ForwardReader
from lnflow.nodes.cln.ledger import Autoclean, LedgerCheck, autoclean, fees_collected_msat
from lnflow.nodes.cln.methods import READ_METHODS
from lnflow.nodes.cln.rows import attempt_of
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.nodes.cln.socket import SocketRpc
from lnflow.nodes.cln.wire import ForwardRow, msat
from lnflow.simulation.lightningd.commands import Commands
from lnflow.simulation.lightningd.recording import Player
from lnflow.simulation.lightningd.socket_server import SocketServer


class Shelf:
    """What a store would keep: the last word on each row, and the cursor."""

    def __init__(self) -> None:
        self.rows: dict[int, ForwardRow] = {}
        self.cursor = Cursor()

    def put(self, batch: ForwardBatch) -> None:
        for row in batch.rows:
            self.rows[row.created_index or 0] = row
        self.cursor = batch.cursor

    @property
    def fees_msat(self) -> int:
        return sum(msat(r.in_msat) - msat(r.out_msat or 0) for r in self.rows.values() if r.status == "settled")


def reader_of(rpc: ClnRpc, *, page_size: int = 3) -> ForwardReader:
    return ForwardReader(rpc, SystemClock(), page_size=page_size, coalesce_s=0.0)


async def catch_up(reader: ForwardReader, shelf: Shelf) -> int:
    pages = 0
    async for batch in reader.catch_up(shelf.cursor):
        shelf.put(batch)
        pages += 1
    return pages


async def test_rows_are_seen_born_and_changed(rpc: SocketRpc, network: Network) -> None:
    shelf, reader = Shelf(), reader_of(rpc)
    held = [network.offer(network.bd, 1_000_000 + n) for n in range(5)]
    network.offer("700000x1x0", 5_000)
    await catch_up(reader, shelf)
    assert [r.status for r in shelf.rows.values()] == ["offered"] * 5 + ["local_failed"]
    for row in held[:3]:
        network.node.settle(row)
    network.node.fail(held[3])
    await catch_up(reader, shelf)
    statuses = [shelf.rows[n].status for n in range(1, 7)]
    assert statuses == ["settled"] * 3 + ["failed", "offered", "local_failed"]
    assert shelf.cursor == Cursor(created=6, updated=4)
    assert await catch_up(reader, shelf) == 0


async def test_never_more_than_a_page_is_asked(server: SocketServer, rpc: SocketRpc, network: Network) -> None:
    for number in range(10):
        network.settled(network.bd, 1_000_000 + number)
    shelf = Shelf()
    await catch_up(reader_of(rpc), shelf)
    asked = [params for method, params in server._commands.calls if method == "listforwards"]
    assert all(isinstance(p, dict) and p["limit"] == 3 and p["start"] >= 1 for p in asked)
    assert len(shelf.rows) == 10


async def follow(reader: ForwardReader, shelf: Shelf, rows: int) -> None:
    stream: AsyncIterator[ForwardBatch] = reader.follow(shelf.cursor)
    async for batch in stream:
        shelf.put(batch)
        if len(shelf.rows) >= rows and all(r.status != "offered" for r in shelf.rows.values()):
            return


async def test_following_hears_at_once_of_new_and_of_changed_rows(rpc: SocketRpc, network: Network) -> None:
    shelf = Shelf()
    following = asyncio.create_task(follow(reader_of(rpc), shelf, 3))
    async with asyncio.timeout(10):
        for number in range(3):
            row = network.offer(network.bd, 1_000_000 + number)
            while len(shelf.rows) <= number:
                await asyncio.sleep(0.001)
            network.node.settle(row)
            while shelf.rows[number + 1].status == "offered":
                await asyncio.sleep(0.001)
        await following
    assert shelf.fees_msat == network.node.fees_collected_msat


async def test_a_nudge_looks_without_waiting_for_the_index(
    server: SocketServer, rpc: SocketRpc, network: Network
) -> None:
    """A notification may come before `wait` answers, or where a rune does not allow `wait` to be quick."""
    shelf, reader = Shelf(), reader_of(rpc)
    network.settled(network.bd, 1_000_000)
    following = asyncio.create_task(follow(reader, shelf, 2))
    async with asyncio.timeout(10):
        while not server._commands._waiting:
            await asyncio.sleep(0.001)
        server._commands._waiting.clear()  # the node forgets to tell
        network.settled(network.bd, 2_000_000)
        reader.nudge()
        await following


async def test_a_nudge_about_what_was_read_asks_for_nothing(
    server: SocketServer, rpc: SocketRpc, network: Network
) -> None:
    """Every row is told twice, by `wait` and by its notification; one look is enough for both."""
    shelf, reader = Shelf(), reader_of(rpc)
    network.settled(network.bd, 1_000_000)
    following = asyncio.create_task(follow(reader, shelf, 2))
    async with asyncio.timeout(10):
        while not server._commands._waiting:
            await asyncio.sleep(0.001)
        looks = pages(server)
        reader.nudge(1, None)
        reader.nudge(None, 1)
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert pages(server) == looks
        server._commands._waiting.clear()  # the node forgets to tell
        network.settled(network.bd, 2_000_000)
        reader.nudge(2, None)
        await following


def pages(server: SocketServer) -> int:
    return sum(method == "listforwards" for method, _ in server._commands.calls)


async def test_the_safety_poll_finds_what_no_wait_told(server: SocketServer, rpc: SocketRpc, network: Network) -> None:
    shelf = Shelf()
    reader = ForwardReader(rpc, SystemClock(), safety_poll_s=0.05, coalesce_s=0.0)
    following = asyncio.create_task(follow(reader, shelf, 1))
    async with asyncio.timeout(10):
        while not server._commands._waiting:
            await asyncio.sleep(0.001)
        server._commands._waiting.clear()
        network.settled(network.bd, 2_000_000)
        await following


async def test_a_lost_socket_ends_the_stream_and_the_cursor_goes_on(network: Network, tmp_path: Path) -> None:
    shelf = Shelf()
    path = tmp_path / "rpc"
    for round_ in range(3):
        async with SocketServer(Commands(network.node), path) as server, asyncio.timeout(10):
            following = asyncio.create_task(follow(reader_of(SocketRpc(path, allowed=READ_METHODS)), shelf, 10**9))
            network.settled(network.bd, 1_000_000 + round_)
            held = network.offer(network.bc1, 2_000_000)
            while len(shelf.rows) < 2 * (round_ + 1):
                await asyncio.sleep(0.001)
            while not server._commands._waiting:
                await asyncio.sleep(0.001)
            await server.stop()
            with pytest.raises(NodeUnavailable):
                await following
        network.node.restart()
        network.node.settle(held)  # while we are away
    async with SocketServer(Commands(network.node), path):
        await catch_up(reader_of(SocketRpc(path, allowed=READ_METHODS)), shelf)
    assert shelf.fees_msat == network.node.fees_collected_msat > 0


async def test_the_ledger_holds_through_restart_splice_and_deletion(rpc: SocketRpc, network: Network) -> None:
    shelf, reader = Shelf(), reader_of(rpc)
    for number in range(7):
        network.settled(network.bd, 1_000_000 + number)
        network.offer(network.bd, 10_000_000_000)
    held = network.offer(network.bc1, 3_000_000)
    await catch_up(reader, shelf)
    network.node.restart()
    network.node.splice(network.bc1, "459x1x1", add_msat=10_000_000)
    network.node.settle(held)
    network.node.delete([r for r in network.node.forwards if r.status == "local_failed"][:4])
    network.settled(network.bc1, 4_000_000)
    before = await fees_collected_msat(rpc)
    await catch_up(reader, shelf)
    check = LedgerCheck(
        ours_msat=shelf.fees_msat,
        node_before_msat=before,
        node_after_msat=await fees_collected_msat(rpc),
        complete=True,
    )
    assert check.holds
    assert check.ours_msat == network.node.fees_collected_msat
    network.node.delete([r for r in network.node.forwards if r.status == "settled"][:2])
    late = Shelf()
    await catch_up(reader, late)
    lost = LedgerCheck(ours_msat=late.fees_msat, node_before_msat=before, node_after_msat=before, complete=True)
    assert not lost.holds
    assert lost.missing_msat == before - late.fees_msat > 0


async def test_another_database_behind_the_same_socket_is_refused(rpc: SocketRpc, network: Network) -> None:
    network.settled(network.bd, 1_000_000)
    with pytest.raises(NodeRefused, match="another database"):
        await reader_of(rpc).check(Cursor(created=5, updated=1))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 40), st.integers(1, 7), st.sets(st.integers(1, 40)), st.integers(0, 6))
def test_history_reads_every_row_newest_window_first(count: int, page: int, deleted: set[int], stop_after: int) -> None:
    """Resumed from the stored `down_to`, nothing is missing; rows between pages never are asked twice at once."""

    async def run() -> None:
        network = Network()
        for number in range(count):
            network.settled(network.bd, 1_000_000 + number)
        network.node.delete([r for r in network.node.forwards if r.created_index in deleted])
        reader = ForwardReader(InProcess(Commands(network.node)), SystemClock(), page_size=page)
        down_to = (await reader.newest()).created + 1
        seen: list[int] = []
        pages = 0
        async for batch in reader.history(down_to):
            seen += [r.created_index or 0 for r in batch.rows]
            down_to = batch.down_to
            pages += 1
            if pages == stop_after:
                break
        async for batch in reader.history(down_to):
            seen += [r.created_index or 0 for r in batch.rows]
            down_to = batch.down_to
        kept = {r.created_index for r in network.node.forwards}
        assert set(seen) == kept
        assert down_to == 1
        if stop_after == 0:
            assert len(seen) == len(kept)

    asyncio.run(run())


class InProcess:
    """Calls without a socket, through the same bytes."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def call(self, method, params, reply, *, timeout_s=None):  # type: ignore[no-untyped-def]
        import msgspec

        return msgspec.json.decode(msgspec.json.encode(await self._commands.call(method, params)), type=reply)

    def elements(self, *args, **how):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    async def close(self) -> None: ...


async def test_history_skips_wide_gaps_quickly(rpc: SocketRpc, server: SocketServer, network: Network) -> None:
    """A node whose autoclean left a few rows of millions is read in few calls."""
    network.settled(network.bd, 1_000_000)
    network.node.forwards.created = 20_000_000
    network.settled(network.bd, 2_000_000)
    rows: list[int] = []
    reader = reader_of(rpc, page_size=1000)
    async for batch in reader.history((await reader.newest()).created + 1):
        rows += [r.created_index or 0 for r in batch.rows]
    assert rows == [20_000_001, 1]
    assert len(server._commands.calls) < 30


@pytest.mark.parametrize("name", RECORDINGS)
async def test_a_recording_played_back_gives_what_the_real_node_gave(name: str, tmp_path: Path) -> None:
    """Two cursors over the playback end with every row that ever was and the node's own income."""
    record = recording(name)
    player = Player(record)
    shelf = Shelf()
    async with SocketServer(player.commands, tmp_path / "rpc") as server:
        reader = reader_of(SocketRpc(server.path, allowed=READ_METHODS), page_size=5)
        for moment in player.play():
            if moment.kind == "forwards":
                await catch_up(reader, shelf)
    assert shelf.rows == final_rows(record)
    totals = expected(name)["totals"]["settled"]
    assert (shelf.fees_msat, player.node.fees_collected_msat) == (totals["fee_msat"],) * 2
    settled = [attempt_of(r) for r in shelf.rows.values() if r.status == "settled"]
    assert (len(settled), sum(a.amount_out_msat or 0 for a in settled)) == (totals["count"], totals["out_msat"])
    assert shelf.fees_msat == record.getinfo["fees_collected_msat"]


async def test_autoclean_that_outruns_us_is_named(rpc: SocketRpc, network: Network) -> None:
    assert await autoclean(rpc) == Autoclean(failed_age_s=None, settled_age_s=None)
    network.node.autoclean_age_s = {"failedforwards": 60}
    status = await autoclean(rpc)
    assert status is not None
    assert status.failed_age_s == 60
    assert status.warning(unread_s=5) is None
    assert "60 s" in (status.warning(unread_s=60) or "")
