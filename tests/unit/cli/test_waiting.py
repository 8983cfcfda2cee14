"""`gate check --wait`: asked until it allows or the time is over, by a clock of the test's own."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import typer

from interlock.cli.arguments import duration_seconds
from interlock.cli.decisions import LONGEST_PAUSE_SECONDS, ask_until_allowed
from interlock.client.errors import InterlockError, NotAllowedError, UnavailableError
from interlock.v1 import gate_pb2

ALLOW = gate_pb2.CheckReleaseResponse(verdict=gate_pb2.VERDICT_ALLOW)
DENY = gate_pb2.CheckReleaseResponse(verdict=gate_pb2.VERDICT_DENY)
DOWN = UnavailableError("down")


@dataclass
class Asked:
    """Gives answers in order, the last one for ever, and moves a clock when slept."""

    answers: list[gate_pb2.CheckReleaseResponse | InterlockError]
    clock: float = 0.0
    pauses: list[float] = field(default_factory=list)
    times: int = 0

    def __call__(self) -> gate_pb2.CheckReleaseResponse:
        """Answer once."""
        answer = self.answers[min(self.times, len(self.answers) - 1)]
        self.times += 1
        if isinstance(answer, InterlockError):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses.append(seconds)
        self.clock += seconds

    def run(self, seconds: float) -> gate_pb2.CheckReleaseResponse:
        """Wait by this clock."""
        return ask_until_allowed(self, seconds, now=lambda: self.clock, sleep=self.sleep)


def test_an_allow_ends_the_wait() -> None:
    """The first ALLOW is the answer, however the server fared before."""
    asked = Asked([DENY, DOWN, DENY, ALLOW])

    assert asked.run(60.0) == ALLOW
    assert asked.times == 4


def test_the_wait_ends_with_the_last_answer() -> None:
    """When time is over a DENY is a DENY, asked for once more at the very end."""
    asked = Asked([DENY])

    assert asked.run(12.0) == DENY
    assert asked.clock == 12.0
    assert max(asked.pauses) <= LONGEST_PAUSE_SECONDS


def test_a_server_that_stays_away_is_an_error() -> None:
    """No answer is not a DENY, and never an ALLOW."""
    with pytest.raises(UnavailableError):
        Asked([DENY, DOWN]).run(3.0)


def test_what_no_wait_can_mend_is_raised_at_once() -> None:
    """A caller without the right would only be refused again."""
    asked = Asked([NotAllowedError("no")])

    with pytest.raises(NotAllowedError):
        asked.run(60.0)
    assert asked.times == 1


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("10m", 600.0), ("2h", 7200.0), ("0s", 0.0)])
def test_a_length_of_time(text: str, seconds: float) -> None:
    """Seconds, minutes or hours."""
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["10", "m", "-1m", "1.5h", "1d", "", "1e3s", "٣m", "9999999h"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    """A unit is never guessed."""
    with pytest.raises(typer.BadParameter):
        duration_seconds(text)
