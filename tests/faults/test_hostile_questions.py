"""The gate asked with names that mean nothing, a thousand questions at once, and deployments recorded by many at once.

A check, its explanation and the answer in a batch are three roads to one verdict: they must never part, least of all on
names that somebody made up to part them.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import grpc
import pytest

from interlock.v1 import gate_pb2, hold_pb2
from tests.integration.cli_runner import SHA256
from tests.support.people import People
from tests.support.server import ServerThread, answer_of, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.people import Subject

OTHER: Final = "ab" * 32
CLIENTS: Final = 24


@pytest.fixture(scope="module")
def people(installations: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Give everybody of a server."""
    folder = copy_of(installations("minimal"), tmp_path_factory.mktemp("hostile") / "data")
    with ServerThread(folder) as server, People(server) as everybody:
        yield everybody


def released(people: People, artifact: str) -> Subject:
    """Return a model that may go."""
    subject = people.new_model(artifact)
    report = people["evaluator"].upload("evaluation_results")
    people.enact(subject.rule_out(), subject.assign(), evidence=[report.name])
    return subject


def attempt(ask: Callable[[Any], Any], request: object) -> Any:  # noqa: ANN401  # a reply, or what a refusal tells
    """Ask, and return the reply or the refusal."""
    try:
        return ask(request)
    except grpc.RpcError as error:
        return answer_of(error)


def outcome(answer: Any) -> tuple[object, ...]:  # noqa: ANN401  # as above
    """Return what an answer comes to."""
    if hasattr(answer, "unmet"):
        return answer.code, answer.reason, answer.fields
    return answer.verdict, tuple((row.rule, row.code, row.resource) for row in answer.reasons), answer.log_position


def hostile(good: str) -> tuple[str, ...]:
    """Return words that look like a good one, and words that look like none."""
    like = (f"{good}\n", f"\n{good}", f"{good}\r\n", f"{good}\0", f" {good}", f"{good} ", f"{good}/", f"{good}%00")
    homoglyphs = (good.upper(), f"{good}\u202e", good.replace("e", "\u0435"), f"{good}'; DROP TABLE entries; --")
    none = ("", "*", "-", "..", "models/..", "models/", "models/*", "holds/1", "\U0001f512")
    return (good, *like, *homoglyphs, *none, *("models/" + "a" * length for length in (63, 64, 100_000)))


def test_no_name_parts_a_check_from_its_explanation(people: People) -> None:
    """Hostile models, contexts and artifacts: verdicts, reasons and refusals agree; only the true name goes."""
    own = "e1" * 32
    subject = released(people, own)
    gate = people["release-bot"].gate
    allowed = set()
    questions = [(model, "internal", own) for model in hostile(subject.model)]
    questions += [(subject.model, context, own) for context in hostile("internal")]
    questions += [(subject.model, "internal", artifact) for artifact in (*hostile(own), OTHER, own[:-1], f"{own}0")]

    for model, context, artifact in questions:
        question: dict[str, Any] = {"model": model, "context": context, "artifact_digest": artifact}
        checked = attempt(gate.CheckRelease, gate_pb2.CheckReleaseRequest(**question))
        explained = attempt(gate.ExplainRelease, gate_pb2.ExplainReleaseRequest(**question))
        batch = gate_pb2.BatchCheckReleaseRequest(questions=[gate_pb2.ReleaseQuestion(**question)])
        many = attempt(gate.BatchCheckRelease, batch)
        if outcome(checked)[0] == gate_pb2.VERDICT_ALLOW:
            allowed.add((model, context, artifact))

        if hasattr(checked, "unmet"):
            assert (explained.code, explained.reason) == (many.code, many.reason) == (checked.code, checked.reason)
            continue
        assert outcome(explained.answer) == outcome(checked) == outcome(many.answers[0])
        assert explained.tree.met == (checked.verdict == gate_pb2.VERDICT_ALLOW)

    assert allowed == {(subject.model, "internal", own), (subject.model, "internal", "")}


def test_a_thousand_mixed_questions_are_answered_as_one_by_one(people: People) -> None:
    """All at one position and instant, in their order; one more, or none, is refused."""
    gate, dice = people["release-bot"].gate, random.Random(5)
    models = [released(people, SHA256).model, *(people.new_model().model for _ in range(4)), "models/none"]
    questions = [
        gate_pb2.ReleaseQuestion(
            model=dice.choice(models),
            context=dice.choice(("internal", "api", "nowhere")),
            artifact_digest=dice.choice(("", SHA256, OTHER)),
        )
        for _ in range(1000)
    ]

    answers = gate.BatchCheckRelease(gate_pb2.BatchCheckReleaseRequest(questions=questions)).answers

    assert len({(row.log_position, row.instant.seconds, row.instant.nanos) for row in answers}) == 1
    for question, answer in zip(questions, answers, strict=True):
        one = gate_pb2.CheckReleaseRequest(
            model=question.model, context=question.context, artifact_digest=question.artifact_digest
        )
        assert outcome(gate.CheckRelease(one)) == outcome(answer)
    for wrong in ([], [*questions, questions[0]]):
        assert (
            attempt(gate.BatchCheckRelease, gate_pb2.BatchCheckReleaseRequest(questions=wrong)).reason
            == "INVALID_FIELD"
        )


def test_deployments_of_many_at_once_are_recorded_and_ended_once_each(people: People) -> None:
    """With a decision and without; two ends of one deployment: one is told that it ended; none is lost, none twice."""
    own = "e2" * 32
    subject = released(people, own)
    gate = people["release-bot"].gate
    question: dict[str, Any] = {"model": subject.model, "context": "internal", "artifact_digest": own}
    decision = gate.CheckRelease(gate_pb2.CheckReleaseRequest(**question, want_decision=True)).decision_name

    def record(number: int) -> Any:  # noqa: ANN401  # as `attempt`
        return attempt(
            gate.RecordDeployment,
            gate_pb2.RecordDeploymentRequest(
                **question,
                location=f"cluster-{number % 3}",
                decision=decision if number % 2 else "",
                request_id=f"00000000-0000-4000-8000-{number // 2:012d}" if number % 8 < 2 else "",  # pairs of one id
            ),
        )

    with ThreadPoolExecutor(CLIENTS) as pool:
        recorded = list(pool.map(record, range(96)))
    made = {row.name for row in recorded if not hasattr(row, "unmet")}
    reused = [row.reason for row in recorded if hasattr(row, "unmet")]
    with ThreadPoolExecutor(CLIENTS) as pool:
        ends = list(
            pool.map(
                lambda name: attempt(gate.EndDeployment, gate_pb2.EndDeploymentRequest(name=name)), sorted(made) * 3
            )
        )

    assert (len(made), reused) == (84, ["REQUEST_ID_REUSED"] * 12)
    assert sum(not hasattr(row, "unmet") for row in ends) == len(made)
    assert {row.unmet for row in ends if hasattr(row, "unmet") and isinstance(row.unmet, tuple)} == {("NO_SUCH_EDGE",)}
    live = gate.ListDeployments(gate_pb2.ListDeploymentsRequest(model=subject.model)).deployments
    assert not live


def test_a_hold_among_records_parts_them_by_position(people: People) -> None:
    """Each record tells the verdict at its own entry: ALLOW before the hold, DENY after it, and all are out after."""
    subject = released(people, "e3" * 32)
    gate = people["release-bot"].gate
    request = gate_pb2.RecordDeploymentRequest(model=subject.model, context="internal", location="cluster")

    with ThreadPoolExecutor(CLIENTS) as pool:
        before = [pool.submit(gate.RecordDeployment, request) for _ in range(20)]
        hold = pool.submit(people["owner"].holds.PlaceHold, hold_pb2.PlaceHoldRequest(target=subject.model))
        after = [pool.submit(gate.RecordDeployment, request) for _ in range(20)]
        records = [item.result() for item in (*before, *after)]
    placed = hold.result().position

    for record in records:
        told = record.verdict_at_record == gate_pb2.VERDICT_ALLOW
        assert told == (record.position < placed), record
    listed = gate.ListDeployments(gate_pb2.ListDeploymentsRequest(model=subject.model, out_of_compliance=True))
    assert {row.name for row in listed.deployments} == {row.name for row in records}
