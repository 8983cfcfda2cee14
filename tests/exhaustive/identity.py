"""All that can happen to one account, its keys and its roles: what they may do is what identity's triggers move.

The gate never reads identity, so a trigger's direction shows in powers: who logs in, signs, and holds which role. What
one person takes may only ever take powers, now and whatever single people do next; what gives some takes a change.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from interlock.statemachine import authority, delegating
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.machines.fire import fire
from interlock.statemachine.machines.step import Moment, Moved
from interlock.statemachine.names import credential_name
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from interlock.statemachine.state import State

ACCOUNT: Final = "principals/newcomer"
DELEGATOR: Final = "principals/owner-a"
ISSUER: Final = "issuers/sso"
_NEW_KEYS: Final = ("", "-2")
_MOST_GRANTS: Final = 2


@dataclass(frozen=True, slots=True)
class Step:
    """One edge between two states, by a trigger's name."""

    before: State
    trigger: str
    after: State


@dataclass(frozen=True, slots=True)
class Explored:
    """Every state that the triggers reach, and every edge."""

    world: World
    states: tuple[State, ...]
    steps: tuple[Step, ...]

    def powers(self, state: State) -> frozenset[str]:
        """Return what the account can do in a state: log in, sign, and every role on everything."""
        account = state.find(ACCOUNT, r.Principal)
        if account is None or account.state != "active":
            return frozenset()
        uses = {key.use for key in account.credentials if key.state == "active"}
        grants = authority.active_grants(self.world.policy, state, ACCOUNT, self.world.now)
        return frozenset(uses) | {role.id for _, role in grants} | self.borrowed(state)

    def borrowed(self, state: State) -> frozenset[str]:
        """Return the roles that the account may sign in for others; nobody who is out signs in any."""
        account = state.find(ACCOUNT, r.Principal)
        if account is None or account.state != "active":
            return frozenset()
        rows = delegating.standing(state, ACCOUNT, DELEGATOR, self.world.now)
        return frozenset(f"{row.role} for {row.delegator}" for row in rows)


def explore() -> Explored:
    """Explore everything, from a log in which nobody has heard of the account."""
    world = World.found()
    moment, lending = (Moment(world.policy, world.now, who) for who in ("principals/admin", DELEGATOR))
    seen: dict[Hashable, State] = {_key(world.state): world.state}
    steps: list[Step] = []
    waiting = deque([world.state])
    while waiting:
        state = waiting.popleft()
        for firing in _thinkable(world, state):
            moved = fire(lending if isinstance(firing, f.DelegationGive) else moment, state, firing)
            if not isinstance(moved, Moved):
                continue
            after = moved.state.after_entry(state.time + 1)
            steps.append(Step(state, firing.trigger.value, after))
            if _key(after) not in seen:
                seen[_key(after)] = after
                waiting.append(after)
    return Explored(world, tuple(seen.values()), tuple(steps))


def _thinkable(world: World, state: State) -> Iterator[f.Firing]:
    yield f.PrincipalCreate(ACCOUNT, "human", "persons/newcomer")
    yield from (f.PrincipalRestore(ACCOUNT), f.PrincipalSuspend(ACCOUNT), f.PrincipalRemove(ACCOUNT))
    account = state.find(ACCOUNT, r.Principal)
    if account is None:
        yield f.IssuerTrust(ISSUER, "https://id.example", "log", "RS256")
    if state.find(ISSUER, r.Issuer) is not None:  # then no keys and nothing lent, which multiply the states
        yield from _with_issuer(state, account)
        return
    there = replace(world, state=state)
    yield there.registration("newcomer")
    yield from (there.registration("newcomer", "login", word=word) for word in _NEW_KEYS)
    yield there.registration("newcomer", "login", word="-2", replaces="-")
    for key in account.credentials if account is not None else ():
        name = credential_name(ACCOUNT, key.fingerprint)
        yield from (f.CredentialRevoke(name), f.CredentialRevoke(name, 1))
    if len(state.grants(ACCOUNT)) < _MOST_GRANTS:
        yield from (f.GrantGive(ACCOUNT, "owner", "*"), f.GrantGive(ACCOUNT, "requester", "*"))
    yield from (f.GrantEnd(grant.name) for grant in state.grants(ACCOUNT))
    if not state.delegations_to(ACCOUNT):
        yield replace(there, nonces=0).delegation("owner-a", "owner", "newcomer")
    yield from (f.DelegationEnd(row.name) for row in state.delegations_to(ACCOUNT))


def _with_issuer(state: State, account: r.Principal | None) -> Iterator[f.Firing]:
    yield f.IssuerDistrust(ISSUER)
    yield f.CredentialBind(ACCOUNT, ISSUER, "subject")
    for key in account.credentials if account is not None else ():
        yield f.CredentialRevoke(credential_name(ACCOUNT, key.fingerprint))
    if not state.grants(ACCOUNT):
        yield f.GrantGive(ACCOUNT, "owner", "*")
    yield from (f.GrantEnd(grant.name) for grant in state.grants(ACCOUNT))


def _key(state: State) -> Hashable:
    issuer = state.find(ISSUER, r.Issuer)
    trusted = issuer.state if issuer is not None else ""
    account = state.find(ACCOUNT, r.Principal)
    if account is None:
        return trusted
    keys = frozenset((key.fingerprint, key.state, key.compromised_since) for key in account.credentials)
    grants = tuple((grant.role, grant.state) for grant in state.grants(ACCOUNT))
    return (account.state, trusted, keys, grants, tuple(row.state for row in state.delegations_to(ACCOUNT)))
