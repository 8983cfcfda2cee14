"""`interlock obligations`, through a real server: due, fulfilled, overdue at the instant, also after a restart."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.integration.cli_runner import Cli, command_line
from tests.support.server import ServerThread, copy_of
from tests.support.service import ShiftedClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DAY = 86_400
FIRST = "obligations/quarterly-report/periods/1"


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
    """Give a command line for everybody."""
    return command_line(server, capsys, tmp_path, monkeypatch)


def listed(cli: Cli, *words: str) -> list[tuple[str, bool]]:
    """Return the name of each period that is listed, and whether it is overdue."""
    rows = cli.must("auditor", "obligations", "list", "--json", *words).json["obligations"]
    return [(row["name"], row["overdue"]) for row in rows]


def test_a_period_is_fulfilled_by_a_report_made_in_it(cli: Cli) -> None:
    """The pack's obligation is due from the founding on; a report fulfils it, and it is listed no more but by --all."""
    before = listed(cli)
    done = cli.must("owner", "obligations", "fulfil", "quarterly-report/1", "-e", cli.document("risk_report"), "--json")

    assert (before, listed(cli), listed(cli, "--all")) == ([(FIRST, False)], [], [(FIRST, False)])
    assert (done.json["state"], done.json["fulfiller"]) == ("OBLIGATION_STATE_FULFILLED", "principals/owner")
    assert "fulfilled" in cli.must("auditor", "obligations", "show", FIRST).out


def test_overdue_at_the_instant_and_after_a_restart(cli: Cli, server: ServerThread, clock: ShiftedClock) -> None:
    """No job runs: an hour after its end the period is overdue and the next has begun; --due leaves that one out."""
    at_first = listed(cli, "--due", "30d")
    server.stop()
    clock.move(90 * DAY + 3_600)
    with ServerThread(server.data, clock=clock):
        there = datetime.fromtimestamp(clock.now_us() / 1_000_000, UTC).isoformat()
        cli.must("admin", "audit", "accept-clock", "--now", there)  # so long a rest is a jump of the clock
        later, soon = listed(cli), listed(cli, "--due", "30d")
        told = cli.must("auditor", "status").out

    assert at_first == []
    assert later == [(FIRST, True), ("obligations/quarterly-report/periods/2", False)]
    assert soon == [(FIRST, True)]
    assert "overdue: quarterly-report/1" in told


@pytest.mark.parametrize(
    ("period", "kind", "code", "unmet"),
    [
        ("quarterly-report/1", "evaluation_results", 3, ["EVIDENCE_MISSING"]),
        ("quarterly-report/2", "risk_report", 3, []),
        ("nothing/1", "risk_report", 3, []),
    ],
)
def test_what_does_not_fulfil(period: str, kind: str, code: int, unmet: list[str], cli: Cli) -> None:
    """Another kind of document, a period that has not begun, no obligation of the policy: refused, and still due."""
    refused = cli("owner", "obligations", "fulfil", period, "-e", cli.document(kind), "--json")

    assert refused.code == code, refused
    assert not unmet or refused.codes == unmet
    assert not unmet or "1 of others" in refused.refusal["unmet"][0]["actual"]
    assert listed(cli) == [(FIRST, False)]


def test_who_may_not_fulfil_is_told(cli: Cli) -> None:
    """An auditor only looks: exit 4."""
    assert cli("auditor", "obligations", "fulfil", "quarterly-report/1", "-e", "1").code == 4


def test_a_mistyped_time_is_usage(cli: Cli) -> None:
    """`--due` takes days."""
    assert cli("auditor", "obligations", "list", "--due", "soon").code == 2
