"""Token buckets by key: how often someone may try, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.service.clock import MICROSECONDS

if TYPE_CHECKING:
    from interlock.service.clock import Clock

_CAPACITY: Final = 8192


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second in the long run, and ``burst`` at once."""

    per_second: float
    burst: int


class RateLimiter:
    """One bucket a key. Beyond ``_CAPACITY`` keys the longest unused is forgotten, which only ever allows more."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def allow(self, key: str) -> bool:
        """Take one token of ``key``; False when there is none left."""
        now = self._clock.now_us()
        tokens, then = self._buckets.pop(key, (float(self._rate.burst), now))
        # A clock that went back gives nothing and takes nothing.
        gained = max(0, now - then) * self._rate.per_second / MICROSECONDS
        tokens = min(float(self._rate.burst), tokens + gained)
        allowed = tokens >= 1.0
        self._buckets[key] = (tokens - 1.0 if allowed else tokens, now)
        if len(self._buckets) > _CAPACITY:
            self._buckets.popitem(last=False)
        return allowed
