"""The committer: order, durability, group commit, and what one caller's trouble does to the others."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from interlock.proofs.merkle import inclusion_proof, leaf_hash, verify_inclusion
from interlock.proofs.note import NoteVerifier, open_checkpoint
from interlock.proofs.tiles import TileReader
from interlock.service.errors import LedgerUnhealthy, LimitExceeded, Refusal, ShuttingDown, StoreUnavailable
from interlock.service.ledger.calls import Prepared
from interlock.service.ledger.tree import tile_reader
from interlock.service.storage import Store, queries
from interlock.service.storage.rows import Text
from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.unmet import Code, RefusalKind, refused
from tests.support.world import public_of
from tests.unit.ledger.faulty import Fault, FaultyStore
from tests.unit.ledger.place import SIGNER, Place, call, place_hold
from tests.unit.ledger.story import tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from interlock.service.ledger.view import View
    from interlock.statemachine.entry import Entry
    from tests.unit.ledger.place import Running


def no_object(digest: bytes) -> bytes:
    """Resolve nothing: for entries that name no content."""
    raise LookupError(digest)


def entry_of(data: bytes) -> Entry:
    """Decode an entry that names no content."""
    return codec.decode_entry(data, no_object)


def _ready(prepared: Prepared, _view: View, _instant: int) -> Prepared:
    return prepared


def _proof(index: int, size: int, connection: Connection) -> tuple[bytes, ...]:
    return inclusion_proof(index, size, TileReader(tile_reader(connection)).read_node)


async def _fill(ledger: Running) -> int:
    """Write until the store refuses, and return how many writes were answered."""
    for answered in range(10_000):
        try:
            await ledger.committer.submit(place_hold())
        except StoreUnavailable:
            return answered
    pytest.fail("the store never refused")


def faulty(place: Place, *faults: Fault) -> FaultyStore:
    """Return a store on a place whose next transactions fail so; start-up has none."""
    store = FaultyStore.open(f"sqlite:///{place.database}")
    store.faults = list(faults)
    return store


def test_an_answered_write_is_in_the_view_and_in_the_database(place: Place) -> None:
    """When ``submit`` returns, readers in memory and on disk have the entry."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            reply = await ledger.committer.submit(place_hold())

            assert ledger.committer.view.position == 2
            stored = await ledger.store.entry(2)
            assert stored is not None
            assert stored.data == reply.entry

    asyncio.run(play())


def test_the_ledger_writes_the_very_entries_of_the_pure_core(place: Place) -> None:
    """A story told to the committer gives byte for byte the entries that ``decide`` gave without it."""
    world, _ = tell()

    async def play() -> list[bytes]:
        await place.found()
        async with place.running() as ledger:
            for entry in world.entries[2:]:
                place.clock.move_to(entry.time)
                await ledger.committer.submit(call(entry.actor, entry.command, envelopes=entry.facts.envelopes))
            return [stored.data async for stored in ledger.committer.tail(-1)]

    assert asyncio.run(play())[2:] == world.encoded()[2:]


def test_times_increase_strictly_while_the_clock_stands_still(place: Place) -> None:
    """Entries made in the same microsecond get increasing times all the same."""

    async def play() -> list[int]:
        await place.found()
        async with place.running() as ledger:
            await asyncio.gather(*(ledger.committer.submit(place_hold()) for _ in range(20)))
            return [stored.time async for stored in ledger.committer.tail(-1)]

    times = asyncio.run(play())
    assert all(one < next_ for one, next_ in pairwise(times))


def test_what_waits_together_is_committed_together(place: Place) -> None:
    """Forty calls that wait at the same time take one transaction."""

    class Counting(Store):
        transactions = 0

        @contextmanager
        def transaction(self) -> Iterator[Connection]:
            """Count, and hand through."""
            type(self).transactions += 1
            with super().transaction() as connection:
                yield connection

    async def play() -> int:
        await place.found()
        async with place.running(Counting.open(f"sqlite:///{place.database}")) as ledger:
            before = Counting.transactions
            # A call that only loosens nothing and tightens nothing: no mark is written for it.
            name = "interlock.v1.TestService/Do"
            attempts = (call("auditor", c.AttemptRefused(name, bytes(32), (str(i),))) for i in range(40))
            await asyncio.gather(*(ledger.committer.submit(each) for each in attempts))
            return Counting.transactions - before

    assert asyncio.run(play()) == 1


def test_what_tightens_goes_first(place: Place) -> None:
    """Of calls that wait together, tightening ones get the lower positions."""

    async def play() -> list[str]:
        await place.found()
        async with place.running() as ledger:
            others = [
                ledger.committer.submit(call("evaluator", c.Fire(f.ModelRegister(f"models/m{i}")))) for i in range(3)
            ]
            await asyncio.gather(*others, ledger.committer.submit(place_hold()))
            entries = [entry_of(stored.data) async for stored in ledger.committer.tail(1)]
            return [entry.transitions[0].trigger for entry in entries]

    assert asyncio.run(play()) == ["hold.place", "model.register", "model.register", "model.register"]


def test_a_refusal_carries_everything_and_writes_nothing(place: Place) -> None:
    """What ``decide`` or ``prepare`` refuse is raised with its reasons, and the log stays as it is."""
    no = refused(RefusalKind.UNMET, Code.CONTENT, "something", "nothing")

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            with pytest.raises(Refusal) as decided:
                await ledger.do("auditor", c.Fire(f.HoldPlace("-")))
            with pytest.raises(Refusal) as prepared:
                await ledger.do("auditor", c.CloseGenesis(), prepare=lambda _view, _instant: no)

            assert [unmet.code for unmet in decided.value.refused.unmet] == [Code.RIGHT_MISSING]
            assert prepared.value.refused is no
            assert ledger.committer.view.position == 1

    asyncio.run(play())


def test_a_fault_in_one_call_fails_that_call_alone(place: Place) -> None:
    """A bug in one call's prepare or render reaches its own caller; those beside it are written."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            bad = call("admin", c.Fire(f.HoldPlace("-")), prepare=broken)
            worse = call("admin", c.Fire(f.HoldPlace("-")))
            object.__setattr__(worse, "render", broken)
            outcomes = await asyncio.gather(
                *(ledger.committer.submit(each) for each in (place_hold(), bad, worse, place_hold())),
                return_exceptions=True,
            )

            assert [type(outcome).__name__ for outcome in outcomes] == [
                "EntryRecord",
                "ZeroDivisionError",
                "ZeroDivisionError",
                "EntryRecord",
            ]
            assert ledger.committer.view.position == 3

    asyncio.run(play())


def test_the_view_at_the_head_is_the_one_before_in_the_same_batch(place: Place) -> None:
    """Each call is prepared at a view that has the calls before it, with the root at that size."""
    seen: list[tuple[int, bytes]] = []

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:

            def watch(view: View, _instant: int) -> Prepared:
                seen.append((view.position, view.root))
                return Prepared(c.Fire(f.HoldPlace("-")))

            calls = [place_hold(prepare=watch) for _ in range(3)]
            await asyncio.gather(*(ledger.committer.submit(each) for each in calls))
            for position, root in seen:
                assert (await ledger.committer.view_at(position=position)).root == root

    asyncio.run(play())
    assert [position for position, _ in seen] == [1, 2, 3]


def test_a_caller_who_goes_disturbs_nobody(place: Place) -> None:
    """Cancelled callers, early or late, leave the others' writes and answers alone."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            tasks = [asyncio.create_task(ledger.committer.submit(place_hold())) for _ in range(10)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

            assert all(task.cancelled() for task in tasks[::2])
            assert not any(task.cancelled() for task in tasks[1::2])
            await ledger.committer.submit(place_hold())

    asyncio.run(play())


def test_a_failed_commit_fails_the_batch_and_moves_nothing(place: Place) -> None:
    """When COMMIT fails, every caller of the batch is told so, the view stays, and the next batch is written."""

    async def play() -> None:
        await place.found()
        async with place.running(faulty(place, Fault.LOST)) as ledger:
            outcomes = await asyncio.gather(
                *(ledger.committer.submit(place_hold()) for _ in range(3)), return_exceptions=True
            )
            assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
            assert ledger.committer.view.position == 1

            await ledger.committer.submit(place_hold())
            assert ledger.committer.view.position == 2
            assert ledger.committer.health.ok

        assert place.open_log(place.store()).health.ok

    asyncio.run(play())


def test_a_commit_that_was_durable_although_it_failed_is_found(place: Place) -> None:
    """When a COMMIT that failed reached the disk, the next batch goes on behind it, and retries get its answer."""

    async def play() -> None:
        await place.found()
        async with place.running(faulty(place, Fault.DURABLE)) as ledger:
            hold = place_hold(request_id="once")
            with pytest.raises(StoreUnavailable):
                await ledger.committer.submit(hold)
            assert ledger.committer.view.position == 1

            again = await ledger.committer.submit(hold)
            assert entry_of(again.entry).seq == 2
            assert ledger.committer.view.position == 2
            assert ledger.committer.health.ok

        assert place.open_log(place.store()).health.ok

    asyncio.run(play())


@pytest.mark.fault
def test_a_full_disk_refuses_cleanly_and_goes_on_when_there_is_room(place: Place) -> None:
    """When the database can't grow, nothing is answered that is not durable; with room again, writing goes on."""

    def limit(pages: int, connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            await ledger.committer.side(partial(limit, 1))  # SQLite takes the present size where that is more
            answered = await _fill(ledger)
            assert ledger.committer.view.position == 1 + answered

            await ledger.committer.side(partial(limit, 1_000_000))
            await ledger.committer.submit(place_hold())
            assert ledger.committer.view.position == 2 + answered

        opened = place.open_log(place.store())
        assert opened.health.ok
        assert opened.head.view.position == 2 + answered

    asyncio.run(play())


def test_another_writer_on_the_log_stops_everything(place: Place) -> None:
    """A log that ends elsewhere than this process left it is believed no more: no write, no checkpoint."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            await ledger.committer.submit(place_hold())

            def cut(connection: Connection) -> None:
                for table in ("snapshots", "entry_resources", "entry_triggers", "entry_models", "entries"):
                    connection.execute(text(f"DELETE FROM {table} WHERE seq = 2"))  # noqa: S608  # names above

            await ledger.committer.side(cut)
            with pytest.raises(LedgerUnhealthy) as raised:
                await ledger.committer.submit(place_hold())

            assert raised.value.code == Code.LEDGER
            assert ledger.committer.health.code == Code.LEDGER
            with pytest.raises(LedgerUnhealthy):
                await ledger.committer.checkpoint()
            assert await ledger.committer.side(queries.head) == 1

    asyncio.run(play())


def test_side_work_is_durable_and_makes_no_entry(place: Place) -> None:
    """Side work commits in the writer's transaction, and fails alone."""

    def clash(connection: Connection) -> None:
        connection.execute(text("INSERT INTO meta (key, value) VALUES ('a', '1'), ('a', '2')"))

    def put(connection: Connection) -> str:
        connection.execute(text("INSERT INTO meta (key, value) VALUES ('b', '1')"))
        return "put"

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            outcomes = await asyncio.gather(
                ledger.committer.side(clash),
                ledger.committer.side(put),
                ledger.committer.submit(place_hold()),
                return_exceptions=True,
            )

            assert isinstance(outcomes[0], StoreUnavailable)
            assert outcomes[1] == "put"
            assert await ledger.store.read(lambda connection: queries.meta(connection, "a")) is None
            assert await ledger.store.read(lambda connection: queries.meta(connection, "b")) == "1"
            assert ledger.committer.view.position == 2

    asyncio.run(play())


def test_texts_and_contents_are_kept_beside_the_entry(place: Place) -> None:
    """Free text and content bytes are there under their digests once the entry is."""
    world, _ = tell()
    proposal = next(entry for entry in world.entries if isinstance(entry.command, c.ProposeChange))
    note = Text(b"d" * 32, b"s" * 32, "why", "reason")

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            for entry in world.entries[2 : proposal.seq + 1]:
                place.clock.move_to(entry.time)
                prepared = Prepared(entry.command, envelopes=entry.facts.envelopes, texts=(note,))
                await ledger.committer.submit(call(entry.actor, entry.command, prepare=partial(_ready, prepared)))
            change = ledger.committer.view.state.need("changes/1", r.Change)

            assert await ledger.store.text(note.digest) == note
            kept = await ledger.store.objects((change.content_digest, b"x" * 32))
            assert kept == {change.content_digest: change.content}

    asyncio.run(play())


def test_a_checkpoint_covers_every_answered_write_and_is_kept(place: Place) -> None:
    """A checkpoint verifies, has the head's root, proves inclusion by the stored tiles, and is stored."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            for _ in range(5):
                await ledger.committer.submit(place_hold())
            text_ = await ledger.committer.checkpoint()
            assert await ledger.committer.checkpoint() == text_

            checkpoint = open_checkpoint(text_, NoteVerifier(SIGNER.origin, public_of("log", "log")))
            assert checkpoint.size == 7
            stored = [entry.data async for entry in ledger.committer.tail(-1)]
            for index, data in enumerate(stored):
                proof = await ledger.store.read(partial(_proof, index, 7))
                verify_inclusion(leaf_hash(data), index, 7, proof, checkpoint.root)
            assert await ledger.store.read(lambda connection: queries.checkpoint(connection, 7)) == text_

    asyncio.run(play())


def test_nothing_new_is_taken_at_the_end_and_what_waits_is_finished(place: Place) -> None:
    """``close`` answers everyone who was in line, and refuses who comes later."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            task = asyncio.create_task(ledger.committer.submit(place_hold()))
            await asyncio.sleep(0)
            await ledger.committer.close()

            assert entry_of((await task).entry).seq == 2
            with pytest.raises(ShuttingDown):
                await ledger.committer.submit(place_hold())

    asyncio.run(play())


def test_the_line_is_bounded_but_never_for_what_tightens(place: Place) -> None:
    """Too many waiting writes are turned away at the door; a tightening one always gets in."""

    async def play() -> None:
        await place.found()
        place.max_waiting = 0
        async with place.running() as ledger:
            with pytest.raises(LimitExceeded):
                await ledger.do("evaluator", c.Fire(f.ModelRegister("models/m")))
            await ledger.committer.submit(place_hold())

    asyncio.run(play())
