"""Exports: the attempts of a window as a table, and the whole history as exchange files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Literal

import msgspec

from lnflow.analysis.facts import Window
from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.channel import ChannelPolicies, ChannelState, NodeInfo
from lnflow.domain.errors import ConfigurationError, StoreError
from lnflow.domain.htlc import Forward, HtlcEvent
from lnflow.domain.scid import scid_text
from lnflow.domain.time import SECOND_NS, iso_utc
from lnflow.ingest.files import exchange
from lnflow.ingest.files.items import ChannelSnapshot, Coverage
from lnflow.nodes.lnd.json_form import GraphEdge
from lnflow.service.whole_files import whole_file
from lnflow.store.history import StoredAttempt, StoreHistory
from lnflow.store.records import StoredChannel

Format = Literal["csv", "json", "parquet"]
Cell = str | int | bool | None

COLUMNS = (
    "arrived_at",
    "resolved_at",
    "in_scid",
    "in_htlc_id",
    "in_peer",
    "out_scid",
    "out_htlc_id",
    "out_peer",
    "out_used",
    "amount_in_msat",
    "amount_out_msat",
    "fee_msat",
    "outcome",
    "cause",
    "wire_code",
    "detail",
)
_FOR_EVER_NS = (1 << 63) - 1


def export_table(history: StoreHistory, window: Window, form: Format, file: IO[bytes]) -> int:
    """Write the attempts of a window as CSV, as JSON lines, or as Parquet; return how many."""
    rows = (_row(a) for a in history.attempts(window.since_ns, window.until_ns))
    if form == "csv":
        return _write_csv(rows, file)
    if form == "json":
        return _write_json(rows, file)
    return _write_parquet(rows, file)


def export_raw(history: StoreHistory, folder: Path) -> dict[str, int]:
    """Write the exchange files into a folder; return bytes by file.  What was pruned of single rows is not in it."""
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"--raw {folder}: the folder is not empty: name a new one")
    written: dict[str, int] = {}
    with history.consistent():
        node = history.node
        channels = history.channels(_FOR_EVER_NS)
        coverage = history.coverage(0, _FOR_EVER_NS).intervals
        files: dict[str, Iterable[bytes]] = {
            "closedchannels.json": exchange.closedchannels_json(history.closed_channels()),
            "channels.json": exchange.channels_json(c.state for c in _open(channels) if c.state is not None),
            "channel_snapshots.jsonl": exchange.channel_snapshots_jsonl(_snapshots(history, channels)),
            "fwdinghistory.json": exchange.fwdinghistory_json(_forwards(history)),
            "events.jsonl": exchange.events_jsonl(_events(history)),
            "stream_log.json": exchange.stream_log_json(Coverage(a, b) for a, b in coverage),
        }
        if node.pubkey is not None:
            files["getinfo.json"] = exchange.getinfo_json(_node_info(history))
            names = {c.peer_pubkey: c.peer_alias for c in channels if c.peer_pubkey and c.peer_alias}
            files["describegraph.json"] = exchange.describegraph_json(names, ())
            files["policies.json"] = exchange.policies_json(_edges(history, channels, node.pubkey))
        for name, pieces in files.items():
            written[name] = _write_file(folder / name, pieces)
    return written


def _write_file(path: Path, pieces: Iterable[bytes]) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigurationError(f"cannot write {path}: {exc.strerror or exc}") from exc
    with whole_file(path) as file:
        return sum(file.write(piece) for piece in pieces)


def _events(history: StoreHistory) -> Iterator[HtlcEvent]:
    for stored in history.attempts(0, _FOR_EVER_NS):
        if stored.seen_live and stored.attempt.in_htlc_id is not None:
            yield from exchange.events_of(stored.attempt)


def _forwards(history: StoreHistory) -> Iterator[Forward]:
    for stored in history.attempts(0, _FOR_EVER_NS):
        a, at_ns = stored.attempt, stored.history_ns
        if at_ns is None or a.amount_in_msat is None or a.amount_out_msat is None:
            continue
        yield Forward(
            in_scid=a.in_scid,
            out_scid=a.out_scid,
            at_ns=at_ns,
            amount_in_msat=a.amount_in_msat,
            amount_out_msat=a.amount_out_msat,
            in_htlc_id=a.in_htlc_id,
            out_htlc_id=a.out_htlc_id,
            whole_seconds=at_ns % SECOND_NS == 0,
        )


def _open(channels: Iterable[StoredChannel]) -> Iterator[StoredChannel]:
    return (c for c in channels if c.closed_height is None)


def _snapshots(history: StoreHistory, channels: Iterable[StoredChannel]) -> Iterator[ChannelSnapshot]:
    """Yield one listing per time at which anything was seen to change, with every channel met so far."""
    states = {c.channel_id: c.state for c in channels if c.state is not None}
    seen: dict[int, ChannelState] = {}
    at_ns: int | None = None
    for balance in history.balances():
        if at_ns is not None and balance.at_ns != at_ns and seen:
            yield ChannelSnapshot(at_ns, tuple(seen.values()))
        at_ns = balance.at_ns
        known = seen.get(balance.channel_id, states.get(balance.channel_id))
        if known is None:
            continue
        if balance.local_msat is None:
            if balance.channel_id in seen:
                seen[balance.channel_id] = msgspec.structs.replace(known, active=balance.active)
            continue
        seen[balance.channel_id] = msgspec.structs.replace(
            known,
            active=balance.active,
            local_msat=balance.local_msat,
            remote_msat=balance.remote_msat or 0,
            unsettled_msat=balance.unsettled_msat or 0,
        )
    if at_ns is not None and seen:
        yield ChannelSnapshot(at_ns, tuple(seen.values()))


def _edges(history: StoreHistory, channels: Iterable[StoredChannel], pubkey: str) -> Iterator[tuple[int, GraphEdge]]:
    known = {c.channel_id: c for c in channels}
    for stored in history.policies():
        c = known.get(stored.channel_id)
        if c is None or c.scid is None or c.peer_pubkey is None:
            continue
        policies = ChannelPolicies(
            scid=c.scid,
            channel_point=c.channel_point,
            peer_pubkey=c.peer_pubkey,
            ours=stored.policy if stored.is_ours else None,
            theirs=None if stored.is_ours else stored.policy,
            capacity_sat=c.capacity_sat,
        )
        yield stored.since_ns, exchange.edge_seen_from(pubkey, policies)


def _node_info(history: StoreHistory) -> NodeInfo:
    node = history.node
    numbers = [int("".join(filter(str.isdigit, part)) or 0) for part in (node.version or "").split("-")[0].split(".")]
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return NodeInfo(
        pubkey=node.pubkey or "",
        alias=node.alias or "",
        implementation=node.implementation or "lnd",
        network=node.network or "mainnet",
        version=node.version or "",
        version_tuple=(major, minor, patch),
        block_height=node.block_height or 0,
        synced_to_chain=True,
        synced_to_graph=True,
    )


def _row(stored: StoredAttempt) -> tuple[Cell, ...]:
    a = stored.attempt
    fee = a.amount_in_msat - a.amount_out_msat if a.amount_in_msat is not None and a.amount_out_msat else None
    resolved_ns = stored.history_ns or a.resolved_ns
    return (
        None if a.arrived_ns is None else iso_utc(a.arrived_ns),
        None if resolved_ns is None else iso_utc(resolved_ns),
        scid_text(a.in_scid),
        a.in_htlc_id,
        stored.in_peer,
        scid_text(a.out_scid) if a.out_scid else None,
        a.out_htlc_id,
        stored.out_peer,
        a.out_used,
        a.amount_in_msat,
        a.amount_out_msat,
        fee,
        Outcome(a.outcome).name.lower(),
        None if a.cause is Cause.NONE else a.cause.text,
        a.wire_code,
        a.detail,
    )


def _write_csv(rows: Iterable[tuple[Cell, ...]], file: IO[bytes]) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    try:
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        number = 0
        for row in rows:
            writer.writerow(str(cell).lower() if isinstance(cell, bool) else cell for cell in row)
            number += 1
        return number
    finally:
        text.detach()  # the file is the caller's to close


def _write_json(rows: Iterable[tuple[Cell, ...]], file: IO[bytes]) -> int:
    encode = msgspec.json.Encoder().encode
    number = 0
    for row in rows:
        file.write(encode(dict(zip(COLUMNS, row, strict=True))) + b"\n")
        number += 1
    return number


def _write_parquet(rows: Iterable[tuple[Cell, ...]], file: IO[bytes]) -> int:
    import tempfile

    try:
        import duckdb
    except ImportError as exc:
        raise ConfigurationError("Parquet needs duckdb: install lnflow with its extra, 'lnflow[parquet]'") from exc
    with tempfile.TemporaryDirectory(prefix="lnflow-export-") as folder:
        source, target = Path(folder, "rows.jsonl"), Path(folder, "rows.parquet")
        with source.open("wb") as lines:
            number = _write_json(rows, lines)
        types = {name: "BIGINT" for name in COLUMNS if name.endswith(("_msat", "_id", "_code")) or name == "detail"}
        types |= {"arrived_at": "TIMESTAMPTZ", "resolved_at": "TIMESTAMPTZ", "out_used": "BOOLEAN"}
        columns = ", ".join(f"'{name}': '{types.get(name, 'VARCHAR')}'" for name in COLUMNS)
        try:
            with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as con:
                con.execute(
                    f"COPY (SELECT * FROM read_json('{source}', format='newline_delimited', columns={{{columns}}}))"
                    f" TO '{target}' (FORMAT parquet)"
                )
        except duckdb.Error as exc:
            raise StoreError(f"Parquet could not be written: {exc}") from exc
        with target.open("rb") as made:
            while piece := made.read(1 << 20):
                file.write(piece)
    return number
