"""What an applied change rests on: rules, words, grants, whose evidence. Kept with it when it is applied.

A policy may be another one later, a grant ended, a safeguard verified anew: only this says by what a change was right
on its day. ``taint.py`` judges it again by what is learned since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine import authority, persons, signing
from interlock.statemachine import resources as r

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.asked import Asked
    from interlock.statemachine.entry import Content
    from interlock.statemachine.policy.model import Policy, Slot
    from interlock.statemachine.state import State


def find_grounds(policy: Policy, state: State, content: Content, ledger: signing.Tally) -> r.Grounds:
    """Return what a change that is approved on ``state`` rests on; a rule that several triggers share stands once."""
    rules = tuple(dict.fromkeys(signing.ruled(policy, state, content)))
    words = (
        r.Word(sign_off.position, tuple(_fits(policy, state, rules, sign_off, ledger))) for sign_off in ledger.approvals
    )
    return r.Grounds(
        tuple(_asked(policy, asked) for asked in rules),
        tuple(word for word in words if word.fits),
        tuple(sorted(persons.requester_accounts(state, ledger.change, content))),
        tuple(sorted(signing.author_accounts(state, ledger.change, content))),
        tuple(sorted(_admins(policy, state, ledger.instant))),
        tuple(sorted(signing.barred_accounts(state, content))),
    )


def _asked(policy: Policy, asked: Asked) -> r.AskedRule:
    rule, model, given_by = asked
    evidence = tuple((need.kind, need.newer_than_us or 0) for need in rule.evidence)
    return r.AskedRule(rule.id, model or "", tuple(_slot(policy, slot) for slot in rule.slots), evidence, given_by)


def _slot(policy: Policy, slot: Slot) -> r.AskedSlot:
    external = signing.wants_external(policy, slot)
    return r.AskedSlot(
        slot.role, tuple(sorted(slot.distinct_from)), external, slot.assurance, slot.seen_full, slot.veto
    )


def _fits(
    policy: Policy, state: State, rules: tuple[Asked, ...], sign_off: r.SignOff, ledger: signing.Tally
) -> Iterator[tuple[int, int, tuple[tuple[str, str], ...]]]:
    """Yield each slot that a sign-off can fill, with the ways in which it can."""
    for place, (rule, model, _) in enumerate(rules):
        for slot in rule.slots:
            if not signing.obstacles(policy, state, slot, model, sign_off, ledger):
                yield place, slot.index, signing.ways_that_count(policy, state, slot, model, sign_off, ledger)


def _admins(policy: Policy, state: State, instant: int) -> set[str]:
    """Return the accounts that administer, or did within the time in which that still counts."""
    return {
        grant.principal
        for given in state.grants_of.values()
        for grant in given
        if authority.administers(policy, grant.role) and authority.lately(grant, instant)
    }
