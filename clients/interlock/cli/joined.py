"""Commands that other parts join to `interlock` by the entry-point group `interlock.commands`: the server's own.

They are listed by name and imported only when they are called, so that `interlock --help` stays light and an install
without the `server` extra says what is missing. An entry point names a `typer.Typer`.
"""

from __future__ import annotations

from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.main import get_command as command_of

from interlock.cli.commands import listed_commands
from interlock.cli.help import Group, LaterCommand

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

GROUP: Final = "interlock.commands"

SUMMARIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "init": "Found a log: its keys, first policy, people and their profiles (server extra).",
        "serve": "Run the server (server extra).",
    }
)
"""What `--help` says of the commands that ship; others are listed with where they come from."""

_EXTRA: Final = "the extra `server`. In a clone of the repository, for no package index has it: pip install '.[server]'"
"""What brings the server's commands. The bare name must not be fetched from an index: it may be somebody else's."""


def joined_command(point: EntryPoint) -> LaterCommand:
    """Return the command that an entry point names, not loaded."""
    return LaterCommand(point.name, SUMMARIES.get(point.name, f"A command of {point.module}."), lambda: _load(point))


def _load(point: EntryPoint) -> Any:  # noqa: ANN401  # typer's own, vendored types
    return command_of(point.load())


def _needs(point: EntryPoint, missing: ModuleNotFoundError) -> typer.TyperException:
    """Return what to tell somebody whose install lacks what a joined command imports, now or when it runs."""
    brings = _EXTRA if point.name in SUMMARIES else "more than is installed"
    return typer.TyperException(f"`interlock {point.name}` needs {brings} ({missing.name} is not there)")


class RootGroup(Group):
    """The `interlock` command itself: its own commands, then whatever has joined."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401  # as above
        """Begin with our own commands."""
        super().__init__(**attributes)
        self.commands.update(listed_commands())

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401  # typer's own, vendored types
        """Name every command; joined ones come last."""
        return [*super().list_commands(ctx), *(name for name in self._points if name not in self.commands)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401  # as above
        """Return a command; the server's are known by name even where no part has brought them."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        point = self._points.get(cmd_name)
        if point is not None:
            return joined_command(point)
        if cmd_name in SUMMARIES:
            raise typer.TyperException(f"`interlock {cmd_name}` needs {_EXTRA} (it is not installed)")
        return None

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  # as above
        """Run the command that was asked for; a joined one may lack what its extra would have brought."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as missing:
            point = self._points.get(ctx.invoked_subcommand)
            if point is None:
                raise
            raise _needs(point, missing) from missing

    @cached_property
    def _points(self) -> dict[str, EntryPoint]:
        """Every entry point of the group by name; to find them, every installed package is looked at, once."""
        from importlib.metadata import entry_points

        return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}
