"""What one fired trigger gives: the state after it and the edge taken, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.statemachine import resources as r
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused

if TYPE_CHECKING:
    from interlock.statemachine.entry import Transition
    from interlock.statemachine.machines import tables
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State


@dataclass(frozen=True, slots=True)
class Moment:
    """What a step is judged with: the policy in force, the instant (microseconds), who fires."""

    policy: Policy
    instant: int
    actor: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A step that was taken; ``transitions`` is empty where the state was already there."""

    state: State
    transitions: tuple[Transition, ...] = ()


def no_edge(table: tables.Table, trigger: str, resource: str, actual: str) -> Refused:
    """Refuse a trigger that has no edge from the state that is there."""
    sources = [state.replace("(", " (was ") for state in dict.fromkeys(table.sources(trigger))]
    listed = " or ".join(filter(None, (", ".join(sources[:-1]), *sources[-1:])))
    name = trigger.split("[", maxsplit=1)[0]
    wish = f"it to be {listed}" if listed else "a trigger that leads on from some state"
    return refused(RefusalKind.UNMET, Code.NO_SUCH_EDGE, wish, actual.replace("(", " (was "), resource, name)


def not_found(resource: str, what: str, code: Code = Code.NOT_FOUND) -> Refused:
    """Refuse a trigger on something that does not exist."""
    return refused(RefusalKind.NOT_FOUND, code, what, "it does not exist", resource)


def registered_model(state: State, name: str) -> r.Model | Refused:
    """Return a model that is in use, or why there is none."""
    model = state.find(name, r.Model)
    if model is None:
        return not_found(name, "a registered model", Code.MODEL_UNKNOWN)
    if model.state != "registered":
        return refused(RefusalKind.UNMET, Code.MODEL_RETIRED, "a registered model", model.state, name)
    return model
