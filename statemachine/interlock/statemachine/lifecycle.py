"""The change machine: propose, submit, revise, apply, withdraw; signing is in ``consent.py``.

Each function takes the turn (who, when, which rules) and the state, and gives the state after, or a refusal. ``judged``
turns rights and signatures off: a fold of accepted entries does not judge them again.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import authority, changes, packs
from interlock.statemachine import commands as c
from interlock.statemachine import resources as r
from interlock.statemachine.asked import rules_asked
from interlock.statemachine.codec import CodecError
from interlock.statemachine.drafting import draft
from interlock.statemachine.entry import Transition
from interlock.statemachine.grounds import find_grounds
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.fire import model_concerned
from interlock.statemachine.machines.step import Moved, no_edge, not_found
from interlock.statemachine.rights import CHANGE_APPLY, CHANGE_PROPOSE
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused

if TYPE_CHECKING:
    from interlock.statemachine.entry import Content
    from interlock.statemachine.state import State
    from interlock.statemachine.turn import Turn


def _open_content(content: bytes, name: str) -> Content | Refused:
    try:
        return changes.content_of(content)
    except CodecError as error:
        return refused(RefusalKind.INVALID, Code.CONTENT, "content bytes in their one form", str(error), name)


def _check_content(turn: Turn, state: State, content: Content, name: str, revision: int) -> Refused | None:
    """Refuse content that is not exactly what these triggers give on the present base."""
    wanted = draft(
        turn.rules,
        turn.policy,
        state,
        name=name,
        revision=revision,
        triggers=content.triggers,
        evidence=tuple(item for item, _ in content.evidence),
        not_before=content.not_before,
        texts=content.texts,
        apply_separately=content.apply_separately,
    )
    if isinstance(wanted, Refused):
        return wanted
    if wanted != content:
        return refused(
            RefusalKind.STALE,
            Code.CONTENT,
            "content on the present base, policy and rules",
            "it names others",
            name,
        )
    return None


def _check_proposal(turn: Turn, state: State, change: r.Change, content: Content) -> Refused | None:
    """Refuse a proposal that needs no sign-off, that its proposer may not make, or that can't ever fire."""
    if not any(rules_asked(turn.policy, state, firing) for firing in content.triggers):
        names = ", ".join(dict.fromkeys(firing.trigger.value for firing in content.triggers))
        return refused(
            RefusalKind.UNMET,
            Code.CHANGE_NEEDS_NO_SIGN_OFF,
            "at least one trigger that needs sign-offs",
            f"{names}: fire it directly",
            change.name,
        )
    if turn.judged:
        for firing in content.triggers:
            model = model_concerned(state, firing)
            no = authority.check_right(turn.policy, state, turn.actor, turn.instant, CHANGE_PROPOSE, model)
            if no is not None:
                return no
    if change.state == "draft":
        return None
    standing = changes.stand(turn.policy, state, change, content, turn.instant)
    blocking = changes.condense(standing.blocking)
    timeless = tuple(
        unmet
        for unmet in blocking
        if unmet.code not in {Code.EVIDENCE_MISSING, Code.EVIDENCE_STALE, Code.EVIDENCE_EXPIRED, Code.CHANGE_EXPIRED}
    )
    if not timeless:
        return None
    if standing.stale:
        return Refused(RefusalKind.STALE, blocking)
    lacking = all(unmet.code is Code.RIGHT_MISSING for unmet in timeless)
    return Refused(RefusalKind.NOT_ALLOWED if lacking else RefusalKind.UNMET, blocking)


def propose(turn: Turn, state: State, command: c.ProposeChange) -> Moved | Refused:
    """Record a new change; ``changes/{n}`` is the next number."""
    name = state.next_name("changes")
    content = _open_content(command.content, name)
    if isinstance(content, Refused):
        return content
    shelved = packs.shelve(state, content.triggers, command.pack)
    if isinstance(shelved, Refused):
        return shelved
    state = shelved
    no = _check_content(turn, state, content, name, 1)
    if no is not None:
        return no
    trigger = "change.propose[draft]" if command.draft else "change.propose"
    target = tables.CHANGE.target(tables.ABSENT, trigger) or ""
    change = r.Change(
        name,
        target,
        1,
        command.content,
        hashlib.sha256(command.content).digest(),
        (turn.actor.principal,),
        turn.actor.principal,
        turn.instant,
        state.size,
        turn.instant,
    )
    no = _check_proposal(turn, state, change, content)
    if no is not None:
        return no
    move = Transition(name, "change.propose", tables.ABSENT, target)
    return Moved(state.put(change).counted("changes"), (move,))


def find_change(state: State, name: str) -> r.Change | Refused:
    """Return a change, or why there is none."""
    change = state.find(name, r.Change)
    return change if change is not None else not_found(name, "a change")


_REVISIONS = {
    c.AmendChange: "change.amend",
    c.AttachEvidence: "change.attach",
    c.DetachEvidence: "change.detach",
    c.RebaseChange: "change.rebase",
}


def revise(turn: Turn, state: State, command: c.Revision) -> Moved | Refused:
    """Record a new revision: any edit voids the approvals of the one before."""
    change = find_change(state, command.change)
    if isinstance(change, Refused):
        return change
    trigger = _REVISIONS[type(command)]
    target = tables.CHANGE.target(change.state, trigger)
    if target is None:
        return no_edge(tables.CHANGE, trigger, change.name, change.state)
    content = _open_content(command.content, change.name)
    if isinstance(content, Refused):
        return content
    shelved = packs.shelve(state, content.triggers, command.pack if isinstance(command, c.AmendChange) else b"")
    if isinstance(shelved, Refused):
        return shelved
    state = shelved
    no = _check_content(turn, state, content, change.name, change.revision + 1)
    no = no or _check_kind(command, changes.content_of(change.content), content)
    if no is not None:
        return no
    requesters = tuple(dict.fromkeys((*change.requesters, turn.actor.principal)))
    revised = replace(
        change,
        revision=content.revision,
        content=command.content,
        content_digest=hashlib.sha256(command.content).digest(),
        requesters=requesters,
        proposer=turn.actor.principal,
        edited_at=turn.instant,
    )
    no = _check_proposal(turn, state, revised, content)
    if no is not None:
        return no
    return Moved(state.put(revised), (Transition(change.name, trigger, change.state, target),))


def _check_kind(command: c.Revision, before: Content, after: Content) -> Refused | None:
    """Refuse a revision that changes more than its name says: attach adds documents, detach takes some away."""
    kept = replace(
        after,
        revision=before.revision,
        base=before.base,
        evidence=before.evidence,
        policy_digest=before.policy_digest,
        rules_digest=before.rules_digest,
    )
    old, new = set(before.evidence), set(after.evidence)
    good = {
        c.AttachEvidence: kept == before and old < new,
        c.DetachEvidence: kept == before and new < old,
        c.RebaseChange: kept == before and old == new,
        c.AmendChange: old == new,
    }
    if good[type(command)]:
        return None
    wish = f"a revision that does what {_REVISIONS[type(command)]} says and nothing else"
    return refused(RefusalKind.INVALID, Code.CONTENT, wish, "it changes other parts, or nothing", before.change)


def submit(turn: Turn, state: State, command: c.SubmitChange) -> Moved | Refused:
    """Put a draft to review."""
    change = find_change(state, command.change)
    if isinstance(change, Refused):
        return change
    target = tables.CHANGE.target(change.state, "change.submit")
    if target is None:
        return no_edge(tables.CHANGE, "change.submit", change.name, change.state)
    if turn.judged and turn.actor.principal not in change.requesters:
        return refused(
            RefusalKind.NOT_ALLOWED,
            Code.RIGHT_MISSING,
            "a requester of the change",
            turn.actor.principal,
            change.name,
        )
    submitted = replace(change, state=target)
    no = _check_proposal(turn, state, submitted, changes.content_of(change.content))
    if no is not None:
        return no
    return Moved(state.put(submitted), (Transition(change.name, "change.submit", change.state, target),))


def withdraw(turn: Turn, state: State, command: c.WithdrawProposedChange) -> Moved | Refused:
    """Take a change back: whoever requested it, or anyone who could sign it (it only tightens)."""
    change = find_change(state, command.change)
    if isinstance(change, Refused):
        return change
    target = tables.CHANGE.target(change.state, "change.withdraw")
    if target is None:
        return no_edge(tables.CHANGE, "change.withdraw", change.name, change.state)
    if turn.judged and turn.actor.principal not in change.requesters:
        content = changes.content_of(change.content)
        models = {model_concerned(state, firing) for firing in content.triggers}
        if not any(
            authority.roles_on(turn.policy, state, turn.actor.principal, turn.instant, model) for model in models
        ):
            return refused(
                RefusalKind.NOT_ALLOWED,
                Code.RIGHT_MISSING,
                "a requester of the change, or an approving role on its models",
                turn.actor.principal,
                change.name,
            )
    moved = state.put(replace(change, state=target))
    return Moved(moved, (Transition(change.name, "change.withdraw", change.state, target),))


def apply(turn: Turn, state: State, command: c.ApplyApprovedChange) -> Moved | Refused:
    """Apply an approved change: all of its triggers at one position, or none."""
    change = find_change(state, command.change)
    if isinstance(change, Refused):
        return change
    if turn.judged:
        for firing in changes.content_of(change.content).triggers:
            model = model_concerned(state, firing)
            no = authority.check_right(turn.policy, state, turn.actor, turn.instant, CHANGE_APPLY, model)
            if no is not None:
                return no
    if change.state != "in_review":
        return no_edge(tables.CHANGE, "change.apply", change.name, change.state)
    return apply_approved(turn, state, change)


def apply_approved(turn: Turn, state: State, change: r.Change) -> Moved | Refused:
    """Fire the triggers of a change that is approved now."""
    content = changes.content_of(change.content)
    evaluation = changes.evaluate(turn.policy, state, change, turn.instant)
    if not evaluation.approved or evaluation.after is None:
        return changes.refusal_of(evaluation)
    if turn.instant < content.not_before:
        return refused(
            RefusalKind.UNMET,
            Code.NOT_BEFORE,
            "an instant at or after its earliest",
            "too early",
            change.name,
        )
    grounds = find_grounds(turn.policy, state, content, evaluation.ledger)
    return applied(evaluation.after, change, grounds, evaluation.slots, evaluation.transitions)


def applied(
    after: State,
    change: r.Change,
    grounds: r.Grounds,
    slots: tuple[changes.SlotStatus, ...],
    transitions: tuple[Transition, ...],
) -> Moved:
    """Record a change as applied on the state ``after`` its triggers, which took these transitions."""
    closed = replace(
        change,
        state="applied",
        applied_position=after.size,
        applied_slots=tuple((s.trigger, s.resource, s.role, s.filled_by) for s in slots),
        grounds=grounds,
    )
    done = Transition(change.name, "change.apply", change.state, "applied")
    return Moved(after.put(closed), (*transitions, done))
