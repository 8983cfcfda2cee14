"""Write the pages of docs/reference that are made from the code: cli.md, configuration.md, policy-pack.md, its schema.

The command line's page comes from the declared commands, the configuration's from the table of keys. Neither is edited
by hand. ``--check`` writes nothing and fails on drift; a test runs it.
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from typer.main import get_command

from interlock.cli.exits import ExitCode
from interlock.cli.help import real_commands
from interlock.cli.main import build
from interlock.service.config import ENVIRONMENT_PREFIX, KEYS, Config

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from ops import make_policy_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[1]
CLI: Final = ROOT / "docs" / "reference" / "cli.md"
CONFIGURATION: Final = ROOT / "docs" / "reference" / "configuration.md"

_MADE: Final = "<!-- made by ops/make_reference.py; not edited by hand -->"
_COMMON: Final = "Common options"
_MEANINGS: Final = {
    ExitCode.DONE: "yes, or done",
    ExitCode.NO: "the answer is no: the gate denies, the log does not verify",
    ExitCode.USAGE: "usage: a word on the command line, a file or a profile that cannot be used",
    ExitCode.REFUSED: "refused: a requirement is unmet, the base has moved, it exists already, or does not",
    ExitCode.NOT_ALLOWED: "not allowed: the right or the session is missing",
    ExitCode.UNAVAILABLE: "the server, the network or the log cannot be relied on",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C; `serve`, which is stopped by it as by SIGTERM, ends in 0",
}
_CLI_HEAD: Final = """\
# The command line

{made}

Every command has `--help` with an example. Results go to stdout, everything else to stderr; `--json` prints one JSON
document instead (of an error too, on stderr). Colour is for terminals only, and never with `NO_COLOR`.

## Exit codes

| code | meaning |
|---|---|
{codes}

## Options of every command

They may stand right after `interlock` or behind the command. `init` and `serve` are the server's and take their own.

{common}
"""
_CONFIGURATION_HEAD: Final = """\
# The server's configuration

{made}

A value comes from, the later over the earlier: its default, `interlock.toml` in the data folder (or the file
that `--config` or `{prefix}CONFIG` names), the environment variable `{prefix}<KEY>` in upper case, the command
line. The file is flat TOML; an unknown key is refused. Relative paths in it are relative to the file.
`ops/interlock.example.toml` has every key with its default.

| key | default | what it is |
|---|---|---|
{keys}
"""


def _commands() -> Iterator[tuple[str, Any]]:
    """Yield every command by its words, in the order of the help; the server's own come last."""
    for name, command in real_commands(get_command(build())):
        if hasattr(command, "commands"):
            yield from ((f"{name} {word}", sub) for word, sub in real_commands(command))
        else:
            yield name, command
    for point in sorted(entry_points(group="interlock.commands"), key=lambda point: point.name):
        yield point.name, get_command(point.load())


def _is_argument(parameter: Any) -> bool:  # noqa: ANN401  # typer's own, vendored types
    return not parameter.opts[0].startswith("-")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _label(parameter: Any) -> str:  # noqa: ANN401  # as above
    if _is_argument(parameter):
        name = parameter.metavar or parameter.name.upper()
        return f"`{name}`" if parameter.required or name.startswith("[") else f"`[{name}]`"
    value = "" if getattr(parameter, "is_flag", False) else f" {_value_of(parameter)}"
    return ", ".join(f"`{option}{value}`" for option in parameter.opts)


def _value_of(parameter: Any) -> str:  # noqa: ANN401  # as above
    return str(parameter.metavar or parameter.name.upper())


def _rows(parameters: list[Any]) -> str:
    lines = [f"| {_cell(_label(row))} | {_cell(row.help or '')}{_must(row)} |" for row in parameters]
    return "\n".join(("| | |", "|---|---|", *lines))


def _must(parameter: Any) -> str:  # noqa: ANN401  # as above
    return " Required." if parameter.required and not _is_argument(parameter) else ""


def _section(name: str, command: Any) -> str:  # noqa: ANN401  # as above
    text, _, example = command.help.replace("\b", "").partition("Example: ")
    arguments = [row for row in command.params if _is_argument(row)]
    options = [
        row for row in command.params if not _is_argument(row) and getattr(row, "rich_help_panel", None) != _COMMON
    ]
    parts = [f"## `interlock {name}`", text.strip(), f"```sh\n{example.strip()}\n```"]
    own = [*arguments, *(row for row in options if row.name != "help")]
    if own:
        parts.append(_rows(own))
    return "\n\n".join(parts)


def cli_page() -> str:
    """Return the page of the command line."""
    found = list(_commands())
    common = [row for row in found[0][1].params if getattr(row, "rich_help_panel", None) == _COMMON]
    head = _CLI_HEAD.format(
        made=_MADE,
        codes="\n".join(f"| {code.value} | {_MEANINGS[code]} |" for code in ExitCode),
        common=_rows(common),
    )
    return "\n\n".join((head.rstrip(), *(_section(name, command) for name, command in found))) + "\n"


def configuration_page() -> str:
    """Return the page of the configuration."""
    defaults = Config()
    rows = [f"| `{key}` | `{_toml(getattr(defaults, key))}` | {_cell(text)} |" for key, text in KEYS.items()]
    return _CONFIGURATION_HEAD.format(made=_MADE, prefix=ENVIRONMENT_PREFIX, keys="\n".join(rows))


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case _:
            return str(value)


def stale_pages() -> dict[Path, str]:
    """Return the pages that are not as the code says, with what they should hold."""
    wanted = {CLI: cli_page(), CONFIGURATION: configuration_page()} | make_policy_reference.pages()
    return {page: text for page, text in wanted.items() if not page.exists() or page.read_text("utf-8") != text}


def main() -> int:
    """Write the pages, or with ``--check`` say which has drifted."""
    parser = argparse.ArgumentParser(description="Write the reference pages from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on drift")
    check: bool = parser.parse_args().check
    stale = stale_pages()
    for page, text in stale.items():
        if check:
            print(f"{page.relative_to(ROOT)}: not as the code says; run ops/make_reference.py", file=sys.stderr)
        else:
            page.write_text(text, "utf-8")
            print(f"{page.relative_to(ROOT)}: written")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
