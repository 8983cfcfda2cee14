"""Evolve: fold one accepted entry. No right and no signature is judged again; the edges must be the ones recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine import rules as rulebook
from interlock.statemachine import taint
from interlock.statemachine.decide import transact
from interlock.statemachine.turn import Turn
from interlock.statemachine.unmet import Refused

if TYPE_CHECKING:
    from interlock.statemachine.entry import Entry
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State


class FoldError(ValueError):
    """An entry that does not follow from the state before it; the message says how."""


def evolve(policy: Policy, state: State, entry: Entry) -> State:
    """Return the state after an entry that was accepted under ``policy``.

    Raises FoldError when the entry does not stand at the next position, its command can't happen here, or what it
    says has moved is not what moves.
    """
    rules = rulebook.rules_for(entry.rules_version)
    if rules is None or entry.rules_digest != rules.digest:
        msg = f"entry {entry.seq} is of rules version {entry.rules_version}, which this version can't judge"
        raise FoldError(msg)
    if entry.seq != state.size:
        msg = f"entry {entry.seq} where {state.size} was expected"
        raise FoldError(msg)
    moved = transact(Turn(rules, policy, entry.actor, entry.facts, judged=False), state, entry.command)
    if isinstance(moved, Refused):
        msg = f"entry {entry.seq} can't happen here: {', '.join(unmet.code for unmet in moved.unmet)}"
        raise FoldError(msg)
    if moved.transitions != entry.transitions:
        msg = f"entry {entry.seq} records other transitions than happen here"
        raise FoldError(msg)
    return taint.settle(state, moved.state).after_entry(entry.time)
