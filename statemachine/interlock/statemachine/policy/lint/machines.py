"""Each machine alone, exhaustively: every edge of every table, and how few people can take it.

Lives here: edges against rights and rules. Not here: ways round an edge (``doors.py``), what edges do to verdicts
(``product.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from interlock.statemachine.machines import tables
from interlock.statemachine.policy.findings import Code
from interlock.statemachine.policy.lint.people import signed_by
from interlock.statemachine.policy.lint.report import Claim, error, rule_path
from interlock.statemachine.policy.vocabulary import MIN_PEOPLE
from interlock.statemachine.rights import CHANGE_APPLY, CHANGE_PROPOSE, CHANGE_SIGN, EVIDENCE_UPLOAD
from interlock.statemachine.triggers import Direction, Trigger, can_loosen, direction_of, loosening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.machines.tables import Table
    from interlock.statemachine.policy.model import Policy, Rule

_CHANGE_RIGHTS: Final = (CHANGE_PROPOSE, CHANGE_SIGN, CHANGE_APPLY, EVIDENCE_UPLOAD)
"""What the change machine's own edges take; they have no direction of their own."""


class Key(NamedTuple):
    """One thing that a rule governs: a trigger, and the standard where rules tell standards apart."""

    trigger: str
    standard: str | None = None

    def __str__(self) -> str:
        """As a call is shown."""
        return self.trigger if self.standard is None else f"{self.trigger} ({self.standard})"


def ruled_keys(policy: Policy) -> dict[Key, Rule]:
    """Return the rule of everything that happens only in a change, loosening or named by a rule."""
    narrowed = {trigger for trigger, _ in policy.narrowed_rules}
    names = dict.fromkeys((*loosening(), *policy.rules, *narrowed))
    found: dict[Key, Rule] = {}
    if any(duty.blocking and duty.in_force for duty in policy.obligations.values()):
        found[Key(Trigger.OBLIGATION_FULFIL.value)] = policy.default_rule  # unless a rule names it, below
    for trigger in names:
        if trigger in narrowed:
            for standard in policy.standards:
                if policy.is_ruled(trigger, standard):
                    found[Key(trigger, standard)] = policy.rule_for(trigger, standard)
        else:
            found[Key(trigger)] = policy.rule_for(trigger)
    grave = any(severity.blocks for severity in policy.severities)
    for trigger in (Trigger.INCIDENT_TRIAGE, *((Trigger.INCIDENT_CLOSE, Trigger.FINDING_DISMISS) if grave else ())):
        found.setdefault(Key(trigger.value), policy.default_rule)
    return found


def base(trigger: str) -> str:
    """Return a table's trigger without its argument: ``level.raise[confirmed(n)]`` is fired as ``level.raise``."""
    return trigger.partition("[")[0]


def all_tables(policy: Policy) -> tuple[Table, ...]:
    """Return every machine under this policy."""
    return (*tables.FIXED, tables.level_table(policy))


def holders(policy: Policy, right: str) -> tuple[str, ...]:
    """Return the roles that have a right."""
    return tuple(role.id for role in policy.roles.values() if right in role.rights)


def check_machines(policy: Policy) -> Iterator[Claim]:
    """Yield what is wrong with any edge: too easy, slowed down, or for nobody."""
    keys = ruled_keys(policy)
    by_trigger: dict[str, list[tuple[Key, Rule]]] = {}
    for key, rule in keys.items():
        by_trigger.setdefault(key.trigger, []).append((key, rule))
    done: set[str] = set()
    for table in all_tables(policy):
        for (state, name), target in table.edges.items():
            trigger = base(name)
            if trigger in done or direction_of(trigger) is None:
                continue
            done.add(trigger)  # an edge is judged by its trigger; the first edge found shows it
            edge = f"{trigger} ({table.kind}: {state} → {target})"
            yield from _check_edge(policy, trigger, edge, by_trigger.get(trigger, []))
    for right in _CHANGE_RIGHTS:
        if not holders(policy, right):
            yield _nobody(right, f"{right}")


def _check_edge(policy: Policy, trigger: str, edge: str, governed: list[tuple[Key, Rule]]) -> Iterator[Claim]:
    direction = direction_of(trigger)
    for key, rule in governed:
        path = rule_path(rule.id)
        if direction is Direction.TIGHTENS and not can_loosen(trigger):
            message = f"`{trigger}` tightens, and a rule makes it wait for {len(rule.slots)} sign-offs."
            calls = (f"{edge} by one person", f"→ waits until it is {signed_by(rule)}; the gate goes on saying ALLOW")
            yield error(path, Code.EDGE_SLOWED, message, "take it out of the rule", calls)
        if can_loosen(trigger) and len(rule.slots) < MIN_PEOPLE:
            message = f"`{trigger}` loosens, and {len(rule.slots)} people are enough for it."
            calls = ("change.propose by a requester", f"{edge}, {signed_by(rule)} → applied")
            yield error(path, Code.EDGE_TOO_EASY, message, f"ask for {MIN_PEOPLE} people at least", calls)
        if not _can_be_filled(policy, rule):
            calls = (f"change.propose of {key}", f"change.sign, {signed_by(rule)} → nobody can: it never applies")
            message = f"No group of people can meet the rule for `{key}`."
            yield error(path, Code.NO_ONE_MAY_FIRE, message, "ask for approving roles of this pack", calls)
    is_free = direction is not Direction.LOOSENS and not any(rule.triggers for _, rule in governed)
    if is_free and not holders(policy, trigger):
        yield _nobody(trigger, edge)


def _can_be_filled(policy: Policy, rule: Rule) -> bool:
    """Say whether distinct people could fill all slots: for each, somebody may hold an approving role that fits.

    Nobody is counted here, so one person a slot can always be found where each slot alone can be filled; how many
    people there are is the log's (``against.py``).
    """
    return all(
        (role := policy.roles.get(slot.role)) is not None and role.approves and CHANGE_SIGN in role.rights
        for slot in rule.slots
    )


def _nobody(right: str, edge: str) -> Claim:
    message = f"No role may fire `{right}`."
    calls = (f"{edge} by anybody → refused, nobody holds the right",)
    return error(("roles",), Code.NO_ONE_MAY_FIRE, message, f"give `{right}` to a role under `may:`", calls)
