"""Insiders, once their change was applied: it is learned that a key was lost, or that two accounts are one person's.

Each through a real server: the gate denies what rests on it, no entry is rewritten, the same quorum clears it. And what
an open stream, a lone report and a lone confirmation make of it: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from interlock.proofs import keys
from interlock.v1 import (
    assessment_pb2,
    audit_pb2,
    change_pb2,
    gate_pb2,
    hold_pb2,
    identity_pb2,
    model_pb2,
    trigger_pb2,
)
from tests.scenarios.test_insiders import attempts, denied, proposal, read
from tests.support.newcomers import bring_in, give, registrations
from tests.support.people import People, Subject, refused, trigger
from tests.support.server import ServerThread, copy_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Install

SIGN: Final = "interlock.v1.ChangeService/SignOff"
LINK: Final = "interlock.v1.IdentityService/LinkPrincipal"


@pytest.fixture
def people(installations: Install, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Serve `minimal`; a second owner and a second reviewer are there."""
    data = copy_of(installations("minimal"), tmp_path_factory.mktemp("applied") / "data")
    with ServerThread(data) as server, People(server) as crowd:
        bring_in(crowd, "owner-2", roles=["owner"])
        bring_in(crowd, "reviewer-2", roles=["reviewer"])
        yield crowd


def released(people: People, owner: str, reviewer: str) -> tuple[Subject, change_pb2.Change]:
    """Have a model released by a change that these two signed."""
    subject = people.new_model()
    change = proposal(people, subject)
    people[owner].sign(change.name, "owner")
    applied = people[reviewer].sign(change.name, "reviewer")
    assert applied.state == change_pb2.CHANGE_STATE_APPLIED
    assert denied(people, subject) == []
    return subject, applied


def lose(people: People, who: str, change: change_pb2.Change) -> None:
    """Have a sign-off key revoked as of when it signed a change."""
    key = keys.fingerprint(keys.public_bytes(people.server.key(who, "signoff")))
    request = identity_pb2.RevokeCredentialRequest(name=f"principals/{who}/credentials/{key}")
    signed = next(row for row in change.sign_offs if row.signer == f"principals/{who}")
    request.compromised_since.CopyFrom(signed.create_time)
    people["admin"].identity.RevokeCredential(request)


def link(people: People, one: str, other: str, by: str = "admin") -> identity_pb2.Principal:
    """Have somebody say that two accounts are one person's."""
    request = identity_pb2.LinkPrincipalRequest(name=f"principals/{one}", other=f"principals/{other}", reason="One.")
    account: identity_pb2.Principal = people[by].identity.LinkPrincipal(request)
    return account


def tainted(people: People) -> list[str]:
    """Return the tainted changes as anybody can list them."""
    request = change_pb2.ListChangesRequest(tainted_only=True)
    return [change.name for change in people["auditor"].changes.ListChanges(request).changes]


def ratify(change: change_pb2.Change) -> trigger_pb2.Trigger:
    """Return the trigger that ratifies a change."""
    return trigger(change_ratify=trigger_pb2.ChangeRatify(change=change.name))


def entry(people: People, position: int) -> bytes:
    """Return the stored bytes of an entry."""
    return bytes(people["auditor"].audit.GetEntry(audit_pb2.GetEntryRequest(name=f"entries/{position}")).entry)


# 5. A key turns out to have been lost before it signed ---------------------------------------------------------------


def test_a_key_lost_before_a_change_that_was_applied(people: People) -> None:
    """The change is tainted and the gate denies, with the change and why; ratified by the same quorum it is cleared."""
    subject, change = released(people, "owner-2", "reviewer")
    that_day = entry(people, change.applied_position)

    lose(people, "owner-2", change)

    assert set(denied(people, subject)) == {"TAINTED"}
    assert tainted(people) == [change.name]
    shown = read(people["auditor"], change.name)
    assert (shown.tainted, [row.code for row in shown.doubts]) == (True, ["CREDENTIAL_COMPROMISED"])
    said = people["release-bot"].gate.CheckRelease(
        gate_pb2.CheckReleaseRequest(model=subject.model, context="internal")
    )
    assert {reason.rule for reason in said.reasons} == {8}
    assert all(change.name in reason.actual and "owner-2" in reason.actual for reason in said.reasons)

    report = people["evaluator"].upload("evaluation_results", b"looked at again")
    again = people["evaluator"].propose(ratify(change), evidence=[report.name])
    with refused("SIGN_OFF_INVALID") as no:
        people["owner-2"].sign(again.name, "owner")
    assert no.unmet == ("SIGN_OFF_KEY",)
    assert (SIGN, ("SIGN_OFF_KEY",)) in attempts(people, "owner-2")
    people["owner"].sign(again.name, "owner")
    assert set(denied(people, subject)) == {"TAINTED"}
    people["reviewer-2"].sign(again.name, "reviewer")

    assert denied(people, subject) == []
    assert tainted(people) == []
    assert entry(people, change.applied_position) == that_day
    assert list(read(people["auditor"], change.name).ratified_positions) == [
        read(people["auditor"], again.name).applied_position
    ]


def test_who_requested_a_tainted_change_does_not_ratify_it(people: People) -> None:
    """Nor who made its evidence: the rules are those that it was judged by."""
    people.enact(give("reviewer-2", "requester"))
    hold = people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=people.new_model().model)).name
    lift = people["reviewer-2"].propose(trigger(hold_lift=trigger_pb2.HoldLift(hold=hold)))
    people["owner-2"].sign(lift.name, "owner")
    lifted = people["reviewer"].sign(lift.name, "reviewer")
    lose(people, "owner-2", lifted)

    again = people["evaluator"].propose(ratify(lifted))
    with refused("NOT_ALLOWED") as no:
        people["reviewer-2"].sign(again.name, "reviewer")

    assert no.unmet == ("REQUESTER_CONFLICT",)
    assert (SIGN, ("REQUESTER_CONFLICT",)) in attempts(people, "reviewer-2")


def test_one_person_washes_nothing(people: People) -> None:
    """A lone report and a lone confirmation on top of a tainted change leave the gate at its DENY."""
    subject, change = released(people, "owner-2", "reviewer")
    lose(people, "owner-2", change)

    people["evaluator"].assessments.ReportDetermination(
        assessment_pb2.ReportDeterminationRequest(
            name=subject.determination, conclusion=trigger_pb2.CONCLUSION_CANNOT_RULE_OUT
        )
    )
    assert "TAINTED" in denied(people, subject)
    with refused("REQUIREMENTS_UNMET"):
        people["owner"].models.ConfirmLevel(model_pb2.ConfirmLevelRequest(name=subject.level))
    with refused("NOT_ALLOWED"):
        people["evaluator"].sign(people["evaluator"].propose(ratify(change)).name, "owner", "reviewer")
    assert "TAINTED" in denied(people, subject)


def test_a_stream_that_was_open_tells_it(people: People) -> None:
    """Who watches a release sees the DENY with the entry that revoked the key."""
    subject, change = released(people, "owner-2", "reviewer")
    stream = people["release-bot"].gate.WatchRelease(
        gate_pb2.WatchReleaseRequest(model=subject.model, context="internal")
    )
    assert next(stream).answer.verdict == gate_pb2.VERDICT_ALLOW

    lose(people, "owner-2", change)

    turned = next(stream).answer
    assert turned.verdict == gate_pb2.VERDICT_DENY
    assert {reason.code for reason in turned.reasons} == {"TAINTED"}
    stream.cancel()


@pytest.mark.parametrize("how", ["suspended", "revoked"])
def test_who_rejected_is_taken_away(people: People, how: str) -> None:
    """Suspending whoever rejected, or revoking their key as lost before, opens nothing: the reject stands."""
    change = proposal(people, people.new_model())
    rejected = people["owner-2"].sign(change.name, "owner", decision="reject")
    if how == "suspended":
        people["admin"].identity.SuspendPrincipal(identity_pb2.SuspendPrincipalRequest(name="principals/owner-2"))
    else:
        lose(people, "owner-2", rejected)

    people["owner"].sign(change.name, "owner")
    still = people["reviewer"].sign(change.name, "reviewer")

    assert still.state == change_pb2.CHANGE_STATE_IN_REVIEW
    assert "SIGN_OFF_REJECTED" in [row.code for row in still.unmet]


def test_a_reject_that_a_stolen_key_took_back(people: People) -> None:
    """A thief signs away what the key's owner had rejected: once that is learned the gate denies, with the reject."""
    subject = people.new_model()
    change = proposal(people, subject)
    people["owner-2"].sign(change.name, "owner", decision="reject")
    people["owner"].sign(change.name, "owner")
    stolen = people["owner-2"].sign(change.name, "owner", decision="withdraw")
    people["reviewer"].sign(change.name, "reviewer")
    assert denied(people, subject) == []

    key = keys.fingerprint(keys.public_bytes(people.server.key("owner-2", "signoff")))
    request = identity_pb2.RevokeCredentialRequest(name=f"principals/owner-2/credentials/{key}")
    request.compromised_since.CopyFrom(stolen.sign_offs[-1].create_time)
    people["admin"].identity.RevokeCredential(request)

    assert set(denied(people, subject)) == {"TAINTED"}
    shown = read(people["auditor"], change.name)
    assert [(row.code, row.resource) for row in shown.doubts] == [("SIGN_OFF_REJECTED", "principals/owner-2")]


def test_a_role_that_lost_words_gave(people: People) -> None:
    """What was signed under a role that a tainted change gave is tainted in turn, and signs nothing new."""
    given = people["evaluator"].propose(give("owner-2", "reviewer"))
    people["owner-2"].sign(given.name, "owner")
    bring_in(people, "mole")
    given = people["evaluator"].propose(give("mole", "owner"))
    people["owner-2"].sign(given.name, "owner")
    given = people["reviewer"].sign(given.name, "reviewer")
    subject, change = released(people, "mole", "reviewer")

    lose(people, "owner-2", given)

    assert tainted(people) == [change.name, given.name]
    assert set(denied(people, subject)) == {"TAINTED"}
    fresh = proposal(people, people.new_model())
    with refused("NOT_ALLOWED") as no:
        people["mole"].sign(fresh.name, "owner")
    assert no.unmet == ("TAINTED",)
    assert (SIGN, ("TAINTED",)) in attempts(people, "mole")


# 6. Two accounts turn out to be one person's -------------------------------------------------------------------------


def test_two_approvers_are_one_person(people: People) -> None:
    """An administrator links them; what relied on both is listed by one command and denied, the rest is not."""
    joint, change = released(people, "owner-2", "reviewer-2")
    apart, _ = released(people, "owner-2", "reviewer")
    waiting = people["evaluator"].propose(give("engineer", "reviewer"), apply_separately=True)
    people["owner-2"].sign(waiting.name, "owner")
    people["reviewer-2"].sign(waiting.name, "reviewer")
    assert read(people["auditor"], waiting.name).approved

    with refused("NOT_ALLOWED"):
        link(people, "owner-2", "reviewer-2", by="owner")
    assert (LINK, ("NOT_ALLOWED",)) in attempts(people, "owner")
    account = link(people, "owner-2", "reviewer-2")

    assert (account.name, account.person) == ("principals/reviewer-2", "owner-2")
    assert change.name in tainted(people)
    assert set(denied(people, joint)) == {"TAINTED"}
    assert denied(people, apart) == []
    void = read(people["auditor"], waiting.name)
    assert not void.approved
    assert [row.void_reason for row in void.sign_offs] == ["SUPERSEDED", ""]


def test_parting_them_takes_a_quorum(people: People) -> None:
    """Nobody parts two accounts alone; a change by two others does, and what they signed counts again."""
    joint, _ = released(people, "owner-2", "reviewer-2")
    link(people, "owner-2", "reviewer-2")
    parted = trigger(
        principal_unlink=trigger_pb2.PrincipalUnlink(principal="principals/reviewer-2", person="somebody-else")
    )
    with refused("NOT_ALLOWED"):
        people["admin"].propose(parted)

    people.enact(parted)

    assert tainted(people) == []
    assert denied(people, joint) == []


def test_an_approver_who_turns_out_to_administer(people: People) -> None:
    """Admins administer, they do not approve: what they signed under another name is tainted too."""
    subject, change = released(people, "owner-2", "reviewer")

    link(people, "owner-2", "admin")

    assert set(denied(people, subject)) == {"TAINTED"}
    assert [row.code for row in read(people["auditor"], change.name).doubts] == ["ADMIN_CONFLICT"]


def test_an_administrators_own_new_key_on_an_approver(people: People) -> None:
    """It needs the quorum of a grant: an administrator does not propose it, and nobody signs for two."""
    mine = registrations(people, "admins-key", owner="owner")
    with refused("NOT_ALLOWED"):
        people["admin"].propose(*mine)
    proposed = people["evaluator"].propose(*mine)
    assert {slot.role for slot in proposed.slots if not slot.filled_by} == {"owner", "reviewer"}
    with refused("NOT_ALLOWED"):
        people["admin"].sign(proposed.name, "owner", "reviewer")
    assert ("interlock.v1.ChangeService/ProposeChange", ("NOT_ALLOWED",)) in attempts(people, "admin")
