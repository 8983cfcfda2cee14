"""Key files: encrypted PKCS #8, opened with a passphrase from somewhere safe, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from interlock.client.errors import ProfileError
from interlock.client.keyfile import load_key, passphrase_source, read_passphrase
from interlock.client.profile import Profile

PASSPHRASE = b"correct horse"


def _pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey, passphrase: bytes | None) -> bytes:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _profile(folder: Path, passphrase_file: Path | None = None) -> Profile:
    return Profile(
        folder, "principals/rso", "a:1", "interlock", b"", bytes(16), "", bytes(32), folder / "k", None, passphrase_file
    )


def test_an_encrypted_key_opens_with_its_passphrase(tmp_path: Path) -> None:
    """The key that was written is the key that is read."""
    key = Ed25519PrivateKey.generate()
    (tmp_path / "k").write_bytes(_pem(key, PASSPHRASE))

    found = load_key(tmp_path / "k", lambda _path: PASSPHRASE)

    assert found.private_bytes_raw() == key.private_bytes_raw()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_pem(Ed25519PrivateKey.generate(), b"another"), "WRONG_PASSPHRASE"),
        (_pem(Ed25519PrivateKey.generate(), None), "KEY_NOT_ENCRYPTED"),
        (_pem(ec.generate_private_key(ec.SECP256R1()), PASSPHRASE), "BAD_KEY"),
        (b"nothing of the kind", "WRONG_PASSPHRASE"),
        (b"", "WRONG_PASSPHRASE"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    """A wrong passphrase, a key in the clear, another kind of key, no key: none of them signs."""
    (tmp_path / "k").write_bytes(content)

    with pytest.raises(ProfileError) as caught:
        load_key(tmp_path / "k", lambda _path: PASSPHRASE)

    assert caught.value.reason == reason


def test_a_missing_key_is_said_to_be_missing(tmp_path: Path) -> None:
    """The passphrase is not even asked for."""
    with pytest.raises(ProfileError) as caught:
        load_key(tmp_path / "k", lambda _path: pytest.fail("asked"))

    assert caught.value.reason == "NO_KEY"


def test_a_passphrase_file_may_end_in_a_line_break(tmp_path: Path) -> None:
    """One closing line break is the editor's, any other character is the passphrase's."""
    (tmp_path / "p").write_bytes(b" two\n\n")

    assert read_passphrase(tmp_path / "p") == b" two\n"


def test_the_nearest_source_of_the_passphrase_wins(tmp_path: Path) -> None:
    """In this order: the file given, INTERLOCK_PASSPHRASE_FILE, the profile's own, then asking."""
    for name in ("given", "environment", "own"):
        (tmp_path / name).write_text(name)
    with_own = _profile(tmp_path, tmp_path / "own")
    around = {"INTERLOCK_PASSPHRASE_FILE": str(tmp_path / "environment")}

    def found(profile: Profile, environment: dict[str, str], file: Path | None = None) -> bytes:
        return passphrase_source(profile, environment, file=file, ask=lambda _path: b"asked")(Path("k"))

    assert found(with_own, around, tmp_path / "given") == b"given"
    assert found(with_own, around) == b"environment"
    assert found(with_own, {}) == b"own"
    assert found(_profile(tmp_path), {}) == b"asked"


def test_without_a_source_the_passphrase_is_missing(tmp_path: Path) -> None:
    """A program that nobody sits at is told how to give one."""
    with pytest.raises(ProfileError) as caught:
        passphrase_source(_profile(tmp_path), {})(Path("k"))

    assert caught.value.reason == "NO_PASSPHRASE"
