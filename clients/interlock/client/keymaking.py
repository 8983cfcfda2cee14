"""New keys of a principal, made on their own machine: encrypted PKCS #8 files that nobody else can read.

Lives here: making and writing keys, and reading the public half back. Not here: opening a key to use it
(`keyfile.py`), telling a server of it (founding, or a signed change).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from interlock.client.errors import ProfileError
from interlock.proofs import keys

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_OWNER_ONLY: Final = 0o600
_FOLDER_MODE: Final = 0o700


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was written: its use, its file, and its raw Ed25519 public key (32 bytes)."""

    use: str
    path: Path
    public: bytes

    @property
    def fingerprint(self) -> str:
        """Lower-case hex of SHA-256 over the public key, as in resource names."""
        return keys.fingerprint(self.public)


def create_keys(folder: Path, uses: Iterable[str], passphrase: bytes) -> tuple[NewKey, ...]:
    """Write `<use>.key` into ``folder`` for each use, encrypted with ``passphrase``.

    Either all are written or none. Raises ProfileError where one is there already or the passphrase is empty.
    """
    if not passphrase:
        raise ProfileError("a key has to have a passphrase", reason="NO_PASSPHRASE")
    wanted = tuple(uses)
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    there = [use for use in wanted if (folder / f"{use}.key").exists()]
    if there:
        raise ProfileError(f"{folder} has a {there[0]}.key already; nothing was written", reason="KEY_EXISTS")
    return tuple(_write(folder, use, passphrase) for use in wanted)


def _write(folder: Path, use: str, passphrase: bytes) -> NewKey:
    key = Ed25519PrivateKey.generate()
    path = folder / f"{use}.key"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(descriptor)
    return NewKey(use, path, keys.public_bytes(key))
