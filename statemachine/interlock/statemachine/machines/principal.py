"""The principal machine: a change creates or restores, one administrator suspends or removes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import resources as r
from interlock.statemachine.commands import SYSTEM
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.credential import revoked
from interlock.statemachine.machines.grant import ended
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.state import State


def find(state: State, name: str) -> r.Principal | Refused:
    """Return an account, or why there is none."""
    account = state.find(name, r.Principal)
    return account if account is not None else not_found(name, "an account")


def recovery_stays(account: r.Principal, resource: str, trigger: str) -> Refused | None:
    """Refuse to take anything from a member of the recovery quorum: that could leave a log that nobody can restore."""
    if not account.recovery:
        return None
    wish = "an account and a key that are none of the recovery quorum's"
    actual = f"{account.name} is of the recovery quorum, from which a change alone takes: `recovery.suspend`"
    return refused(RefusalKind.UNMET, Code.RECOVERY_QUORUM, wish, actual, resource, trigger)


def create(_moment: Moment, state: State, firing: f.PrincipalCreate) -> Moved | Refused:
    """Make an account, invited until it has its first key. A name is never used again."""
    name, trigger = firing.principal, firing.trigger.value
    if name == SYSTEM.principal or state.find(name, r.Principal) is not None:
        return refused(RefusalKind.ALREADY_EXISTS, Code.NAME_TAKEN, "a name never used before", "taken", name, trigger)
    if (firing.kind == "service") == bool(firing.person):
        wish = "a person behind every human and external account, none behind a service"
        return refused(RefusalKind.UNMET, Code.PERSON_MISSING, wish, firing.person or "none", name, trigger)
    others = (state.need(account, r.Principal) for account in state.accounts_of.get(firing.person, frozenset()))
    if any(account.recovery for account in others):
        wish = "a person who is not of the recovery quorum: these have no other account"
        return refused(RefusalKind.UNMET, Code.RECOVERY_QUORUM, wish, firing.person, name, trigger)
    account = r.Principal(name, firing.kind, firing.person, "invited", given_by=(state.size,))
    return Moved(state.put(account), (Transition(name, trigger, tables.ABSENT, account.state),))


def restore(_moment: Moment, state: State, firing: f.PrincipalRestore) -> Moved | Refused:
    """Bring a suspended account back as it was, or a removed one as a name that needs keys and roles anew."""
    account = find(state, firing.principal)
    if isinstance(account, Refused):
        return account
    target = tables.PRINCIPAL.target(account.state, firing.trigger.value)
    if target is None:
        return no_edge(tables.PRINCIPAL, firing.trigger.value, account.name, account.state)
    move = Transition(account.name, firing.trigger.value, account.state, target)
    given_by = (*account.given_by, state.size)
    return Moved(state.put(replace(account, state=target, given_by=given_by)), (move,))


def suspend(_moment: Moment, state: State, firing: f.PrincipalSuspend) -> Moved | Refused:
    """Suspend an account: it neither logs in nor counts until a change restores it."""
    account = _tightened(state, firing)
    if isinstance(account, Refused | Moved):
        return account
    target = tables.PRINCIPAL.target(account.state, firing.trigger.value)
    if target is None:
        return no_edge(tables.PRINCIPAL, firing.trigger.value, account.name, account.state)
    move = Transition(account.name, firing.trigger.value, account.state, target)
    return Moved(state.put(replace(account, state=target)), (move,))


def remove(moment: Moment, state: State, firing: f.PrincipalRemove) -> Moved | Refused:
    """Remove an account: its keys are revoked and its grants ended too, so that nothing comes back by itself."""
    account = _tightened(state, firing)
    if isinstance(account, Refused | Moved):
        return account
    trigger = firing.trigger.value
    target = tables.PRINCIPAL.target(account.state, trigger)
    if target is None:
        return no_edge(tables.PRINCIPAL, trigger, account.name, account.state)
    moves = [Transition(account.name, trigger, account.state, target)]
    after = state
    gone = replace(account, state=target)
    for key in account.credentials:
        if key.state == "active":
            gone, move = revoked(gone, key, moment.instant, None)
            moves.append(move)
    after = after.put(gone)
    for grant in state.grants(account.name):
        if grant.state == "active":
            after, move = ended(after, grant, moment.instant)
            moves.append(move)
    return Moved(after, tuple(moves))


def _tightened(state: State, firing: f.PrincipalSuspend | f.PrincipalRemove) -> r.Principal | Moved | Refused:
    """Return the account that is there to be tightened, or what there is to say instead."""
    trigger = firing.trigger.value
    account = find(state, firing.principal)
    if isinstance(account, Refused):
        return account
    no = recovery_stays(account, account.name, trigger)
    if no is not None:
        return no
    return Moved(state) if (account.state, trigger) in tables.SETTLED["principal"] else account
