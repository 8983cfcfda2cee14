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


def find_flips(
    policy: Policy, before: State, after: State, instant: int, following: Policy | None = None
) -> Iterator[Flip]:
    """Yield every release that the gate answers otherwise at ``instant`` (microseconds), by model and context.

    ``following`` is the policy that ``after`` is judged by, where that is another one; its contexts are asked too.
    Asked of each model that ``after`` knows: without an artifact, and where the context asks for one, with each of its.
    """
    sides = ((policy, before), (following or policy, after))
    places = {place.id: place.artifact_required for judge, _ in sides for place in judge.contexts}
    for model in sorted(after.all_of(r.Model), key=lambda model: model.name):
        own = tuple(artifact.sha256 for artifact in model.artifacts)
        for place, artifact_required in places.items():
            for artifact in own if artifact_required else ("",):
                was, will = (
                    explain(judge, state, model.name, place, artifact, instant).allowed for judge, state in sides
                )
                if was is not will:
                    yield Flip(model.name, place, artifact, will)
