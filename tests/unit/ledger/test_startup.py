"""Start-up: whatever was changed in the database or beside it is found, named, and stops writing and signing."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest

from interlock.service.ledger.checkpoints import CheckpointSigner
from interlock.service.ledger.startup import EmptyLogError, LogUnreadableError, open_log
from interlock.statemachine import snapshot
from interlock.statemachine.unmet import Code
from tests.support.world import key_of
from tests.unit.ledger.place import SIGNER, Place, place_hold
from tests.unit.ledger.story import tell
from tests.unit.ledger.told import write_story

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a ledger with a story, two checkpoints and a mark; not to be changed."""
    place = Place(tmp_path_factory.mktemp("written"))
    world, _ = tell()
    asyncio.run(write_story(place, world, checkpoints=True))
    return place.folder


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Place:
    """Return a copy of that ledger, to be changed."""
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    return Place(tmp_path)


def tamper(place: Place, *statements: str) -> None:
    """Change the database as an operator with a shell would: no foreign keys, no questions."""
    connection = sqlite3.connect(place.database)
    for statement in statements:
        assert connection.execute(statement).rowcount, statement
    connection.commit()
    connection.close()


def test_a_log_that_nobody_touched_is_believed(copy: Place) -> None:
    """The story opens healthy, with the fold and the root that it ended with."""
    world, _ = tell()

    opened = copy.open_log(copy.store())

    assert opened.health.ok
    assert opened.head.view.state == world.state
    assert opened.head.view.policy == world.policy
    assert opened.head.tree.frontier.root() == opened.head.view.root


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        # a flipped bit, in each place that bytes are kept
        (["UPDATE entries SET bytes = substr(bytes, 1, 20) || x'00' || substr(bytes, 22) WHERE seq = 5"], "entry 5"),
        (["UPDATE entries SET bytes = bytes || x'00' WHERE seq = 6"], "entry 6"),
        (["UPDATE tiles SET bytes = substr(bytes, 1, 64) || x'00' || substr(bytes, 66) WHERE level = 0"], "tile/0/000"),
        (["UPDATE snapshots SET bytes = replace(bytes, 'placed', 'lifted') WHERE resource = 'holds/1'"], "holds/1"),
        (["UPDATE objects SET bytes = bytes || x'00' WHERE length(bytes) < 1000"], "entry"),
        (["UPDATE checkpoints SET note = replace(note, '— ', '— x') WHERE size = 10"], "checkpoint 10"),
        # rows that are not the entry's
        (["UPDATE entries SET time = 5 WHERE seq = 7"], "entry 7"),
        (["UPDATE entries SET actor = 'principals/nobody' WHERE seq = 7"], "entry 7"),
        (["UPDATE entry_resources SET resource = 'models/x' WHERE seq = 2"], "entry 2"),
        (["UPDATE entry_triggers SET trigger = 'hold.lift' WHERE trigger = 'hold.place'"], "hold."),
        (["DELETE FROM entry_models WHERE model = 'models/n'"], "models/n"),
        (["INSERT INTO entry_models VALUES ('models/x', 4)"], "models/x"),
        (["DELETE FROM snapshots WHERE resource = 'models/m'"], "models/m"),
        (["INSERT INTO snapshots SELECT 'holds/9', 4, fold_version, bytes FROM snapshots LIMIT 1"], "holds/9"),
        (["INSERT INTO snapshots SELECT 'holds/9', 99, fold_version, bytes FROM snapshots LIMIT 1"], "snapshots"),
        (["INSERT INTO entry_models VALUES ('models/m', 99)"], "entry_models"),
        (["INSERT INTO tiles VALUES (1, 0, x'00')"], "tile/1/000"),
        (["DELETE FROM tiles"], "tile/0/000"),
        (["INSERT INTO tiles VALUES ('x', 0, x'00')"], "no tile"),
        # entries moved, taken out of the middle, put in
        (["DELETE FROM entries WHERE seq = 5"], "entry 5"),
        (["UPDATE entries SET seq = 99 WHERE seq = 5", "UPDATE entries SET seq = 5 WHERE seq = 6",
          "UPDATE entries SET seq = 6 WHERE seq = 99"], "entry 5"),
    ],
)  # fmt: skip
def test_a_change_of_the_database_is_found_and_named(copy: Place, statements: list[str], named: str) -> None:
    """Whatever an operator changes, the log opens for reading only, and says where it is wrong."""
    tamper(copy, *statements)

    opened = copy.open_log(copy.store())

    assert opened.health.code == Code.LEDGER
    assert named in opened.health.detail


def test_a_log_cut_at_its_end_is_rolled_back(copy: Place) -> None:
    """Taking the last entry out, cleanly, is found by the mark."""
    tamper(copy, "DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries)")

    assert copy.open_log(copy.store()).health.code == Code.LOG_ROLLED_BACK


def test_a_checkpoint_past_the_end_tells_of_a_rollback(copy: Place) -> None:
    """Where the mark has gone along with the entries, a checkpoint that was shown still tells."""
    tamper(copy, "DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries)", "DELETE FROM meta")
    copy.mark.path.unlink()

    assert copy.open_log(copy.store()).health.code == Code.LOG_ROLLED_BACK


def test_what_was_good_can_still_be_read(copy: Place) -> None:
    """With a bad entry, reads answer from the fold up to it; writes and signatures do not happen."""
    world, states = tell()
    tamper(copy, "UPDATE entries SET bytes = bytes || x'00' WHERE seq = 6")

    opened = copy.open_log(copy.store())

    assert opened.head.view.state == states[5]
    assert opened.head.view.policy == world.policy


def test_another_key_than_the_genesis_names_signs_nothing(copy: Place) -> None:
    """A server with the wrong log key does not serve this log."""
    wrong = CheckpointSigner(SIGNER.origin, key_of("somebody", "else"))
    tamper(copy, "DELETE FROM checkpoints")

    opened = open_log(copy.store(), copy.mark, wrong)

    assert opened.health.code == Code.LEDGER


def test_a_pack_that_is_not_the_one_adopted_is_no_policy(copy: Place) -> None:
    """Without its policy there is nothing that a server could answer: it does not start."""
    tamper(copy, "UPDATE objects SET bytes = replace(bytes, 'guarded', 'basic  ') WHERE length(bytes) > 1000")

    with pytest.raises(LogUnreadableError):
        open_log(copy.store(), copy.mark, SIGNER)


def test_an_empty_log_needs_a_founding(place: Place) -> None:
    """Without a genesis there is no log to open."""
    with pytest.raises(EmptyLogError):
        open_log(place.store(), place.mark, SIGNER)


def test_an_empty_database_beside_a_mark_is_a_rollback(copy: Place) -> None:
    """A fresh database where there was a log is not opened as if nothing had been."""
    for leftover in copy.folder.glob("interlock.db*"):
        leftover.unlink()

    with pytest.raises(LogUnreadableError):
        open_log(copy.store(), copy.mark, SIGNER)


def test_snapshots_of_another_fold_are_made_anew(copy: Place) -> None:
    """Rows that an older version wrote are replaced by what this one folds, and the past reads as it was."""
    world, states = tell()
    tamper(copy, "UPDATE snapshots SET fold_version = 1, bytes = x'00'")

    async def play() -> None:
        async with copy.running() as ledger:
            assert ledger.committer.health.ok
            assert (await ledger.committer.view_at(position=12)).state == states[12]
            await ledger.committer.submit(place_hold())

    copy.clock.now = world.now + 1
    asyncio.run(play())
    connection = sqlite3.connect(copy.database)
    assert connection.execute("SELECT DISTINCT fold_version FROM snapshots").fetchall() == [(snapshot.FOLD_VERSION,)]
    connection.close()


def test_snapshots_are_not_made_from_a_bad_log(copy: Place) -> None:
    """Where an entry is bad, old snapshots stay as they are, and the entry is named."""
    tamper(
        copy,
        "UPDATE snapshots SET fold_version = 1",
        "UPDATE entries SET bytes = bytes || x'00' WHERE seq = 6",
    )

    opened = copy.open_log(copy.store())

    assert opened.health.code == Code.LEDGER
    connection = sqlite3.connect(copy.database)
    assert connection.execute("SELECT count(*) FROM snapshots WHERE fold_version <> 1").fetchone() == (0,)
    connection.close()
