"""The server's configuration: the one place where each key is named, explained and given its default.

A value comes from, in rising precedence: the default here, the file (TOML, flat), the environment
(``INTERLOCK_<KEY>`` in upper case), the command line's flags. ``ops/interlock.example.toml`` lists every key with its
default; a test compares the two.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from interlock.service.logs import FORMATS, LEVELS
from interlock.service.storage.engine import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import URL

ENVIRONMENT_PREFIX: Final = "INTERLOCK_"
FILE_NAME: Final = "interlock.toml"
DATABASE_FILE: Final = "interlock.db"
HIGHWATER_FILE: Final = "highwater.json"
_MIB: Final = 1 << 20
_GIB: Final = 1 << 30
_MOST_WRITES: Final = 1_000_000
_MAX_PORT: Final = 65535
_PORT_DIGITS: Final = 5
_YEAR_SECONDS: Final = 366 * 24 * 3600
_A_WHILE: Final = "positive, and at most a year"


class ConfigError(ValueError):
    """A key or a value that can't be; the message says which and where it came from."""


def _key(doc: str, *, default: str | float) -> Any:  # noqa: ANN401  # as `field` itself is typed
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that can be set."""

    data: str = _key("Folder that `interlock init` made.", default="interlock-data")
    listen: str = _key(
        "HOST:PORT to listen on (port 0: any free one), or unix:/PATH together with `insecure`.",
        default="127.0.0.1:7443",
    )
    insecure: bool = _key(
        "Serve without TLS. Only for a unix socket, whose file permissions are then the guard.", default=False
    )
    server_name: str = _key(
        "The server's name, as in its certificate; every login signature is bound to it.", default="interlock"
    )
    database_url: str = _key(
        "SQLAlchemy URL of the log's database. Empty: SQLite in the data folder, `interlock.db`.", default=""
    )
    evidence_url: str = _key(
        "Where evidence is kept, as obstore names places. Empty: `evidence` in the data folder.", default=""
    )
    highwater: str = _key(
        "File of the high-water mark; put it on another volume than the data, so that a restored disk is noticed. "
        "Empty: `highwater.json` in the data folder.",
        default="",
    )
    oidc_ca: str = _key(
        "File of CA certificates (PEM) that OpenID providers may have besides the system's. Empty: none.", default=""
    )
    witnesses: str = _key(
        "File with the verifier keys of the witnesses whose cosignatures are kept, one a line; `#` begins a remark. "
        "Empty: none.",
        default="",
    )
    passphrase_file: str = _key(
        "File with the passphrase of the server's own keys (systemd: LoadCredential=). Empty: they have none, or a "
        "terminal is asked.",
        default="",
    )
    log_level: str = _key("Lines from this level on: debug, info, warning or error.", default="info")
    log_format: str = _key("`json`, one object a line, or `console`, to read.", default="json")
    metrics_listen: str = _key(
        "HOST:PORT for Prometheus to read `/metrics` from, without TLS. Empty: none.", default=""
    )
    max_message_bytes: int = _key("Greatest request or answer, in bytes; evidence streams.", default=4 * _MIB)
    max_evidence_bytes: int = _key("Greatest document, in bytes.", default=5 * _GIB)
    streams_per_principal: int = _key("How many streams one principal may have open.", default=256)
    upload_idle_seconds: float = _key("An upload ends when nothing arrives for so long.", default=30.0)
    stream_write_seconds: float = _key(
        "A stream whose reader does not take a message for so long is ended; it can be gone on with.", default=30.0
    )
    writes_per_second: float = _key(
        "How many writes a second one principal may ask for in the long run; what tightens is never limited.",
        default=1000.0,
    )
    write_burst: int = _key("How many writes one principal may ask for at once.", default=5000)
    deadline_seconds: float = _key("Deadline of a unary call whose caller sets none.", default=60.0)
    state_digest_entries: int = _key(
        "The server states a digest of the log's whole state in the log after so many entries, or half as many as "
        "there are resources where those are more. 0: only where an export needs one.",
        default=1000,
    )
    drain_seconds: float = _key("On SIGTERM or Ctrl-C, how long running calls may take to finish.", default=10.0)

    @property
    def data_path(self) -> Path:
        """The data folder."""
        return Path(self.data)

    @property
    def database(self) -> URL | str:
        """SQLAlchemy URL of the database."""
        return self.database_url or sqlite_url(self.data_path / DATABASE_FILE)

    @property
    def evidence(self) -> str:
        """URL of the evidence store."""
        return self.evidence_url or (self.data_path / "evidence").absolute().as_uri()

    @property
    def highwater_path(self) -> Path:
        """File of the high-water mark."""
        return Path(self.highwater) if self.highwater else self.data_path / HIGHWATER_FILE

    @property
    def oidc_ca_path(self) -> Path | None:
        """File of the CA certificates of OpenID providers."""
        return Path(self.oidc_ca) if self.oidc_ca else None

    @property
    def witnesses_path(self) -> Path | None:
        """File of the witnesses' keys."""
        return Path(self.witnesses) if self.witnesses else None


KEYS: Final[Mapping[str, str]] = {key.name: key.metadata["doc"] for key in fields(Config)}
"""Explanation by key."""

_TYPES: Final[Mapping[str, type[str | int | float | bool]]] = {
    key.name: type(getattr(Config(), key.name)) for key in fields(Config)
}
_PATHS: Final = ("data", "highwater", "witnesses", "oidc_ca", "passphrase_file")
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


def load_config(
    flags: Mapping[str, str | int | float | bool | None],
    environment: Mapping[str, str],
    config_file: Path | None = None,
) -> Config:
    """Return the configuration from file, environment and flags; flags that are None were not given.

    The file is ``config_file``, or ``INTERLOCK_CONFIG``, or ``interlock.toml`` in the data folder where there is one.
    Raises ConfigError.
    """
    given = {key: value for key, value in flags.items() if value is not None}
    named = _from_environment(environment)
    chosen = config_file or (Path(environment["INTERLOCK_CONFIG"]) if "INTERLOCK_CONFIG" in environment else None)
    if chosen is None:
        data = Path(str(given.get("data", named.get("data", Config().data))))
        default_file = data / FILE_NAME
        from_file = {"data": str(data)} | (_from_file(default_file) if default_file.is_file() else {})
    else:
        from_file = _from_file(chosen)
    config = replace(Config(), **{**from_file, **named, **given})
    _check(config)
    return config


def host_and_port(address: str) -> tuple[str, int]:
    """Split HOST:PORT; an IPv6 host stands in brackets. Raises ConfigError."""
    host, colon, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]") if host.startswith("[") and host.endswith("]") else host
    numeric = port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS
    if not colon or not bare or not numeric or int(port) > _MAX_PORT:
        raise ConfigError(f"{address!r} is not HOST:PORT")
    if bare == host and ":" in host:
        raise ConfigError(f"{address!r}: write an IPv6 address in brackets, as [::1]:7443")
    return bare, int(port)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    values = {}
    for key, value in table.items():
        if key not in KEYS:
            raise ConfigError(f"{path}: there is no key {key!r}; there are {', '.join(KEYS)}")
        kind = _TYPES[key]
        fits = type(value) is kind or (kind is float and type(value) is int)
        if not fits:
            raise ConfigError(f"{path}: {key} is a {kind.__name__}, not {value!r}")
        values[key] = kind(value)
    for key in _PATHS:  # relative to the file, so that a data folder can be moved
        if values.get(key):
            values[key] = str(path.parent / str(values[key]))
    return values


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Values of the keys that the environment sets; other ``INTERLOCK_*`` variables are the client's."""
    values = {}
    for key, kind in _TYPES.items():
        name = ENVIRONMENT_PREFIX + key.upper()
        if name in environment:
            values[key] = _parsed(name, environment[name], kind)
    return values


def _parsed(name: str, text: str, kind: type[str | int | float | bool]) -> str | int | float | bool:
    if kind is bool:
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise ConfigError(f"{name} is true or false, not {text!r}")
    try:
        return kind(text)
    except ValueError:
        raise ConfigError(f"{name} is a {kind.__name__}, not {text!r}") from None


def _check(config: Config) -> None:
    """Raise ConfigError for values that make no server."""
    checks: tuple[tuple[str, Callable[[], bool], str], ...] = (
        ("log_level", lambda: config.log_level in LEVELS, f"one of {', '.join(LEVELS)}"),
        ("log_format", lambda: config.log_format in FORMATS, f"one of {', '.join(FORMATS)}"),
        ("server_name", lambda: bool(config.server_name), "not empty"),
        ("max_message_bytes", lambda: _MIB <= config.max_message_bytes <= _GIB, "from 1 MiB to 1 GiB"),
        ("max_evidence_bytes", lambda: 0 < config.max_evidence_bytes < 1 << 63, "positive, and below 2^63"),
        ("streams_per_principal", lambda: 0 < config.streams_per_principal < 1 << 31, "positive, and below 2^31"),
        ("upload_idle_seconds", lambda: 0 < config.upload_idle_seconds <= _YEAR_SECONDS, _A_WHILE),
        (
            "writes_per_second",
            lambda: 0 < config.writes_per_second <= _MOST_WRITES,
            "positive, and no more than a million",
        ),
        ("write_burst", lambda: 1 <= config.write_burst <= _MOST_WRITES, "from 1 to a million"),
        ("stream_write_seconds", lambda: 0 < config.stream_write_seconds <= _YEAR_SECONDS, _A_WHILE),
        ("deadline_seconds", lambda: 0 < config.deadline_seconds <= _YEAR_SECONDS, _A_WHILE),
        ("drain_seconds", lambda: 0 <= config.drain_seconds <= _YEAR_SECONDS, "from 0 to a year"),
        ("state_digest_entries", lambda: 0 <= config.state_digest_entries < 1 << 63, "not negative, and below 2^63"),
    )
    for key, holds, wanted in checks:
        if not holds():
            raise ConfigError(f"{key} is {wanted}, not {getattr(config, key)!r}")
    is_socket = config.listen.startswith("unix:")
    if is_socket != config.insecure:
        raise ConfigError("a unix socket is served with `insecure`, and nothing else is")
    if not is_socket:
        host_and_port(config.listen)
    if config.metrics_listen:
        host_and_port(config.metrics_listen)
