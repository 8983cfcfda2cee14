"""Nonces to sign at login: 60 s, one use, and no memory for those that nobody signs.

A nonce carries its own time and a MAC under a key of this process, so an unauthenticated caller can make the server
remember nothing, and an unknown principal gets a nonce like any other. Only a nonce that a valid signature used is
remembered, until it would have ended. A restart ends every nonce.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from interlock.service.clock import MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.service.clock import Clock

NONCE_BYTES: Final = 32
LASTS_US: Final = 60 * MICROSECONDS

_TIME_BYTES: Final = 8
_RANDOM_BYTES: Final = 8
_HEAD_BYTES: Final = _TIME_BYTES + _RANDOM_BYTES
_KEY_BYTES: Final = 32
_PREFIX: Final = b"interlock-login-v1\0"


def signed_bytes(log_id: bytes, server_name: str, nonce: bytes) -> bytes:
    """Return what a login key signs; it names log and server, so that it is worth nothing elsewhere."""
    return _PREFIX + log_id + b"\0" + server_name.encode() + b"\0" + nonce


class Challenges:
    """Issues and redeems nonces."""

    def __init__(self, clock: Clock, rng: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._rng = rng
        self._key = rng(_KEY_BYTES)
        self._used: dict[bytes, int] = {}

    def issue(self, principal: str) -> bytes:
        """Return a nonce for a principal that may or may not exist."""
        head = self._clock.now_us().to_bytes(_TIME_BYTES) + self._rng(_RANDOM_BYTES)
        return head + self._mac(principal, head)

    def is_open(self, principal: str, nonce: bytes) -> bool:
        """Say whether ``nonce`` was issued to this principal here, has not ended, and was not redeemed."""
        head, mac = nonce[:_HEAD_BYTES], nonce[_HEAD_BYTES:]
        if not hmac.compare_digest(mac, self._mac(principal, head)) or nonce in self._used:
            return False
        age = self._clock.now_us() - int.from_bytes(head[:_TIME_BYTES])
        return 0 <= age < LASTS_US

    def redeem(self, nonce: bytes) -> None:
        """Use an open nonce up; the caller owes the check of the signature over it."""
        now = self._clock.now_us()
        for old in [old for old, end in self._used.items() if end <= now]:
            del self._used[old]
        self._used[nonce] = now + LASTS_US

    def _mac(self, principal: str, head: bytes) -> bytes:
        full = hmac.digest(self._key, head + principal.encode(), hashlib.sha256)
        return full[: NONCE_BYTES - _HEAD_BYTES]
