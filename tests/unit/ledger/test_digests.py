"""When the server states digests: as many entries apart as was told, one where an export asks, none twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from interlock.service.ledger.digests import Digests, find_digest
from interlock.statemachine import codec, digest
from interlock.statemachine import commands as c
from tests.unit.ledger.place import Place, Running, call, place_hold

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LOG = structlog.wrap_logger(structlog.ReturnLogger())


def with_digests(place: Place, every: int, play: Callable[[Running, Digests], Awaitable[None]]) -> None:
    """Run a founded ledger with digests ``every`` so many entries."""

    async def run() -> None:
        async with place.running() as ledger:
            digests = Digests(ledger.committer, ledger.store, LOG, every)
            digests.start()
            await play(ledger, digests)
            await digests.close()

    asyncio.run(run())


def stated(place: Place) -> list[int]:
    """Return the positions of all digests in the log."""
    store = place.store()
    with store.reading() as connection:
        found, until = [], 10**6
        while (at := find_digest(connection, until)) >= 0:
            found.append(at)
            until = at - 1
    store.close()
    return found[::-1]


async def until_position(ledger: Running, position: int) -> None:
    """Wait until the log has an entry at a position."""
    await ledger.committer.wait_position(position, 30)


def test_one_is_stated_after_so_many_entries_and_half_as_many_as_there_are_resources(place: Place) -> None:
    """Both counts are entries since the digest before it."""
    asyncio.run(place.found())
    resources: list[int] = []

    async def play(ledger: Running, _digests: Digests) -> None:
        resources.append(len(ledger.committer.view.state.items))
        for _ in range(3 * resources[0]):
            await ledger.committer.submit(call("auditor", c.AttemptRefused("m", bytes(32), ())))
        await until_position(ledger, 3 * resources[0] + 2)

    with_digests(place, 5, play)
    found = stated(place)

    assert len(found) >= 2
    assert all(2 * (later - earlier) >= resources[0] for earlier, later in zip([0, *found], found, strict=False))


def test_the_first_look_finds_the_last_one_of_before(place: Place) -> None:
    """A restart does not begin to count anew: no digest is stated for its sake."""
    asyncio.run(place.found())

    async def play(ledger: Running, digests: Digests) -> None:
        for _ in range(80):
            await ledger.committer.submit(call("auditor", c.AttemptRefused("m", bytes(32), ())))
        await digests.at_head()

    async def again(ledger: Running, _digests: Digests) -> None:
        await ledger.committer.submit(place_hold())

    with_digests(place, 0, play)
    before = stated(place)
    with_digests(place, 5, again)

    assert len(before) == 1
    assert stated(place) == before


def test_one_that_is_asked_for_is_there_and_not_twice(place: Place) -> None:
    """Whoever asks again, with nothing written in between, gets the same one."""
    asyncio.run(place.found())

    async def play(ledger: Running, digests: Digests) -> None:
        await ledger.committer.submit(place_hold())
        before = ledger.committer.view
        first = await digests.at_head()
        again = await digests.at_head()
        stored = await ledger.store.entry(first)
        assert stored is not None
        assert codec.decode_entry(stored.data, lambda _: b"").command == digest.digest_of(before.state)
        assert (first, again) == (before.position + 1, first)
        assert await digests.last(first - 1) == -1

    with_digests(place, 0, play)

    assert len(stated(place)) == 1


def test_a_restart_decides_digests_again(place: Place) -> None:
    """Start-up reads them as any other entry: a log with digests opens well."""
    asyncio.run(place.found())

    async def play(_ledger: Running, digests: Digests) -> None:
        await digests.at_head()

    with_digests(place, 0, play)
    store = place.store()

    assert place.open_log(store).health.ok
    store.close()
