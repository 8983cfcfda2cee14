"""The assessment machine: open, conclude, abandon. An open one leaves fresh determinations standing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found, registered_model
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.state import State


def open_(moment: Moment, state: State, firing: f.AssessmentOpen) -> Moved | Refused:
    """Begin an assessment of a model by some of the policy's thresholds."""
    model = registered_model(state, firing.model)
    if isinstance(model, Refused):
        return model
    unknown = tuple(
        Unmet(Code.THRESHOLD_UNKNOWN, "a threshold of the policy", "unknown", threshold)
        for threshold in firing.thresholds
        if threshold not in moment.policy.thresholds
    )
    if unknown:
        return Refused(RefusalKind.NOT_FOUND, unknown)
    assessment = r.Assessment(
        state.next_name("assessments"),
        model.name,
        firing.thresholds,
        opened_at=moment.instant,
        opened_actor=moment.actor,
        reason_digest=firing.reason_digest,
    )
    move = Transition(assessment.name, firing.trigger.value, tables.ABSENT, "open")
    return Moved(state.put(assessment).counted("assessments"), (move,))


def close(_moment: Moment, state: State, firing: f.AssessmentConclude | f.AssessmentAbandon) -> Moved | Refused:
    """End an assessment: with reports made under it, or without a result."""
    assessment = state.find(firing.assessment, r.Assessment)
    if assessment is None:
        return not_found(firing.assessment, "an open assessment")
    trigger = firing.trigger.value
    target = tables.ASSESSMENT.target(assessment.state, trigger)
    if target is None:
        return no_edge(tables.ASSESSMENT, trigger, assessment.name, assessment.state)
    reports: tuple[str, ...] = getattr(firing, "reports", ())
    foreign = tuple(
        Unmet(
            Code.REPORT_NOT_OF_ASSESSMENT,
            f"a report made under {assessment.name}",
            "it is none",
            report,
            trigger,
        )
        for report in reports
        if names.number_of(report) not in assessment.reports
    )
    if foreign:
        return Refused(RefusalKind.UNMET, foreign)
    closed = replace(assessment, state=target)
    return Moved(state.put(closed), (Transition(assessment.name, trigger, assessment.state, target),))
