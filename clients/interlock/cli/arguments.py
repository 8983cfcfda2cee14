"""What people type, read into values: times, positions, names of safeguards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.client import names

if TYPE_CHECKING:
    from collections.abc import Sequence

ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why, in words; kept beside the log, erasable.")]
EvidenceOption = Annotated[
    list[str] | None,
    typer.Option("--evidence", "-e", metavar="EVIDENCE", help="A document, `evidence/3` or `3`; may be repeated."),
]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="`aurora-4` or `models/aurora-4`.")]
ChangeArgument = Annotated[str, typer.Argument(metavar="CHANGE", help="`3` or `changes/3`.")]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIME|POSITION", help="As it was then, or after the entry at that position."),
]
TargetArgument = Annotated[str, typer.Argument(metavar="MODEL|-", help="A model, or `-` for everything.")]
TitleOption = Annotated[str, typer.Option("--title", "-t", help="What it is, in a line; never a person's name.")]
ProposeOption = Annotated[bool, typer.Option("--propose", help="Propose the change that it takes where it blocks.")]
_POSITION_DIGITS = 18
"""What fits the contract's positions, int64."""

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_DIGITS = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME_FORM = "such as 2026-05-22, 2026-05-22T10:00:00Z or 2026-05-22T12:00:00+02:00"


def moment(text: str | None) -> datetime | None:
    """Read a time with its zone, or a date (its first moment UTC). Raises BadParameter."""
    if text is None:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no time; write one {TIME_FORM}") from error
    if value.tzinfo is not None:
        return in_utc(value)
    if "T" in text or " " in text or ":" in text:
        raise typer.BadParameter(f"{text!r} has no time zone; write one {TIME_FORM}")
    return value.replace(tzinfo=UTC)


def microseconds(text: str) -> int:
    """Read a time as Unix microseconds, as triggers have it. Raises BadParameter."""
    return ((moment(text) or _EPOCH) - _EPOCH) // timedelta(microseconds=1)


def in_utc(value: datetime) -> datetime:
    """Return a time with its zone in UTC. Raises BadParameter where that is before the first year or past the last."""
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise typer.BadParameter(f"{value.isoformat()} is no time of any year in UTC") from error


def duration_seconds(text: str) -> float:
    """Read a length of time: `90s`, `10m` or `2h`. Raises BadParameter."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not (number.isascii() and number.isdigit()) or len(number) > _DIGITS:
        raise typer.BadParameter(f"{text!r} is no length of time; write one such as 90s, 10m or 2h")
    return float(number) * _UNITS[unit]


def moment_or_position(text: str | None) -> int | datetime | None:
    """Read a log position (digits only) or a time. Raises BadParameter."""
    if text is not None and text.isascii() and text.isdigit():
        if len(text) > _POSITION_DIGITS:
            raise typer.BadParameter(f"{text[:_POSITION_DIGITS]}… is past any log's end")
        return int(text)
    return moment(text)


def safeguard_names(words: Sequence[str]) -> tuple[str, ...]:
    """Read `MODEL SAFEGUARD…` in short ids, or resource names. Raises BadParameter for anything between."""
    named = [word for word in words if "safeguards/" in word]
    if len(named) == len(words):
        return tuple(named)
    of_model, *rest = words
    if of_model in named:
        raise typer.BadParameter("give a model and its safeguards' ids, or resource names alone")
    if not rest:
        raise typer.BadParameter(
            f"which safeguard? Write `MODEL SAFEGUARD…`, or a resource name such as models/{of_model}/safeguards/ID"
        )
    return tuple(names.safeguard(word, of_model) for word in rest)
