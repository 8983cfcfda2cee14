"""The grant machine: a change gives a role, one administrator ends it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import authority, moments
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found
from interlock.statemachine.triggers import Trigger
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine import firings as f
    from interlock.statemachine.policy.model import Role
    from interlock.statemachine.state import State


def give(moment: Moment, state: State, firing: f.GrantGive) -> Moved | Refused:
    """Give an account a role from now on; a change that was proposed before does not count it."""
    account = state.find(firing.principal, r.Principal)
    if account is None:
        return not_found(firing.principal, "an account")
    role = moment.policy.roles.get(firing.role)
    if role is None:
        unmet = Unmet(Code.ROLE_UNKNOWN, f"a role of the policy: {', '.join(moment.policy.roles)}", firing.role)
        return Refused(RefusalKind.NOT_FOUND, (replace(unmet, resource=account.name),))
    faults = tuple(_faults(moment, state, firing, account, role))
    if faults:
        return Refused(RefusalKind.UNMET, faults)
    grant = r.Grant(
        state.next_name("grants"),
        account.name,
        role.id,
        firing.scope,
        given_at=moment.instant,
        given_position=state.size,
        until=firing.until or None,
        given_by=state.size,
    )
    move = Transition(grant.name, firing.trigger.value, tables.ABSENT, grant.state)
    return Moved(state.put(grant).counted("grants"), (move,))


def _faults(
    moment: Moment, state: State, firing: f.GrantGive, account: r.Principal, role: Role
) -> Iterator[Unmet]:  # everything at once
    name, trigger = account.name, firing.trigger.value
    if account.state not in {"invited", "active"}:
        yield Unmet(Code.PRINCIPAL_INACTIVE, "an account that is invited or active", account.state, name, trigger)
    if any(state.need(other, r.Principal).recovery for other in state.accounts(name)):
        wish = "a person who is not of the recovery quorum: these hold no role"
        yield Unmet(Code.RECOVERY_QUORUM, wish, "of the recovery quorum", name, trigger)
    if firing.until and firing.until <= moment.instant:
        actual = f"ended at {moments.to_text(firing.until)}"
        yield Unmet(Code.GRANT_EXPIRED, "a grant that has not ended yet", actual, name, trigger)
    if role.approves and account.kind == "service":
        yield Unmet(Code.AFFILIATION, "a person: services never approve", "a service", name, trigger)
    if role.approves and authority.is_admin(moment.policy, state, name, moment.instant):
        wish = "a person who was no admin in the last 30 days: admins administer, they do not approve"
        yield Unmet(Code.ADMIN_CONFLICT, wish, "is or was an admin", name, trigger)
    if authority.administers(moment.policy, role.id) and _approves(moment, state, name):
        wish = "a person without an approving role: admins administer, they do not approve"
        yield Unmet(Code.ADMIN_CONFLICT, wish, "holds an approving role", name, trigger)


def _approves(moment: Moment, state: State, principal: str) -> bool:
    """Say whether a person holds an approving role under any account, suspended ones too."""
    roles = moment.policy.roles
    return any(
        grant.role in roles
        and roles[grant.role].approves
        and grant.state == "active"
        and (grant.until is None or moment.instant < grant.until)
        for account in state.accounts(principal)
        for grant in state.grants(account)
    )


def end(moment: Moment, state: State, firing: f.GrantEnd) -> Moved | Refused:
    """End a grant for good."""
    grant = state.find(firing.grant, r.Grant)
    if grant is None:
        return not_found(firing.grant, "a grant")
    trigger = firing.trigger.value
    if (grant.state, trigger) in tables.SETTLED["grant"]:
        return Moved(state)
    if tables.GRANT.target(grant.state, trigger) is None:
        return no_edge(tables.GRANT, trigger, grant.name, grant.state)
    after, move = ended(state, grant, moment.instant)
    return Moved(after, (move,))


def ended(state: State, grant: r.Grant, instant: int) -> tuple[State, Transition]:
    """Return the state with a grant ended at ``instant`` (microseconds), and the edge."""
    gone = replace(grant, state="ended", ended_at=instant)
    return state.put(gone), Transition(grant.name, Trigger.GRANT_END.value, grant.state, gone.state)
