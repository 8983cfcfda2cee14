"""Break-glass out of hours, step 8 of the insiders' scenario, through a real server whose clock is moved.

Two people and a reason except a hold for a night; it ends by itself, stands out in every listing, is not used twice,
and blocks the next release when nobody else has reviewed it in time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.v1 import accountability_pb2, audit_pb2, gate_pb2, hold_pb2, ledger_pb2, trigger_pb2
from tests.support.newcomers import bring_in
from tests.support.people import People, Subject, refused, trigger
from tests.support.server import ServerThread, copy_of
from tests.support.service import ShiftedClock

if TYPE_CHECKING:
    from pathlib import Path

    from interlock.v1 import change_pb2
    from tests.integration.conftest import Install

HOUR: Final = 3600
PROPOSE: Final = "interlock.v1.ChangeService/ProposeChange"
SIGN: Final = "interlock.v1.ChangeService/SignOff"


def check(people: People, subject: Subject) -> gate_pb2.CheckReleaseResponse:
    """Ask the gate where anybody inside may use the model."""
    request = gate_pb2.CheckReleaseRequest(model=subject.model, context="internal")
    said: gate_pb2.CheckReleaseResponse = people["release-bot"].gate.CheckRelease(request)
    return said


def why(people: People, subject: Subject) -> list[str]:
    """Return why the gate denies; empty for ALLOW."""
    return [reason.code for reason in check(people, subject).reasons]


def open_(people: People, hold: str, until_us: int, **rest: str) -> change_pb2.Change:
    """Have the evaluator propose to except a hold."""
    firing = trigger(break_glass_open=trigger_pb2.BreakGlassOpen(resource=hold, until=until_us))
    return people["evaluator"].propose(firing, **rest)


def released(people: People) -> Subject:
    """Bring a model through the gate."""
    subject = people.new_model()
    report = people["evaluator"].upload("evaluation_results")
    people.enact(subject.rule_out(), subject.assign(), evidence=[report.name])
    return subject


def uses(people: People, *, open_only: bool = True) -> list[gate_pb2.BreakGlass]:
    """List uses of break-glass."""
    return list(people["auditor"].gate.ListBreakGlass(gate_pb2.ListBreakGlassRequest(open_only=open_only)).uses)


def attempts(people: People, who: str) -> set[tuple[str, tuple[str, ...]]]:
    """Return what somebody tried and was refused, as the log has it."""
    request = audit_pb2.ListEntriesRequest(actor=f"principals/{who}", page_size=1000)
    rows = people["auditor"].audit.ListEntries(request).entries
    tried = (ledger_pb2.LedgerEntry.FromString(row.entry).command for row in rows)
    return {
        (command.attempt_refused.method, tuple(command.attempt_refused.codes))
        for command in tried
        if command.HasField("attempt_refused")
    }


def used(people: People, now: int) -> tuple[Subject, str]:
    """Have a hold on a released model excepted for twelve hours; return both."""
    bring_in(people, "owner-2", roles=["owner"])
    bring_in(people, "reviewer-2", roles=["reviewer"])
    subject = released(people)
    hold = people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model)).name

    with refused("REQUIREMENTS_UNMET") as said:  # a permanent effect
        open_(people, hold, now + 10**6 * HOUR * 24 * 30, summary="it is a false alarm")
    assert said.unmet == ("END_TOO_LATE",)
    with refused("REQUIREMENTS_UNMET") as said:
        open_(people, hold, now + 10**6 * HOUR * 12)
    assert said.unmet == ("REASON_MISSING",)
    tried = attempts(people, "evaluator")
    assert {(PROPOSE, ("END_TOO_LATE",)), (PROPOSE, ("REASON_MISSING",))} <= tried

    change = open_(people, hold, now + 10**6 * HOUR * 12, summary="it is a false alarm")
    people["owner"].sign(change.name, "owner")
    assert why(people, subject) == ["HOLD_PLACED"]
    people["reviewer"].sign(change.name, "reviewer")

    told = check(people, subject)
    assert told.verdict == gate_pb2.VERDICT_ALLOW
    assert [row.code for row in told.advisories] == ["BREAK_GLASS"]
    assert told.valid_until_time.ToMicroseconds() == now + 10**6 * HOUR * 12
    shown = people["auditor"].holds.GetHold(hold_pb2.GetHoldRequest(name=hold))
    assert (shown.placed, shown.exception) == (True, "exceptions/1")
    [use] = uses(people)
    assert (use.in_force, use.resource, use.reviewed) == (True, hold, False)
    assert list(use.signers) == ["principals/owner", "principals/reviewer"]
    with refused("REQUIREMENTS_UNMET") as said:  # twice
        open_(people, hold, now + 10**6 * HOUR * 13, summary="a little longer")
    assert said.unmet == ("REVIEW_OPEN",)
    assert (PROPOSE, ("REVIEW_OPEN",)) in attempts(people, "evaluator")
    return subject, hold


def reviewed(people: People, subject: Subject) -> None:
    """Have the late review closed, by people who did not sign the use."""
    assert why(people, subject) == ["OBLIGATION_OVERDUE"]
    review = uses(people)[0].review
    report = people["evaluator"].upload("break_glass_review", b"what happened that night")
    fulfil = trigger_pb2.ObligationFulfil(period=review, evidence=[report.name])
    change = people["evaluator"].propose(trigger(obligation_fulfil=fulfil))
    with refused("NOT_ALLOWED") as said:
        people["owner"].sign(change.name, "owner")
    assert said.unmet == ("BREAK_GLASS_SIGNER",)
    assert (SIGN, ("BREAK_GLASS_SIGNER",)) in attempts(people, "owner")

    people["owner-2"].sign(change.name, "owner")
    people["reviewer-2"].sign(change.name, "reviewer")

    assert why(people, subject) == []
    assert uses(people) == []
    [past] = uses(people, open_only=False)
    assert past.reviewed
    request = accountability_pb2.GetObligationRequest(name=review)
    assert people["auditor"].accountability.GetObligation(request).cause == "exceptions/1"


def test_out_of_hours(installations: Install, tmp_path: Path) -> None:
    """The whole story: used, told everywhere, over by itself, not twice nor for long, late, reviewed by others."""
    clock = ShiftedClock()
    with ServerThread(copy_of(installations("minimal"), tmp_path / "data"), clock=clock) as server:
        with People(server) as people:
            subject, hold = used(people, clock.now_us())
        clock.move(13 * HOUR)
        with People(server) as people:
            assert why(people, subject) == ["HOLD_PLACED"]
            lift = trigger(hold_lift=trigger_pb2.HoldLift(hold=hold))
            people.enact(lift)
            assert why(people, subject) == []

        clock.move(60 * HOUR)
        with People(server) as people:
            reviewed(people, subject)


def test_whoever_tightens_again_takes_it_back(installations: Install, tmp_path: Path) -> None:
    """One person, at once: another hold ends the exception of the first, for good."""
    with ServerThread(copy_of(installations("minimal"), tmp_path / "data")) as server, People(server) as people:
        subject = released(people)
        hold = people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model)).name
        now = ShiftedClock().now_us()
        change = open_(people, hold, now + 10**6 * HOUR, summary="a false alarm")
        people["owner"].sign(change.name, "owner")
        people["reviewer"].sign(change.name, "reviewer")
        assert why(people, subject) == []

        people["reviewer"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model))

        assert why(people, subject) == ["HOLD_PLACED", "HOLD_PLACED"]
        assert not uses(people)[0].in_force
        assert uses(people)[0].ender == "principals/reviewer"
