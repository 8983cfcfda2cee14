"""What `interlock init` does once its options are read."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from interlock.proofs import keys
from interlock.service.api.status import status_of
from interlock.service.clock import SystemClock
from interlock.service.config import ConfigError, host_and_port
from interlock.service.errors import ServiceError
from interlock.service.genesis.data_directory import DataDirectoryError, Made, Order, make_data_directory
from interlock.service.genesis.development import development_plan
from interlock.service.genesis.packs import DEFAULT_PACK, PackNotFoundError, read_pack
from interlock.service.genesis.plan import Plan, PlanError
from interlock.service.genesis.reviewed import read_reviewed
from interlock.service.keyfiles import KeyFileError, is_encrypted, load_signing_key, passphrase_from
from interlock.statemachine.policy.findings import PackError
from interlock.statemachine.policy.loader import load_pack

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

USAGE: Final = 2
REFUSED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The options of the command."""

    target: Path
    pack: str | None = None
    genesis: Path | None = None
    countersign: tuple[str, ...] = ()
    listen: str = "127.0.0.1:7443"
    server_name: str = "interlock"
    hosts: tuple[str, ...] = field(default=())
    highwater: str = ""
    passphrase_file: str = ""


def run(wish: Wish, *, as_json: bool) -> int:
    """Make the folder and say what was made. Returns the exit code: 0, 2 (what was asked) or 3 (refused)."""
    try:
        order = order_of(wish)
    except (ConfigError, KeyFileError, PackNotFoundError, PlanError, PackError) as error:
        return _complain(str(error), USAGE)
    try:
        made = asyncio.run(make_data_directory(order, SystemClock(), os.urandom))
    except PlanError as error:
        return _complain(str(error), USAGE)
    except DataDirectoryError as error:
        return _complain(str(error), REFUSED)
    except ServiceError as error:
        return _complain(status_of(error).message, REFUSED)
    _report(order, made, as_json=as_json)
    return 0


def order_of(wish: Wish) -> Order:
    """Return what to make. Raises ConfigError, KeyFileError, PackNotFoundError, PackError or PlanError."""
    if not wish.listen.startswith("unix:"):
        host_and_port(wish.listen)
    pack, plan = wish.pack or DEFAULT_PACK, None
    if wish.genesis is not None:
        plan, pack = read_reviewed(wish.genesis)
    files = read_pack(pack)
    policy = load_pack(files)
    made_plan, secrets = (plan, {}) if plan is not None else development_plan(policy)
    return Order(
        target=wish.target,
        plan=made_plan,
        pack=files,
        policy=policy,
        development=wish.genesis is None,
        listen=wish.listen,
        server_name=wish.server_name,
        hosts=wish.hosts,
        highwater=wish.highwater,
        passphrase=_own_passphrase(wish),
        secrets=secrets,
        countersigners=tuple(_countersigner(made_plan, item) for item in wish.countersign),
    )


def _own_passphrase(wish: Wish) -> bytes | None:
    """Return the passphrase of the server's keys; for a real log somebody at a terminal is asked. Raises PlanError."""
    if wish.passphrase_file or wish.genesis is None or not sys.stdin.isatty():
        return passphrase_from(wish.passphrase_file)
    passphrase = getpass.getpass("Passphrase for the server's keys (empty for none): ")
    if passphrase and getpass.getpass("Again: ") != passphrase:
        raise PlanError("these were two different passphrases")
    return passphrase.encode() or None


def _countersigner(plan: Plan, item: str) -> tuple[str, Ed25519PrivateKey]:
    """Return name and key of an approver at hand. Raises PlanError unless the key is that principal's."""
    principal_id, equals, file = item.partition("=")
    principal = next((p for p in plan.principals if p.id == principal_id), None)
    if not equals or principal is None:
        raise PlanError(f"--countersign {item!r}: ID=KEYFILE, with the id of a principal of the file")
    path = Path(file)
    key = load_signing_key(path, _passphrase_for(path, principal_id))
    if ("signoff", keys.public_bytes(key)) not in principal.keys:
        raise PlanError(f"{path} is not the sign-off key of {principal_id} in the reviewed file")
    return principal.name, key


def _passphrase_for(path: Path, principal_id: str) -> bytes | None:
    """Take ``<key file>.passphrase`` where there is one, else ask at the terminal. Raises KeyFileError, PlanError."""
    beside = path.with_name(f"{path.name}.passphrase")
    if beside.is_file():
        return passphrase_from(str(beside))
    if not sys.stdin.isatty():
        if is_encrypted(path):
            raise PlanError(f"{path} is encrypted: put its passphrase into {beside}, or run this at a terminal")
        return None
    return getpass.getpass(f"Passphrase of {principal_id}'s sign-off key: ").encode() or None


def _complain(message: str, code: int) -> int:
    Console(stderr=True, highlight=False, soft_wrap=True).print(message, markup=False, style="red")
    return code


def _report(order: Order, made: Made, *, as_json: bool) -> None:
    principals = [principal.id for principal in order.plan.principals]
    home = (made.path / "principals").absolute()
    if as_json:
        facts = {
            "data": str(made.path.absolute()),
            "log_id": made.log_id.hex(),
            "log_key": made.log_key,
            "genesis_digest": made.genesis_digest.hex(),
            "development": order.development,
            "policy": order.policy.name,
            "countersigned": made.countersigned,
            "principals": principals,
            "home": str(home),
        }
        sys.stdout.write(json.dumps(facts, indent=2) + "\n")
        return
    out = Console(highlight=False, soft_wrap=True)
    kind = "a development log: one folder holds everyone's keys" if order.development else "a log"
    out.print(f"Made {kind}, in {made.path}", markup=False)
    for word, value in (
        ("log id", made.log_id.hex()),
        ("log key", made.log_key),
        ("genesis", f"{made.genesis_digest.hex()}, countersigned by {made.countersigned}"),
        ("policy", f"{order.policy.name} ({order.policy.title})"),
        ("principals", ", ".join(principals)),
    ):
        out.print(f"  {word:<11}{value}", markup=False)
    out.print("\nNext:", markup=False)
    out.print(f"  interlock serve --data {made.path}", markup=False)
    if order.development:
        out.print(f"  export INTERLOCK_HOME={home}", markup=False)
        out.print("  interlock --profile PRINCIPAL status    # or set INTERLOCK_PROFILE", markup=False)
    else:
        out.print(
            f"  take {made.path / 'keys' / 'ca.key'} offline; give each principal their profile.json", markup=False
        )
