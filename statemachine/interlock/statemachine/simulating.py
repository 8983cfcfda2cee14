"""What adopting a policy would do to a log as it stands, before anyone signs. Pure; nothing is written.

Lives here: which verdicts would flip and why, what would carry over, and which rules nobody could meet. Not here: what
the packs say (``diffing/``), carrying over itself (``carrying.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.statemachine import authority, carrying
from interlock.statemachine import resources as r
from interlock.statemachine.explain import explain
from interlock.statemachine.flips import questions
from interlock.statemachine.machines.policy_version import owed_from_then
from interlock.statemachine.quorum import assign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.carrying import Carried
    from interlock.statemachine.policy.model import Policy, Rule
    from interlock.statemachine.state import State
    from interlock.statemachine.unmet import Unmet


@dataclass(frozen=True, slots=True)
class Turned:
    """A release whose verdict would flip; ``reasons`` are those of the side that denies, before or after."""

    model: str
    context: str
    artifact: str
    allowed: bool
    reasons: tuple[Unmet, ...]


@dataclass(frozen=True, slots=True)
class Unfillable:
    """A rule that no sign-offs of those who hold roles now could meet: triggers, and the roles that are too few."""

    triggers: tuple[str, ...]
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Simulation:
    """``turned``: to ALLOW first. ``releases`` is how many were asked for."""

    turned: tuple[Turned, ...]
    releases: int
    carried: tuple[Carried, ...]
    unfillable: tuple[Unfillable, ...]


def simulate(old: Policy, new: Policy, state: State, instant: int) -> Simulation:
    """Return what would be otherwise at ``instant`` (microseconds), had ``new`` just been adopted."""
    carried, after = tuple(carrying.carry(old, new, state, instant)), carry_over(old, new, state, instant)
    releases = tuple(_releases(old, new, state))
    turned = [row for release in releases for row in _turned((old, state), (new, after), release, instant)]
    turned.sort(key=lambda row: not row.allowed)
    return Simulation(tuple(turned), len(releases), carried, tuple(_unfillable(new, state, instant)))


def carry_over(old: Policy, new: Policy, state: State, instant: int) -> State:
    """Return the facts of a state as ``new`` would have them, had it just been adopted in the place of ``old``.

    No entry wrote what is carried: it has no position, and names the entries that gave its facts alone.
    """
    after, positions = state, state.positions
    for row in carrying.carry(old, new, state, instant):
        after = after.put(row.item)
        positions = positions.delete(row.item.name) if row.item.name in positions else positions
    return owed_from_then(new, after, instant).updated(positions=positions, writes=state.writes)


def _releases(old: Policy, new: Policy, state: State) -> Iterator[tuple[str, str, str]]:
    """Yield model, context and artifact of all that is worth asking."""
    for model in sorted(state.all_of(r.Model), key=lambda item: item.name):
        if model.state == "registered":
            yield from ((model.name, place, artifact) for place, artifact in questions(model, old, new))


def _turned(
    before: tuple[Policy, State], after: tuple[Policy, State], release: tuple[str, str, str], instant: int
) -> Iterator[Turned]:
    was, will = (explain(policy, state, *release, instant) for policy, state in (before, after))
    if was.allowed is not will.allowed:
        yield Turned(*release, will.allowed, was.reasons if will.allowed else will.reasons)


def _unfillable(new: Policy, state: State, instant: int) -> Iterator[Unfillable]:
    """Yield rules for which there are too few people, were all to sign; conflicts of interest are not looked at."""
    people: dict[str, frozenset[str]] = {}
    outside: set[str] = set()
    for account in state.all_of(r.Principal):
        if account.kind == "service" or authority.is_admin(new, state, account.name, instant):
            continue
        roles = {role.id for _, role in authority.roles_on(new, state, account.name, instant, None)}
        people[account.person] = people.get(account.person, frozenset()) | roles
        if account.kind == "external":
            outside.add(account.person)
    by_rule: dict[str, list[str]] = {}
    rules: dict[str, Rule] = {}
    for trigger, rule in (*new.rules.items(), *((t, rule) for (t, _), rule in new.narrowed_rules.items())):
        by_rule.setdefault(rule.id, []).append(trigger)
        rules[rule.id] = rule
    for name, rule in rules.items():
        held = [
            frozenset(
                slot.index
                for slot in rule.slots
                if slot.role in roles and (slot.affiliation != "external" or person in outside)
            )
            for person, roles in sorted(people.items())
        ]
        filled = {slot for slot in assign(held) if slot is not None}
        open_ = tuple(slot.role for slot in rule.slots if slot.index not in filled)
        if open_:
            yield Unfillable(tuple(dict.fromkeys(by_rule[name])), open_)
