"""The deployment machine: what runs where. Recorded whatever the gate says of it; nothing here moves a verdict.

A record may open obligations that do not block; no later policy makes it block either, unless people sign for that.
The verdict that is kept with a record is nobody's word: it is judged here, at the log before the entry. What the gate
says of it later (*out of compliance*) is asked at a position and an instant, and never stored.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.explain import explain
from interlock.statemachine.machines import clocks, tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State


def record(moment: Moment, state: State, firing: f.DeploymentRecord) -> Moved | Refused:
    """Record that a model runs somewhere: a denied or retired one too, and on a decision that has ended."""
    unknown = _unknown(moment.policy, state, firing)
    if unknown:
        return Refused(RefusalKind.NOT_FOUND, unknown)
    unmet = _unmet(moment.policy, state, firing)
    if unmet:
        return Refused(RefusalKind.UNMET, unmet)
    verdict = explain(moment.policy, state, firing.model, firing.context, firing.artifact, moment.instant)
    deployment = r.Deployment(
        state.next_name("deployments"),
        firing.model,
        firing.context,
        firing.artifact,
        firing.location,
        firing.decision,
        verdict.allowed,
        recorded_at=moment.instant,
        recorder=moment.actor,
    )
    move = Transition(deployment.name, firing.trigger.value, tables.ABSENT, "live")
    after = clocks.start_by_deployment(moment.policy, state.put(deployment), firing, moment.instant)
    return Moved(after.counted("deployments"), (move,))


def _unknown(policy: Policy, state: State, firing: f.DeploymentRecord) -> tuple[Unmet, ...]:
    """Return what the record names and does not exist."""
    trigger = firing.trigger.value
    contexts = ", ".join(entry.id for entry in policy.contexts)
    checks = (
        (state.find(firing.model, r.Model), Code.MODEL_UNKNOWN, "a model that was registered", firing.model),
        (policy.context(firing.context), Code.CONTEXT_UNKNOWN, f"a context of the policy: {contexts}", firing.context),
        (
            not firing.decision or state.find(firing.decision, r.Decision),
            Code.NOT_FOUND,
            "a decision that was recorded",
            firing.decision,
        ),
    )
    return tuple(
        Unmet(code, wish, "it does not exist", name, trigger) for found, code, wish, name in checks if not found
    )


def _unmet(policy: Policy, state: State, firing: f.DeploymentRecord) -> tuple[Unmet, ...]:
    """Return what leaves open which release it is: no artifact where one is asked for, a decision about another."""
    trigger, unmet = firing.trigger.value, []
    place = policy.context(firing.context)
    if place is not None and place.artifact_required and not firing.artifact:
        wish = f"an artifact digest: context {place.id} asks for one"
        unmet.append(Unmet(Code.ARTIFACT_REQUIRED, wish, "none named", firing.model, trigger))
    decision = state.find(firing.decision, r.Decision)
    if decision is not None:
        release = (firing.model, firing.context, firing.artifact)
        decided = (decision.model, decision.context, decision.artifact)
        if release != decided:
            wish, actual = (" ".join(part for part in parts if part) for parts in (release, decided))
            unmet.append(Unmet(Code.DECISION_OF_ANOTHER, f"a decision about {wish}", actual, decision.name, trigger))
    return tuple(unmet)


def end(moment: Moment, state: State, firing: f.DeploymentEnd) -> Moved | Refused:
    """Record that it runs there no more."""
    deployment = state.find(firing.deployment, r.Deployment)
    if deployment is None:
        return not_found(firing.deployment, "a live deployment")
    trigger = firing.trigger.value
    target = tables.DEPLOYMENT.target(deployment.state, trigger)
    if target is None:
        return no_edge(tables.DEPLOYMENT, trigger, deployment.name, deployment.state)
    ended = replace(deployment, state=target, ended_at=moment.instant, ender=moment.actor)
    return Moved(state.put(ended), (Transition(deployment.name, trigger, deployment.state, target),))
