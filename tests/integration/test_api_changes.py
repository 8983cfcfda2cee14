"""Changes through the real server: proposed, revised, signed, applied, read."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from interlock.v1 import assessment_pb2, change_pb2, gate_pb2, safeguard_pb2, trigger_pb2
from tests.support.people import People, Subject, refused, salted_comment, trigger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import ServerThread


@pytest.fixture(scope="module")
def people(shared_server: ServerThread) -> Iterator[People]:
    """Give everybody of one server; each test has a model of its own."""
    with People(shared_server) as everybody:
        yield everybody


@pytest.fixture
def m(people: People) -> Subject:
    """Give a new model."""
    return people.new_model()


def check(people: People, m: Subject, context: str = "api") -> gate_pb2.CheckReleaseResponse:
    """Ask the gate."""
    reply: gate_pb2.CheckReleaseResponse = people["release-bot"].gate.CheckRelease(
        gate_pb2.CheckReleaseRequest(model=m.model, context=context)
    )
    return reply


def get(people: People, name: str) -> change_pb2.Change:
    """Read a change."""
    reply: change_pb2.Change = people["owner"].changes.GetChange(change_pb2.GetChangeRequest(name=name))
    return reply


def test_a_change_that_both_sign_opens_the_gate(people: People, m: Subject) -> None:
    """Evidence, a proposal and two sign-offs turn the gate's DENY into ALLOW, at one position."""
    report = people["evaluator"].upload("evaluation_results")
    assert check(people, m).verdict == gate_pb2.VERDICT_DENY

    change = people["evaluator"].propose(m.rule_out(), m.assign(), evidence=[report.name])
    first = people["owner"].sign(change.name, "owner", comment="fine with me")
    second = people["reviewer"].sign(change.name, "reviewer")

    assert first.state == change_pb2.CHANGE_STATE_IN_REVIEW
    assert second.state == change_pb2.CHANGE_STATE_APPLIED
    assert second.applied_position == second.sign_offs[1].position
    assert not second.unmet
    assert check(people, m).verdict == gate_pb2.VERDICT_ALLOW


def test_a_proposal_says_all_that_it_lacks(people: People, m: Subject) -> None:
    """What a new change misses is listed at once, evidence and every slot."""
    change = people["evaluator"].propose(m.rule_out(), title="Rule it out", summary="Two lines\nof why")

    assert [row.code for row in change.unmet] == ["EVIDENCE_MISSING", "SIGN_OFF_MISSING", "SIGN_OFF_MISSING"]
    assert [slot.role for slot in change.slots] == ["owner", "reviewer"]
    assert not any(slot.filled_by for slot in change.slots)
    assert {text.field: text.text for text in change.texts} == {
        "title": "Rule it out",
        "summary": "Two lines\nof why",
    }
    for text in change.texts:
        assert hashlib.sha256(text.salt + text.text.encode()).digest() == text.digest


def test_what_can_never_fire_is_refused_at_once(people: People, m: Subject) -> None:
    """A proposal to raise a level that was never assigned is refused with its code."""
    raise_it = trigger(level_raise=trigger_pb2.LevelRaise(level=m.level, to="guarded"))

    with refused("REQUIREMENTS_UNMET") as said:
        people["evaluator"].propose(raise_it)

    assert said.code is grpc.StatusCode.FAILED_PRECONDITION
    assert "LEVEL_ORDER" in said.unmet


def test_an_approval_is_refused_while_evidence_is_missing(people: People, m: Subject) -> None:
    """Nobody can sign off a change whose evidence is not there; everything unmet is listed."""
    change = people["evaluator"].propose(m.rule_out())

    with refused("REQUIREMENTS_UNMET") as said:
        people["owner"].sign(change.name, "owner")

    assert "EVIDENCE_MISSING" in said.unmet
    assert not get(people, change.name).sign_offs


def test_an_edit_voids_what_was_signed(people: People, m: Subject) -> None:
    """After an amendment earlier approvals stay on record, void, and do not count."""
    change = people["evaluator"].propose(m.assign())
    people["owner"].sign(change.name, "owner")

    people["evaluator"].changes.AmendChange(
        change_pb2.AmendChangeRequest(name=change.name, etag=change.etag, summary="other words")
    )

    amended = get(people, change.name)
    assert amended.revision == 2
    assert [(row.void, row.void_reason) for row in amended.sign_offs] == [(True, "REVISION_CHANGED")]
    assert {text.field for text in amended.texts} == {"title", "summary"}


@pytest.mark.parametrize("method", ["AmendChange", "AttachEvidence", "RebaseChange", "WithdrawChange"])
def test_an_old_etag_is_refused(people: People, m: Subject, method: str) -> None:
    """A writer who has not seen the newest revision is told so, ABORTED, and changes nothing."""
    change = people["evaluator"].propose(m.assign())
    report = people["evaluator"].upload("evaluation_results")
    people["evaluator"].changes.AmendChange(change_pb2.AmendChangeRequest(name=change.name, summary="newer"))
    request = getattr(change_pb2, f"{method}Request")(name=change.name, etag=change.etag)
    if method == "AmendChange":
        request.summary = "mine"
    if method == "AttachEvidence":
        request.evidence.append(report.name)

    with refused("ETAG_MISMATCH") as said:
        getattr(people["evaluator"].changes, method)(request)

    assert said.code is grpc.StatusCode.ABORTED
    assert get(people, change.name).revision == 2


def test_documents_come_and_go_by_revision(people: People, m: Subject) -> None:
    """Attaching and detaching make new revisions; detaching what is not attached is refused."""
    change = people["evaluator"].propose(m.rule_out())
    one, two = (people["evaluator"].upload("evaluation_results", data) for data in (b"one", b"two"))
    service = people["evaluator"].changes

    service.AttachEvidence(change_pb2.AttachEvidenceRequest(name=change.name, evidence=[one.name, two.name]))
    service.DetachEvidence(change_pb2.DetachEvidenceRequest(name=change.name, evidence=[one.name]))
    with refused("NOT_FOUND") as said:
        service.DetachEvidence(change_pb2.DetachEvidenceRequest(name=change.name, evidence=[one.name]))

    content = change_pb2.ChangeContent.FromString(get(people, change.name).content)
    assert said.unmet == ("EVIDENCE_UNKNOWN",)
    assert (content.revision, [row.evidence for row in content.evidence]) == (3, [two.name])


def test_a_moved_base_is_stale_until_rebased(people: People, m: Subject) -> None:
    """When what a change was written against moves, it can't be signed until it is rebased."""
    people.verify_filter(m)
    change = people["evaluator"].propose(m.activate(), m.assign())
    people["owner"].safeguards.SuspendSafeguard(safeguard_pb2.SuspendSafeguardRequest(name=m.filter))

    with refused("STALE_BASE") as said:
        people["owner"].sign(change.name, "owner")

    stale = get(people, change.name)
    assert said.code is grpc.StatusCode.ABORTED
    assert "BASE_MOVED" in said.unmet
    assert (stale.stale, list(stale.moved)) == (True, [m.filter])


def test_a_rebase_takes_the_present_base(people: People, m: Subject) -> None:
    """A rebased change is not stale any more, and can be signed."""
    change = people["evaluator"].propose(m.assign())
    people["evaluator"].assessments.ReportDetermination(
        assessment_pb2.ReportDeterminationRequest(name=m.determination, conclusion=trigger_pb2.CONCLUSION_RULED_OUT)
    )
    assert get(people, change.name).stale

    rebased = people["evaluator"].changes.RebaseChange(change_pb2.RebaseChangeRequest(name=change.name))
    signed = people["owner"].sign(change.name, "owner")

    assert (rebased.stale, rebased.revision) == (False, 2)
    assert len(signed.sign_offs) == 1


def test_a_reject_stands_until_taken_back(people: People, m: Subject) -> None:
    """While a reject stands nothing is approved; its author can withdraw it, signed too."""
    change = people["evaluator"].propose(m.assign())
    people["reviewer"].sign(change.name, "reviewer", decision="reject")
    people["owner"].sign(change.name, "owner")
    assert "SIGN_OFF_REJECTED" in [row.code for row in get(people, change.name).unmet]

    people["reviewer"].sign(change.name, "reviewer", decision="withdraw")
    applied = people["reviewer"].sign(change.name, "reviewer")

    assert applied.state == change_pb2.CHANGE_STATE_APPLIED
    assert [row.decision for row in applied.sign_offs] == [
        change_pb2.DECISION_REJECT,
        change_pb2.DECISION_APPROVE,
        change_pb2.DECISION_WITHDRAW,
        change_pb2.DECISION_APPROVE,
    ]


def test_a_requester_cannot_sign(people: People, m: Subject) -> None:
    """Who proposed a change has no part in approving it; all that is in the way is listed."""
    change = people["evaluator"].propose(m.assign())

    with refused("NOT_ALLOWED") as said:
        people["evaluator"].sign(change.name, "owner")

    assert "NO_APPROVING_ROLE" in said.unmet


def test_a_checkpoint_of_another_history_is_refused(people: People, m: Subject) -> None:
    """A signer who was shown another log finds out: the server refuses a root that is not in its history."""
    change = people["evaluator"].propose(m.assign())

    with refused("SIGN_OFF_INVALID") as said:
        people["owner"].sign(change.name, "owner", checkpoint_root="ab" * 32)

    assert said.unmet == ("SIGN_OFF_CHECKPOINT",)


def test_an_older_checkpoint_of_this_log_is_fine(people: People, m: Subject) -> None:
    """A signer need not have seen the newest checkpoint, only a true one."""
    before = people["owner"].checkpoint()
    change = people["evaluator"].propose(m.assign())

    signed = people["owner"].sign(change.name, "owner", checkpoint_size=before.size, checkpoint_root=before.root.hex())

    assert len(signed.sign_offs) == 1


def test_a_comment_is_kept_with_its_salt(people: People, m: Subject) -> None:
    """The comment whose digest was signed is shown with what makes its digest, and the envelope as it came."""
    change = people["evaluator"].propose(m.assign())

    people["owner"].sign(change.name, "owner", comment="seen, and fine")

    (row,) = get(people, change.name).sign_offs
    assert row.comment == salted_comment("seen, and fine")
    assert b"signatures" in row.envelope


@pytest.mark.parametrize(
    "comment",
    [None, change_pb2.SaltedText(salt=b"s" * 32, text="other"), change_pb2.SaltedText(salt=b"s", text="fine")],
    ids=["missing", "other-text", "short-salt"],
)
def test_a_comment_that_was_not_signed_is_refused(
    people: People, m: Subject, comment: change_pb2.SaltedText | None
) -> None:
    """The text that comes along must be the one whose digest the statement names."""
    change = people["evaluator"].propose(m.assign())
    digest = salted_comment("fine").digest.hex()
    envelope = people["owner"].envelope(people["owner"].statement(change, "owner", comment_digest=digest))

    request = change_pb2.SignOffRequest(name=change.name, envelope=envelope)
    if comment is not None:
        request.comment.CopyFrom(comment)

    with refused("INVALID_FIELD"):
        people["owner"].changes.SignOff(request)


def test_an_envelope_is_accepted_once(people: People, m: Subject) -> None:
    """The same signed statement can't be handed in twice, even after it was withdrawn."""
    change = people["evaluator"].propose(m.assign())
    envelope = people["owner"].envelope(people["owner"].statement(change, "owner"))
    request = change_pb2.SignOffRequest(name=change.name, envelope=envelope)
    people["owner"].changes.SignOff(request)
    people["owner"].sign(change.name, "owner", decision="withdraw")

    with refused("SIGN_OFF_INVALID") as said:
        people["owner"].changes.SignOff(request)

    assert said.unmet == ("SIGN_OFF_REPLAYED",)


def test_what_is_no_envelope_is_refused(people: People, m: Subject) -> None:
    """Bytes that are no DSSE envelope are refused by their form."""
    change = people["evaluator"].propose(m.assign())

    with refused("SIGN_OFF_INVALID") as said:
        people["owner"].changes.SignOff(change_pb2.SignOffRequest(name=change.name, envelope=b"{}"))

    assert said.unmet == ("SIGN_OFF_FORMAT",)


def test_the_same_request_id_gives_the_same_reply(people: People, m: Subject) -> None:
    """A retry under one request id makes one change and gets the same answer, texts included."""
    request = change_pb2.ProposeChangeRequest(triggers=[m.assign()], title="Once", request_id=str(uuid.uuid4()))

    first = people["evaluator"].changes.ProposeChange(request)
    second = people["evaluator"].changes.ProposeChange(request)

    assert first == second
    assert len(people["owner"].changes.ListChanges(change_pb2.ListChangesRequest(model=m.model)).changes) == 1


def test_another_body_under_a_request_id_is_refused(people: People, m: Subject) -> None:
    """A request id stands for one request."""
    request = change_pb2.ProposeChangeRequest(triggers=[m.assign()], title="Once", request_id=str(uuid.uuid4()))
    people["evaluator"].changes.ProposeChange(request)
    request.title = "Twice"

    with refused("REQUEST_ID_REUSED"):
        people["evaluator"].changes.ProposeChange(request)


def test_a_change_can_wait_for_its_application(people: People, m: Subject) -> None:
    """A change that says so is applied by a call of its own, and only once."""
    change = people["evaluator"].propose(m.assign(), apply_separately=True)
    people["owner"].sign(change.name, "owner")
    approved = people["reviewer"].sign(change.name, "reviewer")

    applied = people["owner"].changes.ApplyChange(change_pb2.ApplyChangeRequest(name=change.name, etag=change.etag))

    assert (approved.state, approved.approved) == (change_pb2.CHANGE_STATE_IN_REVIEW, True)
    assert applied.state == change_pb2.CHANGE_STATE_APPLIED
    assert [slot.filled_by for slot in applied.slots] == ["principals/owner", "principals/reviewer"]
    with refused("REQUIREMENTS_UNMET"):
        people["owner"].changes.ApplyChange(change_pb2.ApplyChangeRequest(name=change.name))


def test_a_change_is_not_applied_before_its_time(people: People, m: Subject) -> None:
    """Approval alone applies nothing before the earliest moment that the content names."""
    later = Timestamp(seconds=4_000_000_000)
    change = people["evaluator"].propose(m.assign(), not_before_time=later)
    people["owner"].sign(change.name, "owner")
    people["reviewer"].sign(change.name, "reviewer")

    with refused("REQUIREMENTS_UNMET") as said:
        people["owner"].changes.ApplyChange(change_pb2.ApplyChangeRequest(name=change.name))

    assert said.unmet == ("NOT_BEFORE",)


def test_a_draft_waits_for_its_author(people: People, m: Subject) -> None:
    """A draft is not signed; submitted, it is under review."""
    change = people["evaluator"].propose(m.assign(), draft=True)
    with refused("REQUIREMENTS_UNMET"):
        people["owner"].sign(change.name, "owner")

    submitted = people["evaluator"].changes.SubmitChange(change_pb2.SubmitChangeRequest(name=change.name))

    assert change.state == change_pb2.CHANGE_STATE_DRAFT
    assert submitted.state == change_pb2.CHANGE_STATE_IN_REVIEW


def test_a_withdrawn_change_is_closed(people: People, m: Subject) -> None:
    """A change taken back can't be signed any more and asks for nothing."""
    change = people["evaluator"].propose(m.assign())

    gone = people["evaluator"].changes.WithdrawChange(change_pb2.WithdrawChangeRequest(name=change.name))

    assert (gone.state, len(gone.unmet)) == (change_pb2.CHANGE_STATE_WITHDRAWN, 0)
    with refused("REQUIREMENTS_UNMET"):
        people["owner"].sign(change.name, "owner")


def test_a_preview_shows_the_edges_and_writes_nothing(people: People, m: Subject) -> None:
    """A dry run says which edges would be taken and what is unmet."""
    change = people["evaluator"].propose(m.assign())
    before = people["owner"].checkpoint().size

    preview = people["owner"].changes.PreviewChange(change_pb2.PreviewChangeRequest(name=change.name))

    (move,) = preview.transitions
    assert (move.resource, move.trigger, getattr(move, "from"), move.to) == (
        m.level, "level.assign", "unassigned", "confirmed(basic)",
    )  # fmt: skip
    assert {row.code for row in preview.unmet} == {"SIGN_OFF_MISSING"}
    assert people["owner"].checkpoint().size == before


def test_preview_says_which_verdicts_would_turn(people: People, m: Subject) -> None:
    """What would bring a release about says so, and once it is applied the gate does."""
    report = people["evaluator"].upload("evaluation_results", m.model.encode())
    change = people["evaluator"].propose(m.rule_out(), m.assign(), evidence=[report.name])

    flips = people["owner"].changes.PreviewChange(change_pb2.PreviewChangeRequest(name=change.name)).flips
    people["owner"].sign(change.name, "owner")
    people["reviewer"].sign(change.name, "reviewer")

    assert {flip.model for flip in flips} == {m.model}
    for flip in flips:
        asked = gate_pb2.CheckReleaseRequest(model=flip.model, context=flip.context)
        assert people["release-bot"].gate.CheckRelease(asked).verdict == flip.verdict == gate_pb2.VERDICT_ALLOW
    assert "api" in {flip.context for flip in flips}


def test_the_inbox_lists_what_waits_for_me(people: People, m: Subject) -> None:
    """A change waits for those who could fill an open slot now, and for nobody else."""
    change = people["evaluator"].propose(m.assign())
    people["owner"].sign(change.name, "owner")
    mine = change_pb2.ListChangesRequest(waiting_for_me=True, model=m.model)

    waiting = {
        who: [row.name for row in people[who].changes.ListChanges(mine).changes]
        for who in ("owner", "reviewer", "evaluator", "auditor")
    }

    assert waiting == {"owner": [], "reviewer": [change.name], "evaluator": [], "auditor": []}


def test_pages_of_changes_stay_put_while_others_write(people: People, m: Subject) -> None:
    """A token goes on below the last change of the page before, whatever was proposed meanwhile."""
    names = [people["evaluator"].propose(m.assign()).name for _ in range(5)]
    seen, token = [], ""

    for _ in range(3):
        request = change_pb2.ListChangesRequest(page_size=2, model=m.model, page_token=token)
        page = people["owner"].changes.ListChanges(request)
        seen += [row.name for row in page.changes]
        token = page.next_page_token
        people["evaluator"].propose(m.assign())

    assert seen == names[::-1]
    assert not token


def test_changes_are_found_by_model_and_state(people: People, m: Subject) -> None:
    """Filters leave out changes of other models and in other states."""
    other = people.new_model()
    applied = people.enact(m.assign())
    people["evaluator"].propose(other.assign())
    service = people["owner"].changes
    is_applied = change_pb2.CHANGE_STATE_APPLIED

    of_model = service.ListChanges(change_pb2.ListChangesRequest(model=m.model)).changes
    by_state = service.ListChanges(change_pb2.ListChangesRequest(state=is_applied)).changes

    assert [row.name for row in of_model] == [applied.name]
    assert by_state[0].name == applied.name
    assert {row.state for row in by_state} == {is_applied}


@pytest.mark.parametrize("token", ["garbage", "AAAA", "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ=", "\u00e9"])
def test_a_made_up_token_is_refused(people: People, m: Subject, token: str) -> None:
    """A page token that was never given out is a malformed field."""
    with refused("INVALID_FIELD") as said:
        people["owner"].changes.ListChanges(change_pb2.ListChangesRequest(page_token=token))

    assert said.fields == ("page_token",)


def test_a_token_of_another_question_is_refused(people: People, m: Subject) -> None:
    """A token goes with the filters that it was given out for."""
    for _ in range(2):
        people["evaluator"].propose(m.assign())
    token = people["owner"].changes.ListChanges(change_pb2.ListChangesRequest(page_size=1)).next_page_token

    with refused("INVALID_FIELD"):
        people["owner"].changes.ListChanges(change_pb2.ListChangesRequest(model=m.model, page_token=token))


@pytest.mark.parametrize(
    "method", ["GetChange", "PreviewChange", "SubmitChange", "RebaseChange", "ApplyChange", "WithdrawChange"]
)
def test_an_unknown_change_is_not_found(people: People, m: Subject, method: str) -> None:
    """Each method on a change that there is not says so."""
    request = getattr(change_pb2, f"{method}Request")(name="changes/999999999999999999")

    with refused("NOT_FOUND") as said:
        getattr(people["evaluator"].changes, method)(request)

    assert said.code is grpc.StatusCode.NOT_FOUND


def test_a_reason_that_nobody_could_read_is_refused(people: People, m: Subject) -> None:
    """A digest of a reason in a proposal has no text that the server could show."""
    place = trigger(hold_place=trigger_pb2.HoldPlace(target=m.model, reason_digest=b"r" * 32))

    with refused("INVALID_FIELD") as said:
        people["evaluator"].propose(m.assign(), place)

    assert said.fields == ("triggers[1].reason_digest",)


def test_nothing_to_amend_is_refused(people: People, m: Subject) -> None:
    """An amendment without anything new would void approvals for nothing."""
    change = people["evaluator"].propose(m.assign())

    with refused("INVALID_FIELD"):
        people["evaluator"].changes.AmendChange(change_pb2.AmendChangeRequest(name=change.name))
