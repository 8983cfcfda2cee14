"""Sign-offs on a change: approve, reject, take back (identity design, "Sign-off rules").

An approval that completes the quorum applies the change, in the same entry. Which sign-off counts for which slot is
``signing.py``'s business, what the statement says ``signoff.py``'s.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import authority, changes, delegating, persons, signing, signoff
from interlock.statemachine import commands as c
from interlock.statemachine import resources as r
from interlock.statemachine.asked import rules_asked
from interlock.statemachine.bound import documents_of
from interlock.statemachine.documents import may_have_read
from interlock.statemachine.entry import Transition
from interlock.statemachine.grounds import find_grounds
from interlock.statemachine.lifecycle import applied, find_change
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.fire import model_concerned
from interlock.statemachine.machines.step import Moved, no_edge
from interlock.statemachine.statements import open_signed
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet, refused

if TYPE_CHECKING:
    from interlock.statemachine.state import State
    from interlock.statemachine.turn import Turn


def sign(turn: Turn, state: State, command: c.SignOffChange | c.WithdrawSignOffOfChange) -> Moved | Refused:
    """Take a signed statement: approve, reject or withdraw; apply the change where it completes the quorum.

    1 the change is under review · 2 the envelope is new, of the actor's own sign-off key · 3 the statement names this
    very content and this actor · 4 it has not ended · 5 a withdrawal takes back something · 6 a reject comes from an
    approving role and is then always accepted · 7 an approval is refused while anything but sign-offs is missing, or
    when it fills no slot.
    """
    change = find_change(state, command.change)
    if isinstance(change, Refused):
        return change
    if change.state != "in_review":
        return no_edge(tables.CHANGE, "change.sign", change.name, change.state)
    if len(turn.facts.envelopes) != 1:
        return _bad(Code.SIGN_OFF_FORMAT, "exactly one envelope", str(len(turn.facts.envelopes)), change.name)
    signer = turn.actor.principal
    account = state.find(signer, r.Principal)
    opened = open_signed(account, signer, "signoff", turn.facts.envelopes[0], turn.instant, signoff.parse_statement)
    if isinstance(opened, Refused):
        return opened
    statement, key, digest = opened.statement, opened.key, opened.digest
    no = _check_statement(turn, state, change, statement, digest)
    no = no or _check_decision(command, change, statement)
    if no is not None:
        return no
    sign_off = r.SignOff(
        signer=signer,
        person=persons.person_of(state, signer),
        credential=key.fingerprint,
        decision=statement.decision,
        revision=change.revision,
        roles=_held(turn, state, change, statement),
        position=state.size,
        at=turn.instant,
        not_after=statement.not_after,
        comment_digest=bytes.fromhex(statement.comment_digest),
        envelope_digest=digest,
        seen=tuple((row.evidence, row.seen) for row in statement.evidence),
        on_behalf_of=statement.on_behalf_of,
    )
    match statement.decision:
        case "withdraw":
            return _take_back(turn, state, change, sign_off)
        case "reject":
            return _reject(turn, state, change, sign_off)
        case _:
            return _approve(turn, state, change, sign_off)


def _held(turn: Turn, state: State, change: r.Change, statement: signoff.Statement) -> tuple[str, ...]:
    """Return the roles named that the signer holds on some model of the change: naming others gives no say in them.

    On behalf of somebody they are that one's roles, as far as they are delegated to the signer.
    """
    signer, owner = turn.actor.principal, statement.on_behalf_of
    held = {
        role.id
        for firing in changes.content_of(change.content).triggers
        for _, role in authority.roles_on(
            turn.policy, state, owner or signer, turn.instant, model_concerned(state, firing)
        )
    }
    if owner:
        held &= {row.role for row in delegating.standing(state, signer, owner, turn.instant)}
    return tuple(role for role in statement.roles if role in held)


def _bad(code: Code, requirement: str, actual: str, name: str) -> Refused:
    return refused(RefusalKind.SIGN_OFF_INVALID, code, requirement, actual, name)


def _check_statement(
    turn: Turn, state: State, change: r.Change, statement: signoff.Statement, digest: bytes
) -> Refused | None:
    """Refuse a statement about anything but this content, by anyone but this actor, or used before."""
    content = changes.content_of(change.content)
    evidence = tuple((row.evidence, row.sha256) for row in statement.evidence)
    signer, unopened = turn.actor.principal, _unopened(state, statement, turn.actor.principal)
    checks = (
        (digest not in state.envelopes, Code.SIGN_OFF_REPLAYED, "an envelope never used before", "used before"),
        (statement.signer == signer, Code.SIGN_OFF_SIGNER, f"{signer} as signer", statement.signer),
        (statement.change == change.name, Code.SIGN_OFF_SUBJECT, f"{change.name} as subject", statement.change),
        (
            statement.content_sha256 == change.content_digest.hex(),
            Code.SIGN_OFF_SUBJECT,
            f"the digest of revision {change.revision}, {change.content_digest.hex()}",
            f"{statement.content_sha256}: another content or an earlier revision",
        ),
        (
            evidence == documents_of(content),
            Code.SIGN_OFF_EVIDENCE,
            "every document that the change or a trigger of it names, each by digest",
            "it names other evidence",
        ),
        (
            not unopened,
            Code.SIGN_OFF_EVIDENCE,
            "restricted evidence that was seen in full, opened by its signer",
            f"no entry says so of {', '.join(unopened)}",
        ),
        (
            not statement.on_behalf_of or _may_act_for(turn, state, statement),
            Code.NO_DELEGATION,
            f"a delegation by {statement.on_behalf_of} to {signer} of a role that is named, in its window",
            "none that stands",
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


def _unopened(state: State, statement: signoff.Statement, signer: str) -> tuple[str, ...]:
    """Return the documents that are said to be seen in full, and that no entry says the signer opened."""
    return tuple(
        row.evidence
        for row in statement.evidence
        if row.seen == "full"
        and (document := state.find(row.evidence, r.Evidence)) is not None
        and not may_have_read(document, signer)
    )


def _may_act_for(turn: Turn, state: State, statement: signoff.Statement) -> bool:
    """Say whether some delegation to the actor stands for a role that they name. A withdrawal is in one's own name."""
    rows = delegating.standing(state, turn.actor.principal, statement.on_behalf_of, turn.instant)
    return statement.decision != "withdraw" and any(row.role in statement.roles for row in rows)


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
    signed = _signed(change, sign_off)
    return _used(state, sign_off).put(signed), signed


def _signed(change: r.Change, sign_off: r.SignOff) -> r.Change:
    return replace(change, sign_offs=(*change.sign_offs, sign_off))


def _used(state: State, sign_off: r.SignOff) -> State:
    """Return the state in which this envelope was used."""
    return state.updated(envelopes=state.envelopes.set(sign_off.envelope_digest, state.size))


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
        for rule, _, _ in rules_asked(turn.policy, state, firing)
        for slot in rule.slots
        if slot.veto
    }
    target = change.state
    if not vetoes.isdisjoint(sign_off.roles):
        target = "rejected"
        after = after.put(replace(signed, state=target))
    return Moved(after, (Transition(change.name, "change.reject", change.state, target),))


def _approve(turn: Turn, state: State, change: r.Change, sign_off: r.SignOff) -> Moved | Refused:
    """Take an approval. It moves no resource but the change, so what stands before it stands after it too."""
    policy, content, signed = turn.policy, changes.content_of(change.content), _signed(change, sign_off)
    standing = changes.stand(policy, state, change, content, turn.instant)
    ledger = signing.tally(policy, state, signed, content, turn.instant)
    misfit = signing.misfits(policy, state, content, sign_off, ledger)
    if misfit:
        return Refused(RefusalKind.NOT_ALLOWED, misfit)
    if standing.blocking or standing.after is None:
        return changes.refusal_of(changes.evaluate(policy, state, change, turn.instant))
    quorum = changes.count(policy, state, content, ledger)
    move = Transition(change.name, "change.sign", change.state, change.state)
    if quorum.unmet or content.apply_separately or turn.instant < content.not_before:
        return Moved(_used(state, sign_off).put(signed), (move,))
    grounds = find_grounds(policy, state, content, ledger)
    moved = applied(_used(standing.after, sign_off), signed, grounds, quorum.slots, standing.transitions)
    return Moved(moved.state, (move, *moved.transitions))
