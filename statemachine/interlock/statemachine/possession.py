"""What a key signs to show that whoever registers it has it (identity design, "People, principals, credentials").

Lives here: the bytes, which client and ``decide`` both make. They name log, account and use, so a proof is worth
nothing in another log, for another account or for another use. Pure.
"""

from __future__ import annotations

from typing import Final

_REGISTRATION: Final = b"interlock-possession-v1\0"
_ROTATION: Final = b"interlock-rotation-v1\0"


def registration_bytes(log_id: bytes, principal: str, use: str, fingerprint: str) -> bytes:
    """Return what a new key signs; ``fingerprint`` is its own."""
    return _REGISTRATION + _joined(log_id, principal, use, fingerprint)


def rotation_bytes(log_id: bytes, principal: str, use: str, fingerprint: str) -> bytes:
    """Return what the old key signs; ``fingerprint`` is that of the key that takes its place."""
    return _ROTATION + _joined(log_id, principal, use, fingerprint)


def _joined(log_id: bytes, *words: str) -> bytes:
    return b"\0".join((log_id, *(word.encode() for word in words)))
