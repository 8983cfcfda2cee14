"""The change machine: propose, submit, revise, sign, apply, withdraw.

Each function takes the turn (who, when, which rules) and the state, and gives the state after, or a refusal. ``judged``
turns rights and signatures off: a fold of accepted entries does not judge them again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from interlock.proofs.errors import RefusedError
from interlock.statemachine import authority, changes, signing, signoff
from interlock.statemachine import commands as c
from interlock.statemachine import resources as r
from interlock.statemachine.codec import CodecError
from interlock.statemachine.drafting import draft
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.fire import model_concerned
from interlock.statemachine.machines.step import Moved, no_edge, not_found
from interlock.statemachine.rights import CHANGE_APPLY, CHANGE_PROPOSE
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet, refused

if TYPE_CHECKING:
    from interlock.statemachine.entry import Content
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.rules import Rules
    from interlock.statemachine.state import State


@dataclass(frozen=True, slots=True)
class Turn:
    """What a command is decided with beside the state."""

    rules: Rules
    policy: Policy
    actor: c.Actor
    facts: c.Facts
    judged: bool = True

    @property
    def instant(self) -> int:
        """When, in microseconds."""
        return self.facts.instant


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
    if not any(changes.rule_of(turn.policy, firing) for firing in content.triggers):
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
    evaluation = changes.evaluate(turn.policy, state, change, turn.instant)
    timeless = tuple(
        unmet
        for unmet in evaluation.blocking
        if unmet.code not in {Code.EVIDENCE_MISSING, Code.EVIDENCE_STALE, Code.EVIDENCE_EXPIRED, Code.CHANGE_EXPIRED}
    )
    if not timeless or change.state == "draft":
        return None
    if evaluation.stale:
        return Refused(RefusalKind.STALE, evaluation.blocking)
    lacking = all(unmet.code is Code.RIGHT_MISSING for unmet in timeless)
    return Refused(RefusalKind.NOT_ALLOWED if lacking else RefusalKind.UNMET, evaluation.blocking)


def propose(turn: Turn, state: State, command: c.ProposeChange) -> Moved | Refused:
    """Record a new change; ``changes/{n}`` is the next number."""
    name = state.next_name("changes")
    content = _open_content(command.content, name)
    if isinstance(content, Refused):
        return content
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


def _find(state: State, name: str) -> r.Change | Refused:
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
    change = _find(state, command.change)
    if isinstance(change, Refused):
        return change
    trigger = _REVISIONS[type(command)]
    target = tables.CHANGE.target(change.state, trigger)
    if target is None:
        return no_edge(tables.CHANGE, trigger, change.name, change.state)
    content = _open_content(command.content, change.name)
    if isinstance(content, Refused):
        return content
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
    kept = replace(after, revision=before.revision, base=before.base, evidence=before.evidence)
    kept = replace(kept, policy_digest=before.policy_digest, rules_digest=before.rules_digest)
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
    change = _find(state, command.change)
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
    change = _find(state, command.change)
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
    change = _find(state, command.change)
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
    """Fire the triggers of a change that is approved now; ``state`` may hold it with a sign-off just added."""
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
    applied = replace(
        change,
        state="applied",
        applied_position=state.size,
        applied_slots=tuple((s.trigger, s.resource, s.role, s.filled_by) for s in evaluation.slots),
    )
    done = Transition(change.name, "change.apply", change.state, "applied")
    return Moved(evaluation.after.put(applied), (*evaluation.transitions, done))


# Signing ---------------------------------------------------------------------------------------------------------


def sign(turn: Turn, state: State, command: c.SignOffChange | c.WithdrawSignOffOfChange) -> Moved | Refused:
    """Take a signed statement: approve, reject or withdraw; apply the change where it completes the quorum.

    1 the change is under review · 2 the envelope is new, of the actor's own sign-off key · 3 the statement names this
    very content and this actor · 4 it has not ended · 5 a withdrawal takes back something · 6 a reject comes from an
    approving role and is then always accepted · 7 an approval is refused while anything but sign-offs is missing, or
    when it fills no slot.
    """
    change = _find(state, command.change)
    if isinstance(change, Refused):
        return change
    if change.state != "in_review":
        return no_edge(tables.CHANGE, "change.sign", change.name, change.state)
    if len(turn.facts.envelopes) != 1:
        return _bad(Code.SIGN_OFF_FORMAT, "exactly one envelope", str(len(turn.facts.envelopes)), change.name)
    opened = _open_envelope(turn, state, turn.facts.envelopes[0])
    if isinstance(opened, Refused):
        return opened
    statement, key, digest = opened.statement, opened.key, opened.digest
    no = _check_statement(turn, state, change, statement, digest)
    no = no or _check_decision(command, change, statement)
    if no is not None:
        return no
    sign_off = r.SignOff(
        signer=turn.actor.principal,
        person=signing.person_of(state, turn.actor.principal),
        credential=key.fingerprint,
        decision=statement.decision,
        revision=change.revision,
        roles=_held(turn, state, change, statement.roles),
        position=state.size,
        at=turn.instant,
        not_after=statement.not_after,
        comment_digest=bytes.fromhex(statement.comment_digest),
        envelope_digest=digest,
        seen=tuple((row.evidence, row.seen) for row in statement.evidence),
    )
    match statement.decision:
        case "withdraw":
            return _take_back(turn, state, change, sign_off)
        case "reject":
            return _reject(turn, state, change, sign_off)
        case _:
            return _approve(turn, state, change, sign_off)


def _held(turn: Turn, state: State, change: r.Change, named: tuple[str, ...]) -> tuple[str, ...]:
    """Return the roles named that the signer holds on some model of the change: naming others gives no say in them."""
    held = {
        role.id
        for firing in changes.content_of(change.content).triggers
        for _, role in authority.roles_on(
            turn.policy, state, turn.actor.principal, turn.instant, model_concerned(state, firing)
        )
    }
    return tuple(role for role in named if role in held)


def _bad(code: Code, requirement: str, actual: str, name: str) -> Refused:
    return refused(RefusalKind.SIGN_OFF_INVALID, code, requirement, actual, name)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A statement whose signature was checked, the key that made it, and what stands for the envelope for ever.

    ``digest`` is over signer and signed payload: the envelope's own bytes (key id, base64, white space) are nobody's
    signature and could be changed to have the same statement accepted twice.
    """

    statement: signoff.Statement
    key: r.Credential
    digest: bytes


def _open_envelope(turn: Turn, state: State, envelope: bytes) -> _Opened | Refused:
    """Return the statement of an envelope once its signature is checked against the actor's own sign-off keys."""
    name = turn.actor.principal
    account = state.find(name, r.Principal)
    keys = [k for k in account.credentials if k.use == "signoff" and k.state == "active"] if account else []
    if not keys:
        return _bad(Code.SIGN_OFF_KEY, "an active sign-off key of the signer", "none registered", name)
    reason = ""
    for key in keys:
        try:
            payload = signoff.open_envelope(envelope, key.public_key)
            statement = signoff.parse_statement(payload.payload)
        except RefusedError as error:
            reason = str(error)
        except signoff.StatementError as error:
            return _bad(Code.SIGN_OFF_FORMAT, "a sign-off statement", str(error), name)
        else:
            digest = hashlib.sha256(name.encode() + b"\0" + payload.payload).digest()
            return _Opened(statement, key, digest)
    return _bad(Code.SIGN_OFF_SIGNATURE, "a signature by the signer's own sign-off key", reason, name)


def _check_statement(
    turn: Turn, state: State, change: r.Change, statement: signoff.Statement, digest: bytes
) -> Refused | None:
    """Refuse a statement about anything but this content, by anyone but this actor, or used before."""
    content = changes.content_of(change.content)
    evidence = tuple((row.evidence, row.sha256) for row in statement.evidence)
    checks = (
        (digest not in state.envelopes, Code.SIGN_OFF_REPLAYED, "an envelope never used before", "used before"),
        (
            statement.signer == turn.actor.principal,
            Code.SIGN_OFF_SIGNER,
            f"{turn.actor.principal} as signer",
            statement.signer,
        ),
        (statement.change == change.name, Code.SIGN_OFF_SUBJECT, f"{change.name} as subject", statement.change),
        (
            statement.content_sha256 == change.content_digest.hex(),
            Code.SIGN_OFF_SUBJECT,
            f"the digest of revision {change.revision}, {change.content_digest.hex()}",
            f"{statement.content_sha256}: another content or an earlier revision",
        ),
        (
            evidence == content.evidence,
            Code.SIGN_OFF_EVIDENCE,
            "the change's evidence, each by digest",
            "it names other evidence",
        ),
        (
            not statement.on_behalf_of,
            Code.SIGN_OFF_SIGNER,
            "no delegation: these rules know none",
            statement.on_behalf_of,
        ),
        (
            not statement.not_after or turn.instant < statement.not_after,
            Code.SIGN_OFF_ENDED,
            "a statement that has not ended",
            "it has ended",
        ),
        (
            statement.checkpoint_size <= state.size,
            Code.SIGN_OFF_CHECKPOINT,
            "a checkpoint of this log's past",
            f"size {statement.checkpoint_size} of {state.size}",
        ),
    )
    unmet = tuple(Unmet(code, wish, actual, change.name) for good, code, wish, actual in checks if not good)
    return Refused(RefusalKind.SIGN_OFF_INVALID, unmet) if unmet else None


def _check_decision(
    command: c.SignOffChange | c.WithdrawSignOffOfChange, change: r.Change, statement: signoff.Statement
) -> Refused | None:
    """Refuse a statement whose decision does not fit the command."""
    taking_back = isinstance(command, c.WithdrawSignOffOfChange)
    if taking_back == (statement.decision == "withdraw"):
        return None
    wish = "the decision withdraw" if taking_back else "the decision approve or reject"
    return _bad(Code.SIGN_OFF_FORMAT, wish, statement.decision, change.name)


def _with(state: State, change: r.Change, sign_off: r.SignOff) -> tuple[State, r.Change]:
    signed = replace(change, sign_offs=(*change.sign_offs, sign_off))
    kept = replace(state, envelopes=state.envelopes.set(sign_off.envelope_digest, state.size))
    return kept.put(signed), signed


def _take_back(turn: Turn, state: State, change: r.Change, sign_off: r.SignOff) -> Moved | Refused:
    last = next((s for s in reversed(change.sign_offs) if s.signer == turn.actor.principal), None)
    if last is None or last.decision == "withdraw":
        return refused(
            RefusalKind.UNMET, Code.SIGN_OFF_NONE, "a sign-off of the signer to withdraw", "none", change.name
        )
    after, _ = _with(state, change, sign_off)
    return Moved(after, (Transition(change.name, "change.withdraw_sign_off", change.state, change.state),))


def _reject(turn: Turn, state: State, change: r.Change, sign_off: r.SignOff) -> Moved | Refused:
    if not sign_off.roles:
        return refused(
            RefusalKind.NOT_ALLOWED,
            Code.NO_APPROVING_ROLE,
            "an approving role on a model of the change, named in the statement",
            f"{sign_off.signer} holds or names none",
            change.name,
        )
    after, signed = _with(state, change, sign_off)
    vetoes = {
        slot.role
        for firing in changes.content_of(change.content).triggers
        if (rule := changes.rule_of(turn.policy, firing)) is not None
        for slot in rule.slots
        if slot.veto
    }
    target = change.state
    if not vetoes.isdisjoint(sign_off.roles):
        target = "rejected"
        after = after.put(replace(signed, state=target))
    return Moved(after, (Transition(change.name, "change.reject", change.state, target),))


def _approve(turn: Turn, state: State, change: r.Change, sign_off: r.SignOff) -> Moved | Refused:
    content = changes.content_of(change.content)
    before = changes.evaluate(turn.policy, state, change, turn.instant)
    ledger = signing.tally(turn.policy, state, change, content, turn.instant)
    misfit = signing.misfits(turn.policy, state, content, sign_off, ledger)
    if misfit:
        return Refused(RefusalKind.NOT_ALLOWED, misfit)
    if before.blocking:
        return changes.refusal_of(before)
    after, signed = _with(state, change, sign_off)
    move = Transition(change.name, "change.sign", change.state, change.state)
    approved = changes.evaluate(turn.policy, after, signed, turn.instant).approved
    if not approved or content.apply_separately or turn.instant < content.not_before:
        return Moved(after, (move,))
    applied = apply_approved(turn, after, signed)
    if isinstance(applied, Refused):
        return applied
    return Moved(applied.state, (move, *applied.transitions))
