"""Which verdicts turn between two states of a log: what a preview of a change tells whoever is to sign it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.statemachine import resources as r
from interlock.statemachine.explain import explain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State


@dataclass(frozen=True, slots=True)
class Flip:
    """A release whose verdict turns; ``artifact`` is empty where the context asks for none. ``allowed`` afterwards."""

    model: str
    context: str
    artifact: str
    allowed: bool


def find_flips(policy: Policy, before: State, after: State, instant: int) -> Iterator[Flip]:
    """Yield every release that the gate answers otherwise at ``instant`` (microseconds), by model and context.

    Asked of each model that ``after`` knows: without an artifact, and where the context asks for one, with each of its.
    """
    for model in sorted(after.all_of(r.Model), key=lambda model: model.name):
        own = tuple(artifact.sha256 for artifact in model.artifacts)
        for place in policy.contexts:
            for artifact in own if place.artifact_required else ("",):
                was, will = (
                    explain(policy, state, model.name, place.id, artifact, instant).allowed for state in (before, after)
                )
                if was is not will:
                    yield Flip(model.name, place.id, artifact, will)
