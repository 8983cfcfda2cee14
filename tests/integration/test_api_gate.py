"""The gate through the real server."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import grpc
import pytest

from interlock.v1 import assessment_pb2, gate_pb2, gate_pb2_grpc, hold_pb2, safeguard_pb2, trigger_pb2
from tests.support.people import People, Subject, refused, trigger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import ServerThread

OWN, FOREIGN = "01" * 32, "02" * 32


@pytest.fixture(scope="module")
def people(shared_server: ServerThread) -> Iterator[People]:
    """Give everybody of one server; each test has a model of its own."""
    with People(shared_server) as everybody:
        yield everybody


@pytest.fixture
def m(people: People) -> Subject:
    """Give a new model."""
    return people.new_model()


def check(people: People, model: str, context: str = "api", **rest: object) -> gate_pb2.CheckReleaseResponse:
    """Ask the gate."""
    request = gate_pb2.CheckReleaseRequest(model=model, context=context, **rest)  # type: ignore[arg-type]  # fields
    reply: gate_pb2.CheckReleaseResponse = people["release-bot"].gate.CheckRelease(request)
    return reply


def codes(answer: gate_pb2.CheckReleaseResponse) -> list[tuple[int, str]]:
    """Return rule numbers and codes of what fails; a DENY must have some, an ALLOW none."""
    assert bool(answer.reasons) == (answer.verdict == gate_pb2.VERDICT_DENY)
    return [(reason.rule, reason.code) for reason in answer.reasons]


def open_gate(people: People, m: Subject) -> None:
    """Bring a model to where the gate allows it."""
    report = people["evaluator"].upload("evaluation_results", m.model.encode())
    people.enact(m.rule_out(), m.assign(), evidence=[report.name])


def test_a_denial_lists_every_rule_that_fails(people: People, m: Subject) -> None:
    """All that is missing is said at once, in the order of the rule's numbers."""
    people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=m.model))

    answer = check(people, m.model, artifact_digest=FOREIGN)

    assert codes(answer) == [
        (2, "ARTIFACT_UNKNOWN"),
        (3, "HOLD_PLACED"),
        (4, "DETERMINATION_MISSING"),
        (5, "LEVEL_UNASSIGNED"),
    ]
    assert all(reason.requirement and reason.actual and reason.resource for reason in answer.reasons)


def test_an_allow_says_until_when_and_by_what(people: People, m: Subject) -> None:
    """An ALLOW names its end, the position and instant that it is judged at, and the policy by digest."""
    open_gate(people, m)

    answer = check(people, m.model)

    assert answer.verdict == gate_pb2.VERDICT_ALLOW
    assert answer.valid_until_time.seconds > answer.instant.seconds
    assert answer.log_position == people["auditor"].checkpoint().size - 1
    assert answer.policy == "policies/minimal/versions/1.0"
    assert len(bytes.fromhex(answer.policy_digest)) == 32


@pytest.mark.parametrize(
    ("context", "expected"),
    [("api", ["MODEL_UNKNOWN"]), ("nowhere", ["CONTEXT_UNKNOWN", "MODEL_UNKNOWN"])],
    ids=["model", "context-too"],
)
def test_the_unknown_is_denied_and_no_error(people: People, context: str, expected: list[str]) -> None:
    """Who asks about what there is not gets a DENY with every reason."""
    assert [found for _, found in codes(check(people, "models/nobody", context))] == expected


def test_an_artifact_of_its_own_is_fine(people: People) -> None:
    """A digest that is named must be the model's."""
    m = people.new_model(OWN)
    open_gate(people, m)

    assert check(people, m.model, artifact_digest=OWN).verdict == gate_pb2.VERDICT_ALLOW
    assert codes(check(people, m.model, artifact_digest=FOREIGN)) == [(2, "ARTIFACT_UNKNOWN")]


def test_a_tightening_is_seen_by_the_next_check(people: People, m: Subject) -> None:
    """Once a hold is acknowledged no check allows any more, and none before it denied."""
    open_gate(people, m)
    before = check(people, m.model)

    people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=m.model))
    after = check(people, m.model)

    assert before.verdict == gate_pb2.VERDICT_ALLOW
    assert codes(after) == [(3, "HOLD_PLACED")]


def test_an_answer_is_kept_only_as_long_as_it_holds(people: People, m: Subject) -> None:
    """Answers from memory differ in nothing but the instant, which moves on."""
    open_gate(people, m)

    first, second = check(people, m.model), check(people, m.model)

    assert (second.instant.seconds, second.instant.nanos) > (first.instant.seconds, first.instant.nanos)
    first.ClearField("instant")
    second.ClearField("instant")
    assert first == second


def test_a_degraded_safeguard_is_denied_with_who_and_when(people: People, m: Subject) -> None:
    """The reason names the safeguard, its state, since when and by whom."""
    report = people["evaluator"].upload("evaluation_results", m.model.encode())
    people["evaluator"].assessments.ReportDetermination(_reached(m))
    people.verify_filter(m)
    confirm = trigger(determination_confirm=trigger_pb2.DeterminationConfirm(determination=m.determination))
    people.enact(confirm, m.assign("guarded"), m.activate(), evidence=[report.name])
    assert check(people, m.model).verdict == gate_pb2.VERDICT_ALLOW

    people["monitor-bot"].safeguards.DegradeSafeguard(safeguard_pb2.DegradeSafeguardRequest(name=m.filter))

    (reason,) = check(people, m.model).reasons
    assert (reason.code, reason.resource) == ("SAFEGUARD_NOT_ACTIVE", m.filter)
    assert "degraded since" in reason.actual
    assert "principals/monitor-bot" in reason.actual


def _reached(m: Subject) -> assessment_pb2.ReportDeterminationRequest:
    return assessment_pb2.ReportDeterminationRequest(name=m.determination, conclusion=trigger_pb2.CONCLUSION_REACHED)


def test_a_position_that_is_not_there_yet_is_unavailable(people: People, m: Subject) -> None:
    """Who has seen a later entry than the server has is not answered from before it."""
    head = check(people, m.model).log_position

    with refused("POSITION_NOT_REACHED") as said:
        check(people, m.model, min_position=head + 1)

    assert said.code is grpc.StatusCode.UNAVAILABLE
    assert check(people, m.model, min_position=head).log_position == head


def test_the_gate_needs_a_session_with_the_right(people: People, m: Subject) -> None:
    """Nobody without the right learns whether a model may be released."""
    stub = gate_pb2_grpc.GateServiceStub(people.channel)

    answer = people["monitor-bot"].gate.CheckRelease(gate_pb2.CheckReleaseRequest(model=m.model, context="api"))

    assert answer.verdict == gate_pb2.VERDICT_DENY
    with refused("UNAUTHENTICATED"):
        stub.CheckRelease(gate_pb2.CheckReleaseRequest(model=m.model, context="api"))


def test_checks_at_once_never_allow_after_a_hold(people: People, m: Subject) -> None:
    """However checks and a hold overlap: a check that starts after the hold was acknowledged is denied."""
    open_gate(people, m)
    people["owner"].holds  # noqa: B018  # logged in before the race
    placed = threading.Event()
    late: list[gate_pb2.Verdict.ValueType] = []

    def ask() -> None:
        while len(late) < 40:
            acknowledged = placed.is_set()
            answer = check(people, m.model)
            if acknowledged:
                late.append(answer.verdict)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=m.model))
    placed.set()
    for asker in askers:
        asker.join()

    assert set(late) == {gate_pb2.VERDICT_DENY}
