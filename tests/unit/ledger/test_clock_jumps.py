"""A clock that jumps forward: what it shows does not count until an administrator accepts it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from interlock.service.clock import GuardedClock
from interlock.service.errors import ClockBehind, Refusal
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine.unmet import Code, Refused
from tests.support.service import HandClock
from tests.support.world import World
from tests.unit.ledger.place import Place, call, place_hold

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.unit.ledger.place import Running

HOUR = 3600
DAY = 24 * HOUR
US = 1_000_000


def played(place: Place, story: Callable[[Running], Awaitable[None]]) -> None:
    """Tell a story over a ledger that was founded."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            await story(ledger)

    asyncio.run(play())


def registered(name: str = "models/m") -> c.Fire:
    """Return a command that tightens nothing."""
    return c.Fire(f.ModelRegister(name))


async def refused(ledger: Running, who: str, command: c.Command) -> tuple[str, ...]:
    """Return the codes of a refusal."""
    with pytest.raises(Refusal) as caught:
        await ledger.do(who, command)
    return tuple(unmet.code for unmet in caught.value.refused.unmet)


@pytest.mark.parametrize(("seconds", "jumps"), [(HOUR, False), (HOUR + 1, True), (50 * 365 * DAY, True)])
def test_past_an_hour_it_is_a_jump(place: Place, seconds: int, jumps: bool) -> None:  # noqa: FBT001  # a column
    """Only what tightens is written then, and that by the time that has passed; up to an hour it is just the time."""

    async def story(ledger: Running) -> None:
        last = ledger.committer.view.state.time
        place.clock.jump(seconds)

        if jumps:
            with pytest.raises(ClockBehind):
                await ledger.do("evaluator", registered())
        await ledger.committer.submit(place_hold())

        dated = ledger.committer.view.state.time
        assert dated == (last + 1 if jumps else place.clock.now)

    played(place, story)


def test_time_that_passes_is_no_jump(place: Place) -> None:
    """A server that is asked for nothing for half a year goes on as if nothing had been."""

    async def story(ledger: Running) -> None:
        place.clock.move(180 * DAY)

        await ledger.do("evaluator", registered())

        assert ledger.committer.view.state.time == place.clock.now

    played(place, story)


def test_many_small_steps_add_up(place: Place) -> None:
    """Nobody walks the clock a year ahead by an entry every hour."""

    async def story(ledger: Running) -> None:
        place.clock.jump(HOUR - 1)
        await ledger.do("evaluator", registered())
        place.clock.jump(2)

        with pytest.raises(ClockBehind):
            await ledger.do("evaluator", registered("models/n"))

    played(place, story)


def test_a_clock_that_is_mended_leaves_no_trace(place: Place) -> None:
    """What tightened meanwhile is dated by the time that passed, so nothing is ahead of the mended clock."""

    async def story(ledger: Running) -> None:
        place.clock.jump(400 * DAY)
        place.clock.move(60)
        await ledger.committer.submit(place_hold())
        place.clock.jump(-400 * DAY)

        await ledger.do("evaluator", registered())

        assert 0 <= ledger.committer.view.state.time - place.clock.now < US

    played(place, story)


def test_an_accepted_clock_counts(place: Place) -> None:
    """The entry is dated by the clock itself, everything after it too; the next jump has to be accepted again."""

    async def story(ledger: Running) -> None:
        place.clock.jump(2 * HOUR)
        await ledger.do("admin", c.AcceptClock(place.clock.now + 600 * US))
        assert ledger.committer.view.state.time == place.clock.now
        place.clock.move(1)
        await ledger.do("evaluator", registered())
        place.clock.jump(2 * HOUR)

        with pytest.raises(ClockBehind):
            await ledger.do("evaluator", registered("models/n"))

    played(place, story)


def test_only_who_has_the_right_and_the_time_accepts(place: Place) -> None:
    """Whoever else asks is refused, and so is an admin whose own clock says another hour."""

    async def story(ledger: Running) -> None:
        place.clock.jump(2 * HOUR)
        shown = place.clock.now
        for who in ("evaluator", "reviewer-a", "auditor"):
            assert await refused(ledger, who, c.AcceptClock(shown)) == (Code.RIGHT_MISSING,)
        for wrong in (shown - HOUR * US - 1, shown + HOUR * US + 1, 0, -(2**63), 2**63 - 1):
            assert await refused(ledger, "admin", c.AcceptClock(wrong)) == (Code.CLOCK,)

        assert ledger.committer.clock.now_us() < shown - HOUR * US

    played(place, story)


@pytest.mark.parametrize("seconds", [0, HOUR, -1, -HOUR])
def test_where_nothing_jumped_nothing_is_accepted(place: Place, seconds: int) -> None:
    """A clock that is right or behind is not accepted: behind is mended by setting it, never by an entry."""

    async def story(ledger: Running) -> None:
        before = ledger.committer.view.position
        place.clock.jump(seconds)

        assert await refused(ledger, "admin", c.AcceptClock(place.clock.now)) == (Code.CLOCK,)
        assert ledger.committer.view.position == before

    played(place, story)


@pytest.mark.parametrize(("days", "jumps"), [(30, False), (31, True)])
def test_a_start_after_a_long_rest_is_a_jump(place: Place, days: int, jumps: bool) -> None:  # noqa: FBT001  # a column
    """With no ticks to hold it against, a clock more than thirty days past the last entry has to be accepted."""

    async def play() -> None:
        await place.found()
        place.clock.move(days * DAY)
        async with place.running() as ledger:
            ledger.committer.clock.now_us()
            assert bool(ledger.committer.clock.ahead_us) is jumps
            if jumps:
                with pytest.raises(ClockBehind):
                    await ledger.do("evaluator", registered())
                await ledger.do("admin", c.AcceptClock(place.clock.now))
            await ledger.do("evaluator", registered())
        async with place.running() as ledger:
            await ledger.do("evaluator", registered("models/n"))

    asyncio.run(play())


def test_what_comes_with_the_acceptance_waits_or_is_dated_after_it(place: Place) -> None:
    """In one batch with it: a tightening goes through, anything else is asked again, and time only moves on."""

    async def story(ledger: Running) -> None:
        place.clock.jump(DAY)
        commands = (
            call("admin", c.AcceptClock(place.clock.now)),
            call("evaluator", registered()),
            place_hold(),
        )
        outcomes = await asyncio.gather(*(map(ledger.committer.submit, commands)), return_exceptions=True)

        assert not isinstance(outcomes[0], BaseException)
        assert not isinstance(outcomes[2], BaseException)
        assert isinstance(outcomes[1], ClockBehind) or not isinstance(outcomes[1], BaseException)
        await ledger.do("evaluator", registered("models/after"))

    played(place, story)


def test_a_clock_set_back_and_forth_is_no_jump() -> None:
    """Held against the anchor, not against the last look."""
    clock = HandClock()
    guarded = GuardedClock(clock, None)
    clock.jump(-5 * HOUR)
    assert (guarded.now_us(), guarded.ahead_us) == (clock.now, 0)
    clock.jump(5 * HOUR)

    assert (guarded.now_us(), guarded.ahead_us) == (clock.now, 0)


def test_a_log_that_is_ahead_at_the_start_makes_no_jump_of_the_mended_clock() -> None:
    """A clock found behind and then set right, up to the log's time and what has passed, has not jumped."""
    clock = HandClock()
    guarded = GuardedClock(clock, clock.now + 6 * HOUR * US)
    clock.move(600)
    clock.jump(6 * HOUR)

    assert (guarded.now_us(), guarded.ahead_us) == (clock.now, 0)


def test_a_replay_judges_an_acceptance() -> None:
    """`decide` takes none by somebody without the right, nor one that its own instant contradicts."""
    world = World.found()
    far = world.now + 400 * DAY * US

    world.now = far
    contradicted = world.attempt("admin", c.AcceptClock(far - HOUR * US - US))
    without_right = world.attempt("evaluator", c.AcceptClock(far))

    assert isinstance(contradicted, Refused)
    assert isinstance(without_right, Refused)
    assert [row.code for row in (*contradicted.unmet, *without_right.unmet)] == [Code.CLOCK, Code.RIGHT_MISSING]
    world.must("admin", c.AcceptClock(far))
