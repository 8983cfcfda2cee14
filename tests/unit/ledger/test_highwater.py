"""The high-water mark: on the disk before a tightening is answered, and what a start makes of it."""

from __future__ import annotations

import asyncio
import json
import shutil

import pytest

from interlock.proofs.merkle import EMPTY_ROOT
from interlock.service.errors import LedgerUnhealthy, StoreUnavailable
from interlock.service.ledger.highwater import HighWaterMark, Mark, MarkError
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine.unmet import Code
from tests.unit.ledger.place import Place, place_hold


class BrokenMark(HighWaterMark):
    """A mark on a volume that has gone."""

    broken = False

    def advance(self, mark: Mark) -> None:
        """Fail while broken."""
        if self.broken:
            raise OSError("no such device")
        super().advance(mark)


def test_a_mark_comes_back_as_it_was_written(place: Place) -> None:
    """Size and root survive, and a smaller tree does not move the mark."""
    place.mark.advance(Mark(7, b"r" * 32))
    mark = place.mark

    assert mark.load() == Mark(7, b"r" * 32)
    mark.advance(Mark(6, b"s" * 32))
    assert place.mark.load() == Mark(7, b"r" * 32)
    assert [path.name for path in place.folder.iterdir()] == ["highwater.json"]


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"size":1}', b'{"size":-1,"root":"' + b"0" * 64 + b'"}', b'{"size":1,"root":"00"}',
             b'{"size":true,"root":"' + b"0" * 64 + b'"}', b'{"size":1,"root":7}', b"\xff",
             b"[" * 100_000]
)  # fmt: skip
def test_a_file_that_is_no_mark_is_refused(place: Place, data: bytes) -> None:
    """Whatever is not size and root in JSON is an error, never a mark."""
    place.mark.path.write_bytes(data)

    with pytest.raises(MarkError):
        place.mark.load()


def test_a_tightening_is_answered_after_its_mark(place: Place) -> None:
    """When a hold is acknowledged, the file already has its size and root."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            for _ in range(3):
                await ledger.committer.submit(place_hold())
                view = ledger.committer.view
                assert place.mark.load() == Mark(view.state.size, view.root)

    asyncio.run(play())


def test_a_tightening_without_its_mark_is_not_answered_yet_works(place: Place) -> None:
    """Without its mark a hold is in force, but its caller hears that it is not safe; a retry tries again."""
    mark = BrokenMark(place.mark.path)

    async def play() -> None:
        await place.found()
        async with place.running(mark=mark) as ledger:
            mark.broken = True
            with pytest.raises(StoreUnavailable):
                await ledger.committer.submit(place_hold(request_id="a"))
            assert ledger.committer.view.state.holds_on("models/any") == ("holds/1",)
            with pytest.raises(StoreUnavailable):
                await ledger.committer.submit(place_hold(request_id="a"))

            mark.broken = False
            await ledger.committer.submit(place_hold(request_id="a"))
            assert place.mark.load() == Mark(3, ledger.committer.view.root)

    asyncio.run(play())


def test_the_end_of_a_run_puts_the_mark_at_the_head(place: Place) -> None:
    """Also entries that do not tighten are under the mark once the server has stopped."""

    async def play() -> None:
        await place.found()
        async with place.running() as ledger:
            await ledger.do("evaluator", c.Fire(f.ModelRegister("models/m")))

        assert place.mark.load() is not None
        assert place.mark.load().size == 3  # type: ignore[union-attr]  # checked above

    asyncio.run(play())


def test_a_database_set_back_is_noticed(place: Place) -> None:
    """A backup put in place of a later database: everything can be read, nothing written, signed or allowed."""

    async def play() -> None:
        await place.found()
        shutil.copy(place.database, place.folder / "backup")
        async with place.running() as ledger:
            await ledger.committer.submit(place_hold())
        for leftover in place.folder.glob("interlock.db*"):
            leftover.unlink()
        shutil.copy(place.folder / "backup", place.database)

        async with place.running() as ledger:
            assert ledger.committer.health.code == Code.LOG_ROLLED_BACK
            assert ledger.committer.view.position == 1
            with pytest.raises(LedgerUnhealthy) as raised:
                await ledger.committer.submit(place_hold())
            assert raised.value.code == Code.LOG_ROLLED_BACK
            with pytest.raises(LedgerUnhealthy):
                await ledger.committer.checkpoint()
        assert place.mark.load() is not None
        assert place.mark.load().size == 3  # type: ignore[union-attr]  # checked above

    asyncio.run(play())


def test_another_history_of_the_same_length_is_noticed(place: Place) -> None:
    """A log as long as the mark says, with another root there, is not the log that was seen."""
    asyncio.run(place.found())
    place.mark.path.write_text(json.dumps({"size": 2, "root": EMPTY_ROOT.hex()}))

    assert place.open_log(place.store()).health.code == Code.LOG_ROLLED_BACK


@pytest.mark.parametrize("content", [None, b"garbage"])
def test_a_mark_taken_away_or_spoilt_is_noticed(place: Place, content: bytes | None) -> None:
    """Without the mark that it had, nobody can say what a log has lost."""
    asyncio.run(place.found())
    place.mark.path.unlink()
    if content is not None:
        place.mark.path.write_bytes(content)

    assert place.open_log(place.store()).health.code == Code.LOG_ROLLED_BACK


def test_a_mark_behind_the_log_is_fine(place: Place) -> None:
    """Killed between commit and mark, a log is longer than its mark: that is no rollback, and the mark catches up."""

    async def play() -> None:
        await place.found()
        early = place.mark.path.read_bytes()
        async with place.running() as ledger:
            await ledger.committer.submit(place_hold())
        place.mark.path.write_bytes(early)

        async with place.running() as ledger:
            assert ledger.committer.health.ok
        assert place.mark.load() is not None
        assert place.mark.load().size == 3  # type: ignore[union-attr]  # checked above

    asyncio.run(play())
