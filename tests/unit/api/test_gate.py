"""The gate's serving conditions, and how long an answer is kept: a real ledger, a clock that is moved by hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from interlock.service.api import gate
from interlock.service.api.calls import Writer
from interlock.service.api.decisions import Decisions
from interlock.service.api.times import to_microseconds
from interlock.service.clock import GuardedClock
from interlock.service.ledger.health import HEALTHY
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.v1 import gate_pb2
from tests.support.service import START_US, HandClock, view_of
from tests.support.world import SECOND_US, World, key_of
from tests.unit.ledger.place import Place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from interlock.service.ledger.health import LedgerHealth
    from interlock.service.ledger.view import View
    from tests.unit.ledger.place import Running

ASK = gate_pb2.CheckReleaseRequest(model="models/m", context="internal")
NOBODY: Any = None
"""The call's context, of which the gate asks nothing."""


def service_of(ledger: Running) -> gate.GateService:
    """Return the service over a running ledger."""
    decisions = Decisions(Writer(ledger.committer, bytes), key_of("log", "decision"))
    return gate.GateService(ledger.committer, ledger.committer.clock, decisions, NOBODY, NOBODY, NOBODY, NOBODY)


def with_ledger(folder: Path, story: Callable[[Running, gate.GateService], Awaitable[None]]) -> None:
    """Tell a story over a founded ledger that knows ``models/m``."""

    async def run() -> None:
        place = Place(folder, HandClock(START_US))
        await place.found()
        async with place.running() as ledger:
            await ledger.do("evaluator", c.Fire(f.ModelRegister("models/m")))
            await story(ledger, service_of(ledger))

    asyncio.run(run())


async def check(service: gate.GateService, asked: gate_pb2.CheckReleaseRequest = ASK) -> gate_pb2.CheckReleaseResponse:
    """Ask as the server does, and read the bytes of the answer."""
    return gate_pb2.CheckReleaseResponse.FromString(await service.CheckRelease(asked, NOBODY))


def codes(answer: gate_pb2.CheckReleaseResponse) -> list[str]:
    """Return the codes of a DENY."""
    assert answer.verdict == gate_pb2.VERDICT_DENY
    return [reason.code for reason in answer.reasons]


@pytest.mark.parametrize(("behind_us", "denied"), [(2 * SECOND_US, False), (2 * SECOND_US + 1, True)])
def test_a_clock_behind_the_log_denies(tmp_path: Path, behind_us: int, denied: bool) -> None:  # noqa: FBT001  # a parameter
    """More than two seconds behind the last entry the gate answers nothing but DENY, with CLOCK first."""

    async def story(ledger: Running, service: gate.GateService) -> None:
        ledger.clock.now = ledger.committer.view.state.time - behind_us
        answer = await check(service)

        assert (codes(answer)[0] == "CLOCK") == denied
        assert answer.reasons[0].rule == (1 if denied else 4)
        assert not answer.HasField("valid_until_time")

    with_ledger(tmp_path, story)


def test_no_answer_is_judged_before_the_last_entry(tmp_path: Path) -> None:
    """A clock slightly behind is taken for the time of the last entry."""

    async def story(ledger: Running, service: gate.GateService) -> None:
        last = ledger.committer.view.state.time
        ledger.clock.now = last - SECOND_US

        answer = await check(service)

        assert to_microseconds(answer.instant, "instant") == last

    with_ledger(tmp_path, story)


def test_a_clock_that_recovers_is_believed_again(tmp_path: Path) -> None:
    """CLOCK is judged at every call: an answer with it is not kept."""

    async def story(ledger: Running, service: gate.GateService) -> None:
        ledger.clock.move(-10)
        first = codes(await check(service))
        ledger.clock.move(20)
        second = codes(await check(service))

        assert ("CLOCK" in first, "CLOCK" in second) == (True, False)

    with_ledger(tmp_path, story)


def test_nothing_is_signed_by_a_clock_behind_the_log(tmp_path: Path) -> None:
    """Where a condition of rule 1 fails, who wanted a decision gets a plain DENY, and the log no entry."""

    async def story(ledger: Running, service: gate.GateService) -> None:
        size = ledger.committer.view.state.size
        ledger.clock.move(-10)
        asked = gate_pb2.CheckReleaseRequest(
            model="models/m", context="internal", artifact_digest="01" * 32, want_decision=True
        )
        answer = await check(service, asked)

        assert codes(answer)[0] == "CLOCK"
        assert answer.decision == b""
        assert ledger.committer.view.state.size == size

    with_ledger(tmp_path, story)


def test_a_log_that_was_rolled_back_denies_everything(tmp_path: Path) -> None:
    """A log shorter than its high-water mark can't be relied on: every answer is DENY, with the reason first."""

    async def story() -> None:
        place = Place(tmp_path, HandClock(START_US))
        await place.found()
        saved = place.database.read_bytes()
        async with place.running() as ledger:
            await ledger.do("evaluator", c.Fire(f.ModelRegister("models/m")))
        place.database.write_bytes(saved)
        async with place.running() as ledger:
            answer = await check(service_of(ledger))

        assert codes(answer)[0] == "LOG_ROLLED_BACK"

    asyncio.run(story())


@dataclass
class Head:
    """What the gate asks of a committer, at a head that stands still."""

    view: View
    health: LedgerHealth = HEALTHY


def test_an_answer_ends_by_time_alone(tmp_path: Path) -> None:
    """At the very moment that an ALLOW names as its end it is DENY, although nothing was written."""
    world = World.found()
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    report = world.upload("evaluator", "evaluation_results")
    rule_out = f.DeterminationRuleOut("models/m/determinations/misuse")
    world.enact(rule_out, f.LevelAssign("models/m/levels/deployment", "basic"), evidence=[report])
    clock = HandClock(world.now)
    head: Any = Head(view_of(world))
    service = gate.GateService(head, GuardedClock(clock, None), NOBODY, NOBODY, NOBODY, NOBODY, NOBODY)

    async def ask() -> gate_pb2.CheckReleaseResponse:
        return await check(service)

    first = asyncio.run(ask())
    end = to_microseconds(first.valid_until_time, "valid_until_time")
    clock.move_to(end - 1)
    last = asyncio.run(ask())
    clock.move_to(end)

    assert first.verdict == last.verdict == gate_pb2.VERDICT_ALLOW
    assert codes(asyncio.run(ask())) == ["DETERMINATION_LAPSED"]


def test_asking_about_ever_new_names_fills_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory for answers is bounded."""
    monkeypatch.setattr(gate, "MAX_KEPT", 10)

    async def story(ledger: Running, service: gate.GateService) -> None:
        for number in range(25):
            await service.CheckRelease(gate_pb2.CheckReleaseRequest(model=f"models/x{number}", context="api"), NOBODY)

        assert len(service._kept) <= 10  # noqa: SLF001  # what is bounded is not to be seen from outside

    with_ledger(tmp_path, story)
