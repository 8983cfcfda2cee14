"""Which rules of the policy in force nobody could meet now, by who holds which role (identity, end of "Authority").

A tightening that leaves a quorum unsatisfiable is accepted; that it did is derived here, from the people who are left.
Evidence, scopes narrower than everything and time are not looked at: what is listed can't be met by anyone, what is not
listed may still be out of reach for some change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine import authority, persons, quorum, signing
from interlock.statemachine import resources as r
from interlock.statemachine.rights import CHANGE_PROPOSE
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.statemachine.policy.model import Policy, Rule, Slot
    from interlock.statemachine.state import State


def find_unsatisfiable(policy: Policy, state: State, instant: int) -> tuple[Unmet, ...]:
    """Return a requirement for each rule that no people there are could meet at ``instant`` (microseconds)."""
    accounts = [account for account in state.all_of(r.Principal) if account.state == "active" and account.person]
    approvers = [account for account in accounts if _may_approve(policy, state, account, instant)]
    roles = {
        account.name: {
            grant_role.id
            for grant, grant_role in authority.active_grants(policy, state, account.name, instant)
            if grant_role.approves and grant.given_by not in state.tainted
        }
        for account in approvers
    }
    proposers = {
        persons.person_of(state, account.name)
        for account in state.all_of(r.Principal)
        if CHANGE_PROPOSE in authority.rights_of(policy, state, account.name, instant)
    }
    found = []
    for rule, triggers in _rules(policy).items():
        fits = _fits(policy, state, rule, approvers, roles)
        if not any(_is_met(rule, fits, proposer) for proposer in proposers):
            asked = ", ".join(f"{slot.role}{signing.conditions_in_words(slot)}" for slot in rule.slots)
            wish = f"people who can sign as {asked}, and somebody else to propose"
            actual = "too few of them are left"
            found.append(Unmet(Code.QUORUM_UNSATISFIABLE, wish, actual, policy.name, ", ".join(triggers)))
    return tuple(found)


def _rules(policy: Policy) -> dict[Rule, list[str]]:
    """Return every rule with the triggers that it governs, in the policy's order."""
    found: dict[Rule, list[str]] = {}
    for trigger, rule in policy.rules.items():
        found.setdefault(rule, []).append(trigger)
    for (trigger, standard), rule in policy.narrowed_rules.items():
        found.setdefault(rule, []).append(f"{trigger} of {standard}")
    return found


def _may_approve(policy: Policy, state: State, account: r.Principal, instant: int) -> bool:
    """Say whether an account could sign anything that counts."""
    if authority.is_admin(policy, state, account.name, instant):
        return False
    return any(
        key.use == "signoff" and key.active_at(instant) and key.registered_by not in state.tainted
        for key in account.credentials
    )


def _fits(
    policy: Policy, state: State, rule: Rule, approvers: Iterable[r.Principal], roles: dict[str, set[str]]
) -> dict[str, frozenset[Slot]]:
    """Return the slots of a rule that each person could fill with one of their accounts."""
    fits: dict[str, frozenset[Slot]] = {}
    for account in approvers:
        own = {
            slot
            for slot in rule.slots
            if slot.role in roles[account.name]
            and (account.kind == "external" or not signing.wants_external(policy, slot))
        }
        person = persons.person_of(state, account.name)
        fits[person] = fits.get(person, frozenset()) | own
    return fits


def _is_met(rule: Rule, fits: dict[str, frozenset[Slot]], proposer: str) -> bool:
    """Say whether a rule could be met for what somebody proposes."""
    candidates = [
        frozenset(slot.index for slot in slots if person != proposer or "requester" not in slot.distinct_from)
        for person, slots in fits.items()
    ]
    return sum(slot is not None for slot in quorum.assign(candidates)) == len(rule.slots)
