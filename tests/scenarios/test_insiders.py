"""Insiders: what people of the house try, each through a real server, each refused, and the entry that it left.

A second account, a delegate, a fresh grant, a key on somebody else's account; swapped evidence; envelopes used again; a
stolen token; keys and accounts that were taken. Signatures and sessions are real, and no client code is in between.
"""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import grpc
import pytest

from interlock.proofs import dsse, keys
from interlock.statemachine import codec, signoff
from interlock.v1 import (
    assessment_pb2,
    audit_pb2,
    change_pb2,
    evidence_pb2,
    gate_pb2,
    hold_pb2,
    identity_pb2,
    ledger_pb2,
    trigger_pb2,
)
from tests.support.delegations import delegate, delegation
from tests.support.newcomers import bring_in, give, registrations
from tests.support.people import People, Subject, refused, trigger
from tests.support.server import CALL_SECONDS, ServerThread, answer_of, copy_of, install
from tests.support.service import ShiftedClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import Install
    from tests.support.people import Person

SIGN: Final = "interlock.v1.ChangeService/SignOff"
DELEGATE: Final = "interlock.v1.IdentityService/GiveDelegation"
PROPOSE: Final = "interlock.v1.ChangeService/ProposeChange"
SALTED: Final = "interlock.v1.EvidenceService/DownloadEvidence"


@pytest.fixture(scope="module")
def people(installations: Install, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Serve `minimal`, with three accounts that no founding knew: a second one, a second reviewer, and an outsider."""
    data = copy_of(installations("minimal"), tmp_path_factory.mktemp("insiders") / "data")
    with ServerThread(data) as server, People(server) as crowd:
        bring_in(crowd, "evaluator-again", person="evaluator", roles=["reviewer"])
        bring_in(crowd, "reviewer-2", roles=["reviewer"])
        yield crowd


@pytest.fixture
def change(people: People) -> change_pb2.Change:
    """Give a change by the evaluator that waits for an owner and a reviewer."""
    return proposal(people, people.new_model())


def proposal(people: People, subject: Subject) -> change_pb2.Change:
    """Have the evaluator propose what opens the gate for a model."""
    report = people["evaluator"].upload("evaluation_results", subject.model.encode())
    return people["evaluator"].propose(subject.rule_out(), subject.assign(), evidence=[report.name])


def attempts(people: People, who: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return what somebody tried and was refused, as the log has it: method and codes."""
    request = audit_pb2.ListEntriesRequest(actor=f"principals/{who}", page_size=1000)
    entries = [
        ledger_pb2.LedgerEntry.FromString(row.entry) for row in people["auditor"].audit.ListEntries(request).entries
    ]
    tried = [entry.command.attempt_refused for entry in entries if entry.command.HasField("attempt_refused")]
    return [(row.method, tuple(row.codes)) for row in tried]


def hand_in(person: Person, name: str, envelope: bytes) -> None:
    """Hand an envelope in, whoever made it."""
    person.changes.SignOff(change_pb2.SignOffRequest(name=name, envelope=envelope))


def read(person: Person, name: str) -> change_pb2.Change:
    """Return a change as it stands."""
    found: change_pb2.Change = person.changes.GetChange(change_pb2.GetChangeRequest(name=name))
    return found


# 1. The requester signs in another guise -----------------------------------------------------------------------------


def test_a_second_account_of_the_requester(people: People, change: change_pb2.Change) -> None:
    """Conflicts are judged by person: another account of the same one fills no slot."""
    with refused("NOT_ALLOWED") as said:
        people["evaluator-again"].sign(change.name, "reviewer")

    assert set(said.unmet) == {"REQUESTER_CONFLICT", "EVIDENCE_AUTHOR_CONFLICT"}
    assert (SIGN, ("EVIDENCE_AUTHOR_CONFLICT", "REQUESTER_CONFLICT")) in attempts(people, "evaluator-again")


def test_a_delegate_of_the_requester(people: People, change: change_pb2.Change) -> None:
    """A statement on behalf of somebody is refused: nobody delegated anything."""
    with refused("SIGN_OFF_INVALID") as said:
        people["reviewer"].sign(change.name, "reviewer", on_behalf_of="principals/evaluator")

    assert said.unmet == ("NO_DELEGATION",)
    assert (SIGN, ("NO_DELEGATION",)) in attempts(people, "reviewer")


def test_a_delegate_by_a_delegation_that_stands(people: People, change: change_pb2.Change) -> None:
    """The requester signs neither for who delegated to them, nor through a delegate of their second account."""
    delegate(people, "reviewer", "reviewer", "evaluator")
    delegate(people, "evaluator-again", "reviewer", "engineer")

    with refused("NOT_ALLOWED") as said:
        people["evaluator"].sign(change.name, "reviewer", on_behalf_of="principals/reviewer")
    assert set(said.unmet) == {"REQUESTER_CONFLICT", "EVIDENCE_AUTHOR_CONFLICT"}
    assert (SIGN, ("EVIDENCE_AUTHOR_CONFLICT", "REQUESTER_CONFLICT")) in attempts(people, "evaluator")

    with refused("NOT_ALLOWED") as said:
        people["engineer"].sign(change.name, "reviewer", on_behalf_of="principals/evaluator-again")
    assert set(said.unmet) == {"REQUESTER_CONFLICT", "EVIDENCE_AUTHOR_CONFLICT"}


def test_a_delegate_of_both_approvers(people: People, change: change_pb2.Change) -> None:
    """Who borrowed every role that a change asks for is one person with all of them, and the change stays in review."""
    delegate(people, "owner", "owner", "auditor")
    delegate(people, "reviewer", "reviewer", "auditor")

    people["auditor"].sign(change.name, "owner", on_behalf_of="principals/owner")
    after = people["auditor"].sign(change.name, "reviewer", on_behalf_of="principals/reviewer")
    after = people["owner"].sign(after.name, "owner")

    assert after.state == change_pb2.CHANGE_STATE_IN_REVIEW
    assert not after.approved


def test_a_delegation_signed_by_somebody_else(people: People) -> None:
    """Nobody hands in another's delegation, nor signs one for them; and nobody borrows what was lent already."""
    stolen = delegation(people, "owner", "owner", "engineer")
    with refused("SIGN_OFF_INVALID") as said:
        people["reviewer"].identity.GiveDelegation(identity_pb2.GiveDelegationRequest(envelope=stolen))
    assert said.unmet == ("SIGN_OFF_SIGNER",)
    assert (DELEGATE, ("SIGN_OFF_SIGNER",)) in attempts(people, "reviewer")

    delegate(people, "owner", "owner", "reviewer-2")
    with refused("REQUIREMENTS_UNMET") as said:
        delegate(people, "reviewer-2", "owner", "engineer")
    assert said.unmet == ("NO_APPROVING_ROLE",)
    assert (DELEGATE, ("NO_APPROVING_ROLE",)) in attempts(people, "reviewer-2")


def test_an_administrator_gives_a_role(people: People) -> None:
    """An administrator proposes no grant, fires none, and no quorum makes an approver of them."""
    with refused("NOT_ALLOWED"):
        people["admin"].propose(give("evaluator-again", "owner"))
    assert (PROPOSE, ("NOT_ALLOWED",)) in attempts(people, "admin")

    with refused("REQUIREMENTS_UNMET") as said:
        people["evaluator"].propose(give("admin", "owner"))
    assert said.unmet == ("ADMIN_CONFLICT",)
    assert (PROPOSE, ("ADMIN_CONFLICT",)) in attempts(people, "evaluator")


def test_a_grant_made_a_minute_ago(people: People, change: change_pb2.Change) -> None:
    """A role given after a change was proposed does not count for it, by whatever quorum it was given."""
    bring_in(people, "fresh", roles=["owner"])

    with refused("NOT_ALLOWED") as said:
        people["fresh"].sign(change.name, "owner")

    assert said.unmet == ("GRANT_TOO_NEW",)
    assert (SIGN, ("GRANT_TOO_NEW",)) in attempts(people, "fresh")


def test_a_key_of_ones_own_on_somebody_elses_account(people: People) -> None:
    """A registration waits for its quorum; until then the key signs nothing and opens no session."""
    proposed = people["evaluator"].propose(*registrations(people, "intruder", owner="owner"))

    assert {slot.role for slot in proposed.slots if not slot.filled_by} == {"owner", "reviewer"}
    with pytest.raises(grpc.RpcError) as caught:
        people.server.login(people.channel, "intruder")
    assert answer_of(caught.value).reason == "UNAUTHENTICATED"
    change = proposal(people, people.new_model())
    statement = people["owner"].statement(change, "owner")
    forged = dsse.sign(
        dsse.IN_TOTO_TYPE, signoff.build_statement(statement), people.server.key("intruder", "signoff")
    ).to_json()
    with refused("SIGN_OFF_INVALID") as said:
        hand_in(people["owner"], change.name, forged)
    assert said.unmet == ("SIGN_OFF_SIGNATURE",)
    assert (SIGN, ("SIGN_OFF_SIGNATURE",)) in attempts(people, "owner")


def test_a_requester_who_signs_for_themselves_as_well(people: People) -> None:
    """Who proposes with an approving role of their own is still the requester."""
    people.enact(give("reviewer-2", "requester"))
    subject = people.new_model()
    report = people["evaluator"].upload("evaluation_results", b"mine")
    change = people["reviewer-2"].propose(subject.rule_out(), evidence=[report.name])

    with refused("NOT_ALLOWED") as said:
        people["reviewer-2"].sign(change.name, "reviewer")

    assert said.unmet == ("REQUESTER_CONFLICT",)
    assert (SIGN, ("REQUESTER_CONFLICT",)) in attempts(people, "reviewer-2")


# 2. Evidence is swapped after it was signed for ----------------------------------------------------------------------


def test_evidence_swapped_after_a_sign_off(people: People, change: change_pb2.Change) -> None:
    """Another document is another revision: what was signed before is void and says so."""
    people["owner"].sign(change.name, "owner")
    other = people["evaluator"].upload("evaluation_results", b"a kinder version")
    [(before, _)] = codec.decode_content(change.content).evidence
    evaluator = people["evaluator"].changes
    evaluator.AttachEvidence(change_pb2.AttachEvidenceRequest(name=change.name, evidence=[other.name]))
    evaluator.DetachEvidence(change_pb2.DetachEvidenceRequest(name=change.name, evidence=[before]))

    swapped = read(people["auditor"], change.name)
    assert [(row.void, row.void_reason) for row in swapped.sign_offs] == [(True, "REVISION_CHANGED")]
    assert not swapped.approved


def test_a_document_of_the_same_title_replaces_nothing(people: People, change: change_pb2.Change) -> None:
    """Evidence is named by number and bound by digest: another upload is another document."""
    first = people["evaluator"].upload("evaluation_results", b"version one", title="Results")
    second = people["evaluator"].upload("evaluation_results", b"version two", title="Results")

    assert first.name != second.name
    assert people["auditor"].download(first.name) == b"version one"


def test_a_statement_about_other_evidence(people: People, change: change_pb2.Change) -> None:
    """Who signs names each document by its digest; another digest is refused."""
    statement = people["owner"].statement(change, "owner")
    [row] = statement.evidence
    envelope = people["owner"].envelope(replace(statement, evidence=(replace(row, sha256="0" * 64),)))

    with refused("SIGN_OFF_INVALID") as said:
        hand_in(people["owner"], change.name, envelope)

    assert said.unmet == ("SIGN_OFF_EVIDENCE",)
    assert (SIGN, ("SIGN_OFF_EVIDENCE",)) in attempts(people, "owner")


# 3. An envelope is replayed ------------------------------------------------------------------------------------------


def signed(people: People, change: change_pb2.Change, who: str = "owner") -> bytes:
    """Return somebody's approval of a change, not handed in yet."""
    return people[who].envelope(people[who].statement(change, who))


def test_on_another_change(people: People, change: change_pb2.Change) -> None:
    """It names the change that was signed."""
    other = proposal(people, people.new_model())

    with refused("SIGN_OFF_INVALID") as said:
        hand_in(people["owner"], other.name, signed(people, change))

    assert set(said.unmet) == {"SIGN_OFF_SUBJECT", "SIGN_OFF_EVIDENCE"}
    assert any(method == SIGN and "SIGN_OFF_SUBJECT" in codes for method, codes in attempts(people, "owner"))


def test_on_the_same_change_after_an_edit(people: People, change: change_pb2.Change) -> None:
    """It names the bytes that were signed, and an edit makes others."""
    envelope = signed(people, change)
    triggers = [codec.trigger_message(firing) for firing in codec.decode_content(change.content).triggers]
    people["evaluator"].changes.AmendChange(
        change_pb2.AmendChangeRequest(name=change.name, triggers=triggers, title="Another title")
    )

    with refused("SIGN_OFF_INVALID") as said:
        hand_in(people["owner"], change.name, envelope)

    assert said.unmet == ("SIGN_OFF_SUBJECT",)
    assert (SIGN, ("SIGN_OFF_SUBJECT",)) in attempts(people, "owner")


def test_after_it_was_taken_back(people: People, change: change_pb2.Change) -> None:
    """An envelope is accepted once, ever."""
    envelope = signed(people, change)
    hand_in(people["owner"], change.name, envelope)
    people["owner"].sign(change.name, "owner", decision="withdraw")

    with refused("SIGN_OFF_INVALID") as said:
        hand_in(people["owner"], change.name, envelope)

    assert said.unmet == ("SIGN_OFF_REPLAYED",)
    assert (SIGN, ("SIGN_OFF_REPLAYED",)) in attempts(people, "owner")


def test_by_another_person(people: People, change: change_pb2.Change) -> None:
    """Somebody else's envelope is none of one's own, in their session or under one's own key."""
    statement = people["owner"].statement(change, "owner")

    with refused("SIGN_OFF_INVALID") as said:
        hand_in(people["reviewer"], change.name, people["owner"].envelope(statement))
    assert said.unmet == ("SIGN_OFF_SIGNATURE",)
    assert (SIGN, ("SIGN_OFF_SIGNATURE",)) in attempts(people, "reviewer")

    with refused("SIGN_OFF_INVALID") as said:
        hand_in(people["reviewer"], change.name, people["reviewer"].envelope(statement))
    assert said.unmet == ("SIGN_OFF_SIGNER",)


def test_with_another_role(people: People, change: change_pb2.Change) -> None:
    """Naming a role that one does not hold fills no slot of it."""
    with refused("NOT_ALLOWED") as said:
        people["owner"].sign(change.name, "reviewer")

    assert said.unmet == ("NO_APPROVING_ROLE",)
    assert (SIGN, ("NO_APPROVING_ROLE",)) in attempts(people, "owner")


def test_in_another_log(people: People, tmp_path: Path) -> None:
    """The same key, account, change number, triggers and document in another log: its id is in the bytes signed."""
    bring_in(people, "kim", roles=["owner"])
    here = proposal(people, people.new_model())
    envelope = people["kim"].envelope(people["kim"].statement(here, "owner"))
    with ServerThread(install(tmp_path / "other")) as server, People(server) as others:
        shutil.copytree(people.server.home / "kim", server.home / "kim")
        proofs = registered_again(others, "kim")
        account = trigger_pb2.PrincipalCreate(principal="principals/kim", kind="human", person="kim")
        others.enact(trigger(principal_create=account), *proofs, give("kim", "owner"))
        there = proposal(others, others.new_model())
        while there.name != here.name:
            there = proposal(others, others.new_model())

        with refused("SIGN_OFF_INVALID") as said:
            hand_in(others["kim"], there.name, envelope)
        assert said.unmet == ("SIGN_OFF_CHECKPOINT",)
        assert (SIGN, ("SIGN_OFF_CHECKPOINT",)) in attempts(others, "kim")

        call: Any = others.channel.unary_unary("/interlock.v1.IdentityService/WhoAmI")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", metadata=people["kim"].metadata, timeout=CALL_SECONDS)
        assert answer_of(caught.value).reason == "UNAUTHENTICATED"


def registered_again(people: People, who: str) -> list[trigger_pb2.Trigger]:
    """Return the triggers that register keys which are there already, for this log."""
    from interlock.client.registering import registration  # noqa: PLC0415  # beside its one use
    from interlock.client.signers import FileKey  # noqa: PLC0415  # same

    log_id = bytes.fromhex(people.server.profile("auditor").log_id)
    return [registration(log_id, who, use, FileKey(people.server.key(who, use))) for use in ("login", "signoff")]


# 4. A token is stolen ------------------------------------------------------------------------------------------------


def test_a_stolen_release_tool_token(people: People, change: change_pb2.Change) -> None:
    """It proposes nothing, signs nothing and reads no restricted document; each attempt at it is on record."""
    secret = people["evaluator"].upload(
        "evaluation_results", b"secret", classification=evidence_pb2.CLASSIFICATION_RESTRICTED
    )
    thief = people["release-bot"]

    with refused("NOT_ALLOWED"):
        thief.propose(give("release-bot", "owner"))
    with refused("NOT_ALLOWED"):
        hand_in(thief, change.name, signed(people, change))
    with refused("NOT_ALLOWED"):
        thief.download(secret.name)
    with refused("NOT_ALLOWED"):
        thief.holds.PlaceHold(hold_pb2.PlaceHoldRequest(target="-"))

    tried = {method for method, _ in attempts(people, "release-bot")}
    assert tried == {PROPOSE, SIGN, SALTED, "interlock.v1.HoldService/PlaceHold"}


def test_a_restricted_document_is_read_by_nobody_else(people: People) -> None:
    """Somebody who may read evidence does not read this one without having been given access."""
    before = attempts(people, "engineer")
    secret = people["evaluator"].upload(
        "evaluation_results", b"more secret", classification=evidence_pb2.CLASSIFICATION_RESTRICTED
    )

    with pytest.raises(grpc.RpcError) as caught:
        people["engineer"].download(secret.name)

    assert answer_of(caught.value).code is grpc.StatusCode.PERMISSION_DENIED
    new = [row for row in attempts(people, "engineer") if row not in before]
    assert [method for method, _ in new] == [SALTED]


def test_a_token_on_an_open_stream_after_its_key_was_revoked(people: People) -> None:
    """The stream ends with the entry; what the token asks next is not answered, and leaves no entry."""
    bring_in(people, "bot", kind="service", roles=["release-tool"])
    bot = people["bot"]
    request = gate_pb2.WatchReleaseRequest(model=people.new_model().model, context="api")
    stream = bot.gate.WatchRelease(request)
    next(stream)
    key = keys.fingerprint(keys.public_bytes(people.server.key("bot")))
    name = f"principals/bot/credentials/{key}"
    people["admin"].identity.RevokeCredential(identity_pb2.RevokeCredentialRequest(name=name))

    with pytest.raises(grpc.RpcError) as caught:
        list(stream)
    assert answer_of(caught.value).reason == "UNAUTHENTICATED"
    with refused("UNAUTHENTICATED"):
        bot.gate.CheckRelease(gate_pb2.CheckReleaseRequest(model=request.model, context="api"))
    assert attempts(people, "bot") == []


# 5 and 6, as far as nothing was applied yet --------------------------------------------------------------------------


def test_who_rejected_is_taken(people: People, change: change_pb2.Change) -> None:
    """Suspending or revoking whoever rejected opens nothing: the reject stands."""
    bring_in(people, "sceptic", roles=["owner"])
    doubted = proposal(people, people.new_model())
    people["sceptic"].sign(doubted.name, "owner", decision="reject")
    people["admin"].identity.RemovePrincipal(identity_pb2.RemovePrincipalRequest(name="principals/sceptic"))

    people["owner"].sign(doubted.name, "owner")
    still = people["reviewer"].sign(doubted.name, "reviewer")

    assert still.state == change_pb2.CHANGE_STATE_IN_REVIEW
    assert "SIGN_OFF_REJECTED" in [row.code for row in still.unmet]


def test_a_key_that_was_lost_before_it_signed(people: People) -> None:
    """Its approval is void, and the one that would have completed the quorum applies nothing."""
    bring_in(people, "careless", roles=["owner"])
    change = proposal(people, people.new_model())
    signed_off = people["careless"].sign(change.name, "owner")
    key = keys.fingerprint(keys.public_bytes(people.server.key("careless", "signoff")))
    request = identity_pb2.RevokeCredentialRequest(name=f"principals/careless/credentials/{key}")
    request.compromised_since.CopyFrom(signed_off.sign_offs[0].create_time)
    people["admin"].identity.RevokeCredential(request)

    after = people["reviewer"].sign(change.name, "reviewer")

    assert after.state == change_pb2.CHANGE_STATE_IN_REVIEW
    assert [row.void_reason for row in after.sign_offs] == ["CREDENTIAL_COMPROMISED", ""]
    with refused("SIGN_OFF_INVALID") as said:
        people["careless"].sign(change.name, "owner")
    assert said.unmet == ("SIGN_OFF_KEY",)
    assert (SIGN, ("SIGN_OFF_KEY",)) in attempts(people, "careless")


def test_an_administrator_who_resigns_to_approve(people: People) -> None:
    """Ending the own grant makes no approver for thirty days."""
    bring_in(people, "second-admin", roles=["admin"])
    me = people["second-admin"].identity
    [grant] = me.WhoAmI(identity_pb2.WhoAmIRequest()).principal.grants
    me.EndGrant(identity_pb2.EndGrantRequest(name=grant.name))

    with refused("REQUIREMENTS_UNMET") as said:
        people["evaluator"].propose(give("second-admin", "owner"))
    assert said.unmet == ("ADMIN_CONFLICT",)


def test_a_lone_evaluator_renews_what_has_lapsed(installations: Install, tmp_path: Path) -> None:
    """A report over a lapsed determination leaves it unconfirmed: the gate denies until a quorum confirms it."""
    clock = ShiftedClock()
    with ServerThread(copy_of(installations("minimal"), tmp_path / "data"), clock=clock) as server:
        with People(server) as people:
            subject = people.new_model()
            report = people["evaluator"].upload("evaluation_results")
            people.enact(subject.rule_out(), subject.assign(), evidence=[report.name])
            assert denied(people, subject) == []
        clock.move(181 * 86_400)
        with People(server) as people:
            people["evaluator"].assessments.ReportDetermination(
                assessment_pb2.ReportDeterminationRequest(
                    name=subject.determination, conclusion=trigger_pb2.CONCLUSION_RULED_OUT
                )
            )
            assert denied(people, subject) == ["DETERMINATION_UNCONFIRMED"]

            report = people["evaluator"].upload("evaluation_results", b"again")
            confirm = trigger_pb2.DeterminationConfirm(determination=subject.determination)
            change = people["evaluator"].propose(trigger(determination_confirm=confirm), evidence=[report.name])
            with refused("NOT_ALLOWED") as said:
                people["evaluator"].sign(change.name, "owner", "reviewer")
            assert "NO_APPROVING_ROLE" in said.unmet
            assert (SIGN, tuple(sorted(said.unmet))) in attempts(people, "evaluator")
            assert denied(people, subject) == ["DETERMINATION_UNCONFIRMED"]


def denied(people: People, subject: Subject) -> list[str]:
    """Return why the gate denies a model where anybody inside may use it; empty for ALLOW."""
    request = gate_pb2.CheckReleaseRequest(model=subject.model, context="internal")
    said = people["release-bot"].gate.CheckRelease(request)
    assert (said.verdict == gate_pb2.VERDICT_ALLOW) is (not said.reasons)
    return [reason.code for reason in said.reasons]


def test_double_application_is_one(people: People) -> None:
    """Eight who apply one change at once apply it once."""
    subject = people.new_model()
    report = people["evaluator"].upload("evaluation_results", b"once")
    change = people["evaluator"].propose(subject.rule_out(), evidence=[report.name], apply_separately=True)
    people["owner"].sign(change.name, "owner")
    people["reviewer"].sign(change.name, "reviewer")
    done: list[str] = []

    def apply() -> None:
        try:
            people["owner"].changes.ApplyChange(change_pb2.ApplyChangeRequest(name=change.name))
            done.append("applied")
        except grpc.RpcError as error:
            done.append(answer_of(error).reason)

    crowd = [threading.Thread(target=apply) for _ in range(8)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()

    assert sorted(done).count("applied") == 1
    assert set(done) == {"applied", "REQUIREMENTS_UNMET"}
