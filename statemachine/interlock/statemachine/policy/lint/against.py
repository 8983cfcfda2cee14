"""Quorums against the people that a log really has: who holds which role, and whether each rule can be met by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.statemachine import authority
from interlock.statemachine import resources as r
from interlock.statemachine.policy.findings import Code
from interlock.statemachine.policy.lint.machines import Key, ruled_keys
from interlock.statemachine.policy.lint.people import in_words, kind_of, kinds_of, signed_by
from interlock.statemachine.policy.lint.report import Claim, error, rule_path, warning
from interlock.statemachine.quorum import assign
from interlock.statemachine.rights import CHANGE_PROPOSE, FIRING_RIGHTS
from interlock.statemachine.triggers import Direction, direction_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from interlock.statemachine.policy.model import Policy, Rule, Slot
    from interlock.statemachine.state import State

_OF_ONE_MODEL: Final = ("model.", "determination.", "level.", "safeguard.", "interim_measure.", "assessment.")
_EVERYTHING: Final = authority.EVERY_MODEL


@dataclass(frozen=True, slots=True)
class Seat:
    """A role that somebody holds: on which models, and by which kind of account."""

    role: str
    scope: str  # an id pattern; `*` for everything
    external: bool
    signs: bool  # the account is a person's, has a key to sign with, and the person is no admin


@dataclass(frozen=True, slots=True)
class Member:
    """One person, or one service, with all that they hold under any of their accounts."""

    person: str
    seats: tuple[Seat, ...]


def members_of(policy: Policy, state: State, instant: int) -> tuple[Member, ...]:
    """Return everybody who holds a role at ``instant`` (microseconds) in a log, judged by ``policy``'s roles."""
    seats: dict[str, list[Seat]] = {}
    for account in state.all_of(r.Principal):
        has_key = any(key.use == "signoff" and key.active_at(instant) for key in account.credentials)
        signs = has_key and account.kind != "service" and not authority.is_admin(policy, state, account.name, instant)
        held = seats.setdefault(account.person or account.name, [])
        held += [
            Seat(role.id, grant.scope, account.kind == "external", signs)
            for grant, role in authority.active_grants(policy, state, account.name, instant)
        ]
    return tuple(Member(person, tuple(held)) for person, held in sorted(seats.items()) if held)


def check_against(policy: Policy, members: Sequence[Member]) -> Iterator[Claim]:
    """Yield an error for each rule that these people can't meet, a warning for each right that none of them has."""
    reached: dict[tuple[str, bool], list[Key]] = {}
    rules = ruled_keys(policy)
    for key, rule in rules.items():
        scoped = key.trigger.startswith(_OF_ONE_MODEL) and not _is_shared(policy, key)
        reached.setdefault((rule.id, scoped), []).append(key)
    said: set[str] = set()
    for (rule_id, scoped), keys in reached.items():
        rule = rules[keys[0]]
        scopes = _scopes(members) if scoped else (_EVERYTHING,)
        if rule_id in said or any(_can_meet(policy, rule, members, scope) for scope in scopes):
            continue
        said.add(rule_id)
        message = f"The people of this log can't meet the rule for `{keys[0]}`: {in_words(kinds_of(rule))}."
        there = _there(rule, members)
        fix = f"there are: {there}; give roles before you adopt this, or ask for fewer"
        calls = (f"change.propose of {keys[0]}", f"change.sign, {signed_by(rule)} → never applies: {there}")
        yield error((*rule_path(rule_id), "sign_offs"), Code.QUORUM_OUT_OF_REACH, message, fix, calls)
    yield from _unheld(policy, members)


def _is_shared(policy: Policy, key: Key) -> bool:
    return key.trigger.startswith("safeguard.") and any(spec.shared for spec in policy.safeguards.values())


def _scopes(members: Sequence[Member]) -> tuple[str, ...]:
    """Return every scope that a grant names; people are counted for one scope together with those for everything."""
    return tuple(dict.fromkeys((_EVERYTHING, *(seat.scope for member in members for seat in member.seats))))


def _can_meet(policy: Policy, rule: Rule, members: Sequence[Member], scope: str) -> bool:
    """Say whether for some proposer, who is then the evidence's author as well, distinct people fill all slots."""
    may_propose = [member for member in members if _has_right(policy, member, CHANGE_PROPOSE)]
    may_propose.sort(key=lambda member: sum(seat.signs for seat in member.seats))
    for proposer in may_propose:
        candidates = [
            frozenset(slot.index for slot in rule.slots if _fills(member, slot, scope, asked=member is proposer))
            for member in members
        ]
        if sum(slot is not None for slot in assign([found for found in candidates if found])) == len(rule.slots):
            return True
    return False


def _fills(member: Member, slot: Slot, scope: str, *, asked: bool) -> bool:
    if asked and slot.distinct_from:
        return False
    return any(
        seat.signs
        and seat.role == slot.role
        and seat.scope in {scope, _EVERYTHING}
        and (seat.external or slot.affiliation == "any")
        for seat in member.seats
    )


def _there(rule: Rule, members: Sequence[Member]) -> str:
    """Say how many people could fill a slot of each kind that a rule asks for."""
    kinds = dict.fromkeys(kind_of(slot) for slot in rule.slots)
    counts = {
        kind.role: sum(any(seat.role == kind.role and seat.signs for seat in member.seats) for member in members)
        for kind in kinds
    }
    return ", ".join(f"{count} {role}" for role, count in counts.items())


def _has_right(policy: Policy, member: Member, right: str) -> bool:
    return any(right in policy.roles[seat.role].rights for seat in member.seats)


def _unheld(policy: Policy, members: Sequence[Member]) -> Iterator[Claim]:
    """Yield what one person could do at once if anybody had the right to it."""
    free = [right for right in (*sorted(FIRING_RIGHTS), CHANGE_PROPOSE) if not policy.is_ruled(right)]
    missing = [right for right in free if not any(_has_right(policy, member, right) for member in members)]
    for right in missing:
        what = "tighten by" if direction_of(right) is Direction.TIGHTENS else "do"
        roles = ", ".join(role.id for role in policy.roles.values() if right in role.rights)
        message = f"Nobody of this log may {what} `{right}`."
        calls = (f"{right} by anybody → refused, no one holds the right",)
        yield warning(("roles",), Code.NOBODY_HOLDS, message, f"give somebody one of these roles: {roles}", calls)
