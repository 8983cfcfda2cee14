"""`interlock keys`: a person's own keys, made where they are used; and everybody's public halves, to see and revoke."""

from __future__ import annotations

import getpass
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli.arguments import ReasonOption, moment
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import to_json, when
from interlock.client import names
from interlock.client.errors import NotFoundError, ProfileError

if TYPE_CHECKING:
    from interlock.client.keymaking import NewKey
    from interlock.client.sdk import Interlock
    from interlock.v1.identity_pb2 import Credential

_ID: Final = re.compile(r"[a-z][a-z0-9._-]{0,62}")

_LEAST_PREFIX: Final = 8
"""How much of a fingerprint names a key, at least."""

app = group("Keys: make your own here; see everybody's, and revoke one.")


class Use(StrEnum):
    """What a key is for; one key has one use."""

    LOGIN = "login"
    SIGNOFF = "signoff"
    RECOVERY = "recovery"


@command(app, "create", example="interlock keys create rso --folder ~/interlock/rso")
def create(
    run: Run,
    principal: Annotated[str, typer.Argument(metavar="PRINCIPAL", help="Id of the account they are for.")],
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="FOLDER", help="Where to write them. [default: ./PRINCIPAL]")
    ] = None,
    use: Annotated[
        list[Use] | None,
        typer.Option("--use", help="What for; repeat it for several. [default: login and signoff]"),
    ] = None,
) -> None:
    """Make Ed25519 keys, each in an encrypted file that only you can read, and print the public halves.

    What is printed belongs into the founding file (docs/reference/genesis.md) or into a change that registers them.
    """
    from interlock.client.keyfile import read_passphrase
    from interlock.client.keymaking import create_keys

    if not _ID.fullmatch(principal):
        raise typer.BadParameter("an account's id, such as rso (a-z first, then a-z 0-9 . _ -)", param_hint="PRINCIPAL")
    named = run.passphrase_file or _named_file(run)
    passphrase = read_passphrase(named) if named is not None else asked_passphrase(run)
    uses = dict.fromkeys(one.value for one in use or (Use.LOGIN, Use.SIGNOFF))
    made = create_keys(folder or Path(principal), uses, passphrase)
    if run.as_json:
        run.terminal.json({"principal": principal, "keys": [_key_json(key) for key in made]})
        return
    run.terminal.lines(_fragment(principal, made))
    for key in made:
        run.terminal.note(f"{key.use} key: {key.path}, fingerprint {key.fingerprint}")


@command(app, "list", example="interlock keys list --principal rso")
def list_(
    run: Run,
    principal: Annotated[
        str, typer.Option("--principal", metavar="PRINCIPAL", help="Only those of this account.")
    ] = "",
) -> None:
    """List the keys of all accounts, with their states."""
    with run.client() as client:
        accounts = [client.identity.get(principal)] if principal else list(client.identity.list())
    rows = [key for account in accounts for key in account.credentials]
    if run.as_json:
        run.terminal.json({"credentials": [to_json(row) for row in rows]})
        return
    run.terminal.rows([[names.principal_of(row.name), *key_row(row)] for row in rows], empty="no key")


@command(app, "revoke", example="interlock keys revoke 4f1c09ab --compromised-since 2026-05-20T00:00:00Z")
def revoke(
    run: Run,
    fingerprint: Annotated[str, typer.Argument(metavar="FINGERPRINT", help="Its first 8 characters or more.")],
    compromised_since: Annotated[
        str | None,
        typer.Option(
            "--compromised-since", metavar="TIME", help="When it was lost: what it signed since then is void."
        ),
    ] = None,
    reason: ReasonOption = "",
) -> None:
    """Revoke somebody's key at once: its sessions end, and it signs nothing more; takes the role admin."""
    since = moment(compromised_since)
    with run.client() as client:
        owner, full = _find(client, fingerprint.lower())
        gone = client.identity.revoke(owner, full, compromised_since=since, reason=reason)
    if run.as_json:
        run.terminal.json(to_json(gone))
        return
    run.terminal.line((f"the {gone.use} key {names.leaf(gone.name)}", "bold"), f" of {owner} is {gone.state}")


def _find(client: Interlock, prefix: str) -> tuple[str, str]:
    """Return whose key a fingerprint is, and all of it. Raises BadParameter, NotFoundError."""
    if len(prefix) < _LEAST_PREFIX:
        raise typer.BadParameter(f"give {_LEAST_PREFIX} characters of the fingerprint, or more")
    found = [
        (account.name, names.leaf(key.name))
        for account in client.identity.list()
        for key in account.credentials
        if names.leaf(key.name).startswith(prefix)
    ]
    if len(found) > 1:
        raise typer.BadParameter(f"{prefix} is the beginning of {len(found)} fingerprints: give more of it")
    if not found:
        raise NotFoundError(f"no account has a key {prefix}…", reason="NOT_FOUND")
    return found[0]


def key_row(key: Credential) -> list[str | tuple[str, str]]:
    """Return what a listing shows of a key."""
    since = f", compromised since {when(key.compromised_since)}" if key.HasField("compromised_since") else ""
    state = f"revoked {when(key.revoke_time)}{since}" if key.HasField("revoke_time") else key.state
    return [f"{key.use} key", names.leaf(key.name), (state, "" if key.state == "active" else "red")]


def _named_file(run: Run) -> Path | None:
    from interlock.client.keyfile import PASSPHRASE_VARIABLE

    named = run.environment.get(PASSPHRASE_VARIABLE)
    return Path(named) if named else None


def asked_passphrase(run: Run) -> bytes:
    """Ask for a new passphrase, twice."""
    if not run.terminal.interactive:
        raise ProfileError(
            "new keys need a passphrase: use --passphrase-file or set INTERLOCK_PASSPHRASE_FILE", reason="NO_PASSPHRASE"
        )
    passphrase = getpass.getpass("Passphrase for the new keys: ")
    if getpass.getpass("Again: ") != passphrase:
        raise ProfileError("these were two different passphrases; nothing was written", reason="WRONG_PASSPHRASE")
    return passphrase.encode()


def _fragment(principal: str, made: tuple[NewKey, ...]) -> str:
    """Return the lines of the founding file that name these keys."""
    lines = [f"- id: {principal}", "  keys:", *(f"    {key.use}: {key.public.hex()}" for key in made)]
    return "\n".join(lines)


def _key_json(key: NewKey) -> dict[str, str]:
    return {
        "use": key.use,
        "file": str(key.path),
        "public_key": key.public.hex(),
        "fingerprint": key.fingerprint,
    }
