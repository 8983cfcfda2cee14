"""Who is whom: one administrator says that two accounts are one person's, a change that one is somebody else's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines.principal import find, recovery_stays
from interlock.statemachine.machines.step import Moment, Moved
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine import firings as f
    from interlock.statemachine.state import State


def link(_moment: Moment, state: State, firing: f.PrincipalLink) -> Moved | Refused:
    """Make all accounts of two persons one person's. What it means for sign-offs is derived, of the past too."""
    account, other = find(state, firing.principal), find(state, firing.other)
    if isinstance(account, Refused):
        return account
    if isinstance(other, Refused):
        return other
    trigger = firing.trigger.value
    for known in (account, other):
        no = recovery_stays(known, known.name, trigger)
        if no is not None:
            return no
        if not known.person:
            wish = "accounts of people: a service is nobody"
            return refused(RefusalKind.UNMET, Code.PERSON_MISSING, wish, "a service", known.name, trigger)
    moves: list[Transition] = []
    if other.name not in state.accounts(account.name):
        for name in sorted(state.accounts(other.name)):
            joined = state.need(name, r.Principal)
            state = state.put(replace(joined, person=account.person, linked_by=state.size))
            moves.append(Transition(name, trigger, joined.state, joined.state))
    return Moved(state, tuple(moves))


def unlink(_moment: Moment, state: State, firing: f.PrincipalUnlink) -> Moved | Refused:
    """Make one account of several a person's of its own, who has no other."""
    account = find(state, firing.principal)
    if isinstance(account, Refused):
        return account
    unmet = tuple(_unmet(state, account, firing))
    if unmet:
        return Refused(RefusalKind.UNMET, unmet)
    parted = replace(account, person=firing.person, person_was=account.person, unlinked_by=state.size)
    move = Transition(account.name, firing.trigger.value, account.state, account.state)
    return Moved(state.put(parted), (move,))


def _unmet(state: State, account: r.Principal, firing: f.PrincipalUnlink) -> Iterator[Unmet]:
    trigger = firing.trigger.value
    if len(state.accounts(account.name)) == 1:
        yield Unmet(
            Code.NOT_LINKED, "an account that is one person's with others", "it is alone", account.name, trigger
        )
    if state.accounts_of.get(firing.person):
        yield Unmet(Code.PERSON_TAKEN, "a person who has no account", "has one, or had", firing.person, trigger)
