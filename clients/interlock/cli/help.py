"""How help looks, and what makes it quick: plain text in sections, and commands that are imported when they are used.

Lives here: the classes that every command and group of `interlock` is made of. Not here: which commands there are
(`commands.py`). typer's own help goes through rich, which takes longer to import than gRPC; this one needs neither.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMMON_PANEL: Final = "Common options"
WIDEST: Final = 100
"""Columns of a help text, at most."""

_PANELS: Final = ("Arguments", "Options", COMMON_PANEL)
_UNCUT: Final = 1000
"""Characters of a summary: it is wrapped, never cut."""


class Command(TyperCommand):
    """A command whose help has the options that all commands take in a section of their own."""

    def __init__(self, name: str | None, **attributes: Any) -> None:  # noqa: ANN401  # typer's own, vendored types
        """Name what options take after themselves, `--reason REASON`, where nothing better is said."""
        super().__init__(name, **attributes)
        for row in self.params:
            if row.metavar is None:
                row.metavar = _metavar(row)

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401  # as above
        """Return the help."""
        return _spelled(super().get_help(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  # as above
        """Write arguments and options."""
        _write_parameters(self, ctx, formatter)


class Group(TyperGroup):
    """A group of commands whose summaries are shown whole."""

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401  # as above
        """Return the help."""
        return _spelled(super().get_help(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  # as above
        """Write options, then commands."""
        _write_parameters(self, ctx, formatter)
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, _summary(command)) for name, command in commands if command is not None]
        with formatter.section(_bold("Commands")):
            formatter.write_dl(rows)


class LaterCommand(TyperCommand):
    """A command, or a group, that is listed by its summary and becomes the real one when it is used."""

    def __init__(self, name: str, summary: str, load: Callable[[], Any]) -> None:
        """Stand for what ``load`` returns."""
        super().__init__(
            name, callback=lambda: None, params=[], help=summary, short_help=summary, add_help_option=False
        )
        self.load = load

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:  # noqa: ANN401  # as above
        """Load the real one and let it read the arguments; what invokes or completes goes on with this context's."""
        return self.load().make_context(info_name, args, parent=parent, **extra)


def _summary(command: Any) -> str:  # noqa: ANN401  # as above
    return str(command.short_help or command.get_short_help_str(_UNCUT))


def _spelled(text: str) -> str:
    """Spell out what an old terminal can't show; typer would write UTF-8 to it all the same."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _bold(heading: str) -> str:
    """Return a heading that is bold on a terminal; what is piped is stripped of it when it is printed."""
    return heading if os.environ.get("NO_COLOR") else typer.style(heading, bold=True)


def _write_parameters(command: Any, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  # as above
    rows = [(_panel(row), row.get_help_record(ctx)) for row in command.get_params(ctx)]
    for panel in _PANELS:
        if shown := [record for where, record in rows if where == panel and record is not None]:
            with formatter.section(_bold(panel)):
                formatter.write_dl(shown)


def _panel(parameter: Any) -> str:  # noqa: ANN401  # as above
    if parameter.param_type_name == "argument":
        return "Arguments"
    return COMMON_PANEL if parameter.rich_help_panel == COMMON_PANEL else "Options"


def _metavar(parameter: Any) -> str | None:  # noqa: ANN401  # as above
    """Return what stands for a value: an option's words to choose from, else the last word of its name."""
    option = parameter.param_type_name == "option"
    if option and (parameter.is_flag or parameter.count):
        return None
    choices = parameter.type_descriptor.choices
    if option and choices:
        return "|".join(str(getattr(choice, "value", choice)) for choice in choices)
    return str(max(parameter.opts, key=len)).lstrip("-").replace("_", "-").rpartition("-")[2].upper()


def real_commands(group: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  # as above
    """Yield the names and commands of a group, each of them loaded."""
    for name, command in group.commands.items():
        yield name, command.load() if isinstance(command, LaterCommand) else command
