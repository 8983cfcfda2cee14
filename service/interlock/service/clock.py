"""Where the time comes from: one protocol, so that nothing below reads the system's clock by itself."""

from __future__ import annotations

import time
from typing import Final, Protocol

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
