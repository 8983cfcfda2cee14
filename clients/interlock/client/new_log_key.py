"""A new key for the log: the private half for the server's folder, and what is told of it to whoever names it.

Lives here: making it, the old key's word for it, and reading its public half. Not here: naming it (`log-key rotate`,
`recover write`), using it (the server).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from interlock.client.errors import ContentError, ProfileError
from interlock.client.keyfile import MAX_KEY_BYTES, load_key
from interlock.proofs import keys

if TYPE_CHECKING:
    from pathlib import Path

_OWNER_ONLY: Final = 0o600


@dataclass(frozen=True, slots=True)
class PublicLogKey:
    """The public half of a new log key, its own signature that whoever names it has it, and the old key's word for it.

    ``replaces_proof`` is empty where the old key was not at hand: then the recovery quorum alone can name the new one.
    """

    public_key: bytes
    proof: bytes
    replaces_proof: bytes = b""

    def to_json(self) -> bytes:
        """Return it as a file has it."""
        parts = {"public_key": self.public_key, "proof": self.proof, "replaces_proof": self.replaces_proof}
        return json.dumps({name: value.hex() for name, value in parts.items() if value}, indent=2).encode() + b"\n"


def create_log_key(path: Path, passphrase: bytes | None, log_id: bytes, replaces: Path | None = None) -> PublicLogKey:
    """Write a new private key, readable by its owner alone; ``replaces`` is the log's present one, of that passphrase.

    Raises ProfileError where a file is there, or no folder, or where the present key does not open.
    """
    from interlock.statemachine import log_keys  # noqa: PLC0415  # it brings all of the rules

    if passphrase == b"":
        raise ProfileError("a key has to have a passphrase, or --no-passphrase", reason="NO_PASSPHRASE")
    old = _load(replaces, passphrase) if replaces is not None else None
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
    word = old.sign(log_keys.rotation_bytes(log_id, public)) if old is not None else b""
    return PublicLogKey(public, key.sign(log_keys.proof_bytes(log_id, public)), word)


def _load(path: Path, passphrase: bytes | None) -> Ed25519PrivateKey:
    """Open a key of the server's, which may have no passphrase. Raises ProfileError."""
    if passphrase is not None:
        return load_key(path, lambda _path: passphrase)
    try:
        key = load_pem_private_key(path.read_bytes()[:MAX_KEY_BYTES], None)
    except (OSError, TypeError, ValueError) as error:
        raise ProfileError(f"the key {path} does not open: {error}", reason="NO_KEY") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ProfileError(f"the key {path} is not an Ed25519 key", reason="BAD_KEY")
    return key


def check_public_place(path: Path, private: Path) -> None:
    """Refuse to write the public half over anything but an earlier one: what lies beside it are keys.

    Raises ContentError.
    """
    if path.resolve() == private.resolve():
        raise ContentError(f"{path} can't hold both halves: name another file for the public one", reason="CONTENT")
    if path.exists():
        read_public(path)


def read_public(path: Path) -> PublicLogKey:
    """Read what `log-key create` wrote. Raises ContentError."""
    try:
        kept = json.loads(path.read_bytes())
        words = (kept["public_key"], kept["proof"], kept.get("replaces_proof", ""))
        return PublicLogKey(*map(bytes.fromhex, words))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContentError(f"{path} is not what `log-key create` writes: {error}", reason="CONTENT") from error
