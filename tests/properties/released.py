"""Worlds in which a model is released wherever its pack lets it be."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

from interlock.statemachine import firings as f
from tests.properties.casts import RICH_CAST
from tests.properties.moves import mending
from tests.properties.watched import ARTIFACTS, MODELS
from tests.support.world import MINIMAL_CAST, SKETCH, Member, World

RICH: Final = Path(__file__).with_name("rich-pack.yaml")
CASTS: Final[dict[str, tuple[Path, tuple[Member, ...]]]] = {
    "minimal": (SKETCH, MINIMAL_CAST),
    "rich": (RICH, RICH_CAST),
}
"""Packs with who acts under them."""


def released(pack: str, conclusion: str) -> World:
    """Return a world where a model is released after a report on one threshold; ``fork`` it before use."""
    return released_under(pack, CASTS[pack][0].read_bytes(), conclusion)


@lru_cache(maxsize=32)
def released_under(pack: str, text: bytes, conclusion: str) -> World:
    """Return the same under another version of the pack, by its text."""
    cast = CASTS[pack][1]
    world = World.found({"policy.yaml": text}, cast)
    world.fire("evaluator", f.ModelRegister(MODELS[0], ARTIFACTS[:1]))
    first = {"misuse", "harm"} & set(world.policy.thresholds) or set(list(world.policy.thresholds)[:1])
    for threshold in first:
        world.fire("evaluator", f.DeterminationReport(f"{MODELS[0]}/determinations/{threshold}", conclusion))
    for context in (*world.policy.contexts, *world.policy.contexts):
        firings = mending(world, MODELS[0], context.id, lambda kind: world.upload("evaluator", kind))
        if firings:
            change = world.propose("evaluator", *firings, evidence=[world.upload("engineer", "evaluation_results")])
            for member in cast:
                world.sign(member.id, change)
    return world
