"""Help: quick, complete, and with an example for every command."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.main import get_command

from interlock.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAVY = {"grpc", "cryptography", "google", "ruamel", "transitions", "immutables"}


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:  # noqa: ANN401  # typer's own
    """Yield every command that does something, with its words."""
    for name, child in getattr(command, "commands", {}).items():
        if hasattr(child, "commands"):
            yield from _commands(child, (*path, name))
        else:
            yield (*path, name), child


COMMANDS = dict(_commands(get_command(main.build())))


def _imported(*words: str) -> set[str]:
    """Return the heavy packages that a run of the command imported."""
    script = (
        "import sys\n"
        "from interlock.cli import main\n"
        f"try:\n    main.main({list(words)!r})\n"
        "except SystemExit:\n    pass\n"
        "print('\\n'.join(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert "Usage" in done.stdout
    return set(done.stderr.split()) & HEAVY


@pytest.mark.parametrize("words", [("--help",), ("gate", "check", "--help"), ("changes", "--help")], ids=" ".join)
def test_help_imports_neither_grpc_nor_cryptography(words: tuple[str, ...]) -> None:
    """Whoever only looks something up does not pay for the wire."""
    assert _imported(*words) == set()


def test_every_command_of_the_design_is_there() -> None:
    """The story's commands, by their words."""
    wanted = """
        login | logout | whoami | status | inbox | sign | reject | withdraw-sign-off
        models create | models list | models show | models retire | models confirm-level
        assessments open | assessments conclude | assessments abandon | assessments list | assessments show
        assessments report | assessments determination
        safeguards list | safeguards show | safeguards start | safeguards verify | safeguards replan
        safeguards degrade | safeguards suspend | safeguards retire
        changes propose | changes amend | changes list | changes show | changes preview | changes attach
        changes detach | changes rebase | changes submit | changes apply | changes withdraw
        evidence upload | evidence list | evidence show | evidence download | evidence grant-access
        hold place | hold list | hold show | hold lift | gate check | gate verify
        keys create | policy list | policy show | principals list | principals show
        audit log | audit show | audit state | audit tail | audit checkpoint | audit verify
    """
    words = {tuple(item.split()) for item in re.split(r"[|\n]", wanted) if item.strip()}

    assert set(COMMANDS) == words


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_an_example_of_itself(words: tuple[str, ...]) -> None:
    """The help closes with a line that one could type, which begins with the very command."""
    text = COMMANDS[words].help

    assert re.search(rf"Example: interlock {' '.join(words)}( |$)", text)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_takes_the_common_options(words: tuple[str, ...]) -> None:
    """`--json`, `--profile`, `--timeout` and `--passphrase-file` are the same everywhere."""
    options = {option for parameter in COMMANDS[words].params for option in parameter.opts}

    assert {"--json", "--profile", "--timeout", "--passphrase-file"} <= options


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_parameter_says_what_it_is(words: tuple[str, ...]) -> None:
    """No argument and no option is without help."""
    assert [item.name for item in COMMANDS[words].params if not getattr(item, "help", "")] == []
