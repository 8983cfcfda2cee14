"""What there is to draw: each machine's states, its edges by trigger with what they take, and who stands where.

Made from the tables that decide and from a policy. Not here: how it looks (``lifelines.py``, ``mermaid.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.client import names
from interlock.statemachine.machines import tables
from interlock.statemachine.policy.lint.machines import Key, holders, ruled_keys
from interlock.statemachine.policy.lint.people import in_words, kinds_of
from interlock.statemachine.triggers import Direction, Trigger, can_loosen, direction_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from interlock.statemachine.machines.tables import Table
    from interlock.statemachine.policy.model import EvidenceNeed, Policy, Rule
    from interlock.v1.model_pb2 import Model

MACHINES: Final = ("model", "determination", "level", "safeguard", "interim_measure", "hold", "obligation")
"""The machines that a release waits for, in the order in which they are drawn."""

ARROWS: Final = {Direction.LOOSENS: "↑", Direction.TIGHTENS: "↓", Direction.NEUTRAL: "="}
_DAY_US: Final = 86_400_000_000
_FEW: Final = 4  # roles that are named; the others are counted

Standing = dict[str, dict[str, list[str]]]
"""By machine and state: who stands there."""


@dataclass(frozen=True, slots=True)
class Edges:
    """A trigger of a machine: its ways from state to state, and what it takes."""

    trigger: str
    direction: Direction | None
    ways: tuple[tuple[str, str], ...]
    takes: tuple[str, ...]  # who, and which evidence, a line each

    @property
    def mark(self) -> str:
        """The direction as the design writes it."""
        return ARROWS[self.direction] if self.direction is not None else ""


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine to draw; ``lit`` says who stands in which of its states."""

    kind: str
    states: tuple[str, ...]
    edges: tuple[Edges, ...]
    lit: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Figure:
    """Everything on one picture."""

    title: str
    machines: tuple[Machine, ...]


def figure_of(policy: Policy, kinds: Sequence[str] = MACHINES, model: Model | None = None) -> Figure:
    """Return the machines of a policy, with a model's states lit where one is given."""
    found = {table.kind: table for table in (*tables.FIXED, tables.level_table(policy))}
    rules = ruled_keys(policy)
    standing = standing_of(model) if model is not None else {}
    title = f"{policy.title} ({policy.id} {policy.version})"
    if model is not None:
        title += f": {model.name} at position {model.log_position}"
    return Figure(
        title, tuple(_machine(policy, rules, found[kind], standing.get(kind, {})) for kind in MACHINES if kind in kinds)
    )


def _machine(policy: Policy, rules: Mapping[Key, Rule], table: Table, standing: Mapping[str, list[str]]) -> Machine:
    grouped: dict[str, dict[tuple[str, str], None]] = {}
    for (source, name), target in table.edges.items():
        trigger = name.partition("[")[0]
        grouped.setdefault(trigger, {})[folded(table.kind, source), folded(table.kind, target)] = None
    states = sorted(dict.fromkeys(folded(table.kind, state) for state in table.states), key=_place)
    edges = tuple(
        Edges(trigger, _direction(policy, trigger), tuple(ways), tuple(_takes(policy, rules, trigger)))
        for trigger, ways in grouped.items()
    )
    return Machine(table.kind, tuple(states), edges, {state: tuple(who) for state, who in standing.items()})


def _place(state: str) -> tuple[int, int]:
    """Return where a state stands in the drawing: where a machine starts first, a conclusion's shades together."""
    conclusion, _, shade = state.partition("/")
    if not shade:
        return (-1 if state in {"unassigned", "undetermined"} else 0, 0)
    return tables.CONCLUSIONS.index(conclusion), ("unconfirmed", "confirmed", "lapsed").index(shade)


def folded(kind: str, state: str) -> str:
    """Return a state as it is drawn: what a suspended safeguard remembers and which level it is are the caption's."""
    return state.partition("(")[0] if kind in {"safeguard", "level"} else state


def _direction(policy: Policy, trigger: str) -> Direction | None:
    blocks = any(duty.blocking and duty.in_force for duty in policy.obligations.values())
    return Direction.LOOSENS if can_loosen(trigger) and blocks else direction_of(trigger)


def _takes(policy: Policy, rules: Mapping[Key, Rule], trigger: str) -> Iterable[str]:
    ruled = [(key, rule) for key, rule in rules.items() if key.trigger == trigger]
    for key, rule in ruled:
        where = f"{key.standard}: " if key.standard is not None else ""
        yield f"{where}{in_words(kinds_of(rule))}"
        if rule.evidence:
            yield f"with {', '.join(map(_need, rule.evidence))}"
    if not ruled:
        roles = holders(policy, trigger)
        more = f" and {len(roles) - _FEW} more" if len(roles) > _FEW else ""
        yield f"one person: {', '.join(roles[:_FEW])}{more}"
    if trigger in {Trigger.SAFEGUARD_VERIFY.value, Trigger.SAFEGUARD_REATTEST.value}:
        needs = {_need(need): None for spec in policy.safeguards.values() for need in spec.verify_with}
        yield f"with {' or '.join(needs)}, as the safeguard asks"
    exception = policy.break_glass.get(trigger)
    if exception is not None:
        yield f"break-glass: {in_words(kinds_of(exception.rule))}, for {_span(exception.lasts_us)}"


def _need(need: EvidenceNeed) -> str:
    return need.kind if need.newer_than_us is None else f"{need.kind} < {_span(need.newer_than_us)}"


def _span(duration_us: int) -> str:
    days, rest = divmod(duration_us, _DAY_US)
    return f"{days}d" if not rest else f"{duration_us / (_DAY_US / 24):g}h"


# Where a model stands ------------------------------------------------------------------------------------------------


def standing_of(model: Model) -> Standing:
    """Return who of a model stands in which state, as they are drawn, with captions."""
    from interlock.v1 import model_pb2, safeguard_pb2, trigger_pb2  # noqa: PLC0415  # a picture of a pack needs none

    found: Standing = {"model": {_word(model_pb2.ModelState.Name(model.state)): [names.leaf(model.name)]}}
    for row in model.determinations:
        state = "undetermined"
        if row.conclusion:
            shade = "lapsed" if row.lapsed else "confirmed" if row.confirmed else "unconfirmed"
            state = f"{_word(trigger_pb2.Conclusion.Name(row.conclusion))}/{shade}"
        if not row.tracked:
            found.setdefault("determination", {}).setdefault(state, []).append(names.leaf(row.name))
    for level in model.levels:
        state = _word(model_pb2.LevelState.Name(level.state))
        caption = f"{names.leaf(level.name)} {level.assigned}".strip()
        found.setdefault("level", {}).setdefault(state, []).append(caption)
    for safeguard in model.safeguards:
        state = _word(safeguard_pb2.SafeguardState.Name(safeguard.state))
        found.setdefault("safeguard", {}).setdefault(state, []).append(names.leaf(safeguard.name))
    for hold in model.holds:
        found.setdefault("hold", {}).setdefault("placed", []).append(hold)
    return found


def _word(name: str) -> str:
    """Return an enum's value as the tables write it: ``SAFEGUARD_STATE_ACTIVE`` is ``active``."""
    for prefix in ("MODEL_STATE_", "LEVEL_STATE_", "SAFEGUARD_STATE_", "CONCLUSION_"):
        name = name.removeprefix(prefix)
    return name.lower()
