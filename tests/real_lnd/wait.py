"""Waiting for something another process does: the one place of this suite that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.05


class NotInTimeError(Exception):
    """A condition did not come true before its deadline."""


def wait_until(what: str, condition: Callable[[], T | None], *, deadline_s: float = 30.0) -> T:
    """Return the first result of `condition` that is true in the sense of Python.

    `what` completes the sentence "waited for …" of the error.
    """
    end = time.monotonic() + deadline_s
    while True:
        if result := condition():
            return result
        if time.monotonic() > end:
            raise NotInTimeError(f"waited {deadline_s:.0f} s for {what}")
        time.sleep(POLL_S)
