"""Forwards from CSV: what Ride The Lightning exports, and any other table whose columns can be told.

Ride The Lightning writes the node's own JSON names as the header and its values without any quoting, so a
name with a comma shifts what stands behind it.  Names stand behind the numbers: of a row that is too long,
the columns up to the first name still hold.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from lnflow.domain.htlc import Attempt, Forward
from lnflow.domain.scid import parse_scid
from lnflow.domain.time import SECOND_NS, parse_time_ns
from lnflow.ingest.files.cln_rows import attempt_of_row

_MAX_COLUMNS = 100

# Column → names it goes by, first the best; compared in lower case with every other character as "_".
_NAMES: dict[str, tuple[str, ...]] = {
    "in_scid": (
        "chan_id_in", "in_channel", "incoming_channel_id", "in_scid", "in_chan", "chan_in", "incoming_channel",
        "channel_in", "inbound_channel_id", "inbound_channel",
    ),
    "out_scid": (
        "chan_id_out", "out_channel", "outgoing_channel_id", "out_scid", "out_chan", "chan_out",
        "outgoing_channel", "channel_out", "outbound_channel_id", "outbound_channel",
    ),
    "in_htlc_id": ("incoming_htlc_id", "in_htlc_id"),
    "out_htlc_id": ("outgoing_htlc_id", "out_htlc_id"),
    "at_ns": ("timestamp_ns", "at_ns", "time_ns"),
    "at": (
        "timestamp", "resolved_time", "settled_at", "resolved_at", "time", "date", "datetime", "created_at",
        "at", "unix_timestamp",
    ),
    "in_msat": ("amt_in_msat", "in_msat", "in_msatoshi", "amount_in_msat", "incoming_amt_msat"),
    "out_msat": ("amt_out_msat", "out_msat", "out_msatoshi", "amount_out_msat", "outgoing_amt_msat"),
    "in_sat": ("amt_in", "amount_in", "amt_in_sat", "amount_in_sat", "in_sat", "inbound_amount_sats"),
    "out_sat": ("amt_out", "amount_out", "amt_out_sat", "amount_out_sat", "out_sat", "outbound_amount_sats"),
    "fee_msat": ("fee_msat", "fees_msat", "fee_msats"),
    "fee_sat": ("fee", "fee_sat", "fees_sat", "fee_sats"),
    "outcome": ("outcome", "status"),
}  # fmt: skip
_SETTLED = frozenset({"", "settled", "success", "succeeded", "successful", "complete", "completed"})
_CLN_NUMBERS = frozenset(
    {
        "in_msat", "out_msat", "in_msatoshi", "out_msatoshi", "in_htlc_id", "out_htlc_id", "failcode",
        "created_index", "updated_index",
    }
)  # fmt: skip
_NAME_COLUMNS = frozenset({"peer_alias_in", "peer_alias_out", "alias_in", "alias_out"}) | {
    "in_channel_alias",
    "out_channel_alias",
}


class Header(Struct, frozen=True):
    """The columns of a table of forwards."""

    columns: tuple[str, ...]
    delimiter: str
    places: Mapping[str, int]
    """Where each of our columns stands."""
    is_cln: bool
    safe_columns: int
    """How many columns stand before the first that may hold a stray delimiter."""

    def cells(self, line: str) -> list[str]:
        """Return the cells of one line that can be trusted, empty ones for the rest."""
        try:
            [cells] = csv.reader([line], delimiter=self.delimiter, strict=False)
        except (csv.Error, ValueError) as error:
            raise ValueError(f"no CSV row: {error}") from None
        if len(cells) > len(self.columns):
            cells = cells[: self.safe_columns]
            if not self.safe_columns:
                raise ValueError(f"more cells than the {len(self.columns)} columns of the header")
        return cells + [""] * (len(self.columns) - len(cells))


def header_of(text: str) -> Header | None:
    """Return the header in the first line, None if it is not one of a table of forwards."""
    line = text.lstrip("\ufeff").split("\n", 1)[0].rstrip("\r")
    for delimiter in (",", ";", "\t"):
        try:
            cells = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            continue
        columns = tuple(re.sub("[^a-z0-9]+", "_", cell.strip().lower()).strip("_") for cell in cells)
        if not 3 <= len(columns) <= _MAX_COLUMNS:
            continue
        places = {
            field: columns.index(name)
            for field, names in _NAMES.items()
            if (name := next((name for name in names if name in columns), None)) is not None
        }
        is_cln = "status" in columns and "received_time" in columns
        names = [place for place, column in enumerate(columns) if column in _NAME_COLUMNS]
        header = Header(columns, delimiter, places, is_cln, min(names, default=0))
        if _is_enough(header):
            return header
    return None


def _is_enough(header: Header) -> bool:
    has = header.places.keys()
    if "in_scid" not in has:
        return False
    if header.is_cln:
        return True
    amounts = {"in_msat", "in_sat"} & has, {"out_msat", "out_sat"} & has, {"fee_msat", "fee_sat"} & has
    return "out_scid" in has and bool({"at_ns", "at"} & has) and sum(map(bool, amounts)) >= 2


def item_of_line(header: Header, line: str) -> Forward | Attempt:
    """Return the forward in one line; raise `ValueError` saying what is wrong with it."""
    cells = header.cells(line)
    return _attempt(header, cells) if header.is_cln else _forward(header, cells)


def _forward(header: Header, cells: list[str]) -> Forward:

    def cell(column: str) -> str:
        place = header.places.get(column)
        return "" if place is None else cells[place].strip()

    outcome = cell("outcome")
    if outcome.lower() not in _SETTLED:
        raise ValueError(
            f"{outcome!r:.40} is no settled forward, and only those are read from a CSV; to move a history use"
            " 'lnflow export --raw'"
        )
    at_ns, whole_seconds = _time(cell("at_ns"), cell("at"))
    amount_in, amount_out = _amounts(
        _msat(cell("in_msat")),
        _msat(cell("out_msat")),
        _msat(cell("fee_msat")),
        (_sat(cell("in_sat")), _sat(cell("out_sat")), _sat(cell("fee_sat"))),
    )
    return Forward(
        _scid(cell("in_scid")),
        _scid(cell("out_scid")),
        at_ns,
        amount_in,
        amount_out,
        _htlc_id(cell("in_htlc_id")),
        _htlc_id(cell("out_htlc_id")),
        whole_seconds,
    )


def _attempt(header: Header, cells: list[str]) -> Attempt:
    row: dict[str, object] = {}
    for column, cell in zip(header.columns, cells, strict=True):
        if text := cell.strip():
            row[column] = int(text) if column in _CLN_NUMBERS and _is_number(text) else text
    return attempt_of_row(row)


def _time(at_ns: str, at: str) -> tuple[int, bool]:
    if at_ns and at_ns != "0":
        if not _is_number(at_ns):
            raise ValueError(f"{at_ns!r:.40} is not a time in nanoseconds")
        return int(at_ns), False
    if re.fullmatch(r"\d{9,11}\.\d{1,9}", at, re.ASCII):
        return int(Decimal(at) * SECOND_NS), False
    if re.fullmatch(r"\d{13}", at, re.ASCII):  # milliseconds, as spreadsheets and JavaScript have them
        return int(at) * (SECOND_NS // 1000), False
    if len(at) > 40:
        raise ValueError(f"{at!r:.40} is not a time")
    found = parse_time_ns(at)
    if not 0 < found < 1 << 63:
        raise ValueError(f"{at!r:.40} is not a time of a forward")
    return found, found % SECOND_NS == 0


def _amounts(
    in_msat: int | None,
    out_msat: int | None,
    fee_msat: int | None,
    from_sat: tuple[int | None, int | None, int | None],
) -> tuple[int, int]:
    """Return what came in and what left.  Whole sats are rounded down, so exact msat win, the fee's above all."""
    in_sat, out_sat, fee_sat = from_sat
    fee = fee_msat if fee_msat is not None else fee_sat
    if in_msat is not None and out_msat is None and fee_msat is not None:
        out_msat = in_msat - fee_msat
    elif out_msat is None:
        out_msat = out_sat
    if in_msat is None and out_msat is not None and fee is not None and (fee_msat is not None or in_sat is None):
        in_msat = out_msat + fee
    elif in_msat is None:
        in_msat = in_sat
    if out_msat is None and in_msat is not None and fee is not None:
        out_msat = in_msat - fee
    if in_msat is None or out_msat is None or out_msat < 0:
        raise ValueError("two of amount in, amount out and fee are needed")
    return in_msat, out_msat


def _msat(text: str) -> int | None:
    if not text:
        return None
    text = text.removesuffix("msat")
    if not _is_number(text):
        raise ValueError(f"{text!r:.40} is not an amount in msat")
    return int(text)


def _sat(text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"\d{1,15}(\.\d{1,3})?", text, re.ASCII):
        raise ValueError(f"{text!r:.40} is not an amount in sat")
    return int(Decimal(text) * 1000)


def _scid(text: str) -> int:
    if len(text) > 30:
        raise ValueError(f"{text!r:.40} is not a short channel id")
    return parse_scid(text)


def _htlc_id(text: str) -> int | None:
    if not text:
        return None
    if not _is_number(text):
        raise ValueError(f"{text!r:.40} is not an HTLC id")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19
