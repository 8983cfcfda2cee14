"""Deployments through the real server: recorded either way, out of compliance at once, counted, listed page by page."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import grpc
import pytest

from interlock.proofs import dsse
from interlock.statemachine import decision
from interlock.v1 import audit_pb2, gate_pb2, hold_pb2, ledger_pb2, trigger_pb2
from tests.support.people import People, Subject, refused, trigger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import ServerThread

LIVE, ENDED = gate_pb2.DEPLOYMENT_STATE_LIVE, gate_pb2.DEPLOYMENT_STATE_ENDED
ALLOW, DENY = gate_pb2.VERDICT_ALLOW, gate_pb2.VERDICT_DENY


@pytest.fixture(scope="module")
def people(shared_server: ServerThread) -> Iterator[People]:
    """Give everybody of one server; each test has a model of its own."""
    with People(shared_server) as everybody:
        yield everybody


@pytest.fixture
def artifact(request: pytest.FixtureRequest) -> str:
    """Give the digest of some weights of one's own."""
    return hashlib.sha256(request.node.name.encode()).hexdigest()


@pytest.fixture
def m(people: People, artifact: str) -> Subject:
    """Give a new model with these weights that the gate allows."""
    subject = people.new_model(artifact)
    report = people["evaluator"].upload("evaluation_results", subject.model.encode())
    people.enact(subject.rule_out(), subject.assign(), evidence=[report.name])
    return subject


def record(people: People, model: str, context: str = "api", **rest: str) -> gate_pb2.Deployment:
    """Record a deployment."""
    request = gate_pb2.RecordDeploymentRequest(model=model, context=context, **{"location": "cluster-a/eu", **rest})
    reply: gate_pb2.Deployment = people["release-bot"].gate.RecordDeployment(request)
    return reply


def end(people: People, name: str) -> gate_pb2.Deployment:
    """End a deployment."""
    reply: gate_pb2.Deployment = people["release-bot"].gate.EndDeployment(gate_pb2.EndDeploymentRequest(name=name))
    return reply


def get(people: People, name: str) -> gate_pb2.Deployment:
    """Read a deployment."""
    reply: gate_pb2.Deployment = people["monitor-bot"].gate.GetDeployment(gate_pb2.GetDeploymentRequest(name=name))
    return reply


def listed(people: People, **rest: object) -> list[str]:
    """Return the names on every page of a listing."""
    request, names = gate_pb2.ListDeploymentsRequest(**rest), list[str]()  # type: ignore[arg-type]  # fields
    while True:
        page = people["auditor"].gate.ListDeployments(request)
        names += [row.name for row in page.deployments]
        if not page.next_page_token:
            return names
        request.page_token = page.next_page_token


def hold(people: People, model: str) -> str:
    """Place a hold and return its name."""
    placed: hold_pb2.Hold = people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=model))
    return placed.name


def test_a_deployment_is_recorded_with_what_the_gate_said(people: People, m: Subject, artifact: str) -> None:
    """What was told is kept, with the verdict at record; the answer and a later read say the same."""
    recorded = record(people, m.model, artifact_digest=artifact)

    assert recorded == gate_pb2.Deployment(
        name=recorded.name, model=m.model, context="api", artifact_digest=artifact, location="cluster-a/eu",
        state=LIVE, verdict_at_record=ALLOW, recorder="principals/release-bot",
        record_time=recorded.record_time, position=people["auditor"].checkpoint().size - 1,
    )  # fmt: skip
    assert get(people, recorded.name) == recorded


def test_a_denied_deployment_is_recorded_and_out_of_compliance(people: People, m: Subject, artifact: str) -> None:
    """The record is never refused for what the gate says: it says DENY, and why."""
    placed = hold(people, m.model)

    recorded = record(people, m.model, artifact_digest=artifact)

    assert (recorded.verdict_at_record, recorded.out_of_compliance) == (DENY, True)
    assert [(reason.code, reason.resource) for reason in recorded.reasons] == [("HOLD_PLACED", placed)]


def test_a_deployment_turns_out_of_compliance_and_back(people: People, m: Subject, artifact: str) -> None:
    """A hold puts it out of compliance with the next read; once the hold is lifted it is compliant again."""
    recorded = record(people, m.model, artifact_digest=artifact)
    placed = hold(people, m.model)
    turned = get(people, recorded.name)
    outside = listed(people, model=m.model, out_of_compliance=True)

    people.enact(trigger(hold_lift=trigger_pb2.HoldLift(hold=placed)))

    assert (turned.out_of_compliance, [reason.code for reason in turned.reasons]) == (True, ["HOLD_PLACED"])
    assert turned.verdict_at_record == ALLOW
    assert outside == [recorded.name]
    assert not get(people, recorded.name).out_of_compliance
    assert listed(people, model=m.model, out_of_compliance=True) == []


def test_an_ended_deployment_is_never_out_of_compliance(people: People, m: Subject) -> None:
    """It says who ended it and when; it can't be ended twice, and is listed on request only."""
    recorded = record(people, m.model)
    hold(people, m.model)

    ended = end(people, recorded.name)

    assert (ended.state, ended.out_of_compliance, ended.ender) == (ENDED, False, "principals/release-bot")
    assert ended.end_time.ToMicroseconds() > recorded.record_time.ToMicroseconds()
    assert listed(people, model=m.model) == []
    assert listed(people, model=m.model, show_ended=True) == [recorded.name]
    with refused("REQUIREMENTS_UNMET") as said:
        end(people, recorded.name)
    assert said.unmet == ("NO_SUCH_EDGE",)


def test_a_decision_is_named_by_its_resource_or_by_its_entry(people: People, m: Subject, artifact: str) -> None:
    """The statement names its entry, the answer its resource: either will do, and the resource is kept."""
    ask = gate_pb2.CheckReleaseRequest(model=m.model, context="api", artifact_digest=artifact, want_decision=True)
    answer = people["release-bot"].gate.CheckRelease(ask)
    statement = decision.parse_decision(dsse.RawEnvelope.from_json(answer.decision).payload)
    entry = f"entries/{statement.entry}"

    by_name = record(people, m.model, artifact_digest=artifact, decision=answer.decision_name)
    by_entry = record(people, m.model, artifact_digest=artifact, decision=entry)

    assert by_name.decision == by_entry.decision == answer.decision_name


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"model": "models/nobody"}, "NOT_FOUND"),
        ({"context": "nowhere"}, "NOT_FOUND"),
        ({"decision": "decisions/99"}, "NOT_FOUND"),
        ({"decision": "entries/0"}, "NOT_FOUND"),
        ({"decision": "entries/999999"}, "NOT_FOUND"),
        ({"location": "the rack of Mallory"}, "INVALID_FIELD"),
        ({"decision": "holds/1"}, "INVALID_FIELD"),
    ],
)
def test_what_does_not_exist_is_refused(people: People, m: Subject, parts: dict[str, str], reason: str) -> None:
    """A model, context or decision that is not there makes no record; nor does a place that is no id."""
    before = people["auditor"].checkpoint().size

    with refused(reason):
        record(people, **{"model": m.model, **parts})

    assert people["auditor"].checkpoint().size == before


def test_a_decision_about_other_weights_is_refused(people: People, m: Subject, artifact: str) -> None:
    """Whoever says to have relied on a decision names one about this release."""
    ask = gate_pb2.CheckReleaseRequest(model=m.model, context="api", artifact_digest=artifact, want_decision=True)
    relied = people["release-bot"].gate.CheckRelease(ask).decision_name

    with refused("REQUIREMENTS_UNMET") as said:
        record(people, m.model, decision=relied)

    assert said.unmet == ("DECISION_OF_ANOTHER",)


@pytest.mark.parametrize("who", ["owner", "evaluator", "monitor-bot", "auditor"])
def test_only_release_tooling_records(people: People, m: Subject, who: str) -> None:
    """Whoever lacks the right is refused, and the attempt is an entry."""
    request = gate_pb2.RecordDeploymentRequest(model=m.model, context="api", location="x")

    with refused("NOT_ALLOWED") as said:
        people[who].gate.RecordDeployment(request)

    assert said.code is grpc.StatusCode.PERMISSION_DENIED


def test_the_same_request_id_records_once(people: People, m: Subject) -> None:
    """However often a pipeline repeats a record, there is one deployment."""
    request = gate_pb2.RecordDeploymentRequest(
        model=m.model, context="api", location="x", request_id="9d7f6a50-7a46-4b3b-9bb8-6f2c4a9f9a01"
    )

    replies = [people["release-bot"].gate.RecordDeployment(request) for _ in range(3)]

    assert len({reply.name for reply in replies}) == 1
    assert listed(people, model=m.model) == [replies[0].name]


def test_records_at_once_get_names_of_their_own(people: People, m: Subject) -> None:
    """Many pipelines at once: each has its record, numbered without a gap, and one end among many ends it."""
    people["release-bot"].gate  # noqa: B018  # logged in before the race
    replies: list[gate_pb2.Deployment] = []
    threads = [threading.Thread(target=lambda: replies.append(record(people, m.model))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = sorted(int(reply.name.rpartition("/")[2]) for reply in replies)
    outcomes: list[str] = []

    def once() -> None:
        try:
            end(people, replies[0].name)
            outcomes.append("ended")
        except grpc.RpcError:
            outcomes.append("refused")

    enders = [threading.Thread(target=once) for _ in range(4)]
    for thread in enders:
        thread.start()
    for thread in enders:
        thread.join()

    assert numbers == list(range(numbers[0], numbers[0] + 8))
    assert sorted(outcomes) == ["ended", "refused", "refused", "refused"]


def test_pages_stand_still_while_others_write(people: People, m: Subject) -> None:
    """A listing that is read page by page has every deployment of its beginning once, whatever comes meanwhile."""
    names = [record(people, m.model).name for _ in range(5)]
    request = gate_pb2.ListDeploymentsRequest(model=m.model, page_size=2)
    first = people["auditor"].gate.ListDeployments(request)
    record(people, m.model)
    end(people, names[4])

    request.page_token = first.next_page_token
    second = people["auditor"].gate.ListDeployments(request)
    request.page_token = second.next_page_token
    third = people["auditor"].gate.ListDeployments(request)

    pages = [[row.name for row in page.deployments] for page in (first, second, third)]
    assert pages == [[names[4], names[3]], [names[2], names[1]], [names[0]]]
    assert not third.next_page_token
    assert second.log_position > first.log_position


def test_a_token_is_good_for_its_own_question(people: People, m: Subject) -> None:
    """A page's token with another filter is no token."""
    for _ in range(2):
        record(people, m.model)
    page = people["auditor"].gate.ListDeployments(gate_pb2.ListDeploymentsRequest(model=m.model, page_size=1))

    with refused("INVALID_FIELD") as said:
        listed(people, model=m.model, show_ended=True, page_token=page.next_page_token)

    assert said.fields == ("page_token",)


def test_a_listing_by_context(people: People, m: Subject) -> None:
    """Only deployments in the context asked for are listed."""
    inside, outside = record(people, m.model, "internal"), record(people, m.model, "api")

    assert listed(people, model=m.model, context="internal") == [inside.name]
    assert listed(people, model=m.model) == [outside.name, inside.name]


def test_the_models_trail_has_its_deployments(people: People, m: Subject) -> None:
    """A model's log lists the record and the end, with the serving conditions of the verdict in it."""
    name = record(people, m.model).name
    end(people, name)

    request = audit_pb2.ListEntriesRequest(model=m.model, trigger="deployment.*")
    rows = people["auditor"].audit.ListEntries(request).entries
    entries = [ledger_pb2.LedgerEntry.FromString(row.entry) for row in rows]

    assert [(entry.transitions[0].resource, entry.transitions[0].to) for entry in entries] == [
        (name, "live"),
        (name, "ended"),
    ]
    assert [list(entry.facts.serving) for entry in entries] == [["clock", "ledger", "policy", "rules"], []]


def test_a_change_without_the_right_to_deploy_is_refused(people: People, m: Subject) -> None:
    """A record may ride in a change only for who may record."""
    ride = trigger(deployment_record=trigger_pb2.DeploymentRecord(model=m.model, context="api", location="x"))

    with refused("NOT_ALLOWED") as said:
        people["evaluator"].propose(m.rule_out(), ride)

    assert "RIGHT_MISSING" in said.unmet
