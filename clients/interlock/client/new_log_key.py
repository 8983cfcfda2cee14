"""A new key for the log: the private half for the server's folder, and what the recovery quorum is given of it.

Lives here: making it, and reading its public half. Not here: naming it (`recover write`), using it (the server).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from interlock.client.errors import ContentError, ProfileError
from interlock.proofs import keys

if TYPE_CHECKING:
    from pathlib import Path

_OWNER_ONLY: Final = 0o600


@dataclass(frozen=True, slots=True)
class PublicLogKey:
    """The public half of a new log key, and its own signature that whoever names it has it."""

    public_key: bytes
    proof: bytes

    def to_json(self) -> bytes:
        """Return it as a file has it."""
        return json.dumps({"public_key": self.public_key.hex(), "proof": self.proof.hex()}, indent=2).encode() + b"\n"


def create_log_key(path: Path, passphrase: bytes | None, log_id: bytes) -> PublicLogKey:
    """Write a new private key, readable by its owner alone. Raises ProfileError where a file is there, or no folder."""
    from interlock.statemachine.log_keys import proof_bytes  # noqa: PLC0415  # it brings all of the rules

    if passphrase == b"":
        raise ProfileError("a key has to have a passphrase, or --no-passphrase", reason="NO_PASSPHRASE")
    key = Ed25519PrivateKey.generate()
    sealed = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY)
    except OSError as error:
        raise ProfileError(f"{path} can't be written: {error.strerror}", reason="KEY_EXISTS") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(descriptor)
    public = keys.public_bytes(key)
    return PublicLogKey(public, key.sign(proof_bytes(log_id, public)))


def read_public(path: Path) -> PublicLogKey:
    """Read what `recover log-key` wrote. Raises ContentError."""
    try:
        kept = json.loads(path.read_bytes())
        return PublicLogKey(bytes.fromhex(kept["public_key"]), bytes.fromhex(kept["proof"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ContentError(f"{path} is not what `recover log-key` writes: {error}", reason="CONTENT") from error
