"""A client that has seen more of a log believes no server that shows less."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from interlock.client.errors import ForkError, RollbackError
from interlock.client.memory import Memory, Seen

LOG = bytes(range(16))


def _checkpoint(size: int, mark: int = 1) -> tuple[int, bytes, str]:
    """Return size, root and note of a checkpoint."""
    return size, bytes([mark]) * 32, f"note of {size} by {mark}"


def test_a_new_profile_has_seen_nothing(tmp_path: Path) -> None:
    """Without a file every log is welcome."""
    assert Memory(tmp_path, LOG).load() == Seen()
    assert Seen().least_position == -1


def test_what_one_process_sees_the_next_one_knows(tmp_path: Path) -> None:
    """The highest position and the largest checkpoint stay in the folder, readable by their owner only."""
    first = Memory(tmp_path, LOG)
    first.check_position(7, first.load())
    first.check_checkpoint(*_checkpoint(9))

    seen = Memory(tmp_path, LOG).load()

    assert (seen.position, seen.size, seen.root) == (7, 9, "01" * 32)
    assert seen.least_position == 8
    assert stat.S_IMODE((tmp_path / "seen.json").stat().st_mode) == 0o600


def test_an_answer_from_a_shorter_log_is_refused(tmp_path: Path) -> None:
    """A position below what was seen before the question means that entries are gone."""
    memory = Memory(tmp_path, LOG)
    memory.check_position(7, memory.load())

    with pytest.raises(RollbackError) as caught:
        memory.check_position(6, memory.load())

    assert caught.value.reason == "LOG_ROLLED_BACK"


def test_an_answer_that_was_overtaken_is_no_rollback(tmp_path: Path) -> None:
    """What counts is what was seen when the question was sent, not what another process saw meanwhile."""
    memory = Memory(tmp_path, LOG)
    before = memory.load()
    other = Memory(tmp_path, LOG)
    other.check_position(9, other.load())

    memory.check_position(8, before)

    assert Memory(tmp_path, LOG).load().position == 9


def test_a_smaller_checkpoint_is_refused(tmp_path: Path) -> None:
    """Neither below an earlier checkpoint nor below a position that was seen."""
    memory = Memory(tmp_path, LOG)
    memory.check_checkpoint(*_checkpoint(5))
    memory.check_position(7, memory.load())

    for size in (4, 7):
        with pytest.raises(RollbackError) as caught:
            memory.check_checkpoint(*_checkpoint(size))
        assert caught.value.reason == "LOG_ROLLED_BACK"
    memory.check_checkpoint(*_checkpoint(8))


def test_two_roots_of_one_size_are_a_fork(tmp_path: Path) -> None:
    """One log has one root a size."""
    memory = Memory(tmp_path, LOG)
    memory.check_checkpoint(*_checkpoint(5))
    memory.check_checkpoint(*_checkpoint(5))

    with pytest.raises(ForkError) as caught:
        memory.check_checkpoint(*_checkpoint(5, mark=2))

    assert caught.value.reason == "LOG_FORKED"
    assert caught.value.notes == ("note of 5 by 1", "note of 5 by 2")
    assert json.loads(Path(caught.value.kept).read_text()) == {"notes": ["note of 5 by 1", "note of 5 by 2"]}
    assert memory.load().root == "01" * 32


def test_the_memory_of_another_log_does_not_count(tmp_path: Path) -> None:
    """A profile that is made anew for another log starts anew."""
    other = Memory(tmp_path, bytes(16))
    other.check_position(99, other.load())

    assert Memory(tmp_path, LOG).load() == Seen()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        "\xff",
        f'{{"log_id": "{LOG.hex()}", "position": "x"}}',
        f'{{"log_id": "{LOG.hex()}", "position": 1e999, "size": 0, "root": ""}}',
    ],
)
def test_a_damaged_memory_is_not_taken_for_an_empty_one(tmp_path: Path, content: str) -> None:
    """Whoever can empty the file must not thereby make a rollback pass."""
    (tmp_path / "seen.json").write_bytes(content.encode("latin-1"))

    with pytest.raises(RollbackError) as caught:
        Memory(tmp_path, LOG).load()

    assert caught.value.reason == "MEMORY"


def test_a_folder_that_is_not_ours_to_write_is_no_failure() -> None:
    """With a read-only profile the process remembers for itself."""
    memory = Memory(Path("/sys"), LOG)

    memory.check_position(7, memory.load())

    with pytest.raises(RollbackError):
        memory.check_position(6, memory.load())


def test_the_file_says_which_log_it_is_about(tmp_path: Path) -> None:
    """The kept values are plain JSON."""
    memory = Memory(tmp_path, LOG)
    memory.check_position(3, memory.load())

    assert json.loads((tmp_path / "seen.json").read_text()) == {
        "log_id": LOG.hex(),
        "position": 3,
        "size": 0,
        "root": "",
        "note": "",
    }
