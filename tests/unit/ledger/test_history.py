"""The past and the present of the log: views at any position or time, following it, waiting for it, listing it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from interlock.proofs.merkle import Frontier, leaf_hash
from interlock.service.errors import NotFound, PositionNotReached, ShuttingDown
from interlock.service.storage import EntryFilter
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from tests.support.world import START_US
from tests.unit.ledger.place import Place, Running, place_hold
from tests.unit.ledger.story import M, N, tell
from tests.unit.ledger.told import write_story

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from interlock.service.storage import StoredEntry


def in_the_story(place: Place, play: Callable[[Running], Coroutine[Any, Any, None]]) -> None:
    """Run ``play`` on a ledger that holds the story."""
    world, _ = tell()

    async def run() -> None:
        await write_story(place, world)
        async with place.running() as ledger:
            await play(ledger)

    asyncio.run(run())


def test_every_past_view_is_the_fold_as_it_was(place: Place) -> None:
    """After each entry, by position and by time, the state with all its indexes and the root are those of then."""
    world, states = tell()

    async def play(ledger: Running) -> None:
        frontier = Frontier()
        for entry, data in zip(world.entries, world.encoded(), strict=True):
            frontier = frontier.append(leaf_hash(data))
            by_position = await ledger.committer.view_at(position=entry.seq)
            by_time = await ledger.committer.view_at(time=entry.time)
            assert by_position.state == by_time.state == states[entry.seq]
            assert by_position.root == by_time.root == frontier.root()
            assert by_position.policy == world.policy

    in_the_story(place, play)


def test_between_two_entries_the_earlier_one_counts(place: Place) -> None:
    """A time between two entries gives the view after the earlier; one past the last gives the head."""

    async def play(ledger: Running) -> None:
        head = ledger.committer.view
        before = await ledger.committer.view_at(time=head.state.time - 1)

        assert before.position == head.position - 1
        assert await ledger.committer.view_at(time=head.state.time + 10**9) is head
        assert await ledger.committer.view_at(position=head.position) is head

    in_the_story(place, play)


def test_there_is_no_view_before_the_log_or_past_its_head(place: Place) -> None:
    """Nobody gets an answer about a time when there was no log, or about an entry that is not there."""

    async def play(ledger: Running) -> None:
        with pytest.raises(NotFound):
            await ledger.committer.view_at(time=START_US - 1)
        with pytest.raises(PositionNotReached) as raised:
            await ledger.committer.view_at(position=10**6)
        assert raised.value.head == ledger.committer.view.position

    in_the_story(place, play)


def test_a_follower_gets_every_entry_once(place: Place) -> None:
    """One who follows the log while others write gets each entry in order, none twice, none left out."""

    async def play() -> list[int]:
        await place.found()
        async with place.running() as ledger:
            seen: list[int] = []

            async def follow() -> None:
                async for stored in ledger.committer.tail(-1, follow=True):
                    seen.append(stored.seq)
                    if stored.seq == 201:
                        return

            task = asyncio.create_task(follow())
            await asyncio.gather(*(ledger.committer.submit(place_hold()) for _ in range(200)))
            await task
            return seen

    assert asyncio.run(play()) == list(range(202))


def test_a_follower_ahead_of_the_log_waits_for_what_comes_after(place: Place) -> None:
    """One who already knows a position that is not there yet gets only what lies past it."""

    async def play() -> int:
        await place.found()
        async with place.running() as ledger:
            follower = ledger.committer.tail(3, follow=True)
            task = asyncio.ensure_future(anext(follower))
            for _ in range(4):
                await ledger.committer.submit(place_hold())
            first = await task
            await follower.aclose()
            return first.seq

    assert asyncio.run(play()) == 4


def test_followers_are_let_go_at_the_end(place: Place) -> None:
    """When the server stops, nobody waits for an entry that will not come."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            task = asyncio.ensure_future(anext(ledger.committer.tail(1, follow=True)))
            await asyncio.sleep(0)
            await ledger.committer.close()
            with pytest.raises(ShuttingDown):
                await task

    asyncio.run(play())


def test_waiting_for_a_position(place: Place) -> None:
    """A reader who has seen a position gets a view that includes it, or hears that it is not here."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            assert (await ledger.committer.wait_position(1, 0)).position == 1
            task = asyncio.create_task(ledger.committer.wait_position(2, 60))
            await ledger.committer.submit(place_hold())
            assert (await task).position == 2
            with pytest.raises(PositionNotReached):
                await ledger.committer.wait_position(3, 0)

    asyncio.run(play())


@pytest.mark.parametrize(
    ("wanted", "triggers"),
    [
        (EntryFilter(trigger="hold.place"), ["hold.place", "hold.place"]),
        (EntryFilter(trigger="hold.*"), ["hold.place", "hold.place", "change.sign"]),
        (EntryFilter(trigger="hold*", descending=True), ["change.sign", "hold.place", "hold.place"]),
        (EntryFilter(resource="holds/1"), ["hold.place"]),
        (
            EntryFilter(model=N),
            [
                "model.register", "change.propose", "change.submit", "change.withdraw", "deployment.record",
                "deployment.end",
            ],
        ),
        (EntryFilter(resource="deployments/1"), ["deployment.record"]),
        (
            EntryFilter(model=M, trigger="safeguard.*"),
            ["safeguard.start", "safeguard.verify", "change.sign", "safeguard.suspend"],
        ),
        (EntryFilter(model=M, trigger="hold.*"), ["hold.place"]),
        (EntryFilter(model=M, resource="assessments/1"), ["assessment.open", "determination.report"]),
        (EntryFilter(actor="principals/filter-monitor"), ["safeguard.suspend"]),
        (EntryFilter(actor="principals/filter-monitor", model=N), []),
        (EntryFilter(resource="models/m' OR '1'='1"), []),
        (EntryFilter(since=START_US + 10**12), []),
        (EntryFilter(until=START_US), []),
    ],
)  # fmt: skip
def test_entries_are_found_by_what_they_did(place: Place, wanted: EntryFilter, triggers: list[str]) -> None:
    """Each filter, alone and together, gives the entries it means, in the order asked for."""
    world, _ = tell()

    async def play(ledger: Running) -> None:
        found = await ledger.store.list_entries(wanted, limit=1000)
        assert [world.entries[stored.seq].transitions[0].trigger for stored in found] == triggers

    in_the_story(place, play)


def test_a_range_of_time_is_from_and_until(place: Place) -> None:
    """``since`` includes its instant, ``until`` does not; with other filters as alone."""
    world, _ = tell()
    first, last = world.entries[4], world.entries[9]

    async def play(ledger: Running) -> None:
        for model in ("", M):
            wanted = EntryFilter(model=model, since=first.time, until=last.time)
            found = [stored.seq for stored in await ledger.store.list_entries(wanted)]
            every = [stored.seq for stored in await ledger.store.list_entries(EntryFilter(model=model))]
            assert found == [seq for seq in every if first.seq <= seq < last.seq]

    in_the_story(place, play)


@pytest.mark.parametrize("descending", [False, True])
def test_pages_join_without_gap_or_repeat(place: Place, descending: bool) -> None:  # noqa: FBT001  # a table's column
    """Page by page, while new entries come in between, gives what one long list of the start gives."""

    async def play(ledger: Running) -> None:
        wanted = EntryFilter(model=M, descending=descending)
        head = ledger.committer.view.position
        whole = await ledger.store.list_entries(wanted, limit=1000)
        paged: list[StoredEntry] = []
        after: int | None = None
        while page := await ledger.store.list_entries(wanted, after=after, limit=3, head=head):
            paged += page
            after = page[-1].seq
            await ledger.committer.submit(place_hold(M))

        assert tuple(paged) == whole
        assert len(whole) > 9

    in_the_story(place, play)


def test_a_hold_on_everything_is_no_one_models(place: Place) -> None:
    """The trail of a model has the holds on it, not those on everything."""
    world, _ = tell()
    everything = next(e.seq for e in world.entries if e.command == c.Fire(f.HoldPlace("-")))

    async def play(ledger: Running) -> None:
        found = {stored.seq for stored in await ledger.store.list_entries(EntryFilter(model=M), limit=1000)}
        assert everything not in found

    in_the_story(place, play)
