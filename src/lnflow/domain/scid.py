"""Short channel ids (BOLT 7): an unsigned 64-bit integer inside, `block x tx x output` in text."""

from __future__ import annotations

from functools import lru_cache

ALIAS_FIRST_BLOCK = 16_000_000  # LND counts its aliases up from 16000000x0x0; no real block is that high


@lru_cache(maxsize=1 << 14)
def scid_text(scid: int) -> str:
    """Return the text form.

    >>> scid_text(443103186059264)
    '403x1x0'
    """
    return f"{scid >> 40}x{(scid >> 16) & 0xFFFFFF}x{scid & 0xFFFF}"


def parse_scid(text: str) -> int:
    """Return the integer form of `BxTxO`, `B:T:O` or a decimal number; `ValueError` for anything else.

    >>> parse_scid('403x1x0') == parse_scid('403:1:0') == parse_scid('443103186059264')
    True
    """
    parts = text.strip().replace(":", "x").split("x")
    if len(parts) == 1 and parts[0].isascii() and parts[0].isdigit():
        scid = int(parts[0])
    elif len(parts) == 3 and all(p.isascii() and p.isdigit() for p in parts):
        block, tx, output = (int(p) for p in parts)
        if block >= 1 << 24 or tx >= 1 << 24 or output >= 1 << 16:
            raise ValueError(f"{text!r} is not a short channel id: a part is out of range")
        scid = block << 40 | tx << 16 | output
    else:
        raise ValueError(f"{text!r} is not a short channel id (840000x12x1, 840000:12:1 or a number)")
    if scid >= 1 << 64:
        raise ValueError(f"{text!r} is not a short channel id: larger than 64 bits")
    return scid


def scid_block(scid: int) -> int | None:
    """Return the block that confirmed the funding transaction, or None for an alias."""
    block = scid >> 40
    return None if block >= ALIAS_FIRST_BLOCK else block
