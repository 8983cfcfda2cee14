"""Where the time comes from: one protocol, so that nothing below reads the system's clock by itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

MICROSECONDS: Final = 1_000_000
"""Microseconds in a second."""


HOUR_US: Final = 60 * 60 * MICROSECONDS
LONGEST_JUMP_US: Final = HOUR_US
"""How far the clock may get ahead of the ticks while the server runs, before somebody has to accept it."""

LONGEST_REST_US: Final = 30 * 24 * HOUR_US
"""How far the clock may be ahead of the last entry when the server starts."""


_TICKING: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux alone counts sleep in its own


class Clock(Protocol):
    """Tells the time; handed down by ``bootstrap.py``."""

    def now_us(self) -> int:
        """Unix microseconds UTC."""
        ...


class SetClock(Clock, Protocol):
    """A clock that somebody sets, and one that nobody does."""

    def now_us(self) -> int:
        """Unix microseconds UTC. May jump, in either direction."""
        ...

    def ticks_us(self) -> int:
        """Microseconds since any moment, at the pace of time; never set, and they go on while the machine sleeps."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_us(self) -> int:
        """Unix microseconds UTC, cut, not rounded: an entry is never dated later than it was."""
        return time.time_ns() // 1000

    def ticks_us(self) -> int:
        """Microseconds since the machine was started, its sleep included."""
        return time.clock_gettime_ns(_TICKING) // 1000


class GuardedClock:
    """A clock that was set forward does not count until that is accepted (domain design, "Time").

    Until then time goes on by the ticks: what the log would otherwise be dated by, once, stays its time for ever, and
    lone tightening must be able to go on. A clock that is set back is told as it is: the committer holds it against
    the log. Used by threads side by side: what it keeps is replaced as a whole.
    """

    def __init__(self, clock: SetClock, last: int | None) -> None:
        """``last`` is the time of the last entry (microseconds), None for a log that is yet to begin."""
        self._clock = clock
        now, ticks = clock.now_us(), clock.ticks_us()
        rested = last is None or now - last <= LONGEST_REST_US
        self._anchor = (max(now, last or 0) if rested else last or 0), ticks
        self.ahead_us = 0
        """How far the clock was ahead when it was last asked, where that has to be accepted; else 0."""

    def now_us(self) -> int:
        """Unix microseconds UTC, as far as they can be relied on."""
        now = self._clock.now_us()
        then, ticks = self._anchor
        expected = then + self._clock.ticks_us() - ticks
        if now - expected <= LONGEST_JUMP_US:
            self.ahead_us = 0
            return now
        self.ahead_us = now - expected
        return expected

    def shown_us(self) -> int:
        """Unix microseconds UTC as the clock shows them, accepted or not."""
        return self._clock.now_us()

    def accept(self, now: int) -> None:
        """Take it that it is ``now``: time goes on from there."""
        self._anchor = now, self._clock.ticks_us()


def ticks_us() -> int:
    """Return microseconds of the machine's clock that nobody sets; only differences mean anything."""
    return time.monotonic_ns() // 1000


class ForwardClock:
    """A clock for what has to end: as late as the clock and the log say, and never earlier than it said before.

    While the clock is behind, it goes on by ``ticks`` (microseconds of a clock that nobody sets), so that what was
    issued then ends too; what has ended does not come back when the clock is set back.
    """

    def __init__(self, clock: Clock, floor: Callable[[], int], ticks: Callable[[], int] = ticks_us) -> None:
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
