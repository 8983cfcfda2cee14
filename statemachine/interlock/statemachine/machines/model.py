"""The model machine: register, retire, add_artifact, record_run."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found, registered_model
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet, refused

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.state import State


def register(moment: Moment, state: State, firing: f.ModelRegister) -> Moved | Refused:
    """A new model, perhaps with its first artifacts. A name is never used again; a digest belongs to one model."""
    if state.find(firing.model, r.Model) is not None:
        return refused(RefusalKind.ALREADY_EXISTS, Code.NAME_TAKEN, "a name never used before", "taken", firing.model)
    taken = _taken(state, firing.artifacts)
    if taken:
        return Refused(RefusalKind.ALREADY_EXISTS, taken)
    artifacts = tuple(r.Artifact(sha256, state.size, moment.instant) for sha256 in firing.artifacts)
    model = r.Model(firing.model, artifacts=artifacts, registered_at=moment.instant)
    move = Transition(firing.model, firing.trigger.value, tables.ABSENT, "registered")
    return Moved(state.put(model), (move,))


def _taken(state: State, artifacts: tuple[str, ...]) -> tuple[Unmet, ...]:
    return tuple(
        Unmet(
            Code.ARTIFACT_TAKEN,
            "an artifact of no model yet",
            f"belongs to {owner}",
            f"{owner}/artifacts/{sha}",
        )
        for sha in artifacts
        if (owner := state.artifact_owner.get(sha)) is not None
    )


def retire(_moment: Moment, state: State, firing: f.ModelRetire) -> Moved | Refused:
    """Withdraw a model for good."""
    model = state.find(firing.model, r.Model)
    if model is None:
        return not_found(firing.model, "a registered model", Code.MODEL_UNKNOWN)
    trigger = firing.trigger.value
    if (model.state, trigger) in tables.SETTLED["model"]:
        return Moved(state)
    target = tables.MODEL.target(model.state, trigger)
    if target is None:
        return no_edge(tables.MODEL, trigger, model.name, model.state)
    return Moved(state.put(replace(model, state=target)), (Transition(model.name, trigger, model.state, target),))


def add_artifact(moment: Moment, state: State, firing: f.ModelAddArtifact) -> Moved | Refused:
    """One more weights manifest: what was determined of the model lapses, for it was of other weights."""
    model = registered_model(state, firing.model)
    if isinstance(model, Refused):
        return model
    taken = _taken(state, (firing.artifact,))
    if taken:
        return Refused(RefusalKind.ALREADY_EXISTS, taken)
    grown = replace(model, artifacts=(*model.artifacts, r.Artifact(firing.artifact, state.size, moment.instant)))
    after = state.put(grown)
    for threshold in moment.policy.thresholds.values():
        known = after.determination(model.name, threshold.id)
        if not threshold.tracked and known.confirmed and not known.lapsed_at(moment.instant):
            after = after.put(replace(known, lapses_at=moment.instant, lapse_by=state.size))
    return Moved(after, (Transition(model.name, firing.trigger.value, model.state, model.state),))


def record_run(moment: Moment, state: State, firing: f.ModelRecordRun) -> Moved | Refused:
    """Record a training run: a determination whose compute has grown past the pack's factor lapses.

    One that was confirmed while no compute was known lapses too: nobody can say that it has not grown.
    """
    model = registered_model(state, firing.model)
    if isinstance(model, Refused):
        return model
    evidence = state.find(firing.evidence, r.Evidence)
    if evidence is None:
        return not_found(firing.evidence, "a recorded training_run_record", Code.EVIDENCE_UNKNOWN)
    if evidence.kind != "training_run_record" or not evidence.effective_compute:
        return refused(
            RefusalKind.UNMET,
            Code.EVIDENCE_MISSING,
            "evidence of kind training_run_record with its effective compute",
            evidence.kind,
            evidence.name,
            firing.trigger.value,
        )
    compute = Fraction(evidence.effective_compute)  # exact: no context of the process decides how it is rounded
    most = max(model.effective_compute or "0", evidence.effective_compute, key=Fraction)
    after = state.put(replace(model, effective_compute=most))
    for threshold in moment.policy.thresholds.values():
        known = after.determination(model.name, threshold.id)
        if threshold.tracked or threshold.compute_growth is None or not known.confirmed:
            continue
        before = known.compute_at_confirmation
        grown = not before or compute >= Fraction(threshold.compute_growth) * Fraction(before)
        if grown and not known.lapsed_at(moment.instant):
            after = after.put(replace(known, lapses_at=moment.instant))
    return Moved(after, (Transition(model.name, firing.trigger.value, model.state, model.state),))
