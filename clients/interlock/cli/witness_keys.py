"""`--witness`, `--witnesses`, `--cosigned-since`: whose cosignatures a reader relies on, how many, and how old."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli.arguments import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interlock.client.verify import Trust
    from interlock.proofs.cosignature import WitnessKey

MAX_TEXT_BYTES: Final = 1 << 20

WitnessOption = Annotated[
    list[str] | None,
    typer.Option("--witness", metavar="FILE|KEY", help="A witness's key, or a file with one a line; repeat for more."),
]
LeastOption = Annotated[
    int | None,
    typer.Option("--witnesses", min=1, metavar="N", help="How many of them must have cosigned the head; else all."),
]
CosignedOption = Annotated[
    str | None,
    typer.Option("--cosigned-since", metavar="TIME", help="Count no cosignature that is older than this."),
]


def with_witnesses(trust: Trust, given: Sequence[str], least: int | None, since: str | None) -> Trust:
    """Return the trust with the witnesses that the command line names, up to this machine's now. Raises BadParameter.

    The clock that cosignatures are held to is part of what the verifier is told: it reads none itself.
    """
    from dataclasses import replace

    from interlock.proofs.cosignature import CLOCKS_APART_SECONDS

    if not given:
        for option, value in (("--witnesses", least), ("--cosigned-since", since)):
            if value is not None:
                raise typer.BadParameter(f"{option} needs the keys of those that count: --witness")
        return trust
    keys = {key.public_key: key for text in given for key in _keys_of(text)}  # who has one key is one witness
    trust = replace(trust, cosigned_until=int(time.time()) + CLOCKS_APART_SECONDS)
    if (after := moment(since)) is not None:
        # A cosignature's time is in whole seconds, so one of the second that this is in may be older.
        trust = replace(trust, cosigned_since=math.ceil(after.timestamp()))
    try:
        return replace(trust, witnesses=tuple(keys.values()), least_witnesses=len(keys) if least is None else least)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _keys_of(text: str) -> list[WitnessKey]:
    """Return the verifier key that was given, or those that a file holds."""
    from interlock.proofs.cosignature import WitnessKey
    from interlock.proofs.errors import RefusedError

    path = Path(text)
    lines = [text] if "+" in text and not path.is_file() else _lines(path)
    try:
        found = [WitnessKey.from_vkey(line) for line in lines]
    except RefusedError as error:
        raise typer.BadParameter(f"--witness: no verifier key of a witness: {error}") from error
    if not found:
        raise typer.BadParameter(f"--witness: {text} has no key")
    return found


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            lines = file.read(MAX_TEXT_BYTES).decode().splitlines()
    except OSError as error:
        raise typer.BadParameter(f"--witness: {path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"--witness: {path} is no text") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
