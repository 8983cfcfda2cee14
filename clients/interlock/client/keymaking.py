"""New keys of a principal, made on their own machine: encrypted PKCS #8 files that nobody else can read.

Lives here: making and writing keys, and reading the public half back. Not here: opening a key to use it
(`keyfile.py`), telling a server of it (founding, or a signed change).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from interlock.client import files
from interlock.client.errors import ProfileError
from interlock.client.signers import SIGNER_SUFFIX, signer_file
from interlock.proofs import keys, signature_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_OWNER_ONLY: Final = 0o600
_FOLDER_MODE: Final = 0o700


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was written: its use, the file that has it or says where it is, and its public key."""

    use: str
    path: Path
    public: bytes

    @property
    def fingerprint(self) -> str:
        """Lower-case hex of SHA-256 over the public key, as in resource names."""
        return signature_keys.fingerprint(self.public)


@dataclass(frozen=True, slots=True)
class HeldElsewhere:
    """A key that stays where it is: the URI of what signs with it, and its public key."""

    uri: str
    public: bytes


def create_keys(
    folder: Path, uses: Iterable[str], passphrase: bytes, held: Mapping[str, HeldElsewhere] = MappingProxyType({})
) -> tuple[NewKey, ...]:
    """Write `<use>.key` for each use, encrypted with ``passphrase``; `<use>.signer` where it is ``held``.

    Raises ProfileError, and writes nothing, where one is there already or a key to be made has no passphrase.
    """
    made = [use for use in uses if use not in held]
    if made and not passphrase:
        raise ProfileError("a key has to have a passphrase", reason="NO_PASSPHRASE")
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    there = [path.name for use in (*made, *held) if (path := key_file(folder, use)) is not None]
    if there:
        raise ProfileError(f"{folder} has a {there[0]} already; nothing was written", reason="KEY_EXISTS")
    elsewhere = {use: signer_file(where.uri, where.public) for use, where in held.items()}
    for use, said in elsewhere.items():
        files.write_private(folder / f"{use}{SIGNER_SUFFIX}", said)
    known = tuple(NewKey(use, folder / f"{use}{SIGNER_SUFFIX}", held[use].public) for use in elsewhere)
    return (*(_write(folder, use, passphrase) for use in made), *known)


def key_file(folder: Path, use: str) -> Path | None:
    """Return where a folder keeps the key of a use, or says where it is; None where it does neither."""
    return next((path for end in (".key", SIGNER_SUFFIX) if (path := folder / f"{use}{end}").exists()), None)


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
