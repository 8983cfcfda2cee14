"""What time alone changes, asked of a real server at each moment, also just after a restart: it is the oracle's word.

A model is released with an interim measure and an exception standing in, a waiver, and clocks of an incident running.
Then nobody writes a thing that moves any of it, and the clock goes from end to end: just before each, at it, past it;
every other time the server was started again meanwhile. A verdict that was DENY once is never ALLOW again.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.cli_runner import SHA256, Cli, command_line
from tests.integration.test_adoption_amid import FIRST, oracle_of, stage
from tests.support.server import ServerThread, copy_of, install
from tests.support.service import ShiftedClock
from tests.support.versions import version

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.oracle import Oracle

pytestmark = pytest.mark.timeout(300)

CLOCKS: Final = """\
obligations:
  incident-report:
    after: {incident: discovery, at_least: serious, within: 15d}
    fulfilled_by: {evidence: board_notice}
    blocking: true
"""
WALKED: Final = version(("obligations:\n", CLOCKS), of=FIRST, called="1.0")
STEPS: Final = 10


def microseconds(text: str) -> int:
    """Return a moment as the log counts it."""
    return (datetime.fromisoformat(text) - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def compared(cli: Cli, oracle: Oracle, seen: dict[tuple[str, str], bool]) -> int:
    """Ask the gate everywhere, and compare each answer with the oracle's at its instant; return the last instant."""
    at = 0
    for model in ("m", "n"):
        for context in ("internal", "api"):
            words = ("gate", "check", model, "-c", context, "--artifact", SHA256, "--json")
            answer = cli("release-bot", *words).json
            at = microseconds(answer["instant"])
            said = {(row["rule"], row["resource"]) for row in answer["reasons"]}
            assert said == oracle.failures(f"models/{model}", context, SHA256, at), (model, context, at)
            assert not (answer["verdict"] == "VERDICT_ALLOW" and seen.get((model, context)) is False)
            seen[model, context] = answer["verdict"] == "VERDICT_ALLOW"
    return at


def ends_of(oracle: Oracle, now: int) -> list[int]:
    """Return the ends ahead, soonest first."""
    rows = (*oracle.measures.values(), *oracle.exceptions.values())
    ends = {row["until"] for row in rows} | oracle.dues(now)
    ends |= {row["lapses"] for row in oracle.determinations.values()}
    ends |= {oracle.attested_to(name) or 0 for name in oracle.safeguards}
    return sorted(end for end in ends if end is not None and end > now)


def test_the_clock_walks_from_end_to_end_and_over_restarts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No job runs and nothing is written: each answer follows from the log and the instant."""
    pack, clock, dice = tmp_path / "walked", ShiftedClock(), random.Random(6)
    pack.mkdir()
    (pack / "policy.yaml").write_bytes(WALKED["policy.yaml"])
    data = copy_of(install(tmp_path / "made", str(pack)), tmp_path / "data")
    server = ServerThread(data, clock=clock).start()
    cli = command_line(server, capsys, tmp_path, monkeypatch)
    stage(cli)
    oracle = oracle_of(cli, WALKED)
    seen: dict[tuple[str, str], bool] = {}
    now = compared(cli, oracle, seen)
    assert seen["m", "api"]
    for step in range(STEPS):
        end = ends_of(oracle, now)[0]
        away = end - now + dice.choice([-2_000_000, 0, 1, 3_600_000_000])
        if step % 2:
            server.stop()
        clock.move(max(away, 1) / 1_000_000)
        if step % 2:
            server = ServerThread(data, clock=clock).start()
            is_it = datetime.fromtimestamp(clock.now_us() // 1_000_000, UTC).isoformat()
            cli("admin", "audit", "accept-clock", "--now", is_it)  # after thirty days without an entry
        now = compared(cli, oracle, seen)
    server.stop()

    assert not any(seen.values())
