"""Keys, certificates, locks and the unit file: what lies on the disk of a server."""

from __future__ import annotations

import configparser
import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from typer.testing import CliRunner

from interlock.service import tls
from interlock.service.commands.serve import app as serve_app
from interlock.service.config import load_config
from interlock.service.keyfiles import (
    KeyFileError,
    load_signing_key,
    passphrase_from,
    private_pem,
    read_private,
    write_private,
)
from interlock.service.lock import DataDirectoryInUseError, DataLock

DAY = dt.timedelta(days=1)
NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
UNIT = Path(__file__).parents[3] / "ops" / "interlock.service"


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_a_key_comes_back_as_it_was_written(tmp_path: Path, passphrase: bytes | None) -> None:
    """PKCS #8, with and without a passphrase."""
    key = Ed25519PrivateKey.generate()
    write_private(tmp_path / "key", private_pem(key, passphrase))

    loaded = load_signing_key(tmp_path / "key", passphrase)

    assert loaded.private_bytes_raw() == key.private_bytes_raw()


def test_a_key_without_passphrase_opens_when_one_is_given(tmp_path: Path) -> None:
    """The passphrase is for those that are encrypted."""
    key = Ed25519PrivateKey.generate()
    write_private(tmp_path / "key", private_pem(key, None))

    assert load_signing_key(tmp_path / "key", b"unused").public_key() == key.public_key()


@pytest.mark.parametrize("passphrase", [None, b"", b"wrong"])
def test_an_encrypted_key_needs_its_passphrase(tmp_path: Path, passphrase: bytes | None) -> None:
    """None, empty or another one: refused."""
    write_private(tmp_path / "key", private_pem(Ed25519PrivateKey.generate(), b"right"))

    with pytest.raises(KeyFileError):
        load_signing_key(tmp_path / "key", passphrase)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    """The log signs with Ed25519 and nothing else."""
    write_private(tmp_path / "key", private_pem(ec.generate_private_key(ec.SECP256R1()), None))

    with pytest.raises(KeyFileError):
        load_signing_key(tmp_path / "key", None)


@pytest.mark.parametrize("content", [b"", b"\n", b"not a key", b"-----BEGIN PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever the file holds, the error is about the file."""
    write_private(tmp_path / "key", content)

    with pytest.raises(KeyFileError, match="key"):
        load_signing_key(tmp_path / "key", None)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """One bit for group or world is too many."""
    write_private(tmp_path / "key", b"secret")
    (tmp_path / "key").chmod(mode)

    with pytest.raises(KeyFileError):
        read_private(tmp_path / "key")


def test_a_secret_is_never_written_over(tmp_path: Path) -> None:
    """The file must be new, and is the owner's from its first byte."""
    write_private(tmp_path / "key", b"first")

    with pytest.raises(FileExistsError):
        write_private(tmp_path / "key", b"second")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_passphrase_is_the_line_without_its_end(tmp_path: Path) -> None:
    """Editors end files with a newline; a space is a part of it."""
    (tmp_path / "p").write_bytes(b" correct horse \r\n")

    assert passphrase_from(str(tmp_path / "p")) == b" correct horse "
    assert passphrase_from("") is None


def test_an_empty_passphrase_file_is_refused(tmp_path: Path) -> None:
    """It would encrypt nothing."""
    (tmp_path / "p").write_bytes(b"\n")

    with pytest.raises(KeyFileError):
        passphrase_from(str(tmp_path / "p"))


@pytest.mark.parametrize("name", ["interlock", "localhost", "127.0.0.1", "::1"])
def test_the_server_is_who_its_authority_says(name: str) -> None:
    """A verifier that knows nothing but the authority accepts the names, by the rules of the web."""
    authority = tls.make_authority(NOW)
    _, certificate = tls.make_server_certificate(authority, ("interlock", "localhost", "127.0.0.1", "::1"), NOW)

    verify(authority, certificate, name, NOW)


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("other", NOW),
        ("interlock", NOW + tls.SERVER_LASTS + dt.timedelta(days=1)),
        ("interlock", NOW - dt.timedelta(days=1)),
    ],
)
def test_nobody_else_and_no_other_time(name: str, at: dt.datetime) -> None:
    """Another name, or a day too late or too early: refused."""
    authority = tls.make_authority(NOW)
    _, certificate = tls.make_server_certificate(authority, ("interlock",), NOW)

    with pytest.raises(VerificationError):
        verify(authority, certificate, name, at)


def test_another_authority_is_not_believed() -> None:
    """The same name from somebody else is worth nothing."""
    _, certificate = tls.make_server_certificate(tls.make_authority(NOW), ("interlock",), NOW)

    with pytest.raises(VerificationError):
        verify(tls.make_authority(NOW), certificate, "interlock", NOW)


def verify(authority: tls.Authority, certificate: x509.Certificate, name: str, at: dt.datetime) -> None:
    """Verify a server's certificate as a TLS client does."""
    try:
        subject: x509.GeneralName = tls._general_name(name)  # noqa: SLF001  # the same reading of names
        assert isinstance(subject, x509.DNSName | x509.IPAddress)
        PolicyBuilder().store(Store([authority.certificate])).time(at).build_server_verifier(subject).verify(
            certificate, []
        )
    except ValueError as error:
        raise VerificationError from error


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    """The second is told at once who holds it; when the first lets go, it is free."""
    with DataLock(tmp_path), pytest.raises(DataDirectoryInUseError), DataLock(tmp_path):
        pass

    with DataLock(tmp_path):
        pass


def unit() -> configparser.RawConfigParser:
    """Read the systemd unit; keys may repeat."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's keys have capitals
    parser.read(UNIT)
    return parser


def test_the_unit_starts_a_command_that_exists() -> None:
    """ExecStart is `interlock serve` with options that it has."""
    program, command, *options = unit()["Service"]["ExecStart"].split()
    helped = CliRunner().invoke(serve_app, ["--help"], env={"COLUMNS": "200"}).stdout

    assert (Path(program).name, command) == ("interlock", "serve")
    assert all(option in helped for option in options)


def test_the_unit_sets_variables_that_the_server_reads() -> None:
    """Each Environment= is a key of the configuration, and the passphrase is the loaded credential."""
    lines = [line.partition("=")[2] for line in UNIT.read_text().splitlines() if line.startswith("Environment=")]
    variables = dict(line.split("=", 1) for line in lines)

    config = load_config({}, variables)

    assert set(variables) == {"INTERLOCK_DATA", "INTERLOCK_PASSPHRASE_FILE"}
    assert (config.data, config.passphrase_file) == ("/var/lib/interlock/data", "%d/passphrase")
    assert unit()["Service"]["LoadCredentialEncrypted"].startswith("passphrase:")


def test_the_unit_waits_for_longer_than_the_server_drains() -> None:
    """Systemd must not kill what is still finishing calls."""
    seconds = float(unit()["Service"]["TimeoutStopSec"].removesuffix("s"))

    assert seconds > load_config({}, {}).drain_seconds


@pytest.mark.parametrize(
    "key",
    [
        *("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "ProtectKernelTunables"),
        *("ProtectKernelModules", "ProtectControlGroups", "RestrictNamespaces", "RestrictSUIDSGID"),
    ],
)
def test_the_unit_is_hardened(key: str) -> None:
    """Each of these stands there, and says yes."""
    assert unit()["Service"][key] == "yes"
    assert unit()["Service"]["ProtectSystem"] == "strict"
    assert unit()["Service"]["CapabilityBoundingSet"] == ""
