"""The clock: entries never go back in time, and a clock that does stops all but tightening."""

from __future__ import annotations

import asyncio

import pytest

from interlock.service.errors import ClockBehind
from interlock.service.ledger.batch import is_behind, tightens
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from tests.support.world import World, envelope
from tests.unit.ledger.place import Place, place_hold


def test_a_clock_behind_the_log_lets_only_tightening_in(place: Place) -> None:
    """More than two seconds behind the last entry: holds and traces of refusals are written, other commands wait."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            await ledger.committer.submit(place_hold())
            last = ledger.committer.view.state.time
            place.clock.move(-3)
            assert is_behind(place.clock.now_us(), ledger.committer.view.state)
            assert ledger.committer.instant() == last

            with pytest.raises(ClockBehind):
                await ledger.do("evaluator", c.Fire(f.ModelRegister("models/m")))
            await ledger.committer.submit(place_hold())
            await ledger.do("auditor", c.AttemptRefused("Any/Method", bytes(32), ()))

            assert ledger.committer.view.state.time == last + 2

    asyncio.run(play())


@pytest.mark.parametrize(("decision", "good"), [("reject", True), ("approve", False)])
def test_a_reject_tightens_and_an_approval_does_not(decision: str, good: bool) -> None:  # noqa: FBT001  # a column
    """Of a sign-off its statement says which it is; without a statement it is none that tightens."""
    world = World.found()
    document = world.upload("evaluator", "evaluation_results")
    world.fire("evaluator", f.ModelRegister("models/m"))
    change = world.propose("evaluator", f.DeterminationRuleOut("models/m/determinations/misuse"), evidence=[document])
    signed = envelope("reviewer-a", world.statement("reviewer-a", change, decision))

    assert tightens(c.SignOffChange(change), (signed,)) is good
    assert not tightens(c.SignOffChange(change), (signed, signed))
    assert not tightens(c.SignOffChange(change), (b"{}",))


def test_two_seconds_are_forgiven(place: Place) -> None:
    """A clock that is up to two seconds behind counts as right; time still moves on."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            last = ledger.committer.view.state.time
            place.clock.now = last - 2_000_000
            assert not is_behind(place.clock.now_us(), ledger.committer.view.state)

            await ledger.do("evaluator", c.Fire(f.ModelRegister("models/m")))
            assert ledger.committer.view.state.time == last + 1

    asyncio.run(play())


@pytest.mark.parametrize(
    ("command", "good"),
    [
        (c.Fire(f.SafeguardDegrade("safeguards/s")), True),
        (c.Fire(f.DeterminationReport("models/m/determinations/t", "reached")), True),
        (c.Fire(f.SafeguardStart("safeguards/s")), False),
        (c.WithdrawProposedChange("changes/1"), True),
        (c.WithdrawSignOffOfChange("changes/1"), True),
        (c.SignOffChange("changes/1"), False),
        (c.ApplyApprovedChange("changes/1"), False),
        (c.CloseGenesis(), False),
    ],
)
def test_what_counts_as_tightening(command: c.Command, good: bool) -> None:  # noqa: FBT001  # a table's column
    """Triggers that tighten, withdrawals and traces; nothing else."""
    assert tightens(command) is good
