"""`interlock keys`: a person's own keys, made where they are used; and everybody's public halves, to see and revoke."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli.arguments import ReasonOption, moment
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import to_json, when
from interlock.client import names
from interlock.client.errors import NotFoundError, ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from interlock.client.keymaking import HeldElsewhere, NewKey
    from interlock.client.profile import Profile
    from interlock.client.sdk import Interlock
    from interlock.v1.identity_pb2 import Credential

_ID: Final = re.compile(r"[a-z][a-z0-9._-]{0,62}")

_LEAST_PREFIX: Final = 8
"""How much of a fingerprint names a key, at least."""

app = group("Keys: make yours here and have them registered; see everybody's, and revoke one.")


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
    signer: Annotated[
        list[str] | None,
        typer.Option(
            "--signer",
            metavar="USE=URI",
            help="Where the key of a use is already, such as login=ssh-agent: or signoff='hsm:2?label=TOKEN'.",
        ),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option("--public-key", exists=True, dir_okay=False, help="The public half of the one --signer, as PEM."),
    ] = None,
) -> None:
    """Make Ed25519 keys, each in an encrypted file that only you can read, and print the public halves.

    A key that is in an SSH agent, an HSM or a KMS stays there: --signer writes a file that says where it is. What is
    printed belongs into the founding file (docs/reference/genesis.md) or into a change that registers the keys.
    """
    from interlock.client.keyfile import read_passphrase
    from interlock.client.keymaking import create_keys

    if not _ID.fullmatch(principal):
        raise typer.BadParameter("an account's id, such as rso (a-z first, then a-z 0-9 . _ -)", param_hint="PRINCIPAL")
    named = run.named_passphrase_file
    held = held_elsewhere(run, signer or (), public_key)
    uses = dict.fromkeys((*(one.value for one in use or (Use.LOGIN, Use.SIGNOFF)), *held))
    passphrase = b""
    if uses.keys() - held.keys():
        passphrase = read_passphrase(named) if named is not None else run.ask_new_passphrase()
    made = create_keys(folder or Path(principal), uses, passphrase, held)
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


@command(app, "prove", example="interlock keys prove kim --folder ~/interlock/kim --like profile.json > kim.yaml")
def prove(
    run: Run,
    principal: Annotated[str, typer.Argument(metavar="PRINCIPAL", help="Id of the account they are for.")],
    folder: Annotated[Path, typer.Option("--folder", exists=True, file_okay=False, help="Where the new keys are.")],
    like: Annotated[
        Path,
        typer.Option("--like", exists=True, dir_okay=False, help="A colleague's profile.json: it says which log."),
    ],
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="When the keys end by themselves.")
    ] = None,
) -> None:
    """Print the change file that registers the keys in a folder: each signs that it is there, for this log alone.

    The folder gets a profile.json of its own. No server is asked; hand the file to who may propose changes.
    """
    from interlock.cli.registering import registration_file
    from interlock.client.keymaking import key_file
    from interlock.client.profile import load_profile
    from interlock.client.registering import USES, registration, write_profile
    from interlock.client.signers import open_signer

    log_id = load_profile(like).log_id
    there = {use: path for use in USES if (path := key_file(folder, use)) is not None}
    if not there:
        raise ProfileError(f"{folder} has neither login.key nor signoff.key", reason="NO_KEY")
    passphrase = _passphrase(run)
    ends = moment(until)
    opened = {use: open_signer(path, passphrase) for use, path in there.items()}
    triggers = [registration(log_id, principal, use, key, until=ends) for use, key in opened.items()]
    written = None if (folder / "profile.json").exists() else write_profile(like, folder, principal)
    if run.as_json:
        run.terminal.json({"principal": names.principal(principal), "triggers": [to_json(row) for row in triggers]})
        return
    run.terminal.lines(registration_file(principal, triggers))
    if written is not None:
        run.terminal.note(f"profile: {written}")


@command(app, "register", example="interlock keys register kim.yaml --title 'Keys of the new reviewer'")
def register(
    run: Run,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What `keys prove` or `rotate` printed.")],
    title: Annotated[str, typer.Option("--title", "-t", help="Title of the change.")] = "",
) -> None:
    """Propose the change that registers somebody's new keys."""
    from interlock.cli.registering import load_registrations, propose

    wanted = load_registrations(file)
    propose(run, wanted.triggers, title or wanted.title)


@command(app, "rotate", example="interlock keys rotate --folder ~/interlock/rso-2 > rso.yaml")
def rotate(
    run: Run,
    folder: Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Where to write the new keys.")],
    use: Annotated[
        list[Use] | None,
        typer.Option("--use", help="Which of yours; repeat it for several. [default: all of your profile]"),
    ] = None,
    signer: Annotated[
        list[str] | None, typer.Option("--signer", metavar="USE=URI", help="Where the new key is already; see create.")
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option("--public-key", exists=True, dir_okay=False, help="The public half of the one --signer, as PEM."),
    ] = None,
) -> None:
    """Make new keys in place of yours, and print the change file that registers them; the old ones sign for them.

    Once that change is applied the old keys are revoked, and what they signed before still counts.
    """
    from interlock.cli.registering import registration_file
    from interlock.client.keyfile import read_passphrase
    from interlock.client.keymaking import create_keys
    from interlock.client.profile import find_profile, load_profile
    from interlock.client.registering import registration, write_profile
    from interlock.client.signers import open_signer

    like = find_profile(run.profile, run.environment)
    profile = load_profile(like)
    files = {"login": profile.login_key_file, "signoff": profile.signoff_key_file}
    own = {kind: path for kind, path in files.items() if path is not None}
    uses = list(dict.fromkeys(one.value for one in use)) if use else list(own)
    if not set(uses) <= own.keys():
        raise ProfileError(f"{like} names no {', '.join(set(uses) - own.keys())} key to rotate", reason="NO_KEY")
    opened = _passphrase(run, profile)
    old = {kind: open_signer(own[kind], opened) for kind in uses}
    named = _passphrase_file(run, profile)
    held = held_elsewhere(run, signer or (), public_key)
    if not held.keys() <= set(uses):
        raise typer.BadParameter(f"only the keys to rotate: {', '.join(uses)}", param_hint="--signer")
    fresh = b""
    if set(uses) - held.keys():
        fresh = read_passphrase(named) if named is not None else run.ask_new_passphrase()
    made = create_keys(folder, uses, fresh, held)
    opening = {key.use: opened if key.use in held else (lambda _path: fresh) for key in made}
    triggers = [
        registration(profile.log_id, profile.principal, key.use, open_signer(key.path, opening[key.use]), old[key.use])
        for key in made
    ]
    whole = set(uses) == own.keys()
    if whole:
        write_profile(like, folder, profile.principal)
    if run.as_json:
        run.terminal.json({"principal": profile.principal, "triggers": [to_json(row) for row in triggers]})
        return
    run.terminal.lines(registration_file(profile.principal, triggers))
    run.terminal.note("hand this to who may propose changes: interlock keys register FILE")
    then = f"use {folder} as your profile" if whole else f"put what is in {folder} in the place of yours"
    run.terminal.note(f"once it is applied, {then}")


def held_elsewhere(run: Run, signers: Iterable[str], public_key: Path | None) -> dict[str, HeldElsewhere]:
    """Return the keys that stay where they are, by use, each found there or by its public half in a file."""
    from interlock.client.keymaking import HeldElsewhere
    from interlock.client.signers import find_public, public_from_pem

    rows = [row.partition("=")[::2] for row in signers]
    for use, uri in rows:
        if use not in set(Use) or ":" not in uri or [one for one, _ in rows].count(use) > 1:
            wish = f"USE=URI with a use among {', '.join(Use)}, each once, such as login=ssh-agent:"
            raise typer.BadParameter(wish, param_hint="--signer")
    if public_key is not None and len(rows) != 1:
        raise typer.BadParameter("it is the public half of the one --signer", param_hint="--public-key")
    pin = _passphrase(run)
    if public_key is not None:
        return {use: HeldElsewhere(uri, public_from_pem(public_key.read_bytes())) for use, uri in rows}
    return {use: HeldElsewhere(uri, find_public(uri, partial(pin, Path(uri)))) for use, uri in rows}


def _passphrase_file(run: Run, profile: Profile | None = None) -> Path | None:
    return run.named_passphrase_file or (profile.passphrase_file if profile is not None else None)


def _passphrase(run: Run, profile: Profile | None = None) -> Callable[[Path], bytes]:
    """Return how to get a key's passphrase: out of the file that is named, else asked for with each key."""
    from interlock.client.keyfile import read_passphrase

    named = _passphrase_file(run, profile)
    return run.ask_passphrase if named is None else lambda _path: read_passphrase(named)


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
    until = f", until {when(key.expire_time)}" if key.HasField("expire_time") else ""
    state = f"revoked {when(key.revoke_time)}{since}" if key.HasField("revoke_time") else f"{key.state}{until}"
    where = f" in {key.held_in}" if key.held_in else ""
    what = f"subject of {key.issuer}" if key.issuer else f"{key.use} key{where}"
    return [what, names.leaf(key.name), (state, "" if key.state == "active" else "red")]


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
