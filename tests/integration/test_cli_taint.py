"""Tainted changes on the command line: listed, explained, ratified; accounts linked and parted."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest

from tests.integration.cli_runner import Cli, command_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import ServerThread


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line, and a model that is released for internal use by what owner and reviewer signed."""
    line = command_line(server, capsys, tmp_path, monkeypatch)
    line.release("m")
    return line


def link(cli: Cli) -> None:
    """Link the two who signed."""
    cli.must("admin", "principals", "link", "owner", "reviewer", "--reason", "one person")


def test_linking_lists_what_is_tainted_and_what_nobody_can_do_now(cli: Cli) -> None:
    """One command says it; the gate denies with the change and why."""
    said = cli.must("admin", "principals", "link", "owner", "reviewer", "--reason", "one person").out

    assert "principals/reviewer and principals/owner are one person" in said
    assert "changes/1 is tainted" in said
    assert "nobody can meet the rule for" in said
    assert [row["name"] for row in cli.must("auditor", "changes", "list", "--tainted", "--json").json["changes"]] == [
        "changes/1"
    ]
    denied = cli("release-bot", "gate", "check", "m", "--context", "internal", "--json")
    assert denied.code == 1
    assert {row["code"] for row in denied.json["reasons"]} == {"TAINTED"}
    assert "tainted" in cli.must("auditor", "changes", "show", "1").out
    assert cli.must("auditor", "status", "--json").json["me"]["unsatisfiable"]


def test_why_the_gate_denies(cli: Cli) -> None:
    """The explanation has a leaf of rule 8 for each resource, with the entry that gave the fact."""
    link(cli)

    tree = cli("auditor", "gate", "explain", "m", "--context", "internal", "--json")
    told = cli("auditor", "audit", "why", "m", "--context", "internal")

    assert "TAINTED" in tree.out
    assert "changes/1" in told.out


def test_what_is_not_tainted_is_not_ratified(cli: Cli) -> None:
    """A refusal with its code."""
    no = cli("evaluator", "changes", "ratify", "1", "--json")

    assert no.code == 3
    assert "NOT_TAINTED" in no.codes


def test_a_ratification_is_proposed_and_says_what_it_takes(cli: Cli) -> None:
    """Whatever the change was asked, by whoever may sign today."""
    link(cli)

    proposed = cli.must("evaluator", "changes", "ratify", "changes/1", "--title", "Looked at again", "--json").json

    assert {row["role"] for row in proposed["slots"]} == {"owner", "reviewer"}
    assert "EVIDENCE_MISSING" in {row["code"] for row in proposed["unmet"]}


def test_parting_is_a_change(cli: Cli) -> None:
    """It waits for its quorum."""
    link(cli)

    parted = cli.must("evaluator", "principals", "unlink", "reviewer", "--person", "somebody-else", "--json").json

    assert {row["trigger"] for row in parted["slots"]} == {"principal.unlink"}
    assert cli("owner", "principals", "link", "owner", "engineer").code == 4


def test_who_ratifies_sees_what_they_sign(cli: Cli) -> None:
    """What was applied, its documents, who signed it and what speaks against it; the signature binds its digest."""
    link(cli)
    tainted = cli.must("auditor", "changes", "show", "1", "--json").json
    proposed = cli.must("evaluator", "changes", "ratify", "1", "--evidence", cli.document(), "--json").json
    sha256 = hashlib.sha256(b64decode(tainted["content"])).hexdigest()

    shown = cli("engineer", "sign", proposed["name"], "--yes").out

    assert f"change.ratify changes/1 content_digest={sha256}" in shown
    assert "what counts again: changes/1, revision 1, applied at position" in shown
    assert "Rule misuse out for m" in shown
    assert "determination.rule_out models/m/determinations/misuse" in shown
    assert "level.assign models/m/levels/deployment to=basic" in shown
    assert "is one person with a later signer" in shown
    assert f"content sha256 of changes/1: {sha256}" in shown
