"""What can happen to the log itself by a change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from interlock.statemachine.triggers import Trigger


@dataclass(frozen=True, slots=True)
class LogRotateKey:
    """``log.rotate_key``: another key signs the log's checkpoints.

    ``proof`` is the new key's signature over ``log_keys.proof_bytes``, ``replaces_proof`` the old one's over
    ``log_keys.rotation_bytes``.
    """

    trigger: ClassVar[Trigger] = Trigger.LOG_ROTATE_KEY
    public_key: bytes
    proof: bytes
    replaces_proof: bytes
