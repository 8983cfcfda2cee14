"""The key of a ledger changes: which checkpoints are signed by which key, on the disk and at the next start."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from interlock.proofs import keys
from interlock.service.errors import LedgerUnhealthy, Refusal
from interlock.service.ledger.checkpoints import CheckpointSigner
from interlock.service.storage import queries, writes
from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine.unmet import Code
from tests.support.log_keys import QUORUM, consents, new_key, rotation
from tests.support.world import DAY_US, LOG_ID, World, envelope, key_of, public_of
from tests.unit.ledger.place import POLICY, SIGNER, Place, Running, place_hold

if TYPE_CHECKING:
    from pathlib import Path

BOTH = CheckpointSigner(SIGNER.origin, key_of("log", "log"), lambda: key_of("second", "log"))
NEW = CheckpointSigner(SIGNER.origin, key_of("second", "log"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give a place for a ledger whose server has both keys."""
    assert BOTH.has(public_of("second", "log"))
    return Place(tmp_path, signer=BOTH)


async def name_key(ledger: Running, last: e.TreeHead) -> None:
    """Have the quorum name the second key."""
    end = max(ledger.clock.now_us(), ledger.committer.view.state.time) + DAY_US
    data = codec.encode_recovery(e.RecoveryDocument(LOG_ID, (), end, b"once", new_key("second", last)))
    name = f"principals/{QUORUM[0]}"
    actor = c.Actor(name, keys.fingerprint(public_of(name, "recovery")))
    await ledger.do(actor, c.Recover(data), envelopes=consents(data, *QUORUM))  # type: ignore[arg-type]  # an actor


async def rotate(ledger: Running, word: str = "second", old: str = "log") -> None:
    """Have people rotate the key."""
    change = await proposed(ledger, word, old)
    await sign(ledger, "owner-a", change)
    await sign(ledger, "reviewer-a", change)


async def proposed(ledger: Running, word: str = "second", old: str = "log") -> str:
    """Have a rotation proposed; return the change."""
    world = seen(ledger)
    await ledger.do("evaluator", c.ProposeChange(world.content(rotation(word, old))))
    return world.state.next_name("changes")


async def sign(ledger: Running, who: str, change: str) -> None:
    """Have somebody sign."""
    statement = seen(ledger).statement(who, change)
    await ledger.do(who, c.SignOffChange(change), envelopes=(envelope(who, statement),))


def seen(ledger: Running) -> World:
    """Return what a client sees of a ledger."""
    state = ledger.committer.view.state
    return World(POLICY, {}, state, max(ledger.clock.now_us(), state.time), nonces=state.size)


async def heads(ledger: Running) -> dict[int, bytes]:
    """Return who signed each checkpoint that is kept, by size."""
    known = BOTH.history(ledger.committer.view.state.log)
    rows = await ledger.store.read(lambda connection: dict(queries.checkpoints(connection)))
    return {size: known.open(note)[1][0] for size, note in rows.items()}


async def grown(ledger: Running) -> e.TreeHead:
    """Write entries, each with a checkpoint; return the head of the first."""
    first = ledger.committer.view
    for _ in range(3):
        await ledger.committer.checkpoint()
        await ledger.committer.submit(place_hold())
    return e.TreeHead(first.state.size, first.root)


def test_heads_past_the_end_of_the_old_key_are_signed_anew(place: Place) -> None:
    """Every checkpoint that was ever shown can still be listed, and each is by a key that may sign it."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            last = await grown(ledger)
            await name_key(ledger, last)
            await ledger.committer.checkpoint()

            old, new = public_of("log", "log"), public_of("second", "log")
            assert await heads(ledger) == {2: old, 3: new, 4: new, 6: new}
        assert place.open_log(place.store()).health.ok
        place.signer = NEW
        async with place.running() as ledger:
            assert ledger.committer.health.ok
            await ledger.committer.submit(place_hold())
            assert (await heads(ledger))[2] == public_of("log", "log")

    asyncio.run(play())


def test_a_head_that_waits_to_be_signed_is_signed_by_the_key_of_then(place: Place) -> None:
    """A checkpoint asked for before the change and signed after it is by the new key."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            view = ledger.committer.view
            last = e.TreeHead(view.state.size, view.root)
            waiting = asyncio.ensure_future(ledger.committer.submit(place_hold()))
            naming = asyncio.ensure_future(name_key(ledger, last))
            await asyncio.gather(waiting, naming)
            note = await ledger.committer.sign_head(view.state.size, view.root)

            _, signers = BOTH.history(ledger.committer.view.state.log).open(note)
            assert signers == (public_of("second", "log"),)

    asyncio.run(play())


def test_an_old_signature_past_its_end_is_found_at_the_start(place: Place) -> None:
    """A thief of the old key who can write to the database puts a checkpoint there: nothing is relied on."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            last = await grown(ledger)
            await name_key(ledger, last)
            view = ledger.committer.view
            note = SIGNER.sign(public_of("log", "log"), view.state.size, view.root)
            await ledger.committer.side(partial(writes.put_checkpoint, size=view.state.size, note=note))

    asyncio.run(play())

    opened = place.open_log(place.store())
    assert opened.health.code == Code.LEDGER
    assert "LOG_KEY_ENDED" in opened.health.detail


def test_only_the_old_key_at_hand(place: Place) -> None:
    """A server that was given the old key alone reads, denies, and signs nothing."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            last = await grown(ledger)
            await name_key(ledger, last)
        place.signer = SIGNER
        async with place.running() as ledger:
            assert ledger.committer.health.code == Code.LEDGER
            with pytest.raises(LedgerUnhealthy):
                await ledger.committer.checkpoint()

    asyncio.run(play())


def test_a_checkpoint_that_the_database_invented_is_not_signed_anew(place: Place) -> None:
    """What is signed anew are the heads of this tree, whatever the rows say."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            last = await grown(ledger)
            forged = SIGNER.sign(public_of("log", "log"), 4, bytes(32))

            def forge(connection) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001  # a connection
                connection.execute(text("UPDATE checkpoints SET note = :note WHERE size = 4"), {"note": forged})

            await ledger.committer.side(forge)
            await name_key(ledger, last)
        assert place.open_log(place.store()).health.ok

    asyncio.run(play())


# Rotated by a change ----------------------------------------------------------------------------------------------


def test_heads_around_a_rotation(place: Place) -> None:
    """What was there before the entry is signed by the old key, what has it by the new; nothing is signed anew."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            await grown(ledger)
            before = await heads(ledger)
            await rotate(ledger)
            await ledger.committer.checkpoint()

            assert await heads(ledger) == {**before, ledger.committer.view.state.size: public_of("second", "log")}
            assert set(before.values()) == {public_of("log", "log")}
        assert place.open_log(place.store()).health.ok
        place.signer = NEW
        async with place.running() as ledger:
            assert ledger.committer.health.ok
            await ledger.committer.submit(place_hold())
            await ledger.committer.checkpoint()

    asyncio.run(play())


def test_requests_in_flight_around_a_rotation(place: Place) -> None:
    """Asked for before, with and after the sign-off that applies it: each head is by a key that may sign it."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            change = await proposed(ledger)
            await sign(ledger, "owner-a", change)
            jobs: list[object] = []
            for number in range(12):
                jobs += [ledger.committer.submit(place_hold()), ledger.committer.checkpoint()]
                jobs += [sign(ledger, "reviewer-a", change)] if number == 5 else []
            done = await asyncio.gather(*jobs)  # type: ignore[call-overload]  # of several kinds
            notes = [row for row in done if isinstance(row, str)]

            state = ledger.committer.view.state
            assert state.log.log_key == public_of("second", "log")
            assert len(notes) == 12
            for note in notes:
                found, signers = BOTH.history(state.log).open(note)
                assert signers == (public_of("second", "log"),) or found.size <= state.log.retired[-1].last_size
            assert await heads(ledger)
        assert place.open_log(place.store()).health.ok

    asyncio.run(play())


def test_a_key_that_waits_no_more_is_not_put_in_force(place: Place) -> None:
    """It was read before, and is gone from the disk: the next start would have no key; so the sign-off is refused."""
    waiting = [key_of("second", "log")]
    place.signer = CheckpointSigner(SIGNER.origin, key_of("log", "log"), lambda: waiting[-1] if waiting else None)
    assert place.signer.has(public_of("second", "log"))

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            change = await proposed(ledger)
            await sign(ledger, "owner-a", change)
            size = ledger.committer.view.state.size
            for there in ([], [key_of("third", "log")]):
                waiting[:] = there
                with pytest.raises(Refusal) as no:
                    await sign(ledger, "reviewer-a", change)
                assert [row.code for row in no.value.refused.unmet] == [Code.LOG_KEY_FILE]
            assert ledger.committer.view.state.size == size

            waiting[:] = [key_of("second", "log")]
            await sign(ledger, "reviewer-a", change)
            assert ledger.committer.view.state.log.log_key == public_of("second", "log")

    asyncio.run(play())


def test_an_old_signature_of_a_tree_with_the_entry_is_found_at_the_start(place: Place) -> None:
    """Somebody who kept the old key and can write to the database: nothing is relied on."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            await rotate(ledger)
            view = ledger.committer.view
            note = SIGNER.sign(public_of("log", "log"), view.state.size, view.root)
            await ledger.committer.side(partial(writes.put_checkpoint, size=view.state.size, note=note))

    asyncio.run(play())

    opened = place.open_log(place.store())
    assert opened.health.code == Code.LEDGER
    assert "LOG_KEY_ENDED" in opened.health.detail


def test_a_server_with_the_old_key_alone_signs_nothing(place: Place) -> None:
    """It reads, and says which key is not there."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            await rotate(ledger)
        place.signer = SIGNER
        async with place.running() as ledger:
            assert ledger.committer.health.code == Code.LEDGER
            assert "log-next.key" in ledger.committer.health.detail
            with pytest.raises(LedgerUnhealthy):
                await ledger.committer.checkpoint()
            with pytest.raises(LedgerUnhealthy):
                await ledger.committer.submit(place_hold())

    asyncio.run(play())
