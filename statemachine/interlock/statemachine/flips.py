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
    """
    sides = ((policy, before), (following or policy, after))
    for model in sorted(after.all_of(r.Model), key=lambda model: model.name):
        for place, artifact in questions(model, *(judge for judge, _ in sides)):
            was, will = (explain(judge, state, model.name, place, artifact, instant).allowed for judge, state in sides)
            if was is not will:
                yield Flip(model.name, place, artifact, will)


def questions(model: r.Model, *policies: Policy) -> Iterator[tuple[str, str]]:
    """Yield every (context, artifact) worth asking of a model: with each of its own where a policy asks for one.

    And without, where one does not: two policies may differ, and then both answers count.
    """
    places: dict[str, set[bool]] = {}
    for policy in policies:
        for place in policy.contexts:
            places.setdefault(place.id, set()).add(place.artifact_required)
    for place_id, ways in places.items():
        for artifact in ("", *(own.sha256 for own in model.artifacts)):
            if bool(artifact) in ways:
                yield place_id, artifact
