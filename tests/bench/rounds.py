"""Rounds: what is compared runs by turns, so that both meet the same machine; the median of the ratios is reported."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Numbers = dict[str, float]

MAX_SPREAD: Final = 0.3
"""How far the rounds of a row may lie apart for it to be quoted."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How long to measure, and where things may lie."""

    rounds: int
    seconds: float
    scratch: Path
    cache: Path


@dataclass(frozen=True, slots=True)
class Bar:
    """What a ratio has to reach: at least, or at most."""

    ratio: str
    limit: float
    at_most: bool = False

    def met(self, value: float | None) -> bool:
        """Say whether it does; what was not measured does not."""
        if value is None:
            return False
        return value <= self.limit if self.at_most else value >= self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    row: str
    unit: str
    ours: Numbers
    peer: Numbers
    ratios: Numbers
    """By name; ``ratio`` is the first bar's."""
    spread: float
    bars: tuple[Bar, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def quotable(self) -> bool:
        """Whether the rounds agree well enough for the row to say anything: a busy machine measures itself."""
        return self.spread <= MAX_SPREAD

    def as_json(self) -> dict[str, Any]:
        """Return the row as it is written."""
        return {
            "row": self.row,
            "unit": self.unit,
            **self.ratios,
            "ours": self.ours,
            "peer": self.peer,
            "spread": self.spread if math.isfinite(self.spread) else None,
            "quotable": self.quotable,
            "bars": [
                {"ratio": bar.ratio, "at_most" if bar.at_most else "at_least": bar.limit, "met": self._meets(bar)}
                for bar in self.bars
            ],
            "notes": list(self.notes),
        }

    def _meets(self, bar: Bar) -> bool:
        return bar.met(self.ratios.get(bar.ratio))


def medians(rounds: Sequence[Mapping[str, float]]) -> Numbers:
    """Return the median of each number over all rounds."""
    return {key: statistics.median(numbers[key] for numbers in rounds) for key in rounds[0]}


def ratio(pairs: Iterable[tuple[float, float]]) -> float:
    """Return the median over the rounds of ours ÷ peer."""
    return statistics.median(ours / peer for ours, peer in pairs)


def spread(pairs: Iterable[tuple[float, float]]) -> float:
    """Return how far the rounds' ratios lie apart: (largest - smallest) ÷ median."""
    ratios = [ours / peer for ours, peer in pairs]
    return (max(ratios) - min(ratios)) / statistics.median(ratios)
