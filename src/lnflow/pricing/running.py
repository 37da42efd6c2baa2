"""One run of a policy file over a node: facts → decisions → guards → (recorded, written, verified)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from lnflow.domain.errors import ConfigurationError
from lnflow.pricing.decision import Decision, decide_all
from lnflow.pricing.dialect.policy_file import PolicyFile
from lnflow.pricing.facts import ChannelFacts
from lnflow.pricing.gathering.loading import LoadedFacts, load_facts
from lnflow.pricing.gathering.sources import Sources
from lnflow.pricing.guards import ChannelHistory, Guarded, Pipeline, guard_all
from lnflow.pricing.problems import Severity
from lnflow.store.fee_journal import FeeJournal, PastChanges
from lnflow.store.price_history import PriceHistory


class Plan(Struct, frozen=True, kw_only=True):
    """What a run would do, and everything it was made of."""

    file: PolicyFile
    loaded: LoadedFacts
    histories: Mapping[str, ChannelHistory]
    pipeline: Pipeline
    guarded: list[Guarded]

    @property
    def facts(self) -> Mapping[str, ChannelFacts]:
        """By channel point."""
        return {channel.channel_point: channel for channel in self.loaded.channels}

    @property
    def decisions(self) -> list[Decision]:
        return [one.decision for one in self.guarded]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastSource:
    """Where earlier changes are recorded; None: nothing was ever stored."""

    database: Path
    node_name: str | None


async def plan_run(file: PolicyFile, sources: Sources, past: PastSource | None, now_ns: int) -> Plan:
    """Return what the file would do now.  Writes nothing, neither to the node nor to the store."""
    refuse_unparsed(file)
    positive = bool(file.settings.positive_inbound_fees)
    loaded = await load_facts(sources, file.needs, now_ns, positive_inbound=positive)
    histories = load_histories(past, now_ns)
    pipeline = Pipeline(
        now_ns=now_ns,
        lnflow=file.lnflow,
        limits=file.settings.limits,
        rails=file.settings.rails,
        positive_inbound=positive,
    )
    decisions = decide_all(file, loaded.channels, loaded.node)
    return Plan(
        file=file,
        loaded=loaded,
        histories=histories,
        pipeline=pipeline,
        guarded=guard_all(decisions, histories, pipeline),
    )


def refuse_unparsed(file: PolicyFile) -> None:
    """Raise `ConfigurationError` for a file of which nothing can be understood."""
    fatal = [p for p in file.ini.problems if p.severity is Severity.ERROR]
    if fatal:
        raise ConfigurationError("\n".join(str(problem) for problem in fatal))


def load_histories(past: PastSource | None, now_ns: int) -> dict[str, ChannelHistory]:
    """Return what was changed before, by us and by others, by channel point."""
    if past is None or not past.database.exists():
        return {}
    with FeeJournal(past.database, past.node_name, read_only=True) as journal:
        recorded = journal.past(now_ns)
        with PriceHistory(past.database, journal.node_id) as history:
            seen = history.price_changes(now_ns)
    points = recorded.keys() | seen.keys()
    return {point: _history(recorded.get(point, PastChanges()), seen.get(point)) for point in points}


def _history(past: PastChanges, seen_ns: int | None) -> ChannelHistory:
    known = [at for at in (past.last_change_ns, seen_ns) if at is not None]
    return ChannelHistory(
        last_change_ns=max(known, default=None),
        changes_last_day=past.changes_last_day,
        rolled_back_ns=past.rolled_back_ns,
        disabled_by_us=past.disabled_by_us,
    )
