"""The delegation machine: its delegator gives one by a signed statement; delegator or administrator ends it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import authority, delegating, moments
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found
from interlock.statemachine.rights import READ
from interlock.statemachine.statements import open_signed
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine import firings as f
    from interlock.statemachine.delegating import DelegationStatement
    from interlock.statemachine.state import State
    from interlock.statemachine.statements import Opened


def give(moment: Moment, state: State, firing: f.DelegationGive) -> Moved | Refused:
    """Let somebody act in a role of the delegator's for a while: never a role that they were delegated themselves."""
    account = state.find(firing.delegator, r.Principal)
    if account is None:
        return not_found(firing.delegator, "an account")
    opened = open_signed(account, account.name, "signoff", firing.envelope, moment.instant, delegating.parse_delegation)
    if isinstance(opened, Refused):
        return opened
    signed = tuple(_statement_faults(moment, state, firing, opened))
    if signed:
        return Refused(RefusalKind.SIGN_OFF_INVALID, signed)
    faults = (*_role_faults(moment, state, firing), *_delegate_faults(moment, state, firing))
    if faults:
        return Refused(RefusalKind.UNMET, faults)
    delegation = r.Delegation(
        state.next_name("delegations"),
        firing.delegator,
        firing.delegate,
        firing.role,
        start=firing.start or moment.instant,
        until=firing.until,
        given_at=moment.instant,
        given_position=state.size,
        credential=opened.key.fingerprint,
        envelope_digest=opened.digest,
    )
    move = Transition(delegation.name, firing.trigger.value, tables.ABSENT, delegation.state)
    return Moved(state.put(delegation).counted("delegations"), (move,))


def _statement_faults(
    moment: Moment, state: State, firing: f.DelegationGive, opened: Opened[DelegationStatement]
) -> Iterator[Unmet]:
    """Yield what is wrong with the statement: another log's, another's, about something else, or used before."""
    name, trigger, statement = firing.delegator, firing.trigger.value, opened.statement
    said = (statement.delegator, statement.delegate, statement.role, statement.start, statement.until)
    if statement.genesis_sha256 != state.log.genesis_digest.hex():
        yield Unmet(Code.SIGN_OFF_SUBJECT, "a delegation in this log", "it is of another", name, trigger)
    if said != (firing.delegator, firing.delegate, firing.role, firing.start, firing.until):
        yield Unmet(Code.SIGN_OFF_SUBJECT, "a statement of just this delegation", "it says others", name, trigger)
    if moment.actor != firing.delegator:
        yield Unmet(Code.SIGN_OFF_SIGNER, f"{firing.delegator} in person", moment.actor, name, trigger)
    if opened.digest in state.envelopes:
        yield Unmet(Code.SIGN_OFF_REPLAYED, "an envelope never used before", "used before", name, trigger)


def _role_faults(moment: Moment, state: State, firing: f.DelegationGive) -> Iterator[Unmet]:
    """Yield what is wrong with the role and the window."""
    name, trigger = firing.delegator, firing.trigger.value
    role = moment.policy.roles.get(firing.role)
    held = {role.id for _, role in authority.active_grants(moment.policy, state, name, moment.instant)}
    if role is None:
        wish = f"a role of the policy: {', '.join(moment.policy.roles)}"
        yield Unmet(Code.ROLE_UNKNOWN, wish, firing.role, name, trigger)
    elif not role.approves or role.id not in held:
        wish = "an approving role that its delegator was granted"
        actual = f"{firing.role} is not granted to {name}" if role.approves else f"{firing.role} signs nothing"
        yield Unmet(Code.NO_APPROVING_ROLE, wish, actual, name, trigger)
    if firing.until <= moment.instant:
        actual = f"ended at {moments.to_text(firing.until)}"
        yield Unmet(Code.END_PASSED, "an end that is yet to come", actual, name, trigger)
    if authority.is_admin(moment.policy, state, name, moment.instant):
        yield Unmet(Code.ADMIN_CONFLICT, _NO_ADMIN, "the delegator is or was one", name, trigger)


_NO_ADMIN = "people who were no admin in the last 30 days: admins administer, they do not approve"


def _delegate_faults(moment: Moment, state: State, firing: f.DelegationGive) -> Iterator[Unmet]:
    """Yield why the delegate can't be one: who may not be given the role may not borrow it."""
    name, trigger = firing.delegate, firing.trigger.value
    account = state.find(name, r.Principal)
    if account is None:
        yield Unmet(Code.NOT_FOUND, "an account", "it does not exist", name, trigger)
        return
    role = moment.policy.roles.get(firing.role)
    external = role is not None and role.affiliation == "external"
    if account.state != "active":
        yield Unmet(Code.PRINCIPAL_INACTIVE, "an active account", account.state, name, trigger)
    if account.kind == "service" or (external and account.kind != "external"):
        wish = "a person of the role's affiliation: services never approve"
        yield Unmet(Code.AFFILIATION, wish, account.kind, name, trigger)
    if any(state.need(other, r.Principal).recovery for other in state.accounts(name)):
        wish = "a person who is not of the recovery quorum: these hold no role"
        yield Unmet(Code.RECOVERY_QUORUM, wish, "of the recovery quorum", name, trigger)
    if name in state.accounts(firing.delegator):
        yield Unmet(Code.DELEGATE_SELF, "somebody else", "an account of the delegator", name, trigger)
    if authority.is_admin(moment.policy, state, name, moment.instant):
        yield Unmet(Code.ADMIN_CONFLICT, _NO_ADMIN, "the delegate is or was one", name, trigger)
    if READ not in authority.rights_of(moment.policy, state, name, moment.instant):
        yield Unmet(Code.RIGHT_MISSING, "somebody who may read what they sign", "no role to read", name, trigger)


def end(moment: Moment, state: State, firing: f.DelegationEnd) -> Moved | Refused:
    """End a delegation for good; one that was ended already is acknowledged."""
    delegation = state.find(firing.delegation, r.Delegation)
    if delegation is None:
        return not_found(firing.delegation, "a delegation")
    trigger = firing.trigger.value
    if (delegation.state, trigger) in tables.SETTLED["delegation"]:
        return Moved(state)
    target = tables.DELEGATION.target(delegation.state, trigger)
    if target is None:
        return no_edge(tables.DELEGATION, trigger, delegation.name, delegation.state)
    ended = replace(
        delegation, state=target, ended_at=moment.instant, ender=moment.actor, reason_digest=firing.reason_digest
    )
    return Moved(state.put(ended), (Transition(delegation.name, trigger, delegation.state, target),))
