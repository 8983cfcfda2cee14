"""`interlock incidents` and `findings`, through a real server: what blocks, who may clear it, what it obliges to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.cli_runner import Cli, command_line
from tests.support.server import ServerThread, copy_of, install
from tests.support.service import ShiftedClock
from tests.support.world import SKETCH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR, DAY = 3_600, 86_400
CLOCKS = """
  authority-report:
    title: The authority hears of it
    after: {incident: discovery, at_least: critical, categories: [breach], within: 72h}
    fulfilled_by: {evidence: board_notice}
    blocking: true
incidents: {categories: [breach]}
"""
OWED = "obligations/authority-report/periods/1"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Found a log whose pack starts a clock by a critical breach."""
    folder = tmp_path_factory.mktemp("pack")
    (folder / "policy.yaml").write_text(SKETCH.read_text().rstrip() + CLOCKS)
    return install(tmp_path_factory.mktemp("installed") / "clocks", str(folder))


@pytest.fixture
def clock() -> ShiftedClock:
    """Give the server's clock."""
    return ShiftedClock()


@pytest.fixture
def server(installation: Path, tmp_path: Path, clock: ShiftedClock) -> Iterator[ServerThread]:
    """Serve a fresh log under a clock that can be moved."""
    with ServerThread(copy_of(installation, tmp_path / "data"), clock=clock) as running:
        yield running


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line, and two models of which the first is released internally."""
    line = command_line(server, capsys, tmp_path, monkeypatch)
    line.release("m")
    return line


def reasons(cli: Cli, model: str = "m") -> list[tuple[str, str]]:
    """Return (code, resource) of what the gate has against a model internally; nothing for ALLOW."""
    outcome = cli("release-bot", "gate", "check", model, "--context", "internal", "--json")
    found = [(row["code"], row["resource"]) for row in outcome.json["reasons"]]
    assert outcome.code == bool(found), outcome
    return found


def sign(cli: Cli, change: str) -> None:
    """Have a change signed by both, so that it is applied."""
    cli.must("owner", "sign", change, "--yes")
    cli.must("reviewer", "sign", change, "--yes")


def test_a_blocking_incident_is_nobodys_alone_to_clear(cli: Cli) -> None:
    """A monitor reports, the next check denies; closing, lowering alone are refused; a change that two sign closes."""
    words = ["incidents", "report", "m", "--severity", "serious", "--title", "The filter was off", "--json"]
    made = cli.must("monitor-bot", *words).json
    denied = reasons(cli)
    assert "incidents/1 on m blocks" in cli.must("auditor", "status").out
    assert cli.must("auditor", "status", "--json").json["incidents"][0]["blocking"] is True
    cli.must("owner", "incidents", "triage", "1", "serious", "--reason", "users were reached")
    lowered = cli("owner", "incidents", "triage", "1", "low", "--json")
    cli.must("owner", "incidents", "mitigate", "1", "--reason", "it is on again")
    closed = cli("owner", "incidents", "close", "1", "--json")
    assert "with --propose" in cli("owner", "incidents", "close", "1").err
    after_tries = reasons(cli)
    sign(cli, cli.must("evaluator", "incidents", "close", "1", "--propose", "--json").json["name"])
    shown = cli.must("auditor", "incidents", "show", "1").out

    assert (made["name"], made["reporter"], made["blocking"]) == ("incidents/1", "principals/monitor-bot", True)
    assert denied == after_tries == [("INCIDENT_OPEN", "incidents/1")]
    assert (lowered.code, lowered.codes, closed.code, closed.codes) == (3, ["CHANGE_REQUIRED"], 3, ["CHANGE_REQUIRED"])
    assert reasons(cli) == []
    assert "closed" in shown
    assert "The filter was off" in shown


def test_an_anonymous_report_blocks_once_a_named_person_judges_it(cli: Cli) -> None:
    """No session, no name in the log, no severity; a triage by one person denies at once."""
    words = ["incidents", "report", "-", "--anonymously", "--title", "Weights were copied", "--json"]
    made = cli.must("auditor", *words).json
    waiting = reasons(cli)
    actor = cli.must("auditor", "audit", "log", "--json", "--limit", "1").out
    cli.must("reviewer", "incidents", "triage", "1", "critical", "--category", "breach")

    assert (made["reporter"], made["severity"], made["title"]) == ("", "", "Weights were copied")
    assert waiting == []
    assert "principals/system" in actor
    assert reasons(cli) == [("INCIDENT_OPEN", "incidents/1")]
    assert cli("auditor", "incidents", "report", "-", "--anonymously", "-s", "low", "-t", "x").code == 2


def test_an_incident_starts_a_clock_that_blocks_when_it_has_run_out(
    cli: Cli, server: ServerThread, clock: ShiftedClock
) -> None:
    """The time left is shown with the incident; after 72 hours, and a restart, nothing may be released anywhere."""
    made = cli.must("owner", "incidents", "report", "m", "-s", "critical", "--category", "breach", "-t", "x", "--json")
    shown = cli.must("auditor", "incidents", "show", "1").out
    due = cli.must("auditor", "obligations", "list", "--due", "4d", "--json").json["obligations"]
    told = cli.must("auditor", "status").out
    cli.must("owner", "incidents", "triage", "1", "critical")
    sign(cli, cli.must("evaluator", "incidents", "close", "1", "--propose", "--json").json["name"])
    before = reasons(cli)
    server.stop()
    clock.move(72 * HOUR)
    with ServerThread(server.data, clock=clock):
        after = reasons(cli)
        document = cli.document("board_notice")
        words = ["obligations", "fulfil", OWED, "-e", document, "--propose", "--json"]
        sign(cli, cli.must("evaluator", *words).json["name"])
        fulfilled = reasons(cli)

    assert [row["name"] for row in made.json["obligations"]] == [OWED]
    assert "d left" in shown
    assert [(row["name"], row["cause"]) for row in due] == [(OWED, "incidents/1")]
    assert "authority-report/1" in told
    assert before == fulfilled == []
    assert after == [("OBLIGATION_OVERDUE", OWED)]


def test_a_confirmed_finding_blocks(cli: Cli) -> None:
    """Raised it blocks nothing; one person confirms it, and two sign its dismissal."""
    words = ["findings", "raise", "m", "--severity", "serious", "--title", "Copies at night", "--json"]
    made = cli.must("monitor-bot", *words).json
    raised = reasons(cli)
    cli.must("reviewer", "findings", "confirm", "1", "--reason", "seen in the log")
    confirmed = reasons(cli)
    alone = cli("reviewer", "findings", "dismiss", "1", "--json")
    listed = cli.must("auditor", "findings", "list").out
    sign(cli, cli.must("evaluator", "findings", "dismiss", "1", "--propose", "--json").json["name"])

    assert made["state"] == "FINDING_STATE_RAISED"
    assert (raised, confirmed) == ([], [("FINDING_CONFIRMED", "findings/1")])
    assert (alone.code, alone.codes) == (3, ["CHANGE_REQUIRED"])
    assert "Copies at night" in listed
    assert reasons(cli) == []
    assert cli.must("auditor", "findings", "list", "--json").json == {"findings": []}


def test_who_may_not_report_is_told(cli: Cli) -> None:
    """An auditor only looks: exit 4."""
    assert cli("auditor", "incidents", "report", "m", "-t", "x").code == 4
