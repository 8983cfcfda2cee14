"""Profiles: what a client has to know of its server, and where that is kept.

A profile is a folder `<home>/<name>/` with `profile.json` (an `interlock.v1.ClientProfile` in its JSON form, written by
`interlock init`), the principal's keys, and what this client adds: `session.json`, `seen.json`. `<home>` is
``INTERLOCK_HOME``, else `profiles/` in the user's configuration folder.

Lives here: finding and reading. Not here: opening keys (`keyfile.py`), sessions (`session.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from interlock.client.errors import ProfileError
from interlock.client.text import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

PROFILE_FILE: Final = "profile.json"
HOME_VARIABLE: Final = "INTERLOCK_HOME"
PROFILE_VARIABLE: Final = "INTERLOCK_PROFILE"
_LOG_ID_BYTES: Final = 16
_DIGEST_BYTES: Final = 32
_KEY_BYTES: Final = 32
SOCKET: Final = "unix:"
"""What the address of a server on this machine begins with that has no port."""
_PORT_DIGITS: Final = 5
_MAX_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Profile:
    """A principal at a server. Paths are absolute; a login has a key, a token or a provider; files may be None."""

    folder: Path
    principal: str
    address: str
    server_name: str
    ca_certificate: bytes
    log_id: bytes
    log_key: str
    genesis_digest: bytes
    login_key_file: Path | None
    signoff_key_file: Path | None
    passphrase_file: Path | None
    decision_key: bytes = b""
    """Raw; empty in profiles that were made before there were decisions."""
    login_token_file: Path | None = None
    """A token of an OpenID provider, which logs in instead of a key; read anew for each login."""
    oidc_issuer: str = ""
    """The OpenID provider that a person logs in at, to the letter of its record in the log; empty for none."""
    oidc_client_id: str = ""
    """Which client of that provider this is: the audience of its record in the log."""

    @property
    def name(self) -> str:
        """Name of the profile: that of its folder."""
        return self.folder.name


def profiles_home(environment: Mapping[str, str]) -> Path:
    """Return the folder that holds a folder for each profile."""
    home = environment.get(HOME_VARIABLE)
    if home:
        return Path(home).expanduser()
    import platformdirs  # noqa: PLC0415  # only where nothing is said; `--help` must stay quick

    return Path(platformdirs.user_config_dir("interlock", appauthor=False)) / "profiles"


def profile_names(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the profiles in the profiles' home, sorted."""
    home = profiles_home(environment)
    if not home.is_dir():
        return ()
    return tuple(sorted(path.name for path in home.iterdir() if (path / PROFILE_FILE).is_file()))


def find_profile(which: str | None, environment: Mapping[str, str]) -> Path:
    """Return the `profile.json` of a profile by name or path; without one, that of the environment or the only one.

    Raises ProfileError where there is none or the choice is open.
    """
    which = which or environment.get(PROFILE_VARIABLE) or None
    home = profiles_home(environment)
    if which is None:
        return _only_profile(home, profile_names(environment))
    given = Path(which).expanduser()
    for candidate in (home / which / PROFILE_FILE, given / PROFILE_FILE, given):
        if candidate.is_file():
            return candidate
    raise ProfileError(
        f"there is no profile {escape(which)!r}, neither as a name in {home} nor as a path", reason="NO_PROFILE"
    )


def load_profile(path: Path) -> Profile:
    """Read a `profile.json`. Raises ProfileError for one that can't be used."""
    from google.protobuf import json_format  # noqa: PLC0415  # protobuf takes its time; `--help` never comes here

    from interlock.v1 import identity_pb2  # noqa: PLC0415  # same

    try:
        message = json_format.Parse(path.read_bytes(), identity_pb2.ClientProfile())
    except OSError as error:
        raise ProfileError(f"{path} can't be read: {error.strerror}", reason="NO_PROFILE") from error
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path} is not a client profile: {error}", reason="BAD_PROFILE") from error
    for field in ("principal", "address", "server_name", "ca_certificate", "log_key"):
        if not getattr(message, field):
            raise ProfileError(f"{path} has no {field}", reason="BAD_PROFILE")
    if not (message.login_key_file or message.login_token_file or message.oidc_issuer):
        raise ProfileError(f"{path} has none of login_key_file, login_token_file and oidc_issuer", reason="BAD_PROFILE")
    if not _is_address(message.address):
        raise ProfileError(
            f"{path}: address must be HOST:PORT with a port up to {_MAX_PORT}, not {escape(message.address)}",
            reason="BAD_PROFILE",
        )
    folder = path.parent.absolute()
    return Profile(
        folder=folder,
        principal=message.principal,
        address=message.address,
        server_name=message.server_name,
        ca_certificate=message.ca_certificate.encode(),
        log_id=_hex(path, "log_id", message.log_id, _LOG_ID_BYTES),
        log_key=message.log_key.strip(),
        genesis_digest=_hex(path, "genesis_digest", message.genesis_digest, _DIGEST_BYTES),
        login_key_file=folder / message.login_key_file if message.login_key_file else None,
        signoff_key_file=folder / message.signoff_key_file if message.signoff_key_file else None,
        passphrase_file=folder / message.passphrase_file if message.passphrase_file else None,
        decision_key=_hex(path, "decision_key", message.decision_key, _KEY_BYTES) if message.decision_key else b"",
        login_token_file=folder / message.login_token_file if message.login_token_file else None,
        oidc_issuer=message.oidc_issuer,
        oidc_client_id=message.oidc_client_id,
    )


def _is_address(address: str) -> bool:
    """Say whether an address can be that of a server: a port that there is, or the socket of one on this machine."""
    host, _, port = address.rpartition(":")
    if address.startswith(SOCKET):
        return True
    numeric = port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS
    return bool(host) and numeric and int(port) <= _MAX_PORT


def _only_profile(home: Path, names: tuple[str, ...]) -> Path:
    if (home / PROFILE_FILE).is_file():
        return home / PROFILE_FILE
    if len(names) == 1:
        return home / names[0] / PROFILE_FILE
    if not names:
        raise ProfileError(
            f"there is no profile in {home}; `interlock init` makes them, {HOME_VARIABLE} says where they are",
            reason="NO_PROFILE",
        )
    raise ProfileError(
        f"which profile? {home} has {', '.join(map(escape, names))}; use --profile or {PROFILE_VARIABLE}",
        reason="SEVERAL_PROFILES",
    )


def _hex(path: Path, field: str, text: str, length: int) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != length:
        raise ProfileError(f"{path}: {field} must be {2 * length} hexadecimal digits", reason="BAD_PROFILE")
    return value
