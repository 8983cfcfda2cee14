"""Errors, told to people and, with --json, to programs: everything that is unmet, at once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import typer

from interlock.cli.exits import ExitCode
from interlock.cli.views.unmet import unmet_lines
from interlock.client import errors

if TYPE_CHECKING:
    from interlock.cli.terminal import Terminal

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
    (errors.ForkError, "LOG FORKED"),
    (errors.RollbackError, "LOG ROLLED BACK OR FORKED"),
    (errors.UnprovenError, "NOT PROVEN"),
    (errors.PagesError, "ENDLESS ANSWER"),
    (errors.DataLossError, "WRONG BYTES"),
    (errors.InterlockError, "failed"),
)

_CHANGE: Final = "CHANGE_REQUIRED"
"""Of what one person can't do; each command that may meet it has --propose."""


def show_error(terminal: Terminal, error: errors.InterlockError) -> None:
    """Tell an error, with every requirement that is unmet and every field that is malformed."""
    if terminal.as_json:
        terminal.error_json({"error": error_value(error)})
        return
    word = next(word for kind, word in _WORDS if isinstance(error, kind))
    terminal.note((f"{word}: ", "bold red"), _headline(error), (f"  [{error.reason}]" if error.reason else "", "dim"))
    for line in unmet_lines(error.unmet):
        terminal.note(*line)
    if _CHANGE in error.codes and "--propose" not in error.message:
        terminal.note(("  the same command with --propose proposes that change", "dim"))
    if isinstance(error, errors.ForkError):
        _show_fork(terminal, error)
    if not error.unmet and not _told_already(error):
        for violation in error.fields:
            terminal.note("  ", (violation.field or "request", "bold"), f": {violation.description}")


def _show_fork(terminal: Terminal, error: errors.ForkError) -> None:
    """Print the proof: both heads, as they were signed."""
    for number, text in enumerate(error.notes, start=1):
        terminal.note((f"signed head {number}:", "bold"))
        for line in text.removesuffix("\n").split("\n"):
            terminal.note(line)
    if error.kept:
        terminal.note(("kept in ", "bold"), error.kept)


def _headline(error: errors.InterlockError) -> str:
    """Return the message, or how much is unmet where the message only repeats the first of the list below it."""
    if not error.unmet or not error.message.startswith(error.unmet[0].code):
        return error.message
    number = len(error.unmet)
    return "one requirement is unmet" if number == 1 else f"{number} requirements are unmet"


def _told_already(error: errors.InterlockError) -> bool:
    """Say whether the message is no more than the one field that is malformed."""
    return len(error.fields) == 1 and error.message.endswith(error.fields[0].description)


def show_fault(terminal: Terminal, message: str) -> None:
    """Tell a failure that is no answer of the server."""
    if terminal.as_json:
        terminal.error_json({"error": error_value(errors.InterlockError(message, reason="FAULT"))})
    else:
        terminal.note(("failed: ", "bold red"), message)


def show_usage(terminal: Terminal, error: typer.TyperException) -> int:
    """Tell what is wrong with the command line; a group without a command has shown its help by then."""
    context = getattr(error, "ctx", None)
    message = error.format_message()
    if terminal.as_json:
        terminal.error_json({"error": error_value(errors.InvalidRequestError(message, reason="USAGE"))})
        return ExitCode.USAGE
    if context is not None and message == context.get_help():
        with suppress(OSError):
            typer.echo(message, err=True)  # our own text, without its styles where no terminal is
        return ExitCode.USAGE
    if context is not None:
        terminal.note(context.get_usage())
        terminal.note((f"`{context.command_path} {context.help_option_names[0]}` tells more", "dim"))
    terminal.note(("error: ", "bold red"), message)
    return ExitCode.USAGE


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
        **({"notes": list(error.notes), "kept": error.kept} if isinstance(error, errors.ForkError) else {}),
    }
