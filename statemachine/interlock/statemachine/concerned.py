"""Which models a resource has to do with: a hold, an assessment or a change has a name of its own. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine import changes, names
from interlock.statemachine import resources as r
from interlock.statemachine.machines.fire import model_concerned

if TYPE_CHECKING:
    from interlock.statemachine.state import State


def models_concerned(state: State, written: tuple[str, ...]) -> tuple[str, ...]:
    """Return the models that an entry concerns which wrote these resources, each once, sorted.

    That is a model or anything of one, a hold on it, an assessment of it, a decision on it, a deployment of it, and a
    change with a trigger on any of these.
    Holds on everything and shared safeguards are no one model's.
    """
    return tuple(sorted({model for name in written for model in _models_of(state, name)}))


def _models_of(state: State, name: str) -> set[str]:
    match state.items.get(name):
        case (
            r.Hold(target=subject)
            | r.Assessment(model=subject)
            | r.Decision(model=subject)
            | r.Deployment(model=subject)
            | r.InterimMeasure(model=subject)
            | r.Incident(target=subject)
            | r.Finding(target=subject)
        ):
            found = {names.model_of(subject)}
        case r.Exemption(resource=subject):
            held = state.find(subject, r.Hold)
            found = {names.model_of(held.target if held is not None else subject)}
        case r.Change(content=content):
            firings = changes.content_of(content).triggers
            found = {model_concerned(state, firing) for firing in firings}
        case _:
            found = {names.model_of(name)}
    return {model for model in found if model is not None}
