"""Many questions at once, and the requirement tree, through the real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest

from interlock.v1 import gate_pb2, hold_pb2
from tests.support.people import People, Subject, refused

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


def release(people: People, m: Subject) -> str:
    """Bring a model to where the gate allows it; return the change that did."""
    report = people["evaluator"].upload("evaluation_results", m.model.encode())
    return people.enact(m.rule_out(), m.assign(), evidence=[report.name]).name


def explain(people: People, m: Subject, who: str = "release-bot", **rest: object) -> gate_pb2.ExplainReleaseResponse:
    """Ask why."""
    request = gate_pb2.ExplainReleaseRequest(model=m.model, context="api", **rest)  # type: ignore[arg-type]  # fields
    reply: gate_pb2.ExplainReleaseResponse = people[who].gate.ExplainRelease(request)
    return reply


def leaves(tree: gate_pb2.RequirementNode) -> list[gate_pb2.RequirementNode]:
    """Return what the rules are made of."""
    return [leaf for rule in tree.children for leaf in rule.children]


def question(model: str, context: str = "api") -> gate_pb2.ReleaseQuestion:
    """Return one of many questions."""
    return gate_pb2.ReleaseQuestion(model=model, context=context)


# Explain ----------------------------------------------------------------------------------------------------------


def test_the_tree_names_entry_documents_and_signers(people: People, m: Subject) -> None:
    """What is met says by which entry, on what and over whose signatures, and until when it is."""
    release(people, m)

    explained = explain(people, m)
    (found,) = [leaf for leaf in leaves(explained.tree) if leaf.resource == m.determination]

    assert explained.tree.met
    assert found.met
    assert list(found.entries) == [explained.answer.log_position]
    assert list(found.signers) == ["principals/owner", "principals/reviewer"]
    assert found.evidence
    assert found.until_time == explained.answer.valid_until_time == explained.tree.until_time


def test_the_answer_is_that_of_the_gate(people: People, m: Subject) -> None:
    """Verdict and reasons are what CheckRelease says, and the tree's unmet leaves are the reasons."""
    people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=m.model))

    explained = explain(people, m)
    checked = people["release-bot"].gate.CheckRelease(gate_pb2.CheckReleaseRequest(model=m.model, context="api"))

    unmet = [(leaf.rule, leaf.code, leaf.resource) for leaf in leaves(explained.tree) if not leaf.met]
    assert unmet == [(reason.rule, reason.code, reason.resource) for reason in checked.reasons]
    assert list(explained.answer.reasons) == list(checked.reasons)
    assert not explained.tree.met


def test_serving_conditions_are_in_answers_about_now_only(people: People, m: Subject) -> None:
    """Rule 1 has clock and ledger now, and the policy alone in the past."""
    release(people, m)

    now = explain(people, m, "auditor")
    then = explain(people, m, "auditor", position=now.answer.log_position)

    assert len(now.tree.children[0].children) == len(then.tree.children[0].children) + 2


def test_the_past_is_explained_as_it_was(people: People, m: Subject) -> None:
    """Before the change that released it the same model was denied, and the tree still says why."""
    release(people, m)
    head = explain(people, m).answer.log_position

    before = explain(people, m, "auditor", position=head - 1)

    assert before.answer.log_position == head - 1
    assert before.answer.verdict == gate_pb2.VERDICT_DENY
    assert {leaf.code for leaf in leaves(before.tree)} - {""} == {"DETERMINATION_MISSING", "LEVEL_UNASSIGNED"}


def test_the_past_is_for_readers(people: People, m: Subject) -> None:
    """A release tool may ask why now; what was before needs the right to read."""
    head = explain(people, m).answer.log_position

    with refused("NOT_ALLOWED") as said:
        explain(people, m, position=head)

    assert said.code is grpc.StatusCode.PERMISSION_DENIED


# Many questions ---------------------------------------------------------------------------------------------------


def test_answers_come_in_order_at_one_moment(people: People, m: Subject) -> None:
    """One answer for each question, as CheckRelease gives it, all at one position and instant."""
    release(people, m)
    asked = [question("models/nobody"), question(m.model), question(m.model, "nowhere"), question(m.model)]

    reply = people["release-bot"].gate.BatchCheckRelease(gate_pb2.BatchCheckReleaseRequest(questions=asked))

    deny, allow = gate_pb2.VERDICT_DENY, gate_pb2.VERDICT_ALLOW
    assert [answer.verdict for answer in reply.answers] == [deny, allow, deny, allow]
    assert len({(answer.log_position, answer.instant.seconds, answer.instant.nanos) for answer in reply.answers}) == 1
    assert [reason.code for reason in reply.answers[0].reasons] == ["MODEL_UNKNOWN"]


def test_a_thousand_questions_and_no_more(people: People, m: Subject) -> None:
    """1,000 are answered; 1,001 and none are refused."""
    gate = people["release-bot"].gate

    reply = gate.BatchCheckRelease(gate_pb2.BatchCheckReleaseRequest(questions=[question(m.model)] * 1000))

    assert len(reply.answers) == 1000
    for count in (0, 1001):
        with refused("INVALID_FIELD") as said:
            gate.BatchCheckRelease(gate_pb2.BatchCheckReleaseRequest(questions=[question(m.model)] * count))
        assert said.code is grpc.StatusCode.INVALID_ARGUMENT


def test_many_at_a_position_that_is_not_there_yet(people: People, m: Subject) -> None:
    """Who has seen a later entry gets no answers from before it."""
    head = explain(people, m).answer.log_position

    with refused("POSITION_NOT_REACHED"):
        people["release-bot"].gate.BatchCheckRelease(
            gate_pb2.BatchCheckReleaseRequest(questions=[question(m.model)], min_position=head + 1)
        )
