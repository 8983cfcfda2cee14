"""Obligations that block, through a real server: overdue denies every release, a change fulfils or waives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.integration.cli_runner import Cli, command_line
from tests.support.server import ServerThread, copy_of, install
from tests.support.service import ShiftedClock
from tests.support.world import SKETCH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = 86_400
FIRST = "obligations/quarterly-report/periods/1"
SECOND = "obligations/quarterly-report/periods/2"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Found a log whose quarterly report blocks."""
    folder = tmp_path_factory.mktemp("pack")
    (folder / "policy.yaml").write_text(SKETCH.read_text().replace("blocking: false", "blocking: true"))
    return install(tmp_path_factory.mktemp("installed") / "blocking", str(folder))


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
    """Give a command line, and a model that is released internally."""
    line = command_line(server, capsys, tmp_path, monkeypatch)
    line.release("m")
    return line


def reasons(cli: Cli) -> list[tuple[str, str]]:
    """Return (code, resource) of what the gate has against m internally; nothing for ALLOW."""
    outcome = cli("release-bot", "gate", "check", "m", "--context", "internal", "--json")
    found = [(row["code"], row["resource"]) for row in outcome.json["reasons"]]
    assert outcome.code == bool(found), outcome
    return found


def sign(cli: Cli, change: str) -> None:
    """Have a change signed by both, so that it is applied."""
    cli.must("owner", "sign", change, "--yes")
    cli.must("reviewer", "sign", change, "--yes")


def waive(cli: Cli, period: str, clock: ShiftedClock, days: int) -> None:
    """Have a period waived for some days from now."""
    until = datetime.now(UTC) + timedelta(days=days, seconds=clock.shift / 1_000_000)
    words = ["--until", until.isoformat(), "--title", "The auditor is ill", "--json"]
    sign(cli, cli.must("evaluator", "obligations", "waive", period, *words).json["name"])


def test_overdue_denies_and_nobody_fulfils_alone(cli: Cli, clock: ShiftedClock) -> None:
    """The period's end is the answer's valid_until, then a reason; one person's report is refused, a change's opens."""
    before = cli.must("release-bot", "gate", "check", "m", "--context", "internal", "--json").json
    due = cli.must("auditor", "obligations", "show", FIRST, "--json").json
    clock.move(90 * DAY)
    denied = reasons(cli)
    document = cli.document("risk_report")
    alone = cli("owner", "obligations", "fulfil", FIRST, "-e", document, "--json")
    words = ["fulfil", FIRST, "-e", document, "--propose", "--json"]
    change = cli.must("evaluator", "obligations", *words).json["name"]
    still = reasons(cli)
    sign(cli, change)

    assert before["valid_until_time"] == due["due_time"]
    assert denied == still == [("OBLIGATION_OVERDUE", FIRST)]
    assert (alone.code, alone.codes) == (3, ["CHANGE_REQUIRED"])
    assert reasons(cli) == []


def test_a_waiver_ends_by_itself_also_over_a_restart(cli: Cli, server: ServerThread, clock: ShiftedClock) -> None:
    """Waived: ALLOW until its end; from that instant on overdue again, with no job run and the server just started."""
    clock.move(90 * DAY)
    denied = reasons(cli)
    waive(cli, FIRST, clock, days=10)
    waived = cli.must("release-bot", "gate", "check", "m", "--context", "internal", "--json").json
    shown = cli.must("auditor", "obligations", "show", FIRST, "--json").json
    listed = cli.must("auditor", "obligations", "list").out
    server.stop()
    clock.move(10 * DAY)
    with ServerThread(server.data, clock=clock):
        again, told = reasons(cli), cli("auditor", "gate", "explain", "m", "--context", "internal", "--json").out

    assert denied == again == [("OBLIGATION_OVERDUE", FIRST)]
    assert waived["verdict"] == "VERDICT_ALLOW"
    assert waived["valid_until_time"] == shown["waived_until_time"]
    assert (shown["state"], shown["overdue"], shown["blocking"]) == ("OBLIGATION_STATE_WAIVED", False, True)
    assert "waived" in listed
    assert "when its waiver ended" in told


def test_every_overdue_period_is_a_reason(cli: Cli, clock: ShiftedClock) -> None:
    """Two periods gone by: both are listed at once, and status names them."""
    clock.move(180 * DAY)

    assert reasons(cli) == [("DETERMINATION_LAPSED", "models/m/determinations/misuse"), *overdue(FIRST, SECOND)]
    assert "overdue: quarterly-report/1, quarterly-report/2" in cli.must("auditor", "status").out


def overdue(*periods: str) -> list[tuple[str, str]]:
    """Return the reasons that these periods give."""
    return [("OBLIGATION_OVERDUE", period) for period in periods]
