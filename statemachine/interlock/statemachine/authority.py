"""Who may do what: rights and approving roles of a principal, from the grants in the fold (identity, "Authority")."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.statemachine.firings import HoldPlace
from interlock.statemachine.rights import HOLD_EVERYTHING, IDENTITY
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.commands import Actor
    from interlock.statemachine.firings import Firing
    from interlock.statemachine.policy.model import Policy, Role
    from interlock.statemachine.state import State

ADMIN: Final = "admin"
EVERY_MODEL: Final = "*"
ADMIN_LASTS_US: Final = 30 * 86_400_000_000
"""For how long after their last grant of it ended a person still counts as an admin, in microseconds."""


def covers(scope: str, model: str | None) -> bool:
    """Say whether a grant's scope covers a model; None is what is not one model's and needs scope ``*``."""
    if scope == EVERY_MODEL:
        return True
    return model is not None and fnmatchcase(names.leaf_of(model), scope)


def active_grants(policy: Policy, state: State, principal: str, instant: int) -> Iterator[tuple[r.Grant, Role]]:
    """Yield the grants of an active principal that hold at ``instant`` and whose role the policy knows."""
    account = state.find(principal, r.Principal)
    if account is None or account.state != "active":
        return
    for grant in state.grants(principal):
        role = policy.roles.get(grant.role)
        if role is not None and grant.state == "active" and (grant.until is None or instant < grant.until):
            yield grant, role


def rights_of(policy: Policy, state: State, principal: str, instant: int) -> frozenset[str]:
    """Return every right that a principal has somewhere."""
    return frozenset().union(*(role.rights for _, role in active_grants(policy, state, principal, instant)))


def rights_on(policy: Policy, state: State, principal: str, instant: int, model: str | None) -> frozenset[str]:
    """Return the rights that a principal has on a model; None asks for what is not one model's."""
    return frozenset().union(
        *(role.rights for grant, role in active_grants(policy, state, principal, instant) if covers(grant.scope, model))
    )


def roles_on(
    policy: Policy, state: State, principal: str, instant: int, model: str | None
) -> tuple[tuple[r.Grant, Role], ...]:
    """Return the approving roles that a principal holds on a model, each with its grant."""
    return tuple(
        (grant, role)
        for grant, role in active_grants(policy, state, principal, instant)
        if role.approves and covers(grant.scope, model)
    )


def administers(policy: Policy, role: str) -> bool:
    """Say whether a role takes accounts, keys or roles: the built-in one, or another that a pack gave such a right."""
    known = policy.roles.get(role)
    return role == ADMIN or (known is not None and not known.rights.isdisjoint(IDENTITY))


def is_admin(policy: Policy, state: State, principal: str, instant: int) -> bool:
    """Say whether a person administers or did within ``ADMIN_LASTS_US``: admins administer, they do not approve.

    Judged over all accounts of the person, suspended ones too: what only tightens must not make an approver.
    """
    grants = (grant for account in state.accounts(principal) for grant in state.grants(account))
    return any(administers(policy, grant.role) and lately(grant, instant) for grant in grants)


def lately(grant: r.Grant, instant: int) -> bool:
    """Say whether a grant holds at ``instant`` (microseconds), or ended within ``ADMIN_LASTS_US`` before."""
    ends = [end for end in (grant.until, grant.ended_at) if end is not None]
    return not ends or instant < min(ends) + ADMIN_LASTS_US


def check_actor(state: State, actor: Actor, instant: int) -> Refused | None:
    """Refuse an actor who is unknown or suspended, or whose credential is at ``instant`` no active one of theirs."""
    account = state.find(actor.principal, r.Principal)
    if account is None or account.state != "active":
        return refused(
            RefusalKind.NOT_ALLOWED,
            Code.PRINCIPAL_INACTIVE,
            "an active principal",
            "unknown" if account is None else account.state,
            actor.principal,
        )
    credential = account.credential(actor.credential)
    if credential is None or not credential.active_at(instant) or credential.use != "login":
        return refused(
            RefusalKind.NOT_ALLOWED,
            Code.CREDENTIAL_INACTIVE,
            "an active login key of the principal",
            "unknown key" if credential is None else f"{credential.state} {credential.use} key",
            actor.principal,
        )
    return None


def right_to(firing: Firing) -> str:
    """Return the right that firing a tightening or neutral trigger takes; a hold on everything has one of its own."""
    if isinstance(firing, HoldPlace) and firing.target == EVERYTHING:
        return HOLD_EVERYTHING
    return firing.trigger.value


def check_right(  # who, what and where, each by name
    policy: Policy, state: State, actor: Actor, instant: int, right: str, model: str | None
) -> Refused | None:
    """Refuse an actor who lacks a right on a model (None: on what is not one model's)."""
    if right in rights_on(policy, state, actor.principal, instant, model):
        return None
    roles = sorted(role.id for role in policy.roles.values() if right in role.rights)
    where = model or "everything (scope `*`)"
    return refused(
        RefusalKind.NOT_ALLOWED,
        Code.RIGHT_MISSING,
        f"the right {right} on {where}, which these roles give: {', '.join(roles) or 'none'}",
        f"{actor.principal} holds no such role there",
        model or actor.principal,
    )
