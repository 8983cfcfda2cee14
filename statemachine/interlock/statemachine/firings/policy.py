"""Triggers on the policy itself.

What each carries, as frozen values; directions are in ``triggers.py``, edges in ``machines/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from interlock.statemachine.triggers import Trigger


@dataclass(frozen=True, slots=True)
class PolicyAdopt:
    """``policy.adopt``; ``pack_digest`` is that of the pack's files (``policy/files.py``)."""

    trigger: ClassVar[Trigger] = Trigger.POLICY_ADOPT
    policy: str
    pack_digest: bytes
