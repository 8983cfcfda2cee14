"""Triggers on changes that were applied.

What each carries, as frozen values; directions are in ``triggers.py``, edges in ``machines/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from interlock.statemachine.triggers import Trigger


@dataclass(frozen=True, slots=True)
class ChangeRatify:
    """``change.ratify``; ``content_digest`` is SHA-256 of what the tainted change applied."""

    trigger: ClassVar[Trigger] = Trigger.CHANGE_RATIFY
    change: str
    content_digest: bytes = b""
