"""A ledger whose database was set back: it goes on when the recovery quorum accepts what was lost, and not before."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from interlock.proofs import keys
from interlock.service.errors import LedgerUnhealthy, Refusal
from interlock.service.ledger.checkpoints import CheckpointSigner
from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine.unmet import Code
from tests.support.log_keys import QUORUM, consents, new_key
from tests.support.world import DAY_US, LOG_ID, key_of, public_of
from tests.unit.ledger.place import Place, Running, call, place_hold
from tests.unit.ledger.test_log_keys import BOTH, rotate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from interlock.service.ledger.highwater import Mark


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give a place whose log had four entries, and has two of them again."""
    assert BOTH.has(public_of("second", "log"))
    place = Place(tmp_path, signer=BOTH)

    async def play() -> None:
        await place.found()
        shutil.copy(place.database, place.folder / "backup")
        async with place.running() as ledger:
            for _ in range(2):
                await ledger.committer.submit(place_hold())
        set_back(place)

    asyncio.run(play())
    return place


def set_back(place: Place) -> None:
    """Put the backup in the database's place."""
    for leftover in place.folder.glob("interlock.db*"):
        leftover.unlink()
    shutil.copy(place.folder / "backup", place.database)


def marked(place: Place) -> Mark:
    """Return the high-water mark."""
    mark = place.mark.load()
    assert mark is not None
    return mark


async def accept(ledger: Running, lost: Mark, word: bytes = b"once", named: str = "second") -> None:
    """Have the quorum accept a loss, as the server takes it."""
    view = ledger.committer.view
    end = max(ledger.clock.now_us(), view.state.time) + DAY_US
    key, gone = new_key(named, e.TreeHead(view.state.size, view.root)), e.TreeHead(lost.size, lost.root)
    data = codec.encode_recovery(e.RecoveryDocument(LOG_ID, (), end, word, key, gone))
    name = f"principals/{QUORUM[0]}"
    actor = c.Actor(name, keys.fingerprint(public_of(name, "recovery")))
    one = call(actor, c.Recover(data), envelopes=consents(data, *QUORUM), tightening=True, restores=True)
    await ledger.committer.submit(one)


def test_it_goes_on_from_what_was_restored(place: Place) -> None:
    """The entry is durable, the mark is at the shorter tree before anybody is answered, and the next start is well."""

    async def play() -> None:
        lost = marked(place)
        async with place.running() as ledger:
            assert (ledger.committer.health.code, ledger.committer.lost) == (Code.LOG_ROLLED_BACK, lost)
            with pytest.raises(LedgerUnhealthy):
                await ledger.committer.submit(place_hold())

            await accept(ledger, lost)

            assert ledger.committer.health.ok
            assert (marked(place).size, ledger.committer.view.state.size) == (3, 3)
            note = await ledger.committer.checkpoint()
            assert BOTH.history(ledger.committer.view.state.log).open(note)[1] == (public_of("second", "log"),)
            await ledger.committer.submit(place_hold())
        assert place.open_log(place.store()).health.ok
        assert marked(place).size == 4

    asyncio.run(play())


def test_killed_between_the_entry_and_the_mark(place: Place) -> None:
    """The log says that just this head was accepted as lost: the start is well, and puts the mark where it belongs."""

    async def play() -> None:
        old = place.mark.path.read_bytes()
        async with place.running() as ledger:
            await accept(ledger, marked(place))
        place.mark.path.write_bytes(old)

        async with place.running() as ledger:
            assert ledger.committer.health.ok
            await ledger.committer.submit(place_hold())
        assert marked(place).size == 4

    asyncio.run(play())


def test_the_next_loss_is_another_one(place: Place) -> None:
    """What was accepted once says nothing of what is lost later: the log denies again."""

    async def play() -> None:
        async with place.running() as ledger:
            await accept(ledger, marked(place))
            await ledger.committer.submit(place_hold())
        set_back(place)

        async with place.running() as ledger:
            assert ledger.committer.health.code == Code.LOG_ROLLED_BACK
            assert ledger.committer.lost == marked(place)

    asyncio.run(play())


SPOILT: dict[str, Callable[[Place], None]] = {
    "a row edited": lambda place: _sql(place, "UPDATE entries SET actor = 'principals/x' WHERE seq = 1"),
    "no mark": lambda place: place.mark.path.unlink(),
    "a mark of nothing": lambda place: _write(place, b"{}"),
}


def _sql(place: Place, statement: str) -> None:
    with place.store().transaction() as connection:
        connection.execute(text(statement))


def _write(place: Place, data: bytes) -> None:
    place.mark.path.write_bytes(data)


@pytest.mark.parametrize("spoilt", SPOILT)
def test_no_other_fault_can_be_accepted(spoilt: str, place: Place) -> None:
    """A log that disagrees with itself, or of which nobody knows what it lost, is for somebody to look at."""
    lost = marked(place)
    SPOILT[spoilt](place)

    async def play() -> None:
        async with place.running() as ledger:
            assert not ledger.committer.health.ok
            assert ledger.committer.lost is None
            with pytest.raises(LedgerUnhealthy):
                await accept(ledger, lost)

    asyncio.run(play())


def _edit(connection: Connection) -> None:
    connection.execute(text("UPDATE entries SET bytes = bytes || x'00' WHERE seq = 1"))


def test_a_fault_found_meanwhile_can_not_be_accepted(place: Place) -> None:
    """The end of the log is looked at in the very transaction that would accept the loss."""

    async def play() -> None:
        lost = marked(place)
        async with place.running() as ledger:
            await ledger.committer.side(_edit)
            with pytest.raises(LedgerUnhealthy):
                await accept(ledger, lost)
            assert ledger.committer.health.code == Code.LEDGER

    asyncio.run(play())


def test_set_back_to_before_a_rotation(tmp_path: Path) -> None:
    """The log names a key that is gone: a third one goes on, never the one whose heads are lost."""
    place = Place(tmp_path, signer=BOTH)

    async def play() -> None:
        await place.found()
        shutil.copy(place.database, place.folder / "backup")
        async with place.running() as ledger:
            await rotate(ledger)
            await ledger.committer.checkpoint()
        set_back(place)
        place.signer = CheckpointSigner(BOTH.origin, key_of("second", "log"), lambda: key_of("third", "log"))
        async with place.running() as ledger:
            lost = marked(place)
            assert (ledger.committer.health.code, ledger.committer.lost) == (Code.LOG_ROLLED_BACK, lost)
            with pytest.raises(LedgerUnhealthy):
                await ledger.committer.checkpoint()
            with pytest.raises(Refusal):
                await accept(ledger, lost, b"again", "second")

            await accept(ledger, lost, named="third")

            assert ledger.committer.health.ok
            note = await ledger.committer.checkpoint()
            keys_now = place.signer.history(ledger.committer.view.state.log)
            assert keys_now.open(note)[1] == (public_of("third", "log"),)
        assert place.open_log(place.store()).health.ok

    asyncio.run(play())
