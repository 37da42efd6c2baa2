"""The channels documents drawn: one row each, or one channel in full."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lnflow.advice.documents import ChannelDocument, ChannelsDocument, Note, PeerProfit, PolicyDocument, ProfitDocument
from lnflow.advice.wording import sats
from lnflow.cli.fitting import draw_table
from lnflow.cli.tables import draw_notes
from lnflow.cli.text import count, peer_name, percent, when


def draw_channels(console: Console, document: ChannelsDocument) -> None:
    if not document.channels:
        console.print("No channels are stored.")
    else:
        table = Table(header_style="bold", pad_edge=False)
        table.add_column("Channel", no_wrap=True)
        table.add_column("Peer", max_width=24)
        for name in ("Capacity\nsat", "Local", "Price\nppm", "In\nsat/day", "Out\nsat/day", "Earned\nsat"):
            table.add_column(name, justify="right")
        for name in ("Sourced\nsat", "Refused\nhere", "Uptime", "Flow", "Empty in", "Net\nsat"):
            table.add_column(name, justify="right")
        for c in document.channels:
            table.add_row(*_row(c), style="dim" if c.closed else "")
        draw_table(console, table)
    console.print(
        f"{when(document.window.since)} – {when(document.window.until)} · {document.coverage:.1%} covered",
        markup=False,
    )
    draw_notes(console, document.notes)


def draw_channel(console: Console, c: ChannelDocument, notes: Sequence[Note]) -> None:
    console.print(Text(f"{c.scid or c.channel_point}  {peer_name(c.peer_alias, c.peer_pubkey)}", style="bold"))
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in _lines(c):
        table.add_row(name, Text(value))
    console.print(table)
    draw_notes(console, notes)


def draw_profits(console: Console, peers: Sequence[PeerProfit], node: ProfitDocument) -> None:
    table = Table(header_style="bold", pad_edge=False)
    table.add_column("Peer", max_width=24)
    for name in ("Earned\nsat", "Sourced", "Rebalances", "On-chain", "Discounts\ngiven", "borne", "Net", "A year"):
        table.add_column(name, justify="right")
    for peer in peers:
        table.add_row(Text(peer_name(peer.peer_alias, peer.peer_pubkey)), *_sums(peer.profit))
    table.add_row("all", *_sums(node), style="bold")
    draw_table(console, table)


def _sums(p: ProfitDocument) -> list[str]:
    figures = (p.earned_msat, p.sourced_msat, p.rebalance_cost_msat, p.onchain_cost_msat)
    discounts = (p.discount_given_msat, p.discount_borne_msat)
    return [*(sats(x) for x in (*figures, *discounts, p.net_msat)), percent(p.return_on_capital)]


def _profit(p: ProfitDocument) -> str:
    return (
        f"net {sats(p.net_msat)} sat = earned {sats(p.earned_msat)} + discounts borne {sats(p.discount_borne_msat)} "
        f"- given {sats(p.discount_given_msat)} - rebalances {sats(p.rebalance_cost_msat)} "
        f"- on-chain {sats(p.onchain_cost_msat)}; {percent(p.return_on_capital)} a year on "
        f"{sats(p.capital_msat)} sat"
    )


def _row(c: ChannelDocument) -> list[str | Text]:
    share = c.local_sat / c.capacity_sat if c.local_sat is not None and c.capacity_sat else None
    return [
        (c.scid or "–") + (" closed" if c.closed else ""),
        Text(peer_name(c.peer_alias, c.peer_pubkey)),
        count(c.capacity_sat),
        percent(share),
        count(c.our_policy.fee_ppm if c.our_policy else None),
        sats(c.in_msat_per_day),
        sats(c.out_msat_per_day),
        sats(c.earned_msat),
        sats(c.sourced_msat),
        f"{c.failed_here:,}",
        percent(c.uptime),
        c.flow_class or "–",
        f"{c.hours_to_empty:,.0f} h" if c.hours_to_empty is not None else "–",
        sats(c.profit.net_msat),
    ]


def _lines(c: ChannelDocument) -> list[tuple[str, str]]:
    state = "closed" if c.closed else {True: "active", False: "inactive", None: "not known"}[c.active]
    lines = [
        ("Channel point", c.channel_point or "–"),
        ("Ids", ", ".join(c.scids) or "–"),
        ("Peer", c.peer_pubkey or "–"),
        ("State", state + (", private" if c.private else "")),
        ("Capacity", f"{count(c.capacity_sat)} sat"),
        ("Balance", f"{count(c.local_sat)} sat local, {count(c.remote_sat)} sat remote ({when(c.balance_at)})"),
        ("Our policy", _policy(c.our_policy)),
        ("Peer's policy", _policy(c.peer_policy)),
        ("In", f"{c.in_forwards:,} forwards, {sats(c.in_msat)} sat; sourced {sats(c.sourced_msat)} sat of fees"),
        ("Out", f"{c.out_forwards:,} forwards, {sats(c.out_msat)} sat; earned {sats(c.earned_msat)} sat of fees"),
        ("Flow", c.flow_class or "–"),
        ("Empty in", f"{c.hours_to_empty:,.1f} h" if c.hours_to_empty is not None else "–"),
        ("Profit", _profit(c.profit)),
        ("Uptime", percent(c.uptime)),
        ("Failed downstream", f"{c.failed_downstream:,} (not ours)"),
        ("Refused here", f"{c.failed_here:,}"),
    ]
    for f in c.failures:
        lines.append(
            (
                f"  {f.cause}",
                f"{f.attempts:,} attempts, {sats(f.attempted_msat)} sat, {sats(f.offered_fee_msat)} sat of fees "
                "offered",
            )
        )
    return lines


def _policy(p: PolicyDocument | None) -> str:
    if p is None:
        return "–"
    inbound = (
        f", inbound {p.inbound_base_fee_msat:,} msat + {p.inbound_fee_ppm:,} ppm"
        if p.inbound_base_fee_msat or p.inbound_fee_ppm
        else ""
    )
    most = f"{p.max_htlc_msat // 1000:,} sat" if p.max_htlc_msat is not None else "no limit"
    return (
        f"{p.base_fee_msat:,} msat + {p.fee_ppm:,} ppm{inbound}; {sats(p.min_htlc_msat)} sat to {most}; "
        f"time lock {p.time_lock_delta}{'; disabled' if p.disabled else ''}"
    )
