"""Triggers on duties that policy and law give.

What each carries, as frozen values; directions are in ``triggers.py``, edges in ``machines/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from interlock.statemachine.triggers import Trigger


@dataclass(frozen=True, slots=True)
class ObligationFulfil:
    """``obligation.fulfil``."""

    trigger: ClassVar[Trigger] = Trigger.OBLIGATION_FULFIL
    period: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ObligationWaive:
    """``obligation.waive``; ``until`` is microseconds."""

    trigger: ClassVar[Trigger] = Trigger.OBLIGATION_WAIVE
    period: str
    until: int
