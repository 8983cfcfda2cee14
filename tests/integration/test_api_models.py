"""Models, safeguards, holds, assessments and policies through the real server."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from interlock.v1 import (
    assessment_pb2,
    hold_pb2,
    model_pb2,
    policy_pb2,
    safeguard_pb2,
    trigger_pb2,
)
from tests.support.people import People, Subject, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import ServerThread

ARTIFACT = "ab" * 32


@pytest.fixture(scope="module")
def people(shared_server: ServerThread) -> Iterator[People]:
    """Give everybody of one server; each test has a model of its own."""
    with People(shared_server) as everybody:
        yield everybody


@pytest.fixture
def m(people: People) -> Subject:
    """Give a new model."""
    return people.new_model()


def get(people: People, name: str, **as_of: object) -> model_pb2.Model:
    """Read a model."""
    request = model_pb2.GetModelRequest(name=name, **as_of)  # type: ignore[arg-type]  # position or time
    reply: model_pb2.Model = people["owner"].models.GetModel(request)
    return reply


def report(people: People, m: Subject, conclusion: trigger_pb2.Conclusion.ValueType) -> model_pb2.Determination:
    """Report a conclusion."""
    request = assessment_pb2.ReportDeterminationRequest(name=m.determination, conclusion=conclusion)
    reply: model_pb2.Determination = people["evaluator"].assessments.ReportDetermination(request)
    return reply


# Models --------------------------------------------------------------------------------------------------------------


def test_a_new_model_has_everything_ahead_of_it(people: People) -> None:
    """A registered model shows its artifacts, what is undetermined and unassigned, and why the gate denies."""
    m = people.new_model(uuid.uuid4().hex * 2)

    model = get(people, m.model)

    assert model.state == model_pb2.MODEL_STATE_REGISTERED
    assert [level.state for level in model.levels] == [model_pb2.LEVEL_STATE_UNASSIGNED]
    assert [level.required for level in model.levels] == ["basic"]
    assert [row.conclusion for row in model.determinations] == [trigger_pb2.CONCLUSION_UNSPECIFIED]
    assert [row.state for row in model.safeguards] == [safeguard_pb2.SAFEGUARD_STATE_PLANNED]
    assert {row.context: row.allowed for row in model.verdicts} == {"internal": False, "api": False}
    assert set(model.verdicts[1].codes) == {"DETERMINATION_MISSING", "LEVEL_UNASSIGNED"}
    assert len(model.artifacts) == 1
    assert not model.asl


def test_a_name_is_taken_for_good(people: People, m: Subject) -> None:
    """A name in use, or of a model withdrawn, can't be registered again."""
    request = model_pb2.CreateModelRequest(model_id=m.model.removeprefix("models/"))
    with refused("ALREADY_EXISTS") as said:
        people["evaluator"].models.CreateModel(request)
    people["owner"].models.RetireModel(model_pb2.RetireModelRequest(name=m.model, reason="done with it"))

    with refused("ALREADY_EXISTS"):
        people["evaluator"].models.CreateModel(request)

    assert said.unmet == ("NAME_TAKEN",)


def test_an_artifact_belongs_to_one_model(people: People) -> None:
    """A weights manifest can't be registered for a second model."""
    people.new_model(ARTIFACT)

    with refused("ALREADY_EXISTS") as said:
        people.new_model(ARTIFACT)

    assert said.unmet == ("ARTIFACT_TAKEN",)


def test_a_model_as_of_a_position_is_what_it_was(people: People, m: Subject) -> None:
    """The past is answered from the log: position and instant are those of the entry asked for."""
    before = get(people, m.model)
    report(people, m, trigger_pb2.CONCLUSION_REACHED)
    after = get(people, m.model)

    past = get(people, m.model, position=before.log_position)

    assert after.determinations[0].conclusion == trigger_pb2.CONCLUSION_REACHED
    assert after.levels[0].required == "guarded"
    assert past.determinations[0].conclusion == trigger_pb2.CONCLUSION_UNSPECIFIED
    assert (past.log_position, past.instant) == (before.log_position, past.create_time)


def test_a_model_as_of_a_time_is_what_it_was(people: People, m: Subject) -> None:
    """A moment between two entries shows what held after the first."""
    created = get(people, m.model).create_time
    report(people, m, trigger_pb2.CONCLUSION_REACHED)

    past = get(people, m.model, time=created)

    assert past.determinations[0].conclusion == trigger_pb2.CONCLUSION_UNSPECIFIED
    assert past.instant == created


def test_a_model_was_not_there_before_it_was_registered(people: People, m: Subject) -> None:
    """As of a position before its first entry a model does not exist."""
    with refused("NOT_FOUND"):
        get(people, m.model, position=1)


@pytest.mark.parametrize("position", [10**9, 2**63 - 1])
def test_a_position_that_is_not_written_is_a_mistake(people: People, m: Subject, position: int) -> None:
    """There is nothing to show of the future; the refusal says how far the log goes."""
    with refused("INVALID_FIELD"):
        get(people, m.model, position=position)


@pytest.mark.parametrize("seconds", [4_000_000_000, 2**60, 1], ids=["future", "no-time", "before-the-log"])
def test_a_time_without_a_log_is_a_mistake(people: People, m: Subject, seconds: int) -> None:
    """Neither the future nor the time before the log was founded can be asked about."""
    with refused("INVALID_FIELD"):
        get(people, m.model, time=Timestamp(seconds=seconds))


def test_models_are_listed_by_name_and_page(people: People) -> None:
    """Pages follow each other by name; each model is judged as when asked for alone."""
    names = sorted(people.new_model().model for _ in range(3))
    seen, token = [], ""

    while True:
        request = model_pb2.ListModelsRequest(page_size=2, page_token=token)
        page = people["owner"].models.ListModels(request)
        seen += [row.name for row in page.models]
        token = page.next_page_token
        if not token:
            break

    assert seen == sorted(seen)
    assert set(names) <= set(seen)
    assert len(set(seen)) == len(seen)


def test_a_provisional_level_is_confirmed_by_one(people: People, m: Subject) -> None:
    """A level assigned as a precaution can't be confirmed while the precaution stands."""
    report(people, m, trigger_pb2.CONCLUSION_CANNOT_RULE_OUT)
    people.enact(m.assign("guarded"))
    model = get(people, m.model)

    with refused("REQUIREMENTS_UNMET") as said:
        people["owner"].models.ConfirmLevel(model_pb2.ConfirmLevelRequest(name=m.level))

    assert model.levels[0].state == model_pb2.LEVEL_STATE_PROVISIONAL
    assert model.asl == "guarded"
    assert said.unmet == ("LEVEL_STILL_PROVISIONAL",)


def test_a_loosening_trigger_has_no_method_and_needs_a_right(people: People, m: Subject) -> None:
    """Who lacks the right is told which one is needed, before anything else."""
    with refused("NOT_ALLOWED") as said:
        people["auditor"].models.RetireModel(model_pb2.RetireModelRequest(name=m.model))

    assert said.code is grpc.StatusCode.PERMISSION_DENIED


# Safeguards ----------------------------------------------------------------------------------------------------------


def test_a_safeguard_s_life_is_shown(people: People, m: Subject) -> None:
    """Each step shows where a safeguard stands, since when, by whom, on which evidence and why."""
    people.verify_filter(m)
    people.enact(m.activate())
    active = people["owner"].safeguards.GetSafeguard(safeguard_pb2.GetSafeguardRequest(name=m.filter))

    degraded = people["monitor-bot"].safeguards.DegradeSafeguard(
        safeguard_pb2.DegradeSafeguardRequest(name=m.filter, reason="the filter lets things through")
    )

    assert active.state == safeguard_pb2.SAFEGUARD_STATE_ACTIVE
    assert active.attested_until_time.seconds > active.since_time.seconds
    assert (active.title, active.standard, active.level, active.commitment, list(active.contexts)) == (
        "Requests are screened before the model sees them",
        "deployment",
        "guarded",
        True,
        ["api"],
    )
    assert degraded.state == safeguard_pb2.SAFEGUARD_STATE_DEGRADED
    assert degraded.since_by == "principals/monitor-bot"
    assert degraded.reason == "the filter lets things through"
    assert get(people, m.model).safeguards[0].reason == "the filter lets things through"


def test_a_tightening_that_is_already_there_is_acknowledged(people: People, m: Subject) -> None:
    """Suspending twice is no error, and remembers what the first one saw."""
    people.verify_filter(m)
    request = safeguard_pb2.SuspendSafeguardRequest(name=m.filter)

    people["owner"].safeguards.SuspendSafeguard(request)
    again = people["owner"].safeguards.SuspendSafeguard(request)

    assert again.state == safeguard_pb2.SAFEGUARD_STATE_SUSPENDED
    assert again.remembered_state == safeguard_pb2.SAFEGUARD_STATE_VERIFIED


def test_verifying_needs_the_policy_s_evidence(people: People, m: Subject) -> None:
    """A safeguard is not verified by word of mouth."""
    people["engineer"].safeguards.StartSafeguard(safeguard_pb2.StartSafeguardRequest(name=m.filter))

    with refused("REQUIREMENTS_UNMET") as said:
        people["engineer"].safeguards.VerifySafeguard(safeguard_pb2.VerifySafeguardRequest(name=m.filter))

    assert said.unmet == ("EVIDENCE_MISSING",)


def test_planning_again_and_retiring(people: People, m: Subject) -> None:
    """A safeguard that nobody leans on can be planned anew by an admin, and taken out of use by an approver."""
    people["engineer"].safeguards.StartSafeguard(safeguard_pb2.StartSafeguardRequest(name=m.filter))

    planned = people["admin"].safeguards.ReplanSafeguard(
        safeguard_pb2.ReplanSafeguardRequest(name=m.filter, reason="another design")
    )
    retired = people["owner"].safeguards.RetireSafeguard(safeguard_pb2.RetireSafeguardRequest(name=m.filter))

    assert planned.state == safeguard_pb2.SAFEGUARD_STATE_PLANNED
    assert retired.state == safeguard_pb2.SAFEGUARD_STATE_RETIRED


def test_a_safeguard_that_a_level_leans_on_stays(people: People, m: Subject) -> None:
    """What an assigned level lists can't be retired; it shows who leans on it."""
    people.enact(m.assign("guarded"))

    with refused("REQUIREMENTS_UNMET") as said:
        people["owner"].safeguards.RetireSafeguard(safeguard_pb2.RetireSafeguardRequest(name=m.filter))

    listed = people["owner"].safeguards.ListSafeguards(safeguard_pb2.ListSafeguardsRequest(model=m.model))
    assert said.unmet == ("SAFEGUARD_LEANED_ON",)
    assert [list(row.leaning_models) for row in listed.safeguards] == [[m.model]]


@pytest.mark.parametrize("name", ["safeguards/input-filter", "models/nobody/safeguards/input-filter"])
def test_a_safeguard_that_there_is_not_is_not_found(people: People, name: str) -> None:
    """A model's safeguard is not a shared one, and a model must be there to have one."""
    with refused("NOT_FOUND"):
        people["owner"].safeguards.GetSafeguard(safeguard_pb2.GetSafeguardRequest(name=name))


def test_shared_safeguards_are_listed_without_a_model(people: People) -> None:
    """The pack `minimal` shares none."""
    assert not people["owner"].safeguards.ListSafeguards(safeguard_pb2.ListSafeguardsRequest()).safeguards


# Holds ---------------------------------------------------------------------------------------------------------------


def test_a_hold_is_placed_with_its_reason(people: People, m: Subject) -> None:
    """One person places a hold; it is shown with who, why and on what, and on the model."""
    hold = people["reviewer"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=m.model, reason="stop"))

    assert (hold.target, hold.placed, hold.placed_by, hold.reason) == (
        m.model,
        True,
        "principals/reviewer",
        "stop",
    )
    assert people["owner"].holds.GetHold(hold_pb2.GetHoldRequest(name=hold.name)) == hold
    assert list(get(people, m.model).holds) == [hold.name]


def test_holds_are_listed_until_lifted(people: People, m: Subject) -> None:
    """A lifted hold stays on record, and is left out where only placed ones are asked for."""
    first, second = (people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=m.model)).name for _ in range(2))
    people.enact(trigger_pb2.Trigger(hold_lift=trigger_pb2.HoldLift(hold=first)))
    service = people["owner"].holds

    everything = service.ListHolds(hold_pb2.ListHoldsRequest(model=m.model)).holds
    placed = service.ListHolds(hold_pb2.ListHoldsRequest(model=m.model, placed_only=True)).holds

    assert [(row.name, row.placed) for row in everything] == [(second, True), (first, False)]
    assert [row.name for row in placed] == [second]


def test_a_hold_on_everything_is_a_right_of_its_own(people: People) -> None:
    """An approver may hold a model, only an admin everything."""
    with refused("NOT_ALLOWED") as said:
        people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target="-"))

    assert said.unmet == ("RIGHT_MISSING",)


@pytest.mark.parametrize("name", ["holds/0", "holds/999999999"])
def test_a_hold_that_there_is_not_is_not_found(people: People, name: str) -> None:
    """An unknown hold is not found."""
    with refused("NOT_FOUND"):
        people["owner"].holds.GetHold(hold_pb2.GetHoldRequest(name=name))


# Assessments ---------------------------------------------------------------------------------------------------------


def test_an_assessment_concludes_with_its_reports(people: People, m: Subject) -> None:
    """Reports made under an assessment are listed with it, and it ends with them."""
    service = people["evaluator"].assessments
    opened = service.OpenAssessment(
        assessment_pb2.OpenAssessmentRequest(model=m.model, thresholds=["misuse"], reason="a new checkpoint")
    )
    service.ReportDetermination(
        assessment_pb2.ReportDeterminationRequest(
            name=m.determination, conclusion=trigger_pb2.CONCLUSION_RULED_OUT, assessment=opened.name
        )
    )
    under_way = service.GetAssessment(assessment_pb2.GetAssessmentRequest(name=opened.name))

    concluded = service.ConcludeAssessment(
        assessment_pb2.ConcludeAssessmentRequest(name=opened.name, reports=under_way.reports)
    )

    assert (opened.state, opened.reason) == (assessment_pb2.ASSESSMENT_STATE_OPEN, "a new checkpoint")
    assert len(under_way.reports) == 1
    assert concluded.state == assessment_pb2.ASSESSMENT_STATE_CONCLUDED


def test_an_abandoned_assessment_has_no_result(people: People, m: Subject) -> None:
    """An assessment can end without a result; its listing says so."""
    service = people["evaluator"].assessments
    opened = service.OpenAssessment(assessment_pb2.OpenAssessmentRequest(model=m.model, thresholds=["misuse"]))

    service.AbandonAssessment(assessment_pb2.AbandonAssessmentRequest(name=opened.name, reason="superseded"))

    (row,) = service.ListAssessments(assessment_pb2.ListAssessmentsRequest(model=m.model)).assessments
    assert row.state == assessment_pb2.ASSESSMENT_STATE_ABANDONED


def test_a_report_over_nothing_is_unconfirmed(people: People, m: Subject) -> None:
    """A first report is what was said, not confirmed, and does not lapse."""
    reported = report(people, m, trigger_pb2.CONCLUSION_CANNOT_RULE_OUT)

    listed = people["owner"].assessments.ListDeterminations(assessment_pb2.ListDeterminationsRequest(model=m.model))
    assert (reported.conclusion, reported.confirmed) == (trigger_pb2.CONCLUSION_CANNOT_RULE_OUT, False)
    assert not reported.HasField("lapse_time")
    assert list(listed.determinations) == [reported]


@pytest.mark.parametrize("name", ["models/nobody/determinations/misuse", "{m}/determinations/unknown"])
def test_a_determination_that_there_is_not_is_not_found(people: People, m: Subject, name: str) -> None:
    """Model and threshold must both be known."""
    with refused("NOT_FOUND"):
        people["owner"].assessments.GetDetermination(
            assessment_pb2.GetDeterminationRequest(name=name.replace("{m}", m.model))
        )


# Policies ------------------------------------------------------------------------------------------------------------


def test_the_policy_in_force_comes_with_its_pack(people: People) -> None:
    """The pack is given verbatim, under the name in force and under `policies/-`."""
    service = people["owner"].policies
    in_force = service.GetPolicy(policy_pb2.GetPolicyRequest(name="policies/-"))

    named = service.GetPolicy(policy_pb2.GetPolicyRequest(name=in_force.name))

    assert named == in_force
    assert (in_force.in_force, in_force.title) == (True, "A two-level release policy")
    assert b"policy: minimal" in in_force.pack.files[0].content


def test_policies_are_listed_without_packs(people: People) -> None:
    """A listing names every version that was ever adopted."""
    (policy,) = people["owner"].policies.ListPolicies(policy_pb2.ListPoliciesRequest()).policies

    assert policy.in_force
    assert not policy.HasField("pack")


def test_a_policy_that_there_is_not_is_not_found(people: People) -> None:
    """An unknown version is not found."""
    with refused("NOT_FOUND"):
        people["owner"].policies.GetPolicy(policy_pb2.GetPolicyRequest(name="policies/other/versions/1"))


# Retries -------------------------------------------------------------------------------------------------------------


def test_retries_at_once_are_one_write(people: People, m: Subject) -> None:
    """Sixteen callers with one request id place one hold and get one answer."""
    request = hold_pb2.PlaceHoldRequest(target=m.model, reason="stop", request_id=str(uuid.uuid4()))
    owner = people["owner"]
    answers = []

    threads = [threading.Thread(target=lambda: answers.append(owner.holds.PlaceHold(request))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({answer.name for answer in answers}) == 1
    assert len(answers) == 16
    assert len(owner.holds.ListHolds(hold_pb2.ListHoldsRequest(model=m.model)).holds) == 1
