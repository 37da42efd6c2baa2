"""The `[lnflow]` section of a policy file: compat, time zone, thresholds, limits and rails."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from msgspec import Struct

from lnflow.pricing.dialect import values
from lnflow.pricing.dialect.ini import Section
from lnflow.pricing.limits import HOUR_FLOOR_S, Limits, Rails
from lnflow.pricing.matching.context import UTC_ZONE, ActivityThresholds
from lnflow.pricing.problems import Problem, did_you_mean


class FileSettings(Struct, frozen=True, kw_only=True):
    """`lnflow` is what the file says of itself; None: told by the keys it uses."""

    strict: bool = False
    lnflow: bool | None = None
    timezone: ZoneInfo = UTC_ZONE
    activity: ActivityThresholds = ActivityThresholds()
    limits: Limits = Limits()
    limits_set: bool = False
    rails: Rails = Rails()
    positive_inbound_fees: bool | None = None
    """The operator says that the node accepts positive inbound fees; None: ask the node's adapter."""


MOST_RATIO = 100  # a hundredfold in one step is no limit any more


def _choice(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.strip().lower() not in words:
            raise ValueError(f"{text!r} must be {' or '.join(words)}")
        return text.strip().lower()

    return read


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text.strip())
    except (OSError, ValueError) as exc:  # ZoneInfoNotFoundError is a KeyError, below
        raise ValueError(f"{text!r} is not a time zone ({exc})") from exc
    except KeyError:
        raise ValueError(f"{text!r} is not a time zone (Europe/Berlin, UTC …)") from None


def _share(text: str) -> float:
    value = values.number(text)
    if not 0 < value <= MOST_RATIO:
        raise ValueError(f"{text!r} must be above 0 and at most {MOST_RATIO}")
    return value


def _hours(text: str) -> int:
    hours = values.number(text)
    if not HOUR_FLOOR_S <= hours * 3600 <= values.LONGEST_WINDOW_S:
        raise ValueError(f"{text!r} must be at least 1 (no channel is announced more often), and at most ten years")
    return round(hours * 3600)


def _count(text: str) -> int:
    value = values.integer(text)
    if value < 1:
        raise ValueError(f"{text!r} must be at least 1")
    return value


def _rail(text: str) -> int:
    value = values.integer(text)
    if abs(value) >= 2**31:
        raise ValueError(f"{text!r} is out of range")
    return value


_LIMITS: dict[str, tuple[str, Callable[[str], object]]] = {
    "max_step_ratio": ("max_step_ratio", _share),
    "min_step_ratio": ("min_step_ratio", _share),
    "min_interval_hours": ("min_interval_s", _hours),
    "max_changes_per_channel_per_day": ("max_changes_per_channel_per_day", _count),
    "max_changes_per_run": ("max_changes_per_run", _count),
    "cool_down_hours": ("cool_down_s", _hours),
}
_RAILS = (
    "min_fee_ppm",
    "max_fee_ppm",
    "min_base_fee_msat",
    "max_base_fee_msat",
    "min_inbound_fee_ppm",
    "max_inbound_fee_ppm",
)
_RAIL_PREFIX = "rail_"
_PLAIN: dict[str, Callable[[str], object]] = {
    "compat": _choice("strict", "safe"),
    "dialect": _choice("lnflow", "charge-lnd"),
    "timezone": _zone,
    "activity_low": _share,
    "activity_medium": _share,
    "positive_inbound_fees": values.boolean,
}
SETTING_READERS: dict[str, Callable[[str], object]] = (
    _PLAIN | {key: reader for key, (_, reader) in _LIMITS.items()} | {_RAIL_PREFIX + name: _rail for name in _RAILS}
)


def read_settings(section: Section | None) -> tuple[FileSettings, list[Problem]]:
    """Return the settings; what cannot be read keeps its default and is a problem."""
    if section is None:
        return FileSettings(), []
    found: dict[str, object] = {}
    problems: list[Problem] = []
    for key, entry in section.entries.items():
        if entry.inherited:
            continue
        if key not in SETTING_READERS:
            problems.append(entry.problem(f"unknown setting {key}", did_you_mean(key, SETTING_READERS)))
            continue
        value = entry.read(SETTING_READERS[key])
        if isinstance(value, Problem):
            problems.append(value)
        else:
            found[key] = value
    return _build(found), problems + _contradicting_rails(section, found)


def _contradicting_rails(section: Section, found: dict[str, object]) -> list[Problem]:
    problems = []
    for part in ("fee_ppm", "base_fee_msat", "inbound_fee_ppm"):
        low, high = f"{_RAIL_PREFIX}min_{part}", f"{_RAIL_PREFIX}max_{part}"
        lowest, highest = found.get(low), found.get(high)
        if isinstance(lowest, int) and isinstance(highest, int) and lowest > highest:
            text = f"{low} = {lowest} is above {high} = {highest}"
            problems.append(section.entries[low].problem(text, "swap them"))
    return problems


def _build(found: dict[str, object]) -> FileSettings:
    limits = {field: found[key] for key, (field, _) in _LIMITS.items() if key in found}
    rails = {name: found[_RAIL_PREFIX + name] for name in _RAILS if _RAIL_PREFIX + name in found}
    activity = {
        name: found[key] for key, name in (("activity_low", "low"), ("activity_medium", "medium")) if key in found
    }
    plain = {name: found[name] for name in ("timezone", "positive_inbound_fees") if name in found}
    steps_written = "max_step_ratio" in found or "min_step_ratio" in found
    return FileSettings(
        strict=found.get("compat") == "strict",
        lnflow=found["dialect"] == "lnflow" if "dialect" in found else None,
        limits=Limits(step_limits_all=steps_written, **limits),  # type: ignore[arg-type]  # read by key
        limits_set=bool(limits),
        rails=Rails(**rails),  # type: ignore[arg-type]  # all of them were read as integers
        activity=ActivityThresholds(**activity),  # type: ignore[arg-type]  # both were read as numbers
        **plain,  # type: ignore[arg-type]  # each was read by its own reader
    )
