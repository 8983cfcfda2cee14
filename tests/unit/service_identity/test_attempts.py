"""Refused attempts: which become entries, how often, and how many in all."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from interlock.service import errors
from interlock.service.api.attempts import WINDOW_US, Attempts, is_attempt
from interlock.service.identity.caller import Caller
from interlock.service.logs import make_logger
from interlock.service.metrics import Metrics
from interlock.statemachine.commands import AttemptRefused
from interlock.statemachine.unmet import Code, RefusalKind, refused
from tests.support.service import HandClock, view_of
from tests.support.world import World

if TYPE_CHECKING:
    from interlock.service.ledger.calls import Call
    from interlock.service.ledger.committer import Committer

METHOD = "interlock.v1.HoldService/PlaceHold"
DENIED = errors.NotAllowed("hold.place")


class Log:
    """A log that only remembers what it was told to write, or can't be written."""

    def __init__(self, world: World) -> None:
        self.view = view_of(world)
        self.written: list[AttemptRefused] = []
        self.actors: list[str] = []
        self.fault: errors.ServiceError | None = None

    async def submit(self, call: Call[Any]) -> Any:  # noqa: ANN401  # the call's reply
        """Keep the command of a call."""
        if self.fault is not None:
            raise self.fault
        prepared = cast("Any", call.prepare(self.view, 0))
        self.written.append(prepared.command)
        self.actors.append(call.actor.principal)
        return call.reply_type()


class Desk:
    """The attempts of a server, with its log and its clock at hand."""

    def __init__(self, world: World, *, most: int = 1000) -> None:
        self.log, self.clock, self.metrics, self.lines = Log(world), HandClock(), Metrics(), io.StringIO()
        logger = make_logger("info", "json", self.lines)
        committer = cast("Committer", self.log)
        self.attempts = Attempts(committer, self.clock, self.metrics, logger, most_in_a_window=most)

    def record(self, who: str = "engineer", error: errors.ServiceError = DENIED, *, method: str = METHOD) -> None:
        """Have somebody refused."""
        caller = Caller(f"principals/{who}", "f" * 64, b"", 0)
        asyncio.run(self.attempts.record(caller, method, bytes(32), error))

    def count(self, fate: str) -> float:
        """Return how many attempts met a fate."""
        return self.metrics.registry.get_sample_value("interlock_refused_attempts_total", {"fate": fate}) or 0.0


@pytest.fixture
def desk() -> Desk:
    """Give a fresh desk."""
    return Desk(World.found())


def refusal(kind: RefusalKind, code: Code = Code.RIGHT_MISSING) -> errors.Refusal:
    """Return a refusal of a kind."""
    return errors.Refusal(refused(kind, code, "wanted", "there"))


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (DENIED, True),
        (refusal(RefusalKind.UNMET), True),
        (refusal(RefusalKind.NOT_ALLOWED), True),
        (refusal(RefusalKind.SIGN_OFF_INVALID), True),
        (refusal(RefusalKind.INVALID), False),
        (refusal(RefusalKind.NOT_FOUND), False),
        (refusal(RefusalKind.ALREADY_EXISTS), False),
        (refusal(RefusalKind.STALE), False),
        (errors.Invalid("field", "message"), False),
        (errors.NotFound("models/a"), False),
        (errors.Unauthenticated(), False),
        (errors.LimitExceeded("time"), False),
        (errors.StoreUnavailable(), False),
        (errors.ShuttingDown(), False),
    ],
)
def test_what_refuses_the_deed_is_an_attempt(error: errors.ServiceError, *, wanted: bool) -> None:
    """Not what refuses how it was written, or when it came."""
    assert is_attempt(error) is wanted


def test_an_attempt_names_who_what_and_why(desk: Desk) -> None:
    """The actor is who was refused; the codes are those of the refusal."""
    desk.record("engineer", refusal(RefusalKind.UNMET, Code.CHANGE_REQUIRED))

    assert desk.log.written == [AttemptRefused(METHOD, bytes(32), ("CHANGE_REQUIRED",))]
    assert desk.log.actors == ["principals/engineer"]


def test_the_same_attempt_is_written_once_in_five_minutes(desk: Desk) -> None:
    """Then again: the log shows that it went on."""
    desk.record()
    desk.clock.move(WINDOW_US / 1_000_000 - 1)
    desk.record()
    assert len(desk.log.written) == 1

    desk.clock.move(1)
    desk.record()

    assert len(desk.log.written) == 2
    assert desk.count("coalesced") == 1


def test_a_clock_set_back_opens_a_new_window(desk: Desk) -> None:
    """Rather one entry more than none."""
    desk.record()
    desk.clock.move(-3600)
    desk.record()

    assert len(desk.log.written) == 2


def test_who_which_method_and_which_reason_tell_attempts_apart(desk: Desk) -> None:
    """A change in any of them is another attempt."""
    desk.record("engineer")
    desk.record("requester")
    desk.record("engineer", method="interlock.v1.HoldService/ListHolds")
    desk.record("engineer", refusal(RefusalKind.UNMET, Code.CHANGE_REQUIRED))

    assert len(desk.log.written) == 4


def test_so_many_in_a_window_and_no_more() -> None:
    """Whoever is refused can't fill the log; what is beyond the cap is counted and in the server's log."""
    desk = Desk(World.found(), most=3)

    for number in range(5):
        desk.record(f"p{number}")

    assert len(desk.log.written) == 3
    assert desk.count("over_cap") == 2
    assert [json.loads(line)["event"] for line in desk.lines.getvalue().splitlines()] == ["attempt_over_cap"] * 2


def test_a_log_that_can_not_be_written_is_no_new_error(desk: Desk) -> None:
    """The caller's answer stays the refusal, and the next try is not coalesced with what was never written."""
    desk.log.fault = errors.StoreUnavailable()
    desk.record()
    desk.log.fault = None
    desk.record()

    assert desk.count("failed") == 1
    assert len(desk.log.written) == 1
