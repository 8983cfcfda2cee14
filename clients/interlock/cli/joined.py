"""Commands that other parts join to `interlock` by the entry-point group `interlock.commands`: the server's own.

They are listed by name and imported only when they are called, so that `interlock --help` stays light and an install
without the `server` extra says what is missing. An entry point names a `typer.Typer`.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command as command_of

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


class JoinedCommand(TyperCommand):
    """A command that becomes the real one when it is called."""

    def __init__(self, point: EntryPoint) -> None:
        """Stand for the command that ``point`` names."""
        summary = SUMMARIES.get(point.name, f"A command of {point.module}.")
        super().__init__(point.name, callback=lambda: None, params=[], help=summary, add_help_option=False)
        self._point = point

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:  # noqa: ANN401  # typer's own, vendored types
        """Load the real command and let it read the arguments; Group.invoke then runs what this context names."""
        return self._load().make_context(info_name, args, parent=parent, **extra)

    def _load(self) -> Any:  # noqa: ANN401  # as above
        try:
            app = self._point.load()
        except ModuleNotFoundError as missing:
            raise typer.BadParameter(
                f"`interlock {self._point.name}` needs {missing.name}, which is not installed: "
                "pip install 'interlock[server]'",
                param_hint=self._point.name,
            ) from missing
        return command_of(app)


class RootGroup(TyperGroup):
    """The `interlock` command itself: its own groups, then whatever has joined."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401  # typer's own, vendored types
        """Name every command; joined ones come last."""
        return [*super().list_commands(ctx), *(name for name in _points() if name not in self.commands)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401  # as above
        """Return a command; the server's are known by name even where no part has brought them."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        point = _points().get(cmd_name)
        if point is not None:
            return JoinedCommand(point)
        if cmd_name in SUMMARIES:
            raise typer.BadParameter(
                f"`interlock {cmd_name}` comes with the server: pip install 'interlock[server]'", param_hint=cmd_name
            )
        return None


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}
