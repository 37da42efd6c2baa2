"""The policy documents drawn."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lnflow.cli.text import safe
from lnflow.pricing.changes import PolicyValues
from lnflow.pricing.documents import (
    ApplyDocument,
    ChangeDocument,
    CheckDocument,
    DecisionDocument,
    ProblemDocument,
    RollbackDocument,
    StatusDocument,
    TestChannelDocument,
)

_SHORT = {
    "fee_ppm": "ppm",
    "base_fee_msat": "base",
    "inbound_fee_ppm": "inbound ppm",
    "inbound_base_fee_msat": "inbound base",
    "min_htlc_msat": "min htlc",
    "max_htlc_msat": "max htlc",
    "time_lock_delta": "time lock",
}
_COLOURS = {"update": "green", "refused": "yellow", "skipped": "yellow", "error": "red", "none": "dim"}
_SEVERITIES = {"error": "red", "warning": "yellow", "note": "dim"}


def draw_apply(console: Console, document: ApplyDocument, *, everything: bool) -> None:
    shown = [c for c in document.channels if everything or c.action not in ("none", "no_policy")]
    if shown:
        console.print(_decisions(shown))
    draw_problems(console, document.errors)
    counts = Counter(c.action for c in document.channels)
    told = ", ".join(f"{n} {action.replace('_', ' ')}" for action, n in sorted(counts.items())) or "no channels"
    console.print(f"{len(document.channels)} channels: {told}", style="bold")
    if document.dry_run:
        console.print("Nothing was written: this is what --apply would do.")
    else:
        calls = document.calls
        console.print(f"Written: {calls.update_channel_policy} policies, {calls.update_chan_status} status changes.")


def draw_check(console: Console, document: CheckDocument) -> None:
    draw_problems(console, document.errors)
    table = Table(header_style="bold", pad_edge=False)
    for name in ("Rule", "Line", "Strategy", "Channels"):
        table.add_column(name, overflow="fold")
    for rule in document.rules:
        channels = "not asked" if rule.channels is None else f"{len(rule.channels)}  {' '.join(rule.channels[:8])}"
        table.add_row(Text(rule.section), str(rule.line or "–"), rule.strategy or "(goes on)", channels)
    console.print(table)
    verdict = "The file is fit for use." if document.ok else "The file is to be mended."
    console.print(f"{verdict}  ({document.dialect}, compat = {document.compat})", style="bold")


def draw_test_channel(console: Console, document: TestChannelDocument) -> None:
    for rule in document.rules:
        style = {"matches": "green", "cannot be evaluated": "yellow"}.get(rule.state, "dim")
        place = "" if rule.line is None else f" (line {rule.line})"
        console.print(Text.assemble((f"[{rule.section}]", "bold"), place, "  ", (rule.state, style)))
        if rule.state in ("not reached", "disabled"):
            continue
        for step in rule.criteria:
            mark = {"holds": "✓", "fails": "✗"}.get(step.state, "?")
            wanted = f" = {step.wanted}" if step.wanted else ""
            console.print(Text(f"    {mark} {step.key}{wanted}: found {safe(step.found, 200)}"))
    if document.overlay:
        console.print("Keys as they were laid over each other:", style="bold")
        for key in document.overlay:
            before = "" if key.before is None else f" (was {key.before})"
            console.print(Text(f"    {key.key} = {key.value}{before}  from [{key.section}]"))
    for guard in document.guards:
        console.print(Text(f"guard {guard.guard}: {guard.text}", style="yellow"))
    console.print(_decisions(document.channels))
    draw_problems(console, document.errors)


def draw_status(console: Console, document: StatusDocument) -> None:
    if document.rules:
        table = Table(header_style="bold", pad_edge=False)
        for name in ("Rule", "Line", "Channels changed", "Last change"):
            table.add_column(name)
        for rule in document.rules:
            table.add_row(Text(rule.section), str(rule.line or "–"), str(rule.channels), rule.last_change or "–")
        console.print(table)
    if document.daemon is None:
        console.print("No policy daemon runs.")
    else:
        kind = "writes" if document.daemon.acts else "only shows"
        console.print(f"A policy daemon runs and {kind}; next run: {document.next_run}.")
    draw_report(console, document)


def draw_report(console: Console, document: StatusDocument) -> None:
    if not document.changes:
        console.print("No price was changed yet.")
        return
    console.print(_changes(document.changes))


def draw_rollback(console: Console, document: RollbackDocument) -> None:
    if not document.changes:
        console.print("No change of ours is there to be judged.")
        return
    table = Table(header_style="bold", pad_edge=False)
    for name in ("Changed", "Channel", "Rule", "Change", "Judgement"):
        table.add_column(name, overflow="fold")
    for change in document.changes:
        style = "red" if change.would_revert else ""
        judgement = change.error or change.reason or ""
        table.add_row(
            change.at,
            change.scid,
            Text(change.rule or "–"),
            _moves(change.old, change.new),
            Text(judgement),
            style=style,
        )
    console.print(table)
    hurt = sum(bool(change.would_revert) for change in document.changes)
    if document.dry_run:
        console.print(f"{hurt} would be taken back by --apply." if hurt else "None is to be taken back.")
    else:
        console.print(f"Taken back: {document.calls.update_channel_policy}.")


def draw_problems(console: Console, problems: list[ProblemDocument]) -> None:
    for p in problems:
        place = p.file if p.line is None else f"{p.file}:{p.line}"
        section = "" if p.section is None else f" [{p.section}]"
        remedy = "" if p.remedy is None else f"\n    {p.remedy}"
        console.print(
            Text.assemble((p.severity, _SEVERITIES[p.severity]), f" {place}{section}: {p.text}{remedy}"), soft_wrap=True
        )


def _decisions(decisions: list[DecisionDocument]) -> Table:
    table = Table(header_style="bold", pad_edge=False)
    table.add_column("Channel", no_wrap=True)
    table.add_column("Rule", overflow="fold")
    table.add_column("", no_wrap=True)
    table.add_column("Old ➜ new", overflow="fold")
    table.add_column("Why", overflow="fold")
    for d in decisions:
        rule = d.policy or "–"
        if d.strategy is not None and d.strategy != d.policy:
            rule += f" · {d.strategy}"
        moves = _moves(d.old, d.new)
        if d.status_change is not None:
            moves = f"{d.status_change}  {moves}".strip()
        table.add_row(
            d.scid, Text(rule), Text(d.action, style=_COLOURS.get(d.action, "")), moves, Text(d.error or d.reason)
        )
    return table


def _changes(changes: list[ChangeDocument]) -> Table:
    table = Table(header_style="bold", pad_edge=False)
    for name in ("When", "Channel", "What", "Rule", "Old ➜ new", "Result", "Why"):
        table.add_column(name, overflow="fold")
    for c in changes:
        table.add_row(
            c.at, c.scid, c.kind, Text(c.rule or "–"), _moves(c.old, c.new), c.error or c.result or "–", Text(c.why)
        )
    return table


def _moves(old: PolicyValues | None, new: PolicyValues | None) -> str:
    if old is None or new is None:
        return ""
    return ", ".join(
        f"{short} {getattr(old, name)} ➜ {getattr(new, name)}"
        for name, short in _SHORT.items()
        if getattr(old, name) != getattr(new, name)
    )
