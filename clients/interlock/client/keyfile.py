"""Private keys of a principal: encrypted PKCS #8 files, opened with a passphrase that is asked for when needed.

Lives here: reading key files and finding their passphrase. Not here: what the keys sign.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from interlock.client.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from interlock.client.profile import Profile

    Passphrase = Callable[[Path], bytes]

PASSPHRASE_VARIABLE: Final = "INTERLOCK_PASSPHRASE_FILE"  # noqa: S105  # the name of a variable
MAX_KEY_BYTES: Final = 65536


def passphrase_source(
    profile: Profile,
    environment: Mapping[str, str],
    *,
    file: Path | None = None,
    ask: Passphrase | None = None,
) -> Passphrase:
    """Return how to get the passphrase: ``file``, INTERLOCK_PASSPHRASE_FILE, the profile's own file, else ``ask``."""
    named = environment.get(PASSPHRASE_VARIABLE)
    chosen = file or (Path(named) if named else None) or profile.passphrase_file
    if chosen is not None:
        return lambda _key: read_passphrase(chosen)
    if ask is not None:
        return ask
    return _nobody_to_ask


def read_passphrase(path: Path) -> bytes:
    """Return a file's content without its closing line break. Raises ProfileError where it can't be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ProfileError(
            f"the passphrase file {path} can't be read: {error.strerror}", reason="NO_PASSPHRASE"
        ) from error
    return content.removesuffix(b"\n").removesuffix(b"\r")


def load_key(path: Path, passphrase: Passphrase) -> Ed25519PrivateKey:
    """Open an encrypted Ed25519 key. Raises ProfileError for anything else, and for a wrong passphrase.

    A key that lies there unencrypted is refused: whoever can read the file could sign.
    """
    try:
        data = path.read_bytes()[:MAX_KEY_BYTES]
    except OSError as error:
        raise ProfileError(f"the key {path} can't be read: {error.strerror}", reason="NO_KEY") from error
    try:
        key = load_pem_private_key(data, passphrase(path))
    except TypeError as error:
        raise ProfileError(f"the key {path} is not encrypted", reason="KEY_NOT_ENCRYPTED") from error
    except ValueError as error:
        raise ProfileError(
            f"the key {path} does not open: wrong passphrase, or no PKCS #8", reason="WRONG_PASSPHRASE"
        ) from error
    except UnsupportedAlgorithm as error:
        raise ProfileError(f"the key {path} is of an unknown kind", reason="BAD_KEY") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ProfileError(f"the key {path} is not an Ed25519 key", reason="BAD_KEY")
    return key


def _nobody_to_ask(key: Path) -> bytes:
    raise ProfileError(
        f"{key} needs a passphrase: set {PASSPHRASE_VARIABLE} or use --passphrase-file", reason="NO_PASSPHRASE"
    )
