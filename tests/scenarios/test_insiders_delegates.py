"""Delegates as insiders would use them, break-glass with what is learned of its signers: through a real server.

What was signed for somebody counts while all that it rests on stands, at the moment when the change is applied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from interlock.proofs import dsse
from interlock.statemachine import delegating
from interlock.v1 import change_pb2, gate_pb2, hold_pb2, identity_pb2, safeguard_pb2, trigger_pb2
from tests.scenarios.test_break_glass import HOUR, open_, released, uses, why
from tests.scenarios.test_insiders import SIGN, attempts, hand_in, proposal, read
from tests.scenarios.test_insiders_applied import link, lose, ratify, tainted
from tests.support.delegations import delegate, delegation
from tests.support.newcomers import bring_in, give, registrations
from tests.support.people import People, Subject, refused, trigger
from tests.support.server import ServerThread, copy_of, install
from tests.support.service import ShiftedClock
from tests.support.world import SKETCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.conftest import Install

APPLY: Final = "interlock.v1.ChangeService/ApplyChange"


@pytest.fixture(scope="module")
def people(installations: Install, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Serve `minimal`."""
    data = copy_of(installations("minimal"), tmp_path_factory.mktemp("delegates") / "data")
    with ServerThread(data) as server, People(server) as crowd:
        yield crowd


def lift(people: People, target: str) -> change_pb2.Change:
    """Have the evaluator propose to lift a hold that was just placed; signing alone does not apply it."""
    hold = people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=target)).name
    return people["evaluator"].propose(trigger(hold_lift=trigger_pb2.HoldLift(hold=hold)), apply_separately=True)


def not_applied(people: People, change: change_pb2.Change) -> list[str]:
    """Ask for a change to be applied, see that it is not, and that this left an entry; return why words are void."""
    with refused("REQUIREMENTS_UNMET") as said:
        people["owner"].changes.ApplyChange(change_pb2.ApplyChangeRequest(name=change.name))
    assert said.unmet == ("SIGN_OFF_MISSING",)
    assert (APPLY, ("SIGN_OFF_MISSING",)) in attempts(people, "owner")
    return [row.void_reason for row in read(people["auditor"], change.name).sign_offs if row.void]


def suspend(people: People, who: str) -> None:
    """Suspend an account."""
    people["admin"].identity.SuspendPrincipal(identity_pb2.SuspendPrincipalRequest(name=f"principals/{who}"))


def end_role(people: People, who: str) -> None:
    """End the roles of an account."""
    request = identity_pb2.ListGrantsRequest(principal=f"principals/{who}")
    for grant in people["auditor"].identity.ListGrants(request).grants:
        people["admin"].identity.EndGrant(identity_pb2.EndGrantRequest(name=grant.name))


def end_delegation(people: People, who: str) -> None:
    """Have the delegator end what they lent."""
    [row] = people[who].identity.WhoAmI(identity_pb2.WhoAmIRequest()).delegations
    people[who].identity.EndDelegation(identity_pb2.EndDelegationRequest(name=row.name))


def turn_out_to_administer(people: People, who: str) -> None:
    """Learn that an account is the administrator's."""
    link(people, who, "admin")


SINCE: Final[dict[str, tuple[Callable[[People, str], None], str]]] = {
    "the delegator is suspended": (suspend, "PRINCIPAL_INACTIVE"),
    "the delegator's role ends": (end_role, "GRANT_ENDED"),
    "the delegator takes it back": (end_delegation, "DELEGATION_ENDED"),
    "the delegator turns out to administer": (turn_out_to_administer, "ADMIN_CONFLICT"),
}


@pytest.mark.parametrize("what", SINCE)
def test_between_signing_and_applying(what: str, people: People) -> None:
    """A word in somebody's name counts while they could give it themselves, judged when the change is applied."""
    lender = f"lender-{list(SINCE).index(what)}"
    bring_in(people, lender, roles=["owner"])
    change = lift(people, people.new_model().model)
    delegate(people, lender, "owner", "engineer")
    people["engineer"].sign(change.name, "owner", on_behalf_of=f"principals/{lender}")
    people["reviewer"].sign(change.name, "reviewer")
    assert read(people["auditor"], change.name).approved
    happens, code = SINCE[what]

    happens(people, lender)

    assert not_applied(people, change) == [code]


def test_a_window_that_ends_between_signing_and_applying(installations: Install, tmp_path: Path) -> None:
    """No entry says so: the window was signed."""
    clock = ShiftedClock()
    data = copy_of(installations("minimal"), tmp_path / "data")
    with ServerThread(data, clock=clock) as server, People(server) as people:
        change = lift(people, people.new_model().model)
        log = people.server.profile("auditor").genesis_digest
        statement = delegating.DelegationStatement(
            log, "principals/owner", "principals/engineer", "owner", 0, clock.now_us() + 60_000_000, "0" * 32
        )
        key = people.server.key("owner", "signoff")
        envelope = dsse.sign(dsse.IN_TOTO_TYPE, delegating.build_delegation(statement), key).to_json()
        people["owner"].identity.GiveDelegation(identity_pb2.GiveDelegationRequest(envelope=envelope))
        people["engineer"].sign(change.name, "owner", on_behalf_of="principals/owner")
        people["reviewer"].sign(change.name, "reviewer")
        assert read(people["auditor"], change.name).approved

        clock.move(61)

        assert not_applied(people, change) == ["DELEGATION_ENDED"]
        with refused("SIGN_OFF_INVALID") as said:
            people["engineer"].sign(change.name, "owner", on_behalf_of="principals/owner")
        assert said.unmet == ("NO_DELEGATION",)


def test_a_delegate_who_turns_out_to_be_another_signer(people: People) -> None:
    """A word in another's name and an own one: linked, they are one person's, and fill one place."""
    bring_in(people, "twin", roles=["reviewer"])
    bring_in(people, "helper", roles=["auditor"])
    bring_in(people, "absent", roles=["owner"])
    change = lift(people, people.new_model().model)
    delegate(people, "absent", "owner", "helper")
    people["helper"].sign(change.name, "owner", on_behalf_of="principals/absent")
    people["twin"].sign(change.name, "reviewer")
    assert read(people["auditor"], change.name).approved

    link(people, "twin", "helper")

    assert not_applied(people, change) == []


def test_two_delegates_of_one_person(people: People) -> None:
    """Who lends two roles to two people is one person with both."""
    bring_in(people, "generous", roles=["owner", "reviewer"])
    bring_in(people, "helper-2", roles=["auditor"])
    change = lift(people, people.new_model().model)
    delegate(people, "generous", "owner", "engineer")
    delegate(people, "generous", "reviewer", "helper-2")

    people["engineer"].sign(change.name, "owner", on_behalf_of="principals/generous")
    people["helper-2"].sign(change.name, "reviewer", on_behalf_of="principals/generous")
    people["generous"].sign(change.name, "owner", "reviewer")

    assert not_applied(people, change) == []


def test_a_role_that_is_held_on_another_model(people: People) -> None:
    """A delegate has no more of a role than its delegator: not on another model, not on everything."""
    mine, other = people.new_model(), people.new_model()
    account = trigger_pb2.PrincipalCreate(principal="principals/narrow", kind="human", person="narrow")
    people.enact(trigger(principal_create=account))
    people.enact(*registrations(people, "narrow"), give("narrow", "owner", mine.model.removeprefix("models/")))
    people.enact(give("narrow", "auditor"))
    here, there = lift(people, mine.model), lift(people, other.model)
    delegate(people, "narrow", "owner", "engineer")

    with refused("NOT_ALLOWED") as said:
        people["engineer"].sign(there.name, "owner", on_behalf_of="principals/narrow")
    assert said.unmet == ("NO_APPROVING_ROLE",)
    assert (SIGN, ("NO_APPROVING_ROLE",)) in attempts(people, "engineer")

    people["engineer"].sign(here.name, "owner", on_behalf_of="principals/narrow")
    assert {slot.role for slot in read(people["auditor"], here.name).slots if slot.filled_by} == {"owner"}


def test_an_administrator_links_who_rejected_with_who_signs_next(people: People) -> None:
    """An administrator and an approver take nobody's reject away: the change is not applied, and that is on record."""
    bring_in(people, "sceptic", roles=["owner"])
    change = lift(people, people.new_model().model)
    people["sceptic"].sign(change.name, "owner", decision="reject")

    link(people, "sceptic", "owner")
    people["owner"].sign(change.name, "owner")
    people["reviewer"].sign(change.name, "reviewer")

    with refused("REQUIREMENTS_UNMET") as said:
        people["reviewer"].changes.ApplyChange(change_pb2.ApplyChangeRequest(name=change.name))
    assert said.unmet == ("SIGN_OFF_REJECTED",)
    assert (APPLY, ("SIGN_OFF_REJECTED",)) in attempts(people, "reviewer")
    parted = trigger_pb2.PrincipalUnlink(principal="principals/owner", person="owner-parted")
    bring_back = people["evaluator"].propose(trigger(principal_unlink=parted))
    people["sceptic"].sign(bring_back.name, "owner")
    people["reviewer"].sign(bring_back.name, "reviewer")


# Break-glass and what is learned of its signers ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def safeguards_too(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Found a log whose pack allows break-glass for safeguards as well."""
    folder = tmp_path_factory.mktemp("pack")
    allowed = b"triggers: [hold.lift, safeguard.restore, safeguard.resume]"
    (folder / "policy.yaml").write_bytes(SKETCH.read_bytes().replace(b"triggers: [hold.lift]", allowed))
    return install(tmp_path_factory.mktemp("installed") / "data", str(folder))


def used(people: People, resource: str) -> change_pb2.Change:
    """Have owner and reviewer except a resource for an hour."""
    change = open_(people, resource, ShiftedClock().now_us() + 10**6 * HOUR, summary="a false alarm")
    people["owner"].sign(change.name, "owner")
    return people["reviewer"].sign(change.name, "reviewer")


def guarded(people: People) -> Subject:
    """Bring a model through the gate where its filter has to be active."""
    subject = released(people)
    people.verify_filter(subject)
    people.enact(
        trigger(level_raise=trigger_pb2.LevelRaise(level=subject.level, to="guarded")), subject.activate(),
        evidence=[people["engineer"].upload("evaluation_results", subject.model.encode()).name],
    )  # fmt: skip
    assert on_api(people, subject) == []
    return subject


def on_api(people: People, subject: Subject) -> list[str]:
    """Return why the gate denies where the filter counts; empty for ALLOW."""
    said = people["release-bot"].gate.CheckRelease(gate_pb2.CheckReleaseRequest(model=subject.model, context="api"))
    return [reason.code for reason in said.reasons]


TIGHTENING: Final[dict[str, Callable[[People, Subject], object]]] = {
    "degrade": lambda people, subject: people["monitor-bot"].safeguards.DegradeSafeguard(
        safeguard_pb2.DegradeSafeguardRequest(name=subject.filter, reason="it happens again")
    ),
    "suspend": lambda people, subject: people["monitor-bot"].safeguards.SuspendSafeguard(
        safeguard_pb2.SuspendSafeguardRequest(name=subject.filter, reason="it happens again")
    ),
}


@pytest.mark.parametrize("how", TIGHTENING)
def test_each_tightening_word_ends_the_exception_of_a_safeguard(how: str, safeguards_too: Path, tmp_path: Path) -> None:
    """One person or one monitor, at once, also where the safeguard is so already; a restart changes nothing of it."""
    data = copy_of(safeguards_too, tmp_path / "data")
    with ServerThread(data) as server, People(server) as people:
        subject = guarded(people)
        TIGHTENING[how](people, subject)
        assert on_api(people, subject) == ["SAFEGUARD_NOT_ACTIVE"]
        used(people, subject.filter)
        assert on_api(people, subject) == []
        other = guarded(people)
        TIGHTENING[how](people, other)
        used(people, other.filter)
        [ends] = {row.until_time.ToMicroseconds() for row in uses(people) if row.resource == other.filter}
    with ServerThread(data) as server, People(server) as people:
        request = gate_pb2.CheckReleaseRequest(model=other.model, context="api")
        assert people["release-bot"].gate.CheckRelease(request).valid_until_time.ToMicroseconds() == ends

        TIGHTENING[how](people, subject)

        assert on_api(people, subject) == ["SAFEGUARD_NOT_ACTIVE"]
        assert on_api(people, other) == []
        assert {row.resource: row.in_force for row in uses(people)} == {subject.filter: False, other.filter: True}


def test_a_use_by_a_key_that_was_lost(installations: Install, tmp_path: Path) -> None:
    """The exception is tainted and the gate denies; ratified it counts again, and its review is still owed."""
    with ServerThread(copy_of(installations("minimal"), tmp_path / "data")) as server, People(server) as people:
        bring_in(people, "owner-2", roles=["owner"])
        bring_in(people, "reviewer-2", roles=["reviewer"])
        subject = released(people)
        hold = people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model)).name
        change = used(people, hold)
        assert why(people, subject) == []

        lose(people, "reviewer", change)

        assert why(people, subject) == ["TAINTED"]
        assert tainted(people) == [change.name]
        with refused("REQUIREMENTS_UNMET") as said:
            open_(people, hold, ShiftedClock().now_us() + 10**6 * HOUR, summary="once more, then")
        assert said.unmet == ("REVIEW_OPEN",)
        again = people["evaluator"].propose(ratify(change))
        people["owner-2"].sign(again.name, "owner")
        people["reviewer-2"].sign(again.name, "reviewer")
        assert why(people, subject) == []
        assert not uses(people)[0].reviewed


def test_who_used_break_glass_reviews_it_in_no_guise(installations: Install, tmp_path: Path) -> None:
    """Nor a delegate in their name, nor another account of theirs, known before or learned afterwards."""
    with ServerThread(copy_of(installations("minimal"), tmp_path / "data")) as server, People(server) as people:
        bring_in(people, "owner-again", person="owner", roles=["owner"])
        bring_in(people, "owner-2", roles=["owner"])
        bring_in(people, "reviewer-2", roles=["reviewer"])
        subject = released(people)
        used(people, people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model)).name)
        delegate(people, "owner", "owner", "engineer")
        delegate(people, "owner-2", "owner", "reviewer")
        report = people["evaluator"].upload("break_glass_review", b"what happened")
        fulfil = trigger_pb2.ObligationFulfil(period=uses(people)[0].review, evidence=[report.name])
        review = people["evaluator"].propose(trigger(obligation_fulfil=fulfil))
        for who, of in (("owner-again", ""), ("engineer", "owner"), ("reviewer", "owner-2")):
            with refused("NOT_ALLOWED") as said:
                people[who].sign(review.name, "owner", on_behalf_of=f"principals/{of}" if of else "")
            assert said.unmet == ("BREAK_GLASS_SIGNER",)
            assert (SIGN, ("BREAK_GLASS_SIGNER",)) in attempts(people, who)
        people["owner-2"].sign(review.name, "owner")
        people["reviewer-2"].sign(review.name, "reviewer")
        assert why(people, subject) == []

        link(people, "reviewer", "reviewer-2")

        assert why(people, subject) == ["TAINTED"]
        doubts = read(people["auditor"], review.name).doubts
        assert [row.code for row in doubts] == ["BREAK_GLASS_SIGNER"]


def test_a_stolen_envelope_of_a_delegation_is_no_sign_off(people: People) -> None:
    """What is signed for one purpose counts for no other."""
    change = proposal(people, people.new_model())

    with refused("SIGN_OFF_INVALID") as said:
        hand_in(people["reviewer"], change.name, delegation(people, "reviewer", "reviewer", "engineer"))

    assert said.unmet == ("SIGN_OFF_FORMAT",)
    assert (SIGN, ("SIGN_OFF_FORMAT",)) in attempts(people, "reviewer")
