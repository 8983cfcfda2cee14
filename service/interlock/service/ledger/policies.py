"""Policies by digest: loaded from the packs that the log keeps, each once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from interlock.statemachine import codec
from interlock.statemachine.policy.files import pack_digest
from interlock.statemachine.policy.findings import PackError
from interlock.statemachine.policy.loader import load_pack

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.statemachine.policy import Policy


class PolicyUnreadableError(RuntimeError):
    """The pack that the log names is missing, or is not what the log names."""


class Policies:
    """Keeps every policy that was asked for: there are few in the life of a log."""

    def __init__(self) -> None:
        self._loaded: dict[bytes, Policy] = {}

    def add(self, policy: Policy) -> None:
        """Keep a policy that was loaded elsewhere."""
        self._loaded[policy.digest] = policy

    def load(self, digest: bytes, find: Callable[[bytes], bytes | None]) -> Policy:
        """Return the policy with a pack digest. Raises PolicyUnreadableError."""
        policy = self._loaded.get(digest)
        if policy is None:
            policy = self._loaded[digest] = _load(digest, find(digest))
        return policy


def object_digest(data: bytes) -> bytes:
    """Return the digest that content bytes are kept under."""
    return hashlib.sha256(data).digest()


def digest_of_pack(data: bytes) -> bytes:
    """Return the digest that an encoded pack is kept under. Raises CodecError, PackError."""
    return pack_digest(codec.decode_pack(data))


def is_object_of(digest: bytes, data: bytes) -> bool:
    """Say whether ``data`` is what a digest names: content by SHA-256, or a pack by its pack digest."""
    if object_digest(data) == digest:
        return True
    try:
        return digest_of_pack(data) == digest
    except (codec.CodecError, PackError):
        return False


def _load(digest: bytes, data: bytes | None) -> Policy:
    if data is None:
        raise PolicyUnreadableError(f"no policy pack with digest {digest.hex()}")
    try:
        files = codec.decode_pack(data)
        if pack_digest(files) != digest:
            raise PolicyUnreadableError(f"the stored policy pack is not the one with digest {digest.hex()}")
        return load_pack(files)
    except (codec.CodecError, PackError) as error:
        raise PolicyUnreadableError(f"the policy pack {digest.hex()} can't be read: {error}") from error
