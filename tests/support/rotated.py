"""A log whose key was rotated by a change, and the bundle of it that an honest server gives."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from interlock.statemachine import firings as f
from tests.support.bundles import Parts, signed_head
from tests.support.log_keys import rotation
from tests.support.parted import M, N, enact, must, state
from tests.support.world import World


@lru_cache(maxsize=1)
def rotated() -> tuple[World, dict[str, int]]:
    """Return a log whose key was rotated: with a digest before and after, and a change signed on either side."""
    world, at = World.found(countersigned_by=["owner-a"]), dict[str, int]()
    must(world, "evaluator", f.ModelRegister(M))
    must(world, "evaluator", f.ModelRegister(N))
    results = world.upload("evaluator", "evaluation_results")
    at["ruled_out"] = enact(world, f.DeterminationRuleOut(f"{M}/determinations/misuse"), evidence=(results,))
    at["first"] = state(world)
    at["rotated"] = enact(world, rotation())
    at["held"] = must(world, "owner-a", f.HoldPlace(M))
    at["lifted"] = enact(world, f.HoldLift("holds/1"))
    at["second"] = state(world)
    must(world, "owner-a", f.HoldPlace(M))
    return world, at


def whole() -> Parts:
    """Return the whole log as the honest server gives it: the old key up to its end, the new one from there on."""
    world, at = rotated()
    entries, last = world.encoded(), at["rotated"]
    heads = {2: signed_head(entries[:2]), last: signed_head(entries[:last])}
    heads[last + 1] = signed_head(entries[: last + 1], "second")
    parts = Parts.of(world)
    return replace(parts, head=signed_head(entries, "second"), heads=heads)
