"""Delegations on the command line: given, seen by everybody concerned, used, and ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.cli_runner import Cli, command_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import ServerThread

LATER = "2099-01-01T00:00:00Z"


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a server."""
    return command_line(server, capsys, tmp_path, monkeypatch)


@pytest.fixture
def change(cli: Cli, tmp_path: Path) -> str:
    """Give a change that an owner and a reviewer have to sign."""
    cli.must("evaluator", "models", "create", "m")
    file = tmp_path / "change.yaml"
    file.write_text(
        "title: A second artifact\ntriggers:\n  - model.add_artifact: {model: models/m, artifact: ARTIFACT}\n".replace(
            "ARTIFACT", f'"{"0a" * 32}"'
        )
    )
    return str(cli.must("evaluator", "changes", "propose", "-f", str(file), "--json").json["name"])


def test_a_delegate_signs(cli: Cli, change: str) -> None:
    """Their inbox shows what waits through it, and everybody sees for whom they signed."""
    given = cli.must("owner", "delegate", "owner", "--to", "engineer", "--until", LATER)
    assert given.out.startswith("delegations/1 engineer may sign as owner for owner")
    assert "engineer may sign as owner for owner" in cli.must("engineer", "whoami").out
    assert "engineer may sign as owner for owner" in cli.must("owner", "whoami").out
    assert "waits for you on behalf of owner" in cli.must("engineer", "inbox").out
    [row] = cli.must("engineer", "inbox", "--json").json["changes"]
    assert (row["name"], row["waits_on_behalf_of"]) == (change, ["principals/owner"])

    assert cli("engineer", "sign", change, "--yes").code == 4
    cli.must("engineer", "sign", change, "--yes", "--on-behalf-of", "owner")
    done = cli.must("reviewer", "sign", change, "--yes", "--json").json

    assert done["state"] == "CHANGE_STATE_APPLIED"
    assert "engineer for owner" in cli.must("auditor", "changes", "show", change).out
    assert cli.must("auditor", "audit", "verify").code == 0


def test_one_ends(cli: Cli, change: str) -> None:
    """Whoever gave it ends it at once; what was signed by it is void, and it is in the listing no more."""
    cli.must("owner", "delegate", "owner", "--to", "engineer", "--until", LATER)
    cli.must("engineer", "sign", change, "--yes", "--on-behalf-of", "owner")
    assert cli("engineer", "delegations", "end", "1").code == 4

    ended = cli.must("owner", "delegations", "end", "1", "--reason", "back").out

    assert "ended" in ended
    assert cli.must("auditor", "delegations", "list").out == ""
    assert "ended" in cli.must("auditor", "delegations", "list", "--all", "--principal", "engineer").out
    assert "DELEGATION_ENDED" in cli.must("auditor", "changes", "show", change).out
    assert cli("engineer", "sign", change, "--yes", "--on-behalf-of", "owner").code == 3


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("owner", "--to", "admin", "--until", LATER), 3),
        (("reviewer", "--to", "engineer", "--until", LATER), 3),
        (("owner", "--to", "engineer", "--until", "2020-01-01T00:00:00Z"), 3),
        (("owner", "--to", "engineer"), 2),
    ],
)
def test_what_is_refused(cli: Cli, words: tuple[str, ...], code: int) -> None:
    """Neither to an administrator, nor a role of somebody else's, nor for a time that has passed."""
    assert cli("owner", "delegate", *words).code == code
