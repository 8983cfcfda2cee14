"""`interlock keys`: a person's own keys, made where they are used; only the public halves ever leave."""

from __future__ import annotations

import getpass
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli.run import Run, command, group
from interlock.client.errors import ProfileError

if TYPE_CHECKING:
    from interlock.client.keymaking import NewKey

_ID: Final = re.compile(r"[a-z][a-z0-9._-]{0,62}")

app = group("Your own keys: make them here, and see what to hand out of them.")


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
