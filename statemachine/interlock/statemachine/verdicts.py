"""Decisions enter the log: what the gate says of a question at the head, as a statement and as a resource.

The verdict is never the caller's word: it is judged here, at the log before the entry and at the entry's instant, and
so is everything that the statement says. An auditor's replay therefore proves every decision that was ever handed out.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from interlock.statemachine import changes, forms
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.decision import Decision, build_decision
from interlock.statemachine.entry import Transition
from interlock.statemachine.explain import explain
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moved
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet

if TYPE_CHECKING:
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State
    from interlock.statemachine.turn import Turn

SERVING: Final = ("clock", "ledger", "policy", "rules")
"""The conditions of rule 1 that only a server can vouch for; an entry that holds a verdict records all of them."""


def serving_for(state: State, command: c.Command) -> tuple[str, ...]:
    """Return the serving conditions that an entry of this command records: all of them where a verdict may be in it.

    That is a decision, the record of a deployment, and a sign-off on or application of a change that records one.
    """
    match command:
        case c.RecordDecision():
            return SERVING
        case c.Fire():
            return SERVING if isinstance(command.firing, f.DeploymentRecord) else ()
        case c.SignOffChange() | c.ApplyApprovedChange():
            change = state.find(command.change, r.Change)
            triggers = changes.content_of(change.content).triggers if change is not None else ()
            return SERVING if any(isinstance(firing, f.DeploymentRecord) for firing in triggers) else ()
        case _:
            return ()


def judge(policy: Policy, state: State, model: str, context: str, artifact: str, instant: int) -> Decision:
    """Return the decision on a release, made at the log as it stands and at ``instant`` (microseconds)."""
    verdict = explain(policy, state, model, context, artifact, instant)
    end = instant + policy.decision_lasts_us
    place = policy.context(context)
    standards = policy.standards.values() if verdict.allowed and place is not None else ()
    return Decision(
        log_id=state.log.log_id.hex(),
        model=model,
        context=context,
        artifact=artifact,
        allowed=verdict.allowed,
        policy=policy.name,
        policy_digest=policy.digest.hex(),
        position=state.head,
        entry=state.size,
        instant=instant,
        expires=end if verdict.valid_until is None else min(end, verdict.valid_until),
        levels=tuple(
            (standard.id, state.level(model, standard.id).assigned or "")
            for standard in standards
            if context in standard.applies_in
        ),
        reasons=tuple(unmet.code.value for unmet in verdict.reasons),
    )


def command_for(decision: Decision) -> c.RecordDecision:
    """Return the command that records a decision."""
    return c.RecordDecision(
        decision.model,
        decision.context,
        decision.artifact,
        decision.allowed,
        hashlib.sha256(build_decision(decision)).digest(),
    )


def record(turn: Turn, state: State, command: c.RecordDecision) -> Moved | Refused:
    """Record a decision that is exactly what the gate says here and now; one resource each, numbered densely."""
    name = state.next_name("decisions")
    shapes = (
        (forms.MODEL.fullmatch(command.model), "a model by name", command.model),
        (forms.ID.fullmatch(command.context), "a context by id", command.context),
        (forms.SHA256.fullmatch(command.artifact), "an artifact by SHA-256", command.artifact),
    )
    bad = tuple(Unmet(Code.MALFORMED, wish, repr(is_)[:200], name) for good, wish, is_ in shapes if not good)
    if bad:
        return Refused(RefusalKind.INVALID, bad)
    decision = judge(turn.policy, state, command.model, command.context, command.artifact, turn.instant)
    if command != command_for(decision):
        wish = (
            f"the gate's own {'ALLOW' if decision.allowed else 'DENY'} at position {decision.position}, as it is signed"
        )
        return Refused(RefusalKind.INVALID, (Unmet(Code.DECISION_DIFFERS, wish, "another verdict or statement", name),))
    recorded = r.Decision(
        name=name,
        model=command.model,
        context=command.context,
        artifact=command.artifact,
        allowed=command.allowed,
        position=decision.position,
        instant=decision.instant,
        expires=decision.expires,
        statement_digest=command.statement_digest,
        asked_by=turn.actor.principal,
    )
    move = Transition(name, "decision.record", tables.ABSENT, "allowed" if command.allowed else "denied")
    return Moved(state.put(recorded).counted("decisions"), (move,))
