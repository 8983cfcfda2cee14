"""Holds, assessments, evidence records, deployments and policy versions as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.service.api.convert.excepted import put_exception
from interlock.service.api.convert.obligation import obligation_message
from interlock.service.api.status import unmet_message
from interlock.service.api.times import from_microseconds
from interlock.statemachine import resources as r
from interlock.statemachine.excepting import in_force
from interlock.statemachine.owed import period_of, span_of, spec_of
from interlock.v1 import assessment_pb2, evidence_pb2, gate_pb2, hold_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from interlock.service.ledger.view import View
    from interlock.statemachine.compliance import Compliance

_ASSESSMENT_STATES: Final[Mapping[str, assessment_pb2.AssessmentState.ValueType]] = {
    "open": assessment_pb2.ASSESSMENT_STATE_OPEN,
    "concluded": assessment_pb2.ASSESSMENT_STATE_CONCLUDED,
    "abandoned": assessment_pb2.ASSESSMENT_STATE_ABANDONED,
}
_DEPLOYMENT_STATES: Final[Mapping[str, gate_pb2.DeploymentState.ValueType]] = {
    "live": gate_pb2.DEPLOYMENT_STATE_LIVE,
    "ended": gate_pb2.DEPLOYMENT_STATE_ENDED,
}
CLASSIFICATIONS: Final[Mapping[str, evidence_pb2.Classification.ValueType]] = {
    "public": evidence_pb2.CLASSIFICATION_PUBLIC,
    "internal": evidence_pb2.CLASSIFICATION_INTERNAL,
    "restricted": evidence_pb2.CLASSIFICATION_RESTRICTED,
}


def hold_message(view: View, hold: r.Hold, instant: int) -> hold_pb2.Hold:
    """Return a hold as it stands at ``instant`` (microseconds); its reason is a text, so left out."""
    message = hold_pb2.Hold(
        name=hold.name,
        target=hold.target,
        placed=hold.state == "placed",
        placed_by=hold.placed_actor,
        create_time=from_microseconds(hold.placed_at),
        position=view.state.position(hold.name),
    )
    put_exception(view, message, instant)
    return message


def assessment_message(view: View, assessment: r.Assessment) -> assessment_pb2.Assessment:
    """Return an assessment; its reason is a text, so left out."""
    return assessment_pb2.Assessment(
        name=assessment.name,
        model=assessment.model,
        thresholds=assessment.thresholds,
        state=_ASSESSMENT_STATES[assessment.state],
        reports=[f"entries/{position}" for position in assessment.reports],
        opened_by=assessment.opened_actor,
        create_time=from_microseconds(assessment.opened_at),
        position=view.state.position(assessment.name),
    )


def evidence_message(view: View, evidence: r.Evidence) -> evidence_pb2.Evidence:
    """Return a document's record; its title is a text, so left out."""
    message = evidence_pb2.Evidence(
        name=evidence.name,
        kind=evidence.kind,
        media_type=evidence.media_type,
        sha256=evidence.sha256,
        size_bytes=evidence.size,
        uploader=evidence.uploader,
        authors=evidence.authors,
        made_time=from_microseconds(evidence.made_at),
        classification=CLASSIFICATIONS[evidence.classification],
        redacts=evidence.redacts,
        create_time=from_microseconds(evidence.recorded_at),
        position=view.state.position(evidence.name),
        effective_compute=evidence.effective_compute,
    )
    if evidence.valid_until:
        message.valid_until_time.CopyFrom(from_microseconds(evidence.valid_until))
    return message


def deployment_message(view: View, deployment: r.Deployment, gate: Compliance) -> gate_pb2.Deployment:
    """Return a deployment with what the gate says of it at ``view`` and the instant that ``gate`` is of."""
    denied = gate.denied(deployment)
    message = gate_pb2.Deployment(
        name=deployment.name,
        model=deployment.model,
        context=deployment.context,
        artifact_digest=deployment.artifact,
        location=deployment.location,
        decision=deployment.decision,
        state=_DEPLOYMENT_STATES[deployment.state],
        verdict_at_record=gate_pb2.VERDICT_ALLOW if deployment.allowed else gate_pb2.VERDICT_DENY,
        out_of_compliance=denied is not None,
        reasons=map(unmet_message, denied.reasons if denied is not None else ()),
        recorder=deployment.recorder,
        record_time=from_microseconds(deployment.recorded_at),
        position=view.state.position(deployment.name),
        ender=deployment.ender,
        obligations=[obligation_message(view, name, gate.instant) for name in _owed_for(view, deployment)],
    )
    if deployment.ended_at is not None:
        message.end_time.CopyFrom(from_microseconds(deployment.ended_at))
    return message


def _owed_for(view: View, deployment: r.Deployment) -> Iterator[str]:
    """Yield the periods that are owed still for a model that was deployed, or for a later artifact of it."""
    model = view.state.need(deployment.model, r.Model)
    artifacts = [deployment.artifact] if deployment.artifact else [own.sha256 for own in model.artifacts]
    for cause in (model.name, *(f"{model.name}/artifacts/{artifact}" for artifact in artifacts)):
        for name in view.state.caused.get(cause, ()):
            if period_of(view.state, name).is_owed and spec_of(view.policy, name) is not None:
                yield name


def measure_message(view: View, measure: r.InterimMeasure, instant: int) -> gate_pb2.InterimMeasure:
    """Return an interim measure as it stands at ``instant`` (microseconds); its reason is a text, so left out."""
    state = gate_pb2.INTERIM_MEASURE_STATE_ENDED
    if measure.state == "in_force":
        runs = measure.holds_at(instant)
        state = gate_pb2.INTERIM_MEASURE_STATE_IN_FORCE if runs else gate_pb2.INTERIM_MEASURE_STATE_RUN_OUT
    message = gate_pb2.InterimMeasure(
        name=measure.name,
        model=measure.model,
        safeguards=measure.safeguards,
        contexts=measure.contexts,
        state=state,
        start_time=from_microseconds(measure.in_force_from),
        until_time=from_microseconds(measure.until),
        change=view.state.applied.get(measure.in_force_by, ""),
        ender=measure.ender,
        position=view.state.position(measure.name),
        instant=from_microseconds(instant),
    )
    if measure.ended_at is not None:
        message.end_time.CopyFrom(from_microseconds(measure.ended_at))
    return message


def use_message(view: View, use: r.Exemption, instant: int) -> gate_pb2.BreakGlass:
    """Return a use of break-glass as it stands at ``instant`` (microseconds)."""
    change = view.state.applied.get(use.opened_by, "")
    signed = view.state.need(change, r.Change).sign_offs if change else ()
    approved = [row for row in signed if row.decision == "approve"]
    review = period_of(view.state, use.review)
    message = gate_pb2.BreakGlass(
        name=use.name,
        resource=use.resource,
        trigger=use.trigger,
        in_force=in_force(view.policy, view.state, use.resource, instant) == use,
        start_time=from_microseconds(use.opened_at),
        until_time=from_microseconds(use.until),
        change=change,
        signers=dict.fromkeys(name for row in approved for name in (row.signer, row.on_behalf_of) if name),
        review=use.review,
        reviewed=review.state == "fulfilled",
        review_due_time=from_microseconds(span_of(view.state, use.review)[1]),
        ender=use.ender,
        position=view.state.position(use.name),
    )
    if use.ended_at is not None:
        message.end_time.CopyFrom(from_microseconds(use.ended_at))
    return message
