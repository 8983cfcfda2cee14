"""Where the time comes from: one protocol, so that nothing below reads the system's clock by itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

MICROSECONDS: Final = 1_000_000
"""Microseconds in a second."""


class Clock(Protocol):
    """Tells the time; handed down by ``bootstrap.py``."""

    def now_us(self) -> int:
        """Unix microseconds UTC. May jump, in either direction: the committer judges that."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Unix microseconds UTC, cut, not rounded: an entry is never dated later than it was."""
        return time.time_ns() // 1000


def _ticks_us() -> int:
    """Microseconds of the machine's clock that nobody sets; only differences mean anything."""
    return time.monotonic_ns() // 1000


class ForwardClock:
    """A clock for what has to end: as late as the clock and the log say, and never earlier than it said before.

    While the clock is behind, it goes on by ``ticks`` (microseconds of a clock that nobody sets), so that what was
    issued then ends too; what has ended does not come back when the clock is set back.
    """

    def __init__(self, clock: Clock, floor: Callable[[], int], ticks: Callable[[], int] = _ticks_us) -> None:
        self._clock = clock
        self._floor = floor
        self._ticks = ticks
        self._ticked = ticks()
        self._told = 0

    def now_us(self) -> int:
        """Unix microseconds UTC, no earlier than the last entry and than what was told before."""
        ticked = self._ticks()
        self._told = max(self._clock.now_us(), self._floor(), self._told + ticked - self._ticked)
        self._ticked = ticked
        return self._told
