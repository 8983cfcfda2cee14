"""One difference between two policy versions: where, in words, and which way it goes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_US: Final = 1_000_000
_UNITS: Final = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))


class Way(StrEnum):
    """Which way a difference goes."""

    LOOSENS = "loosens"
    TIGHTENS = "tightens"
    NEUTRAL = "neutral"


_ORDER: Final = {Way.LOOSENS: 1, Way.TIGHTENS: 2, Way.NEUTRAL: 3}


@dataclass(frozen=True, slots=True)
class Difference:
    """``area`` is the part of the pack; ``subject`` an id in it; ``foremost`` for what concerns adopting itself."""

    way: Way
    area: str
    subject: str
    words: str
    foremost: bool = False

    @property
    def rank(self) -> int:
        """Its place in a list: what comes first has the lowest."""
        return 0 if self.foremost else _ORDER[self.way]


def way(*, loosens: bool = False, tightens: bool = False) -> Way:
    """Return the way of what does one or both: it loosens as soon as any part of it does."""
    if loosens:
        return Way.LOOSENS
    return Way.TIGHTENS if tightens else Way.NEUTRAL


def lasting(microseconds: int | None) -> str:
    """Return a duration as packs write it."""
    if microseconds is None:
        return "no end"
    seconds = microseconds // _US
    return next(f"{seconds // size}{unit}" for unit, size in _UNITS if seconds % size == 0)


def listed(words: Iterable[str]) -> str:
    """Return names in one line, sorted as they come; nothing is ``none``."""
    return ", ".join(words) or "none"
