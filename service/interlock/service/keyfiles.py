"""Private keys and secrets in files: PKCS #8 PEM, encrypted where there is a passphrase, for the owner's eyes only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

OWNER_ONLY = 0o600
_OTHERS = 0o077


class KeyFileError(ValueError):
    """A key file that can't be used; the message names the file, never its content."""


def private_pem(key: PrivateKeyTypes, passphrase: bytes | None) -> bytes:
    """Return a private key as PKCS #8 PEM."""
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def write_private(path: Path, data: bytes) -> None:
    """Write a new file that only its owner can read, durably. Raises FileExistsError rather than overwrite."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def read_private(path: Path) -> bytes:
    """Read a secret. Raises KeyFileError when others could read it too, or nobody can."""
    try:
        if path.stat().st_mode & _OTHERS:
            raise KeyFileError(f"{path} can be read by others: chmod 600 {path}")
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error


def is_encrypted(path: Path) -> bool:
    """Say whether a key needs a passphrase. Raises KeyFileError."""
    return _says_encrypted(read_private(path))


def load_signing_key(path: Path, passphrase: bytes | None) -> Ed25519PrivateKey:
    """Load an Ed25519 key. Raises KeyFileError."""
    pem = read_private(path)
    encrypted = _says_encrypted(pem)
    if encrypted and not passphrase:
        raise KeyFileError(f"{path} is encrypted, and there is no passphrase")
    try:
        key = serialization.load_pem_private_key(pem, passphrase if encrypted else None)
    except ValueError as error:
        raise KeyFileError(f"{path}: no such key, or another passphrase") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path} is no Ed25519 key")
    return key


def passphrase_from(path: str) -> bytes | None:
    """Read a passphrase from a file, without its newline; None for an empty path. Raises KeyFileError."""
    if not path:
        return None
    try:
        passphrase = Path(path).read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    if not passphrase:
        raise KeyFileError(f"{path} holds no passphrase")
    return passphrase


def _says_encrypted(pem: bytes) -> bool:
    return b"ENCRYPTED" in pem.partition(b"\n")[0]
