"""The log one entry at a time, for those who watch: what each entry left, and which models it can concern.

A commit moves the view by many entries at once; a watcher must see each. The newest steps are kept, once for all who
watch (views share what did not change), so a watcher holds a position and nothing else. Older ones are made again from
the snapshots (``history.py``).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.statemachine.state import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.service.ledger.view import View
    from interlock.statemachine.state import State

KEPT: Final = 1024
"""How many of the newest steps are kept in memory."""


@dataclass(frozen=True, slots=True)
class Step:
    """The log after one entry: what it wrote, and whose verdict that can move (``models``, or every model's)."""

    view: View
    written: tuple[str, ...]
    models: frozenset[str]
    every_model: bool

    @property
    def position(self) -> int:
        """The entry's position."""
        return self.view.position

    @property
    def time(self) -> int:
        """When the entry was made (microseconds)."""
        return self.view.state.time

    def touches(self, model: str) -> bool:
        """Say whether this entry can move a verdict on a model. A no is certain; a yes may turn out to be none."""
        return self.every_model or model in self.models


def step_of(view: View, written: tuple[str, ...]) -> Step:
    """Return the step that ends at ``view``, whose entry wrote these resources."""
    models: set[str] = set()
    every = False
    for name in written:
        found = _model_touched(view.state, name)
        if found == EVERYTHING:
            every = True
        elif found:
            models.add(found)
    return Step(view, written, frozenset(models), every)


def _model_touched(state: State, name: str) -> str:
    """Return the model whose verdict this resource is read for, EVERYTHING for any model's, empty for none."""
    found = state.items[name]
    match found:
        case r.Change(ratified_by=positions) if positions:
            return EVERYTHING
        case r.Model():
            return name
        case r.Determination() | r.Level() | r.Safeguard():
            return names.model_of(name) or EVERYTHING  # a shared safeguard is no one model's
        case r.Hold(target=target) | r.Incident(target=target) | r.Finding(target=target):
            return target
        case r.InterimMeasure(model=model):
            return model
        case r.Exemption(resource=resource):
            held = state.find(resource, r.Hold)
            return held.target if held is not None else names.model_of(resource) or EVERYTHING
        case r.PolicyVersion() | r.Obligation() | r.Period():
            return EVERYTHING  # an obligation that blocks does so for every model
        case r.Log(retired=retired) if retired:  # a key of a tainted change denies everything, until it is another one
            return EVERYTHING
        case r.Principal():  # what is learned of a key can taint what any verdict rests on
            return EVERYTHING
        case (
            r.Assessment()
            | r.Evidence()
            | r.Change()
            | r.Grant()
            | r.Delegation()
            | r.Issuer()
            | r.Log()
            | r.Decision()
            | r.Deployment()
            | r.Pack()
            | r.ErasedText()
        ):
            return ""
        case _:
            assert_never(found)


class Steps:
    """The newest steps; the first of them is only where the second starts from."""

    def __init__(self, view: View) -> None:
        self._kept: deque[Step] = deque([Step(view, (), frozenset(), every_model=False)], maxlen=KEPT + 1)

    def extend(self, steps: Iterable[Step]) -> None:
        """Add what was committed."""
        self._kept.extend(steps)

    def since(self, position: int) -> tuple[Step, ...]:
        """Return the step at ``position`` and all that follow; nothing where that is no longer kept."""
        first = self._kept[0].position
        if position < first:
            return ()
        return tuple(self._kept[index] for index in range(position - first, len(self._kept)))
