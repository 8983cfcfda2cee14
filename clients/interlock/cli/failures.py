"""Errors, told to people and, with --json, to programs: everything that is unmet, at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.cli.exits import ExitCode
from interlock.client import errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    import typer

    from interlock.cli.terminal import Piece, Terminal

_WORDS: tuple[tuple[type[errors.InterlockError], str], ...] = (
    (errors.NotFoundError, "not found"),
    (errors.StaleError, "refused, stale"),
    (errors.AlreadyExistsError, "refused, it exists"),
    (errors.RefusedError, "refused"),
    (errors.NotAllowedError, "not allowed"),
    (errors.UnauthenticatedError, "not logged in"),
    (errors.InvalidRequestError, "invalid"),
    (errors.ProfileError, "profile"),
    (errors.LimitError, "limit reached"),
    (errors.UnavailableError, "unavailable"),
    (errors.RollbackError, "LOG ROLLED BACK OR FORKED"),
    (errors.DataLossError, "WRONG BYTES"),
    (errors.InterlockError, "failed"),
)


def show_error(terminal: Terminal, error: errors.InterlockError) -> None:
    """Tell an error, with every requirement that is unmet and every field that is malformed."""
    if terminal.as_json:
        terminal.error_json({"error": error_value(error)})
        return
    word = next(word for kind, word in _WORDS if isinstance(error, kind))
    terminal.note((f"{word}: ", "bold red"), error.message, (f"  [{error.reason}]" if error.reason else "", "dim"))
    for line in unmet_lines(error.unmet):
        terminal.note(*line)
    if not error.unmet:
        for violation in error.fields:
            terminal.note("  ", (violation.field or "request", "bold"), f": {violation.description}")


def show_fault(terminal: Terminal, message: str) -> None:
    """Tell a failure that is no answer of the server."""
    if terminal.as_json:
        terminal.error_json({"error": error_value(errors.InterlockError(message, reason="FAULT"))})
    else:
        terminal.note(("failed: ", "bold red"), message)


def show_usage(error: typer.TyperException) -> int:
    """Tell what is wrong with the command line."""
    from typer import rich_utils

    rich_utils.rich_format_error(error)  # type: ignore[arg-type]  # every exception of a command line is of its kind
    return ExitCode.USAGE


def unmet_lines(unmet: Iterable[errors.Unmet], indent: int = 2) -> list[tuple[Piece, ...]]:
    """Return a line for each requirement: where it belongs, its code, what is asked and what is there."""
    margin = " " * indent
    lines: list[tuple[Piece, ...]] = []
    for row in unmet:
        head = f"rule {row.rule}  " if row.rule else ""
        where = " ".join(part for part in (row.trigger, row.resource) if part)
        wants = f"needs {row.requirement}" if row.actual else row.requirement
        has = f"; is {row.actual}" if row.actual else ""
        lines.append((margin, (head, "dim"), (row.code, "bold yellow"), f"  {where}: {wants}{has}"))
    return lines


def error_value(error: errors.InterlockError) -> dict[str, object]:
    """Return an error as JSON shows it: kind, reason, message, unmet, fields."""
    return {
        "kind": type(error).__name__.removesuffix("Error"),
        "reason": error.reason,
        "message": error.message,
        "unmet": [
            {
                "rule": row.rule,
                "code": row.code,
                "requirement": row.requirement,
                "actual": row.actual,
                "resource": row.resource,
                "trigger": row.trigger,
            }
            for row in error.unmet
        ],
        "fields": [{"field": row.field, "description": row.description} for row in error.fields],
    }
