"""PolicyService: what the policy commands, the daemon and the Python API ask of the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from lnflow.advice.documents import NodeDocument, Opportunity
from lnflow.domain.channel import NodeInfo
from lnflow.domain.errors import ConfigurationError, StoreError
from lnflow.domain.time import Clock, iso_utc
from lnflow.ingest.cln_collector import DOWN_TO
from lnflow.nodes.port import FeeFacts, FeeRehearsal, FeeWriter, NodeReader
from lnflow.pricing.advised import advised
from lnflow.pricing.applying import Applied, Calls, Change, apply, rehearse
from lnflow.pricing.dialect.check import check, is_fit
from lnflow.pricing.dialect.load import load_policy_file
from lnflow.pricing.dialect.policy_file import PolicyFile
from lnflow.pricing.documents import (
    ApplyDocument,
    CallsDocument,
    CheckDocument,
    DaemonDocument,
    MatchedRule,
    RollbackDocument,
    StatusDocument,
    StatusRule,
    TestChannelDocument,
    decision_document,
    errors_of,
    problem_document,
    way_of,
)
from lnflow.pricing.explain import explain
from lnflow.pricing.facts import Unknown
from lnflow.pricing.gathering.loading import least_time_lock_delta, load_facts
from lnflow.pricing.gathering.sources import Sources
from lnflow.pricing.guards import ChannelHistory, Pipeline, guard_all
from lnflow.pricing.limits import Rails
from lnflow.pricing.matching.criteria import NOTHING_NEEDED
from lnflow.pricing.pacing import Pacing
from lnflow.pricing.rollback import Outcome
from lnflow.pricing.rolling_back import judge_all, load_record, present_values, reversals
from lnflow.pricing.running import PastSource, Plan, load_histories, plan_run, refuse_unparsed
from lnflow.service.missed import missed_by_channel
from lnflow.service.policy_documents import (
    calls_document,
    change_document,
    channels_by_section,
    named_channel,
    tighter,
)
from lnflow.store.fee_journal import FeeChange, FeeJournal
from lnflow.store.policy_daemon import DaemonState, load_daemon_state
from lnflow.store.reading import StoreReader

WriterMaker = Callable[[], FeeWriter]
RehearsalMaker = Callable[[], FeeRehearsal]
SHOWN_CHANGES = 200
NO_RAILS = Rails()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyService:
    """One node under one policy file.  The file is read anew for every answer."""

    config: str
    node_name: str
    database: Path
    stored_name: str | None
    """The node's name in the store; None: the store's first."""
    clock: Clock
    reader: NodeReader | None = None
    further: FeeFacts | None = None
    make_writer: WriterMaker | None = None
    """Called only when something is to be written."""
    make_rehearsal: RehearsalMaker | None = None
    """Asks the node, in a dry run, whether it would take the changes; None: it cannot tell."""
    strict: bool | None = None
    rails: Rails = NO_RAILS
    """The operator's, over those of the file."""

    # -- answers ----------------------------------------------------------------------------------------

    def load(self) -> PolicyFile:
        file = load_policy_file(self.config, strict=self.strict)
        return structs.replace(
            file, settings=structs.replace(file.settings, rails=tighter(self.rails, file.settings.rails))
        )

    def history_is_read(self) -> bool:
        """Return False while what was before the collector's start is still being read into the store."""
        with ExitStack() as stack:
            store = self._open_store(stack)
            return store is None or (store.cursor(DOWN_TO) or 1) <= 1

    async def check(self) -> CheckDocument:
        """Return what is wrong with the file; with a reader also which channels each rule decides."""
        file = self.load()
        problems = check(file)
        plan = None if self.reader is None or file.ini.problems else await self._plan(file)
        deciding = {} if plan is None else channels_by_section(plan)
        return CheckDocument(
            config=self.config,
            ok=is_fit(problems),
            dialect="lnflow" if file.lnflow else "charge-lnd",
            compat="strict" if file.strict else "safe",
            errors=[problem_document(p) for p in problems],
            rules=[
                MatchedRule(
                    section=rule.name,
                    line=rule.line,
                    strategy=rule.entries["strategy"].value if "strategy" in rule.entries else None,
                    channels=None if plan is None else deciding.get(rule.name, []),
                )
                for rule in file.all_rules
            ],
            channels=None if plan is None else [decision_document(d) for d in plan.decisions],
        )

    async def apply(self, *, act: bool, pacing: Pacing | None = None) -> ApplyDocument:
        """Return what the file does to every channel; with `act` it is done, in one go without `pacing`."""
        file = self.load()
        plan = await self._plan(file)
        facts = plan.facts
        changes = [Change(decision=d, facts=facts[d.channel_point]) for d in plan.decisions]
        applied = await self._do(changes, plan.loaded.info, act=act, pacing=pacing)
        return ApplyDocument(
            dry_run=not act,
            config=self.config,
            node=self._node(plan.loaded.info),
            channels=[decision_document(d, applied.results.get(d.channel_point)) for d in plan.decisions],
            calls=calls_document(applied.calls),
            errors=errors_of(list(file.problems), plan.decisions),
        )

    async def apply_advice(self, opportunities: Sequence[Opportunity], *, act: bool) -> ApplyDocument:
        """Return what the recommended prices come to under the guards of an lnflow file; with `act` do it."""
        now_ns = self.clock.now_ns()
        loaded = await load_facts(Sources(reader=self._reader()), NOTHING_NEEDED, now_ns)
        histories = load_histories(self._past(), now_ns)
        pipeline = Pipeline(now_ns=now_ns, lnflow=True, rails=self._rails())
        guarded = guard_all(advised(opportunities, loaded.channels), histories, pipeline)
        facts = {c.channel_point: c for c in loaded.channels}
        changes = [Change(decision=g.decision, facts=facts[g.decision.channel_point]) for g in guarded]
        applied = await self._do(changes, loaded.info, act=act)
        return ApplyDocument(
            dry_run=not act,
            config=self.config,
            node=self._node(loaded.info),
            channels=[decision_document(g.decision, applied.results.get(g.decision.channel_point)) for g in guarded],
            calls=calls_document(applied.calls),
            errors=[],
        )

    async def test_channel(self, ident: str) -> TestChannelDocument:
        """Return how one channel's decision comes about."""
        file = self.load()
        plan = await self._plan(file)
        channel = named_channel(plan.loaded.channels, ident)
        history = plan.histories.get(channel.channel_point, ChannelHistory())
        explanation = explain(file, channel, plan.loaded.node, history, plan.pipeline)
        rules, overlay, guards = way_of(explanation)
        decision = explanation.guarded.decision
        return TestChannelDocument(
            dry_run=True,
            config=self.config,
            node=self._node(plan.loaded.info),
            channels=[decision_document(decision)],
            calls=CallsDocument(),
            errors=errors_of([], [decision]),
            rules=rules,
            overlay=overlay,
            guards=guards,
        )

    async def status(self) -> StatusDocument:
        """Return the rules with their last changes, and the journal; nothing is asked of the node."""
        file = self.load() if self.config else None
        changes = self._changes()
        last = {c.rule: iso_utc(c.at_ns) for c in reversed(changes) if c.rule and c.kind in ("update", "rollback")}
        channels: dict[str, set[str]] = {}
        for c in changes:
            channels.setdefault(c.rule or "", set()).add(c.channel_point)
        rules = () if file is None else file.all_rules
        running = self._daemon()
        return StatusDocument(
            config=self.config or None,
            rules=[
                StatusRule(
                    section=rule.name,
                    line=rule.line,
                    channels=len(channels.get(rule.name, ())),
                    last_change=last.get(rule.name),
                )
                for rule in rules
            ],
            changes=[change_document(c, None) for c in changes],
            next_run=None if running is None else iso_utc(running.next_run_ns),
            daemon=None if running is None else DaemonDocument(acts=running.acts, interval_s=running.interval_s),
        )

    async def rollback(self, *, act: bool, pacing: Pacing | None = None) -> RollbackDocument:
        """Judge our last change of every channel; with `act` take back those that hurt."""
        reader = self._reader()
        now_ns = self.clock.now_ns()
        if not self.database.exists():
            return RollbackDocument(dry_run=not act, changes=[], calls=CallsDocument())
        record = load_record(self.database, self.stored_name, now_ns)
        present, facts = await present_values(reader)
        judged = judge_all(record, present, now_ns)
        calls = Calls()
        results: dict[str, str | None] = {}
        if act and any(one.judgement.outcome is Outcome.REVERT for one in judged):
            histories = load_histories(self._past(), now_ns)
            pipeline = Pipeline(now_ns=now_ns, lnflow=True, rails=self._rails(), positive_inbound=True)
            info = await reader.node_info()
            changes = reversals(judged, facts, histories, pipeline, least_time_lock_delta(info))
            applied = await self._send(changes, info, pacing)
            calls = applied.calls
            for change in changes:
                decision = change.decision
                held = None if decision.writes else decision.reason
                written = applied.results.get(decision.channel_point)
                results[decision.channel_point] = held if written is None else written.error
        return RollbackDocument(
            dry_run=not act,
            changes=[change_document(one.change, one, results.get(one.change.channel_point)) for one in judged],
            calls=calls_document(calls),
        )

    def prune(self, raw_days: int) -> int:
        """Delete what is too old from the journal of prices (see `FeeJournal.prune`); return how many rows."""
        with FeeJournal(self.database, self.node_name) as journal:
            return journal.prune(self.clock.now_ns(), held_back_days=raw_days)

    # -- inside -----------------------------------------------------------------------------------------

    async def _plan(self, file: PolicyFile) -> Plan:
        now_ns = self.clock.now_ns()
        with ExitStack() as stack:
            store = self._open_store(stack)
            return await plan_run(file, self._sources(store, now_ns), self._past(), now_ns)

    async def _do(
        self, changes: Sequence[Change], info: NodeInfo, *, act: bool, pacing: Pacing | None = None
    ) -> Applied:
        """Write the changes, or without `act` ask the node whether it would take them, if it can tell."""
        if act:
            return await self._send(changes, info, pacing)
        if self.make_rehearsal is None or not any(c.decision.writes for c in changes):
            return Applied(results={}, calls=Calls())
        rehearsal = self.make_rehearsal()
        try:
            return Applied(results=await rehearse(changes, rehearsal), calls=Calls())
        finally:
            await rehearsal.close()

    async def _send(self, changes: Sequence[Change], info: NodeInfo, pacing: Pacing | None = None) -> Applied:
        """The one way to the node: through the journal."""
        with FeeJournal(self.database, self.node_name) as journal:
            journal.refuse_other_node(info.pubkey)
            writer = self._writer()
            try:
                return await apply(changes, self._reader(), writer, journal, self.clock.now_ns, pacing)
            finally:
                await writer.close()

    def _open_store(self, stack: ExitStack) -> StoreReader | None:
        if not self.database.exists():
            return None
        try:
            return stack.enter_context(StoreReader(self.database, self.stored_name))
        except (StoreError, ConfigurationError):
            return None  # a store without this node knows nothing of it

    def _sources(self, store: StoreReader | None, now_ns: int) -> Sources:
        missed = None
        if store is not None:
            known = store

            def missed(window_s: int) -> dict[str, int] | Unknown:
                found = missed_by_channel(known, window_s, now_ns)
                return found if isinstance(found, Unknown) else dict(found)

        return Sources(reader=self._reader(), further=self.further, store=store, missed=missed)

    def _past(self) -> PastSource | None:
        return PastSource(database=self.database, node_name=self.stored_name) if self.database.exists() else None

    def _reader(self) -> NodeReader:
        if self.reader is None:
            raise ConfigurationError("this needs the node: say how to reach it (--lnd-dir, --grpc-host …)")
        return self.reader

    def _writer(self) -> FeeWriter:
        if self.make_writer is None:
            raise ConfigurationError("nothing may be written here")
        return self.make_writer()

    def _rails(self) -> Rails:
        if not self.config:
            return self.rails
        file = self.load()
        refuse_unparsed(file)
        if file.settings_problem is not None:  # it may have been a rail
            raise ConfigurationError(str(file.settings_problem))
        return file.settings.rails

    def _changes(self) -> list[FeeChange]:
        if not self.database.exists():
            return []
        with FeeJournal(self.database, self.stored_name, read_only=True) as journal:
            return journal.changes(limit=SHOWN_CHANGES)

    def _daemon(self) -> DaemonState | None:
        if not self.database.exists():
            return None
        with FeeJournal(self.database, self.stored_name, read_only=True) as journal:
            node_id = journal.node_id
        return load_daemon_state(self.database, node_id, self.clock.now_ns())

    def _node(self, info: NodeInfo) -> NodeDocument:
        return NodeDocument(
            name=self.node_name,
            pubkey=info.pubkey,
            alias=info.alias,
            implementation=info.implementation,
            network=info.network,
        )
