"""The plugin's methods: what `lightning-cli lnflow-…` answers, the same documents as the command line's `--json`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, get_args

import msgspec

from lnflow.advice.analyzing import Selection
from lnflow.advice.documents import GroupKey, ProblemName
from lnflow.analysis.facts import Window
from lnflow.domain.errors import InputError, LnflowError
from lnflow.domain.time import Clock
from lnflow.ingest.cln_collector import ClnStatus, ClnTimes
from lnflow.nodes.cln.observer import TOPICS
from lnflow.nodes.cln.plugin.inbox import Inbox
from lnflow.nodes.cln.plugin.manifest import Method, Progress
from lnflow.nodes.cln.plugin.runtime import InitConfiguration, PluginRuntime
from lnflow.plugin.collecting import NODE_NAME, Collecting
from lnflow.plugin.options import OPTIONS, PluginSettings, read_settings
from lnflow.plugin.prices import apply_policy, check_policy
from lnflow.service.opportunities import OpportunityService
from lnflow.service.windows import WindowChoice

WINDOW = ("[hours]", "[all]")


class LnflowPlugin:
    """The plugin's state: its settings once `init` came, the collector, and the store that the methods read."""

    def __init__(self, clock: Clock, *, times: ClnTimes | None = None, coalesce_s: float = 0.2) -> None:
        """`times` and `coalesce_s` are the collector's and the forward reader's."""
        self._clock = clock
        self._inbox = Inbox()
        self._collecting = Collecting(self._inbox, clock, times, coalesce_s)
        self._settings: PluginSettings | None = None
        self.runtime = PluginRuntime(
            options=OPTIONS,
            methods=self._methods(),
            subscriptions=TOPICS,
            inbox=self._inbox,
            background=self._start,
            clock=clock,
        )

    def _methods(self) -> list[Method]:
        known = {
            "lnflow-status": ("What lnflow collects, and whether", (), self._status),
            "lnflow-analyze": ("What the node failed to earn, why, and what would fix it", WINDOW, self._analyze),
            "lnflow-report": ("The whole analysis with channels and flows", WINDOW, self._report),
            "lnflow-why": ("The working behind one peer's figure", ("peer", "[cause]", *WINDOW), self._why),
            "lnflow-failures": (
                "Refusals by cause, peer, channel, in_peer, pair or hour",
                ("[by]", *WINDOW),
                self._failures,
            ),
            "lnflow-policy-check": (
                "What is wrong with a policy file, and which channels each rule decides",
                ("[file]",),
                self._policy_check,
            ),
            "lnflow-policy-apply": (
                "What a policy file does to every channel; with apply=true, and lnflow-act in the config, do it",
                ("[file]", "[apply]"),
                self._policy_apply,
            ),
        }
        return [Method(name=n, description=d, parameters=p, run=run) for n, (d, p, run) in known.items()]

    async def _start(self, configuration: InitConfiguration, options: Mapping[str, Any]) -> None:
        """Collect until cancelled; runs after `init` was answered, so a slow start delays nobody."""
        try:
            self._settings = read_settings(configuration, options)
        except InputError as exc:
            self._collecting.trouble = str(exc)
            raise
        await self._collecting.run(self._settings)

    async def serve(self, stdin_fd: int, stdout_fd: int) -> None:
        """Serve lightningd until it says shutdown or closes our stdin."""
        await self.runtime.run(stdin_fd, stdout_fd)

    @property
    def collecting(self) -> ClnStatus | None:
        """What is collected so far; None before the node was found ready."""
        return self._collecting.status

    def has_heard(self, notifications: int) -> bool:
        """Whether so many notifications were taken, all were worked on, and no look at the channels is under way."""
        return self._collecting.has_heard(notifications)

    async def _status(self, params: dict[str, Any], progress: Progress) -> Any:
        status = self._collecting.status
        return {
            "database": None if self._settings is None else str(self._settings.database),
            "collecting": status is not None and self._collecting.trouble is None,
            "trouble": self._collecting.trouble,
            "status": None if status is None else msgspec.to_builtins(status),
            "ledger_holds": None if status is None or status.ledger is None else status.ledger.holds,
            "notifications": {
                "received": dict(self._inbox.received),
                "shed": dict(self._inbox.shed),
                "malformed": dict(self.runtime.malformed),
            },
        }

    async def _analyze(self, params: dict[str, Any], progress: Progress) -> Any:
        return await self._ask(params, progress, lambda s, w: s.analyze(w, Selection()))

    async def _report(self, params: dict[str, Any], progress: Progress) -> Any:
        return await self._ask(params, progress, lambda s, w: s.report(w, Selection()))

    async def _why(self, params: dict[str, Any], progress: Progress) -> Any:
        cause = params.get("cause")
        if cause is not None:
            _one_of("cause", cause, get_args(ProblemName))
        return await self._ask(params, progress, lambda s, w: s.why(w, str(params["peer"]), cause))

    async def _failures(self, params: dict[str, Any], progress: Progress) -> Any:
        by = params.get("by", "cause")
        _one_of("by", by, get_args(GroupKey))
        return await self._ask(params, progress, lambda s, w: s.failures(w, by))

    async def _policy_check(self, params: dict[str, Any], progress: Progress) -> Any:
        progress(0, 2)
        return await check_policy(self._ready(), params.get("file"), self._clock)

    async def _policy_apply(self, params: dict[str, Any], progress: Progress) -> Any:
        progress(0, 2)
        collected = self._collecting.status
        return await apply_policy(self._ready(), params.get("file"), params.get("apply"), collected, self._clock)

    async def _ask(
        self, params: dict[str, Any], progress: Progress, question: Callable[[OpportunityService, Window], Any]
    ) -> Any:
        """Answer from the store, beside the loop; the reader never waits for the writer."""
        database = self._ready().database
        if not database.exists():
            raise LnflowError("lnflow has stored nothing yet: see lnflow-status")
        choice = _choice(params)

        def answer() -> Any:
            with OpportunityService.open(database, NODE_NAME, self._clock) as service:
                return msgspec.to_builtins(question(service, service.window(choice)))

        progress(0, 2)
        answered = await asyncio.to_thread(answer)
        progress(1, 2)
        return answered

    def _ready(self) -> PluginSettings:
        if self._settings is None:
            raise LnflowError(self._collecting.trouble or "lnflow is not started yet: see lnflow-status")
        return self._settings


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"{name}: {value!r} is none of {', '.join(known)}")


def _choice(params: Mapping[str, Any]) -> WindowChoice:
    """Return the window that was asked for; `lightning-cli` gives numbers as text or as numbers."""
    hours = params.get("hours")
    try:
        number = None if hours is None else float(hours)
    except (TypeError, ValueError):
        raise InputError(f"hours: {hours!r} is not a number") from None
    choice = WindowChoice(hours=number, since=None, until=None, everything=params.get("all") in (True, "true"))
    choice.check()
    return choice
