"""Request ids: the same request again gets the same answer, for a day, and nobody else's."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from interlock.service.errors import Refusal, RequestIdReused
from interlock.service.ledger.batch import REMEMBERED_US
from interlock.service.storage import schema
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from tests.unit.ledger.place import Place, call, place_hold


def test_the_same_request_is_answered_alike_and_done_once(place: Place) -> None:
    """A retry gets the first reply, byte for byte, and writes nothing."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            first = await ledger.committer.submit(place_hold(request_id="a"))
            again = await ledger.committer.submit(place_hold(request_id="a"))

            assert again == first
            assert ledger.committer.view.position == 2

    asyncio.run(play())


def test_two_copies_in_one_batch_are_one_request(place: Place) -> None:
    """Copies that wait together are done once."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            copies = [ledger.committer.submit(place_hold(request_id="a")) for _ in range(5)]
            replies = await asyncio.gather(*copies)

            assert all(reply == replies[0] for reply in replies)
            assert ledger.committer.view.position == 2

    asyncio.run(play())


def test_another_request_under_the_same_id_is_refused(place: Place) -> None:
    """An id belongs to the request that it came with first."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            await ledger.committer.submit(place_hold(request_id="a"))
            with pytest.raises(RequestIdReused):
                await ledger.committer.submit(replace(place_hold(request_id="a"), request_digest=b"other"))

    asyncio.run(play())


def test_an_id_is_one_principals_and_one_methods(place: Place) -> None:
    """The same id by somebody else, or at another method, is another request."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            await ledger.committer.submit(place_hold("-", request_id="a"))
            await ledger.committer.submit(replace(place_hold("-", request_id="a"), method="other"))
            await ledger.do("evaluator", c.Fire(f.ModelRegister("models/m")), request_id="a")

            assert ledger.committer.view.position == 4

    asyncio.run(play())


def test_a_refusal_is_not_remembered(place: Place) -> None:
    """Only good replies are: what was refused is decided anew."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            hold = call("owner-a", c.Fire(f.HoldPlace("models/m")), request_id="a")
            with pytest.raises(Refusal):
                await ledger.committer.submit(hold)
            await ledger.do("evaluator", c.Fire(f.ModelRegister("models/m")))
            await ledger.committer.submit(hold)

            assert ledger.committer.view.position == 3

    asyncio.run(play())


def test_an_answer_outlives_a_restart(place: Place) -> None:
    """A retry after a restart gets the reply of before."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            first = await ledger.committer.submit(place_hold(request_id="a"))
        async with place.running() as ledger:
            assert await ledger.committer.submit(place_hold(request_id="a")) == first

    asyncio.run(play())


def test_an_answer_is_forgotten_after_a_day(place: Place) -> None:
    """Past 24 hours the id is free again, and the old row is gone."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            await ledger.committer.submit(place_hold(request_id="a"))
            await ledger.committer.submit(place_hold(request_id="b"))
            place.clock.move_to(place.clock.now + REMEMBERED_US + 10)
            await ledger.committer.submit(place_hold(request_id="a"))

            assert ledger.committer.view.position == 4
            counted = select(func.count()).select_from(schema.REQUESTS)
            assert await ledger.store.read(lambda connection: connection.execute(counted).scalar()) == 1

    asyncio.run(play())
