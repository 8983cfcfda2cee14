"""`interlock measures`, through a real server: proposed, signed, in force, run out across a restart, ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.integration.cli_runner import SHA256, Cli, command_line
from tests.support.server import ServerThread, copy_of
from tests.support.service import ShiftedClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MINUTES = 40
GUARDED = """\
title: m at guarded
triggers:
  - determination.rule_out: models/m/determinations/misuse
  - level.assign: {{level: models/m/levels/deployment, to: guarded}}
evidence: [{evidence}]
"""
MEASURE = """\
title: Requests go through the smaller model
triggers:
  - interim_measure.put_in_force: {{model: models/m, safeguards: [input-filter], contexts: [api], until: "{until}"}}
"""


@pytest.fixture
def clock() -> ShiftedClock:
    """Give the server's clock."""
    return ShiftedClock()


@pytest.fixture
def server(installations: Callable[[str], Path], tmp_path: Path, clock: ShiftedClock) -> Iterator[ServerThread]:
    """Serve a fresh log under a clock that can be moved."""
    with ServerThread(copy_of(installations("minimal"), tmp_path / "data"), clock=clock) as running:
        yield running


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line, and a model that lacks nothing but its input filter."""
    line = command_line(server, capsys, tmp_path, monkeypatch)
    line.must("evaluator", "models", "create", "m", "--artifact", SHA256)
    sign(line, line.propose(GUARDED.format(evidence=line.document())))
    return line


def sign(cli: Cli, change: str) -> None:
    """Have a change signed, so that it is applied."""
    cli.must("owner", "sign", change, "--yes")
    cli.must("reviewer", "sign", change, "--yes")


def in_a_while() -> str:
    """Return a moment to come, as people type it."""
    return (datetime.now(UTC) + timedelta(minutes=MINUTES)).isoformat()


def put_in_force(cli: Cli) -> None:
    """Have a measure put in force by the short form."""
    words = ["--for", "input-filter", "--context", "api", "--until", in_a_while(), "--title", "A smaller model answers"]
    sign(cli, cli.must("evaluator", "measures", "propose", "m", *words, "--json").json["name"])


def codes(cli: Cli) -> list[str]:
    """Return the codes of what the gate has against m in api; nothing for ALLOW."""
    outcome = cli("release-bot", "gate", "check", "m", "--context", "api", "--json")
    found = [row["code"] for row in outcome.json["reasons"]]
    assert outcome.code == bool(found), outcome
    return found


def test_a_measure_stands_in_until_its_end_and_not_after_a_restart(
    cli: Cli, server: ServerThread, clock: ShiftedClock
) -> None:
    """ALLOW with the measure's end as valid_until; DENY at that instant with no job run, and just after a restart."""
    before = codes(cli)
    put_in_force(cli)
    measure = cli.must("auditor", "measures", "show", "1", "--json").json
    answer = cli.must("release-bot", "gate", "check", "m", "--context", "api", "--json").json
    clock.move(MINUTES * 60)
    ran_out, listed = codes(cli), cli.must("auditor", "measures", "list", "--all", "--json").json
    server.stop()
    with ServerThread(server.data, clock=clock):
        restarted = codes(cli)

    assert before == ran_out == restarted == ["SAFEGUARD_NOT_ACTIVE"]
    assert answer["valid_until_time"] == measure["until_time"]
    assert measure["state"] == "INTERIM_MEASURE_STATE_IN_FORCE"
    assert [row["state"] for row in listed["interim_measures"]] == ["INTERIM_MEASURE_STATE_RUN_OUT"]


def test_one_person_ends_a_measure_at_once(cli: Cli) -> None:
    """The very next check denies; the reason is shown, and ending it again is acknowledged."""
    put_in_force(cli)
    allowed = codes(cli)
    ended = cli.must("reviewer", "measures", "end", "1", "--reason", "it leaks", "--json").json
    again = cli.must("owner", "measures", "end", "1", "--json").json

    assert (allowed, codes(cli)) == ([], ["SAFEGUARD_NOT_ACTIVE"])
    assert (ended["state"], ended["reason"]) == ("INTERIM_MEASURE_STATE_ENDED", "it leaks")
    assert again["ender"] == ended["ender"] == "principals/reviewer"
    assert cli.must("auditor", "measures", "list", "--json").json == {"interim_measures": []}


def test_a_change_file_puts_a_measure_in_force(cli: Cli) -> None:
    """The trigger is written as in a pack, its end as a time; the gate's tree names the measure that stands in."""
    sign(cli, cli.propose(MEASURE.format(until=in_a_while())))

    assert codes(cli) == []
    assert "interimMeasures/1" in cli.must("auditor", "gate", "explain", "m", "--context", "api").out
    assert "input-filter in api" in cli.must("auditor", "measures", "list").out


def test_who_may_not_end_a_measure_is_told(cli: Cli) -> None:
    """An evaluator has no right to it: exit 4, and nothing ends."""
    put_in_force(cli)

    assert cli("evaluator", "measures", "end", "1").code == 4
    assert codes(cli) == []


def test_a_measure_that_was_over_before_it_began_is_refused(cli: Cli) -> None:
    """An end in the past is refused when it is proposed: exit 3, END_PASSED."""
    words = ["--for", "input-filter", "--context", "api", "--until", "2026-01-01", "--title", "too late", "--json"]

    refused = cli("evaluator", "measures", "propose", "m", *words)

    assert (refused.code, refused.codes) == (3, ["END_PASSED"])
