"""A decision of a second real server: another log that has the same people, model, context, artifact and numbers."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from interlock.client import Interlock, InvalidRequestError
from tests.integration.cli_runner import SHA256, Cli, Outcome
from tests.support.server import ServerThread, copy_of, install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

QUESTION = ("-c", "internal", "-a", SHA256)


class Side(Cli):
    """The command line for everybody of one of the two servers, whose profiles have the same names."""

    def __call__(self, who: str, *words: str) -> Outcome:
        """Run a command as somebody of this side."""
        return super().__call__(str(self.server.home / who), *words)

    @property
    def log_id(self) -> str:
        """Id of this side's log."""
        return self.server.profile("release-bot").log_id

    @property
    def decision_key(self) -> str:
        """Key of this side's decisions."""
        return self.server.profile("release-bot").decision_key


@dataclass(frozen=True, slots=True)
class Two:
    """Both allow `m`; ``mine`` and ``other`` are the files of their `decisions/1`."""

    ours: Side
    theirs: Side
    mine: Path
    other: Path


@pytest.fixture
def two(installations: Callable[[str], Path], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Two]:
    """Serve two logs, and have each decide."""
    with ExitStack() as stack:
        sides: list[Side] = []
        files: list[Path] = []
        for name, data in (
            ("ours", copy_of(installations("minimal"), tmp_path / "ours")),
            ("theirs", install(tmp_path / "theirs")),
        ):
            work = tmp_path / f"{name}-work"
            work.mkdir()
            side = Side(stack.enter_context(ServerThread(data)), capsys, work)
            side.release("m")
            files.append(work / "m.decision")
            asked = side.must("release-bot", "gate", "check", "m", *QUESTION, "--decision", str(files[-1]))
            assert "recorded as decisions/1" in asked.out
            sides.append(side)
        yield Two(sides[0], sides[1], files[0], files[1])


def faults(side: Side, file: Path, *words: str) -> list[str]:
    """Judge a file on a side; return its faults."""
    done = side("release-bot", "gate", "verify", str(file), *QUESTION, "--model", "m", "--json", *words)
    assert done.code == (1 if done.json["faults"] else 0)
    return [fault["code"] for fault in done.json["faults"]]


def test_each_verifies_at_home_and_nowhere_else(two: Two) -> None:
    """Same names, same numbers, another log: the key tells, and with their key the log's id."""
    assert faults(two.ours, two.mine) == faults(two.theirs, two.other) == []
    assert faults(two.ours, two.other) == faults(two.theirs, two.mine) == ["DECISION_SIGNATURE"]
    assert faults(two.ours, two.other, "--key", two.theirs.decision_key) == ["DECISION_LOG"]
    assert faults(two.ours, two.other, "--log-id", two.theirs.log_id) == ["DECISION_SIGNATURE"]


def test_nothing_is_recorded_on_the_word_of_another_log(two: Two) -> None:
    """`deployments record --decision FILE` refuses theirs, by command line and SDK; its own it records."""
    words = ("deployments", "record", "m", *QUESTION, "-l", "eu", "--json", "--decision")

    refused = two.ours("release-bot", *words, str(two.other))
    with (
        Interlock.from_profile(str(two.ours.server.home / "release-bot")) as client,
        pytest.raises(InvalidRequestError) as raised,
    ):
        client.deployments.record("m", "internal", "eu", artifact=SHA256, decision=two.other.read_bytes())
    before = two.ours.must("auditor", "deployments", "list", "--all", "--json").json["deployments"]
    recorded = two.ours.must("release-bot", *words, str(two.mine)).json

    assert (refused.code, refused.refusal["reason"]) == (2, "DECISION_SIGNATURE")
    assert raised.value.reason == "DECISION_SIGNATURE"
    assert before == []
    assert recorded["decision"] == "decisions/1"
