"""The safeguard machine, of a model or shared by several."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import firings as f
from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.levels import leaning_models
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, registered_model
from interlock.statemachine.requirements import evidence_unmet, unknown_evidence
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet, refused

if TYPE_CHECKING:
    from interlock.statemachine.policy.model import Safeguard as Spec
    from interlock.statemachine.state import State

Firing = (
    f.SafeguardStart
    | f.SafeguardVerify
    | f.SafeguardActivate
    | f.SafeguardReattest
    | f.SafeguardDegrade
    | f.SafeguardRestore
    | f.SafeguardSuspend
    | f.SafeguardResume
    | f.SafeguardRetire
    | f.SafeguardReplan
)


def spec_of(moment: Moment, state: State, name: str) -> Spec | Refused:
    """Return what the policy says of a safeguard, or why this name is none."""
    spec = moment.policy.safeguards.get(names.leaf_of(name))
    model = names.model_of(name)
    if spec is None or spec.shared != (model is None):
        hint = "safeguards/{id} where it is shared, models/{m}/safeguards/{id} where it is not"
        return refused(
            RefusalKind.NOT_FOUND,
            Code.SAFEGUARD_UNKNOWN,
            f"a safeguard of the policy: {hint}",
            "unknown",
            name,
        )
    if model is not None:
        found = registered_model(state, model)
        if isinstance(found, Refused):
            return found
    return spec


def fire(moment: Moment, state: State, firing: Firing) -> Moved | Refused:
    """Fire a safeguard trigger: the edge, the conditions, and what it writes."""
    spec = spec_of(moment, state, firing.safeguard)
    if isinstance(spec, Refused):
        return spec
    known = state.safeguard(firing.safeguard)
    trigger = firing.trigger.value
    if (known.state, trigger) in tables.SETTLED["safeguard"]:
        return Moved(state)
    target = tables.SAFEGUARD.target(known.state, trigger)
    if target is None:
        return no_edge(tables.SAFEGUARD, trigger, known.name, known.state)
    unmet = _conditions(moment, state, spec, known, firing)
    if unmet:
        return Refused(RefusalKind.UNMET, unmet)
    written = _write(moment, spec, known, firing, target, state.size)
    after = replace(written, since=moment.instant, since_actor=moment.actor)
    return Moved(state.put(after), (Transition(known.name, trigger, known.state, target),))


def _conditions(moment: Moment, state: State, spec: Spec, known: r.Safeguard, firing: Firing) -> tuple[Unmet, ...]:
    """Return what the trigger asks beside its edge and does not find."""
    trigger = firing.trigger.value
    match firing:
        case f.SafeguardVerify() | f.SafeguardReattest():
            missing = unknown_evidence(state, firing.evidence, trigger)
            needs = spec.verify_with
            return missing + evidence_unmet(state, needs, firing.evidence, moment.instant, known.name, trigger)
        case f.SafeguardActivate():
            return evidence_unmet(state, spec.verify_with, known.evidence, moment.instant, known.name, trigger)
        case f.SafeguardRetire():
            leaning = leaning_models(moment.policy, state, known.name)
            if leaning:
                return (
                    Unmet(
                        Code.SAFEGUARD_LEANED_ON,
                        "no assigned level that lists it",
                        f"leaned on by {', '.join(leaning)}",
                        known.name,
                        trigger,
                    ),
                )
            return ()
        case _:
            return ()


def _write(  # the moment, the two sides of the edge, and the entry that makes it
    moment: Moment, spec: Spec, known: r.Safeguard, firing: Firing, target: str, position: int
) -> r.Safeguard:
    """Return the safeguard after the edge; tightening and neutral triggers keep the facts that loosening ones gave."""
    attested_until = moment.instant + spec.attested_for_us
    match firing:
        case f.SafeguardStart():
            return replace(known, stage=target)
        case f.SafeguardVerify():
            return replace(known, stage=target, evidence=firing.evidence, verified_by=moment.actor)
        case f.SafeguardActivate():
            return replace(
                known,
                stage=target,
                attested_until=attested_until,
                attested_at=moment.instant,
                active_by=position,
                attested_by=position,
                resumed_by=r.NEVER,
            )
        case f.SafeguardReattest():
            return replace(
                known,
                evidence=firing.evidence,
                verified_by=moment.actor,
                attested_until=attested_until,
                attested_at=moment.instant,
                attested_by=position,
            )
        case f.SafeguardDegrade():
            stage, remembers = ("suspended", target[10:-1]) if known.stage == "suspended" else (target, "")
            return replace(known, stage=stage, remembers=remembers, reason_digest=firing.reason_digest)
        case f.SafeguardRestore():
            return replace(known, stage=target, active_by=position, reason_digest=b"")
        case f.SafeguardSuspend():
            return replace(
                known,
                stage="suspended",
                remembers=known.stage,
                reason_digest=firing.reason_digest,
            )
        case f.SafeguardResume():
            return replace(known, stage=target, remembers="", resumed_by=position, reason_digest=b"")
        case f.SafeguardRetire() | f.SafeguardReplan():
            return r.Safeguard(known.name, stage=target, reason_digest=firing.reason_digest)
