"""The determination machine: report, confirm, rule_out (domain design, "Reports")."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found, registered_model
from interlock.statemachine.requirements import unknown_evidence
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.policy.model import Threshold
    from interlock.statemachine.state import State


def _subject(moment: Moment, state: State, name: str) -> tuple[r.Model, Threshold, r.Determination] | Refused:
    """Return the model, the threshold and what is known, or why there is no such determination."""
    model = registered_model(state, names.model_of(name) or "")
    if isinstance(model, Refused):
        return model
    threshold = moment.policy.thresholds.get(names.leaf_of(name))
    if threshold is None:
        known = ", ".join(moment.policy.thresholds)
        return refused(
            RefusalKind.NOT_FOUND,
            Code.THRESHOLD_UNKNOWN,
            f"a threshold of the policy: {known}",
            "unknown",
            name,
        )
    return model, threshold, state.determination(model.name, threshold.id)


def presented_state(known: r.Determination, instant: int) -> str:
    """Return the machine's state at an instant; a confirmed conclusion that has run out is ``…/lapsed``."""
    return f"{known.conclusion}/lapsed" if known.lapsed_at(instant) else known.state


def report(moment: Moment, state: State, firing: f.DeterminationReport) -> Moved | Refused:
    """Take an evaluator's conclusion: it can only make the determination stricter or less certain."""
    subject = _subject(moment, state, firing.determination)
    if isinstance(subject, Refused):
        return subject
    model, threshold, known = subject
    missing = unknown_evidence(state, firing.evidence, firing.trigger.value)
    if missing:
        return Refused(RefusalKind.NOT_FOUND, missing)
    noted = _note_in_assessment(state, firing, model.name, threshold.id)
    if isinstance(noted, Refused):
        return noted
    trigger = f"{firing.trigger.value}[{firing.conclusion}]"
    source = presented_state(known, moment.instant)
    if (source, trigger) in tables.SETTLED["determination"]:
        return Moved(noted)
    target = tables.DETERMINATION.target(source, trigger)
    if target is None:
        return no_edge(tables.DETERMINATION, trigger, known.name, source)
    conclusion, shade = target.split("/")
    given = known.conclusion_by if conclusion == known.conclusion else state.size
    rests_on = tuple(dict.fromkeys((*known.evidence, *firing.evidence)))
    if known.state == target:  # unconfirmed already, and no milder: who confirms it relies on these documents too
        return Moved(noted if rests_on == known.evidence else noted.put(replace(known, evidence=rests_on)))
    if shade == "confirmed":  # a stricter word on a fresh one: confirmation and lapse instant are kept
        fresh = replace(known, conclusion=conclusion, conclusion_by=given, evidence=rests_on)
    else:
        merged = known.merged_by if conclusion == known.conclusion else ()
        fresh = r.Determination(
            known.name, conclusion=conclusion, conclusion_by=given, merged_by=merged, evidence=rests_on
        )
    return Moved(noted.put(fresh), (Transition(known.name, firing.trigger.value, source, target),))


def _note_in_assessment(state: State, firing: f.DeterminationReport, model: str, threshold: str) -> State | Refused:
    """Return the state with the report noted in its assessment, where it names one."""
    if not firing.assessment:
        return state
    assessment = state.find(firing.assessment, r.Assessment)
    if assessment is None:
        return not_found(firing.assessment, "an open assessment of the model")
    if assessment.state != "open" or assessment.model != model or threshold not in assessment.thresholds:
        return refused(
            RefusalKind.UNMET,
            Code.REPORT_NOT_OF_ASSESSMENT,
            f"an open assessment of {model} that looks at {threshold}",
            f"{assessment.state}, of {assessment.model}, at {', '.join(assessment.thresholds)}",
            assessment.name,
            firing.trigger.value,
        )
    if state.size in assessment.reports:
        return state
    return state.put(replace(assessment, reports=(*assessment.reports, state.size)))


def settle(moment: Moment, state: State, firing: f.DeterminationConfirm | f.DeterminationRuleOut) -> Moved | Refused:
    """Confirm or rule out: both confirm, and both set the lapse instant to now + the threshold's cadence."""
    subject = _subject(moment, state, firing.determination)
    if isinstance(subject, Refused):
        return subject
    model, threshold, known = subject
    source = presented_state(known, moment.instant)
    trigger = firing.trigger.value
    target = tables.DETERMINATION.target(source, trigger)
    if target is None:
        return no_edge(tables.DETERMINATION, trigger, known.name, source)
    conclusion = target.split("/")[0]
    every = threshold.reassess_every_us
    settled = r.Determination(
        known.name,
        conclusion=conclusion,
        confirmed=True,
        lapses_at=None if every is None else moment.instant + every,
        conclusion_by=state.size,
        confirmed_by=state.size,
        lapse_by=state.size,
        compute_at_confirmation=model.effective_compute,
        evidence=known.evidence if conclusion == known.conclusion else (),
    )
    return Moved(state.put(settled), (Transition(known.name, trigger, source, target),))
