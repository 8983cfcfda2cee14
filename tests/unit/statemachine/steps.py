"""One machine step at a time: fire a trigger on a state that a test has made up, and see where it leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.statemachine import resources as r
from interlock.statemachine.machines.fire import fire
from interlock.statemachine.machines.step import Moment, Moved
from tests.support.world import START_US, World

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.state import State
    from interlock.statemachine.unmet import Refused

MODEL: Final = "models/m"
NOW: Final = START_US + 1_000_000_000


def with_model(world: World, *resources: r.Resource, artifacts: tuple[str, ...] = ()) -> State:
    """Return a state in which ``models/m`` is registered and the resources are as given."""
    state = world.state.put(r.Model(MODEL, artifacts=tuple(r.Artifact(sha256, 2) for sha256 in artifacts)))
    for resource in resources:
        state = state.put(resource)
    return state.after_entry(NOW - 1)


def step(world: World, state: State, firing: f.Firing, instant: int = NOW) -> Moved | Refused:
    """Fire a trigger."""
    return fire(Moment(world.policy, instant, "principals/somebody"), state, firing)


def outcome(world: World, state: State, firing: f.Firing, instant: int = NOW) -> str:
    """Return the state that a trigger leads to, ``settled`` for no transition, or the codes of the refusal."""
    result = step(world, state, firing, instant)
    if not isinstance(result, Moved):
        return " ".join(sorted(unmet.code for unmet in result.unmet))
    return " ".join(move.target for move in result.transitions) or "settled"
