"""Core Lightning's forwards as the port's `HtlcStream`, for those who want events and keep no cursor.

It begins with what happens from now on.  The collector goes by the cursors instead, and loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import msgspec

from lnflow.domain.causes import Outcome
from lnflow.domain.errors import InputError, NodeUnavailable
from lnflow.domain.htlc import Attempt, DownstreamFailed, Offered, Refused, Settled, StreamEvent, Subscribed
from lnflow.domain.time import Clock
from lnflow.nodes.cln.facts import NodeFacts
from lnflow.nodes.cln.forwards import ForwardReader
from lnflow.nodes.cln.history import NodeHistory
from lnflow.nodes.cln.live import LiveForwards
from lnflow.nodes.cln.rpc import ClnRpc

_KINDS: dict[str, type[StreamEvent]] = {
    kind.__name__: kind for kind in (Subscribed, Offered, Settled, DownstreamFailed, Refused)
}


class ClnHtlcStream:
    """One subscription: `run` has an event loop of its own in the thread that calls it."""

    def __init__(self, open_rpc: Callable[[], ClnRpc], clock: Clock) -> None:
        self._open_rpc = open_rpc
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False

    def run(self, deliver: Callable[[bytes], None]) -> None:
        """Block and hand over events until `cancel`; raise `NodeUnavailable` when the node goes."""
        try:
            asyncio.run(self._run(deliver))
        except asyncio.CancelledError:
            if not self._cancelled:
                raise

    def cancel(self) -> None:
        """End `run` from another thread, at once."""
        self._cancelled = True
        if self._loop is not None and self._task is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)

    def decode(self, raw: bytes) -> StreamEvent | None:
        """Return the event in one message of `run`."""
        try:
            kind, fields = msgspec.json.decode(raw, type=tuple[str, dict[str, object]])
            return msgspec.convert(fields, _KINDS[kind])
        except (msgspec.DecodeError, KeyError) as exc:
            raise InputError(f"not an event of this stream: {exc}") from None

    def counters(self) -> dict[str, int]:
        """Core Lightning lists forwards only: there is nothing else to count."""
        return {}

    async def _run(self, deliver: Callable[[bytes], None]) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._cancelled:
            return
        rpc = self._open_rpc()
        try:
            forwards, facts = ForwardReader(rpc, self._clock), NodeFacts(rpc)
            live = LiveForwards(forwards, facts, NodeHistory(max_dust_msat=await facts.max_dust_msat()), self._clock)
            cursor = await forwards.newest()
            deliver(_encode(Subscribed(self._clock.now_ns())))
            async for batch in live.follow(cursor):
                for attempt in batch.attempts:
                    for event in events_of(attempt):
                        deliver(_encode(event))
        finally:
            await rpc.close()


def events_of(attempt: Attempt) -> Iterator[StreamEvent]:
    """Yield what an LND would have told of this attempt so far; amounts stand in the offer.

    Rows without an HTLC id are older than any that a stream can meet.
    """
    if attempt.in_htlc_id is None or attempt.arrived_ns is None:
        raise NodeUnavailable(f"a forward of {attempt.in_scid} without HTLC id or time came as new")
    key = (attempt.in_scid, attempt.in_htlc_id)
    if attempt.outcome is Outcome.REFUSED:
        yield Refused(
            *key,
            attempt.arrived_ns,
            attempt.out_scid,
            attempt.cause,
            attempt.amount_in_msat,
            attempt.amount_out_msat,
            attempt.wire_code,
            attempt.detail,
        )
        return
    out = (attempt.out_scid, attempt.out_htlc_id or 0)
    yield Offered(*key, attempt.arrived_ns, *out, attempt.amount_in_msat, attempt.amount_out_msat)
    ended_ns = attempt.resolved_ns or attempt.arrived_ns  # none on a channel that went on-chain
    if attempt.outcome is Outcome.SETTLED:
        yield Settled(*key, ended_ns, *out)
    elif attempt.outcome is Outcome.DOWNSTREAM:
        yield DownstreamFailed(*key, ended_ns, *out)


def _encode(event: StreamEvent) -> bytes:
    return msgspec.json.encode((type(event).__name__, msgspec.to_builtins(event)))
