"""Let a world happen: same spec, seed and luck, same run; one cause of one peer can be lifted."""

from __future__ import annotations

from dataclasses import dataclass

from lnflow.domain.causes import Problem
from lnflow.domain.channel import ChannelPolicies, ChannelState
from lnflow.domain.htlc import DownstreamFailed, HtlcEvent, Offered, Settled
from lnflow.domain.time import HOUR_NS, MINUTE_NS, SECOND_NS
from lnflow.nodes.port import ChannelEvent, ChannelEventKind, PolicyEvent
from lnflow.simulation.world.agenda import Agenda
from lnflow.simulation.world.arrivals import Arrivals, draw_absences_ns, draw_arrivals
from lnflow.simulation.world.facts import node_info, our_pubkey, policies_now, policy_of, states_now
from lnflow.simulation.world.holdings import Peer
from lnflow.simulation.world.our_node import RECONNECT_NS, OurNode
from lnflow.simulation.world.own_moves import OwnMoves, Strays
from lnflow.simulation.world.payers import Payers
from lnflow.simulation.world.probers import Probers
from lnflow.simulation.world.recording import Recording, Snapshot
from lnflow.simulation.world.spec import PolicyChange, WorldSpec

DEFAULT_START_NS = 1_767_571_200 * SECOND_NS  # Monday 2026-01-05, 00:00 UTC


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the payments of one run paid us and whom they asked for, by payment number."""

    wanted_ns: list[int]
    """When the payer first wished it, from the start of the window."""
    fee_msat: list[int]
    asked: list[int]
    met: frozenset[tuple[int, Problem]]
    """(peer, problem) that stood in a payment's way within the window: to lift any other changes nothing."""


def record(spec: WorldSpec, seed: int, *, luck: int = 0, start_ns: int = DEFAULT_START_NS) -> Recording:
    """Run the world and return what our node saw of it; the window starts at `start_ns`."""
    return _Run(spec, draw_arrivals(spec, seed), seed, luck, None, start_ns).recording()


def settle_accounts(spec: WorldSpec, seed: int, *, luck: int = 0, lifted: tuple[int, Problem] | None = None) -> Ledger:
    """Run without recording, with `lifted` = (peer, problem) out of the way from the window's start."""
    run = _Run(spec, draw_arrivals(spec, seed), seed, luck, lifted, None)
    return run.ledger()


class _Run:
    def __init__(
        self,
        spec: WorldSpec,
        arrivals: Arrivals,
        seed: int,
        luck: int,
        lifted: tuple[int, Problem] | None,
        start_ns: int | None,
    ) -> None:
        self.spec = spec
        self.start_ns = start_ns
        self.lifted = lifted
        self.arrivals = arrivals
        self.until_ns = int(spec.hours * HOUR_NS)
        self.agenda = Agenda()
        self.node = OurNode(spec, start_ns)
        self.snapshots: list[Snapshot] = []
        self.channel_events: list[ChannelEvent] = []
        self.policy_events: list[PolicyEvent] = []
        self._schedule_facts(seed)
        self.moves = OwnMoves(spec, self.node, self.agenda)
        Strays(spec, self.node, self.agenda, seed)
        Probers(spec, self.node, self.agenda, seed, luck)
        self.payers = Payers(spec, self.node, self.agenda, arrivals, seed, luck)

    def ledger(self) -> Ledger:
        self.agenda.run_until(0)
        self._lift()
        self.agenda.run_until(self.until_ns)
        return Ledger(self.arrivals.at_ns, self.payers.fee_msat, self.payers.asked, frozenset(self.node.met))

    def recording(self) -> Recording:
        assert self.start_ns is not None
        self.agenda.run_until(0)
        channels, policies = states_now(self.node), policies_now(self.node, self.start_ns)
        self._snapshot(0)
        self.agenda.run_until(self.until_ns)
        return self._recorded(self.start_ns, channels, policies)

    def _recorded(
        self, start: int, channels: tuple[ChannelState, ...], policies: tuple[ChannelPolicies, ...]
    ) -> Recording:
        until = start + self.until_ns
        # finals are noted beside what they follow, a few ms ahead of their turn
        events = sorted((e for e in self.node.events if start <= e.at_ns < until), key=lambda e: e.at_ns)
        return Recording(
            since_ns=start,
            until_ns=until,
            node=node_info(self.spec.name),
            channels=channels,
            policies=policies,
            in_flight=_in_flight(self.node.events, start),
            payments=self.node.payments,
            unsaid_msat=self.node.unsaid_msat,
            aliases={peer.pubkey: peer.spec.alias for peer in self.node.peers},
            covered=tuple((start + a, start + b) for a, b in covered_ns(self.spec)),
            events=events,
            own=sorted((o for o in self.moves.own if start <= o.at_ns < until), key=lambda o: o.at_ns),
            forwards=self.node.forwards,
            snapshots=self.snapshots,
            channel_events=self.channel_events,
            policy_events=self.policy_events,
        )

    def _schedule_facts(self, seed: int) -> None:
        for change in self.spec.policy_changes:
            self.agenda.put(int(change.at_h * HOUR_NS), self._change_policy, change)
        for peer, absences in zip(self.node.peers, draw_absences_ns(self.spec, seed), strict=True):
            for start, end in absences:
                if self.lifted == (peer.index, Problem.OFFLINE):
                    if start >= 0:
                        continue
                    end = min(end, 0)
                self.agenda.put(start, self._leave, peer, end)

    def _lift(self) -> None:
        if self.lifted is not None and self.lifted[1] is not Problem.OFFLINE:
            self.node.peers[self.lifted[0]].lifted = self.lifted[1]

    def _leave(self, now: int, peer: Peer, back_ns: int) -> None:
        peer.online = False
        peer.away_since_ns = now
        peer.back_ns = back_ns
        self.agenda.put(back_ns, self._return, peer)
        self._tell(now, peer, ChannelEventKind.PEER_OFFLINE, ChannelEventKind.INACTIVE)

    def _return(self, now: int, peer: Peer) -> None:
        peer.online = True
        peer.ready_ns = now + RECONNECT_NS
        self._tell(now, peer, ChannelEventKind.PEER_ONLINE, ChannelEventKind.ACTIVE)

    def _tell(self, now: int, peer: Peer, peer_kind: ChannelEventKind, kind: ChannelEventKind) -> None:
        if self.start_ns is None or now < 0:
            return
        at = self.start_ns + now
        self.channel_events.append(ChannelEvent(kind=peer_kind, at_ns=at, peer_pubkey=peer.pubkey))
        self.channel_events.extend(
            ChannelEvent(kind=kind, at_ns=at, channel_point=c.point, peer_pubkey=peer.pubkey) for c in peer.channels
        )

    def _change_policy(self, now: int, change: PolicyChange) -> None:
        self.node.change_policy(now, change)
        if self.start_ns is None or now < 0:
            return
        for channel in self.node.peers[change.peer].channels:
            self.policy_events.append(
                PolicyEvent(
                    at_ns=self.start_ns + now,
                    scid=channel.scid,
                    announced_by=our_pubkey(self.spec.name),
                    policy=policy_of(channel, self.start_ns),
                )
            )

    def _snapshot(self, now: int) -> None:
        assert self.start_ns is not None
        self.snapshots.append(Snapshot(at_ns=self.start_ns + now, channels=states_now(self.node)))
        following = now + self.spec.snapshot_minutes * MINUTE_NS
        if following < self.until_ns:
            self.agenda.put(following, self._snapshot)


def _in_flight(events: list[HtlcEvent], at_ns: int) -> tuple[Offered, ...]:
    """Return what was passed on before an instant and had not ended then."""
    flying: dict[tuple[int, int], Offered] = {}
    for event in events:
        if event.at_ns >= at_ns:
            continue
        if isinstance(event, Offered):
            flying[event.in_scid, event.in_htlc_id] = event
        elif isinstance(event, Settled | DownstreamFailed):
            flying.pop((event.in_scid, event.in_htlc_id), None)
    return tuple(flying.values())


def covered_ns(spec: WorldSpec) -> list[tuple[int, int]]:
    """Return the listened-to intervals of the window, from its start."""
    covered: list[tuple[int, int]] = []
    since = 0
    until = int(spec.hours * HOUR_NS)
    for start_h, end_h in sorted(spec.gaps_h):
        start, end = int(start_h * HOUR_NS), int(end_h * HOUR_NS)
        if since < min(start, until):
            covered.append((since, min(start, until)))
        since = max(since, end)
    if since < until:
        covered.append((since, until))
    return covered
