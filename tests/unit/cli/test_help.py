"""Help: quick, complete, and with an example for every command."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.main import get_command

from interlock.cli import main
from interlock.cli.commands import ALONE, GROUPS
from interlock.cli.help import real_commands

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAVY = {"grpc", "cryptography", "google", "ruamel", "transitions", "immutables", "rich"}


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:  # noqa: ANN401  # typer's own
    """Yield every command that does something, with its words."""
    for name, child in real_commands(command):
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


@pytest.mark.parametrize(("name", "module"), [("gate", "audit"), ("sign", "gate")])
def test_a_command_imports_only_its_own_module(name: str, module: str) -> None:
    """Whoever asks the gate does not wait for the audit's commands."""
    script = (
        "import sys\n"
        "from interlock.cli import main\n"
        f"main.run([{name!r}, '--help'])\n"
        f"print('interlock.cli.{module}' in sys.modules, file=sys.stderr)\n"
    )

    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    assert done.stderr.split() == ["False"]


@pytest.mark.parametrize("name", [*ALONE, *GROUPS])
def test_the_list_says_what_the_command_says(name: str) -> None:
    """A summary in the table is the first line of the real command's help."""
    stand_in = dict(get_command(main.build()).commands)[name]  # type: ignore[attr-defined]  # typer's own, vendored types

    [said, *_] = stand_in.load().help.split("\n")

    assert stand_in.help == said
    assert stand_in.load().name == name


def test_help_keeps_an_example_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What is to be copied is not wrapped, however long it is."""
    main.run(["gate", "check", "--help"])

    assert re.search(r"Example: interlock gate check .* --decision \S+$", capsys.readouterr().out, re.MULTILINE)


def test_help_has_the_common_options_in_a_section_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    """First what the command takes, then what all of them take."""
    main.run(["gate", "check", "--help"])

    own, _, common = capsys.readouterr().out.partition("Common options:")
    assert "--artifact" in own
    assert "--profile" in common
    assert "--profile" not in own


def test_every_command_of_the_design_is_there() -> None:
    """The story's commands, by their words."""
    wanted = """
        login | logout | whoami | status | inbox | sign | reject | withdraw | withdraw-sign-off
        models create | models list | models show | models retire | models confirm-level
        assessments open | assessments conclude | assessments abandon | assessments list | assessments show
        assessments report | assessments determination
        safeguards list | safeguards show | safeguards start | safeguards verify | safeguards replan
        safeguards degrade | safeguards suspend | safeguards retire
        changes propose | changes amend | changes list | changes show | changes preview | changes attach
        changes detach | changes rebase | changes submit | changes apply | changes withdraw
        changes ratify | principals link | principals unlink
        evidence upload | evidence list | evidence show | evidence download | evidence grant-access
        hold place | hold list | hold show | hold lift | gate check | gate verify | gate explain | gate batch
        gate watch | models watch | models diagram | break-glass open | break-glass list
        deployments record | deployments end | deployments list | deployments show
        deployments watch | measures list | measures show | measures propose | measures end
        obligations list | obligations show | obligations fulfil | obligations waive
        incidents list | incidents show | incidents report | incidents triage | incidents mitigate | incidents close
        findings list | findings show | findings raise | findings confirm | findings dismiss
        keys create | keys list | keys revoke | keys prove | keys register | keys rotate
        issuers list | issuers trust | issuers bind | issuers distrust
        grants list | grants give | grants end | delegate | delegations list | delegations end
            log-key create | log-key rotate | recover suspend | recover revoke | recover restored
            recover write | recover sign | recover send
        principals add | principals restore | principals suspend | principals remove
        policy list | policy show | policy init | policy lint | policy diagram
        policy diff | policy simulate | policy adopt | policy report | principals list | principals show
        audit log | audit show | audit state | audit why | audit diff | audit tail | audit checkpoint | audit verify
        audit prove | audit witness | audit witness-key
        audit erase | audit export | audit key | audit accept-clock
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
