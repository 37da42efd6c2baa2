"""The operator's limits on what the engine may write, whatever a rule says."""

from __future__ import annotations

from msgspec import Struct

HOUR_FLOOR_S = 3600  # LND's peers accept one update a minute per direction; we never exceed one an hour


class Rails(Struct, frozen=True, kw_only=True):
    """Absolute floor and ceiling, applied last to every strategy of every file; None: not set."""

    min_fee_ppm: int | None = None
    max_fee_ppm: int | None = None
    min_base_fee_msat: int | None = None
    max_base_fee_msat: int | None = None
    min_inbound_fee_ppm: int | None = None
    max_inbound_fee_ppm: int | None = None


class Limits(Struct, frozen=True, kw_only=True):
    """How far and how often a price may move.  They hold for lnflow files only, except the hourly floor.

    `step_limits_all` is set when the operator wrote a step limit: it then holds for written prices too, not
    only for computed ones.
    """

    max_step_ratio: float = 0.5
    """Largest move of the outbound price in one change, as a share of the present price (at least 10 ppm)."""
    min_step_ratio: float = 0.05
    """Smallest move worth announcing, as a share of the present price (at least 1 ppm)."""
    step_limits_all: bool = False
    min_interval_s: int = 4 * 3600
    """Least time between two changes of one channel; never below `HOUR_FLOOR_S`."""
    max_changes_per_channel_per_day: int = 6
    max_changes_per_run: int | None = None
    """The run writes at most so many channels, those with the largest move first."""
    cool_down_s: int = 72 * 3600
    """After a rollback the channel keeps its restored price for so long."""
