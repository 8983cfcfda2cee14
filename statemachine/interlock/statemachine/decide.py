"""Decide: (rules, policy, state, command, facts, actor) to an entry or a refusal. Pure.

Every command goes through the same beats: 1 the instant moves on · 2 the founding comes first and only then · 3 the
actor is who they say and active · 4 the actor has the right · 5 the machine has the edge and its conditions hold ·
6 the entry. An auditor's replay runs this very function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from interlock.statemachine import (
    authority,
    consent,
    digest,
    documents,
    erasure,
    forms,
    genesis,
    lifecycle,
    recovery,
    taint,
    timebase,
    verdicts,
)
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Entry, PolicyRef
from interlock.statemachine.machines import incident
from interlock.statemachine.machines.fire import fire, model_concerned, subject_of
from interlock.statemachine.machines.step import Moment, Moved
from interlock.statemachine.rights import (
    CHANGE_PROPOSE,
    CLOCK_ACCEPT,
    EVIDENCE_GRANT_ACCESS,
    EVIDENCE_READ,
    EVIDENCE_UPLOAD,
    GATE_CHECK,
    TEXT_ERASE,
)
from interlock.statemachine.ruling import rule_of
from interlock.statemachine.turn import Turn
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused

if TYPE_CHECKING:
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.rules import Rules
    from interlock.statemachine.state import State


@dataclass(frozen=True, slots=True)
class Accepted:
    """A command that happened: its entry, and the state after it."""

    entry: Entry
    state: State


def decide(  # everything that a decision depends on, by name
    rules: Rules,
    policy: Policy,
    state: State,
    command: c.Command,
    facts: c.Facts,
    actor: c.Actor,
    request_id: str = "",
) -> Accepted | Refused:
    """Return the entry that a command makes at the head ``state``, or everything that stands against it."""
    turn = Turn(rules, policy, actor, facts)
    no = (
        _check_order(state, command, facts)
        or _check_facts(state, command, facts)
        or _check_actor(state, command, actor, facts.instant)
    )
    if no is not None:
        return no
    no = _check_rights(turn, state, command)
    if no is not None:
        return no
    moved = transact(turn, state, command)
    if isinstance(moved, Refused):
        return moved
    entry = Entry(
        seq=state.size,
        time=facts.instant,
        rules_version=rules.version,
        rules_digest=rules.digest,
        policy=PolicyRef(policy.name, policy.version, policy.digest),
        actor=actor,
        request_id=request_id,
        command=command,
        facts=facts,
        transitions=moved.transitions,
        prev=tuple((name, state.position(name)) for name in sorted(moved.state.writes)),
    )
    return Accepted(entry, taint.settle(state, moved.state).after_entry(facts.instant))


def _check_order(state: State, command: c.Command, facts: c.Facts) -> Refused | None:
    """Refuse time that does not move on or is out of all bounds, and a founding out of its place."""
    if not 0 <= facts.instant <= forms.LAST_INSTANT:
        wish = f"an instant from 0 to {forms.LAST_INSTANT}"
        return refused(RefusalKind.INVALID, Code.TIME_ORDER, wish, str(facts.instant), "log")
    if state.size and facts.instant <= state.time:
        return refused(
            RefusalKind.INVALID, Code.TIME_ORDER, f"an instant after {state.time}", str(facts.instant), "log"
        )
    founding = isinstance(command, c.Genesis | c.CloseGenesis)
    closed = state.size > 1 and state.log.closed
    if founding == closed:
        return genesis.no("the founding first, once, and closed", f"{type(command).__name__} at {state.size}")
    return None


_SIGNED: Final = (c.SignOffChange, c.WithdrawSignOffOfChange, c.CloseGenesis, c.Recover)
"""Commands that come with envelopes."""


def _check_facts(state: State, command: c.Command, facts: c.Facts) -> Refused | None:
    """Refuse facts that the command does not use, and a verdict without what it was served under: all were checked."""
    serving = verdicts.serving_for(state, command)
    if facts.serving != serving:
        wish, actual = ", ".join(serving) or "no serving condition", ", ".join(facts.serving)[:200] or "none"
        return refused(RefusalKind.INVALID, Code.SERVING, wish, actual, "log")
    if not facts.envelopes or isinstance(command, _SIGNED):
        return None
    return refused(RefusalKind.INVALID, Code.MALFORMED, "no envelope", f"{len(facts.envelopes)} of them", "log")


def _check_actor(state: State, command: c.Command, actor: c.Actor, instant: int) -> Refused | None:
    """Refuse an actor who is not active; the system has a closed list of commands of its own, and no other."""
    if isinstance(command, c.UNCOMMANDED):
        if actor == c.SYSTEM:
            return None
        if isinstance(command, c.StateDigest | c.ReportAnonymously):
            wish = f"{c.SYSTEM.principal}: nobody commands it"
            return refused(RefusalKind.NOT_ALLOWED, Code.RIGHT_MISSING, wish, actor.principal[:200], "log")
        return genesis.no(c.SYSTEM.principal, actor.principal)
    if isinstance(command, c.Recover):  # signed by the recovery quorum, who have no session: `recovery.py` judges
        return None
    return authority.check_actor(state, actor, instant)


def _check_rights(turn: Turn, state: State, command: c.Command) -> Refused | None:
    """Refuse a command that the actor has no right to; changes judge their own in ``lifecycle``."""
    match command:
        case c.Fire():
            return _check_firing(turn, state, command.firing)
        case c.RecordEvidence():
            return _check_anywhere(turn, state, EVIDENCE_UPLOAD)
        case c.GrantEvidenceAccess():
            document = state.find(command.evidence, r.Evidence)
            if document is not None and document.uploader == turn.actor.principal:
                return None
            return _check_anywhere(turn, state, EVIDENCE_GRANT_ACCESS)
        case c.OpenEvidence():
            return _check_anywhere(turn, state, EVIDENCE_READ)
        case c.EraseText():
            return _check_anywhere(turn, state, TEXT_ERASE)
        case c.AmendChange() | c.AttachEvidence() | c.DetachEvidence() | c.RebaseChange() | c.ProposeChange():
            return _check_anywhere(turn, state, CHANGE_PROPOSE)
        case c.AcceptClock():
            return authority.check_right(turn.policy, state, turn.actor, turn.instant, CLOCK_ACCEPT, None)
        case c.RecordDecision():
            return authority.check_right(turn.policy, state, turn.actor, turn.instant, GATE_CHECK, command.model)
        case _:
            return None


def _check_anywhere(turn: Turn, state: State, right: str) -> Refused | None:
    """Refuse an actor who has a right nowhere at all."""
    if right in authority.rights_of(turn.policy, state, turn.actor.principal, turn.instant):
        return None
    return authority.check_right(turn.policy, state, turn.actor, turn.instant, right, None)


def _check_firing(turn: Turn, state: State, firing: f.Firing) -> Refused | None:
    """Refuse a loosening trigger outright; a neutral one that a rule names; and whoever lacks the right."""
    if rule_of(turn.policy, state, firing) is not None:
        return refused(
            RefusalKind.UNMET,
            Code.CHANGE_REQUIRED,
            f"an applied change that fires {firing.trigger.value}: propose one",
            "one person",
            subject_of(firing),
            firing.trigger.value,
        )
    right = authority.right_to(firing)
    if isinstance(firing, f.DelegationGive | f.DelegationEnd):  # a role on one model is its holder's to delegate, too
        no = _check_anywhere(turn, state, right)
        return no or (_check_ender(turn, state, firing) if isinstance(firing, f.DelegationEnd) else None)
    model = model_concerned(state, firing)
    return authority.check_right(turn.policy, state, turn.actor, turn.instant, right, model)


def _check_ender(turn: Turn, state: State, firing: f.DelegationEnd) -> Refused | None:
    """Refuse whoever would end somebody else's delegation and is no administrator."""
    actor, delegation = turn.actor.principal, state.find(firing.delegation, r.Delegation)
    grants = authority.active_grants(turn.policy, state, actor, turn.instant)
    if delegation is None or delegation.delegator == actor:
        return None
    if any(authority.administers(turn.policy, role.id) for _, role in grants):
        return None
    wish, name = f"{delegation.delegator}, who gave it, or an administrator", delegation.name
    return refused(RefusalKind.NOT_ALLOWED, Code.RIGHT_MISSING, wish, actor, name, firing.trigger.value)


def _report_anonymously(turn: Turn, state: State, command: c.ReportAnonymously) -> Moved | Refused:
    """Run the step of an incident's report, which nobody is named for and which says nothing of how grave it is."""
    firing = f.IncidentReport(command.target, command.category, "", command.discovered_at, command.title_digest)
    unmet = forms.malformed(firing)
    if unmet:
        return Refused(RefusalKind.INVALID, unmet)
    return incident.report_anonymously(Moment(turn.policy, turn.instant, c.SYSTEM.principal), state, firing)


def transact(turn: Turn, state: State, command: c.Command) -> Moved | Refused:  # one case a command
    """Run a command's machine step: the state after it and the edges taken, or a refusal."""
    match command:
        case c.Genesis():
            return genesis.found(turn, state, command)
        case c.CloseGenesis():
            return genesis.close(turn, state, command)
        case c.Fire():
            return fire(Moment(turn.policy, turn.instant, turn.actor.principal), state, command.firing)
        case c.ProposeChange():
            return lifecycle.propose(turn, state, command)
        case c.SubmitChange():
            return lifecycle.submit(turn, state, command)
        case c.AmendChange() | c.AttachEvidence() | c.DetachEvidence() | c.RebaseChange():
            return lifecycle.revise(turn, state, command)
        case c.SignOffChange() | c.WithdrawSignOffOfChange():
            return consent.sign(turn, state, command)
        case c.ApplyApprovedChange():
            return lifecycle.apply(turn, state, command)
        case c.WithdrawProposedChange():
            return lifecycle.withdraw(turn, state, command)
        case c.RecordEvidence():
            return documents.record(turn, state, command)
        case c.GrantEvidenceAccess():
            return documents.grant_access(turn, state, command)
        case c.OpenEvidence():
            return documents.open_(turn, state, command)
        case c.AttemptRefused():
            return Moved(state)
        case c.RecordDecision():
            return verdicts.record(turn, state, command)
        case c.Recover():
            return recovery.recover(turn, state, command)
        case c.StateDigest():
            return digest.record(state, command)
        case c.EraseText():
            return erasure.erase(turn, state, command)
        case c.AcceptClock():
            return timebase.accept(turn, state, command)
        case c.ReportAnonymously():
            return _report_anonymously(turn, state, command)
        case _:
            assert_never(command)
