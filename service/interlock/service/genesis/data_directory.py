"""The folder that a server needs, made whole or not at all: in a hidden sibling first, then renamed into place.

```
DATA/interlock.toml      configuration          DATA/keys/log.key, decision.key    the server signs with these
                                               DATA/keys/log-next.key             waits to be named as the log's key
DATA/interlock.db        the log                DATA/keys/server.key, server.crt   its TLS identity
DATA/evidence/           documents              DATA/keys/ca.key, ca.crt           take ca.key offline
DATA/highwater.json      the high-water mark    DATA/log.pub                       what auditors are given
DATA/principals/ID/      profile.json; with --dev also login.key, signoff.key (or recovery.key) and their passphrase
```
"""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf import json_format

from interlock.proofs import keys, note
from interlock.service import tls
from interlock.service.config import DATABASE_FILE, FILE_NAME, HIGHWATER_FILE, Config, host_and_port
from interlock.service.durable import sync_file, sync_folder
from interlock.service.genesis.founding import Founding, found
from interlock.service.genesis.plan import LogIdentity, Plan, approvers, check_plan, document_of, origin_of
from interlock.service.keyfiles import private_pem, write_private
from interlock.service.ledger.checkpoints import CheckpointSigner
from interlock.service.ledger.committer import Committer
from interlock.service.ledger.highwater import HighWaterMark
from interlock.service.ledger.policies import Policies
from interlock.service.ledger.startup import open_log
from interlock.service.logs import make_logger
from interlock.service.storage import Store
from interlock.service.storage.engine import sqlite_url
from interlock.statemachine.entry import PolicyRef
from interlock.v1 import identity_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from structlog.typing import FilteringBoundLogger

    from interlock.service.clock import SetClock
    from interlock.statemachine.policy.model import Policy

LOG_ID_BYTES: Final = 16
_PASSPHRASE_BYTES: Final = 24
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_UNSPECIFIED: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  # compared with, never bound
_FOLDER_MODE: Final = 0o700


class DataDirectoryError(RuntimeError):
    """The folder can't be made; nothing was left behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to make. ``secrets`` are everyone's keys by principal id and use, for development only."""

    target: Path
    plan: Plan
    pack: Mapping[str, bytes]
    policy: Policy
    development: bool
    listen: str = Config().listen
    server_name: str = Config().server_name
    hosts: tuple[str, ...] = ()
    highwater: str = ""
    passphrase: bytes | None = None
    secrets: Mapping[str, Mapping[str, Ed25519PrivateKey]] = field(default_factory=dict)
    countersigners: tuple[tuple[str, Ed25519PrivateKey], ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """What was made; ``log_key`` is the line of ``log.pub``."""

    path: Path
    log_id: bytes
    log_key: str
    genesis_digest: bytes
    countersigned: int


async def make_data_directory(order: Order, clock: SetClock, rng: Callable[[int], bytes]) -> Made:
    """Make the folder. Raises PlanError, DataDirectoryError, or Refusal; then nothing is left of it."""
    check_plan(order.plan, order.policy)
    mark = Path(order.highwater) if order.highwater else None
    with _whole_or_nothing(order.target, mark) as folder:
        log_key, decision_key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        _write_keys(folder, order, log_key, decision_key)
        identity = LogIdentity(rng(LOG_ID_BYTES), keys.public_bytes(log_key), keys.public_bytes(decision_key))
        vkey = note.vkey_of(origin_of(identity.log_id), identity.log_key)
        (folder / "log.pub").write_text(f"{vkey}\n")
        reference = PolicyRef(order.policy.name, order.policy.version, order.policy.digest)
        document = document_of(order.plan, identity, reference, development=order.development)
        founding = Founding(document, order.pack, order.countersigners or _development_signers(order))
        _write_config(folder, order)
        _write_principals(folder, order, identity, vkey, founding.digest, rng)
        (folder / "evidence").mkdir(mode=_FOLDER_MODE)
        signer = CheckpointSigner(origin_of(identity.log_id), log_key)
        await _write_log(folder, order, founding, signer, clock, make_logger("warning", "console"))
    return Made(order.target, identity.log_id, vkey, founding.digest, len(founding.countersigners))


@contextmanager
def _whole_or_nothing(target: Path, elsewhere: Path | None) -> Iterator[Path]:
    """Give a hidden sibling of ``target`` that takes its name in the end, or vanishes with the file ``elsewhere``."""
    parent = target.absolute().parent
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise DataDirectoryError(f"{target} exists and is not an empty folder; nothing was changed")
    if not parent.is_dir():
        raise DataDirectoryError(f"there is no folder {parent}")
    if elsewhere is not None and elsewhere.exists():
        raise DataDirectoryError(f"{elsewhere} is there already: the high-water mark of another log?")
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.init-", dir=parent))
    try:
        yield folder
        _sync_tree(folder)
        try:
            folder.rename(target.absolute())  # onto an empty folder at most
        except OSError as error:
            raise DataDirectoryError(f"{target}: {error.strerror}; nothing was changed") from error
        sync_folder(parent)
    except BaseException:
        if elsewhere is not None:
            elsewhere.unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_keys(folder: Path, order: Order, log_key: Ed25519PrivateKey, decision_key: Ed25519PrivateKey) -> None:
    place = folder / "keys"
    place.mkdir(mode=_FOLDER_MODE)
    write_private(place / "log.key", private_pem(log_key, order.passphrase))
    write_private(place / "decision.key", private_pem(decision_key, order.passphrase))
    now = datetime.now(tz=UTC)
    authority = tls.make_authority(now)
    write_private(place / "ca.key", private_pem(authority.key, order.passphrase))
    (place / "ca.crt").write_bytes(tls.certificate_pem(authority.certificate))
    host = () if order.listen.startswith("unix:") else (host_and_port(order.listen)[0],)
    names = (order.server_name, *_LOOPBACK, *(h for h in host if h not in _UNSPECIFIED), *order.hosts)
    server_key, certificate = tls.make_server_certificate(authority, names, now)
    # Not encrypted: it opens no log and signs nothing that lasts, and gRPC takes it in the clear.
    write_private(place / "server.key", private_pem(server_key, None))
    (place / "server.crt").write_bytes(tls.certificate_pem(certificate))


def _write_config(folder: Path, order: Order) -> None:
    """Write what differs from the defaults; the example configuration explains every key."""
    lines = [
        "# Made by `interlock init`; ops/interlock.example.toml explains every key.",
        f"listen = {_toml(order.listen)}",
    ]
    if order.listen.startswith("unix:"):
        lines.append("insecure = true")
    lines.append(f"server_name = {_toml(order.server_name)}")
    if order.highwater:
        lines.append(f"highwater = {_toml(str(Path(order.highwater).absolute()))}")
    (folder / FILE_NAME).write_text("\n".join(lines) + "\n", "utf-8")


def _write_principals(
    folder: Path, order: Order, identity: LogIdentity, vkey: str, digest: bytes, rng: Callable[[int], bytes]
) -> None:
    """Write a profile for everyone who can log in, and the keys that were made here, each set under its passphrase."""
    certificate = (folder / "keys" / "ca.crt").read_text("ascii")
    (folder / "principals").mkdir(mode=_FOLDER_MODE)
    for principal in order.plan.principals:
        place = folder / "principals" / principal.id
        place.mkdir(mode=_FOLDER_MODE)
        secrets = order.secrets.get(principal.id, {})
        if secrets:
            passphrase = base64.urlsafe_b64encode(rng(_PASSPHRASE_BYTES))
            write_private(place / "passphrase", passphrase + b"\n")
            for use, key in secrets.items():
                write_private(place / f"{use}.key", private_pem(key, passphrase))
        uses = {use for use, _ in principal.keys}
        if "login" not in uses:
            continue  # the recovery quorum works offline
        profile = identity_pb2.ClientProfile(
            principal=principal.name,
            address=_address_for_clients(order),
            server_name=order.server_name,
            ca_certificate=certificate,
            log_id=identity.log_id.hex(),
            log_key=vkey,
            genesis_digest=digest.hex(),
            login_key_file="login.key",
            signoff_key_file="signoff.key" if "signoff" in uses else "",
            passphrase_file="passphrase" if secrets else "",
            decision_key=identity.decision_key.hex(),
        )
        text = json_format.MessageToJson(profile, preserving_proto_field_name=True)
        write_private(place / "profile.json", text.encode() + b"\n")


def _address_for_clients(order: Order) -> str:
    """Return where clients find the server: an address that means every one is no place to go to."""
    if order.listen.startswith("unix:") or not order.hosts:
        return order.listen
    listening, port = host_and_port(order.listen)
    if listening not in _UNSPECIFIED:
        return order.listen
    host = order.hosts[0]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _write_log(
    folder: Path, order: Order, founding: Founding, signer: CheckpointSigner, clock: SetClock, log: FilteringBoundLogger
) -> None:
    """Write entries 0 and 1 the way every entry is written."""
    store = Store.open(sqlite_url(folder / DATABASE_FILE))
    try:
        mark = HighWaterMark(Path(order.highwater) if order.highwater else folder / HIGHWATER_FILE)
        opened = open_log(store, mark, signer, founding_policy=order.policy)
        committer = Committer(store, opened, clock=clock, policies=Policies(), mark=mark, signer=signer, log=log)
        committer.start()
        try:
            await found(committer, founding)
        finally:
            await committer.close()
    finally:
        store.close()


def _development_signers(order: Order) -> tuple[tuple[str, Ed25519PrivateKey], ...]:
    return tuple(
        (principal.name, order.secrets[principal.id]["signoff"])
        for principal in approvers(order.plan, order.policy)
        if "signoff" in order.secrets.get(principal.id, {})
    )


def _toml(text: str) -> str:
    """Write a TOML basic string: JSON's escapes are a part of TOML's."""
    return json.dumps(text, ensure_ascii=False)


def _sync_tree(folder: Path) -> None:
    """Make everything durable before it gets its name."""
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        else:
            sync_file(path)
    sync_folder(folder)
