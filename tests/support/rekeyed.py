"""A log that has changed its key, and the bundle of it that an honest server gives."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from interlock.proofs import note
from interlock.statemachine import firings as f
from tests.support.bundles import NAME, Parts, signed_head
from tests.support.log_keys import name_key
from tests.support.parted import M, N, enact, must, state
from tests.support.world import World, public_of

SECOND = note.vkey_of(NAME, public_of("second", "log"))
LAST = 4
"""Where the old key of these logs ends, a few entries before the one that says so."""


@lru_cache(maxsize=1)
def rekeyed() -> tuple[World, dict[str, int]]:
    """Return a log whose key changed: with a digest before and after, and a change signed on either side."""
    world, at = World.found(countersigned_by=["owner-a"]), dict[str, int]()
    must(world, "evaluator", f.ModelRegister(M))
    must(world, "evaluator", f.ModelRegister(N))
    results = world.upload("evaluator", "evaluation_results")
    at["ruled_out"] = enact(world, f.DeterminationRuleOut(f"{M}/determinations/misuse"), evidence=(results,))
    at["named"] = name_key(world, "second", LAST)
    hold = world.state.holds_on(M)[-1]
    at["lifted"] = enact(world, f.HoldLift(hold))
    at["digest"] = state(world)
    must(world, "owner-a", f.HoldPlace(M))
    return world, at


def whole() -> Parts:
    """Return the whole log as the honest server gives it: the old key up to its end, the new one from there on."""
    world, _ = rekeyed()
    entries = world.encoded()
    heads = {2: signed_head(entries[:2]), LAST: signed_head(entries[:LAST])}
    heads[LAST + 1] = signed_head(entries[: LAST + 1], "second")
    parts = Parts.of(world)
    return replace(parts, head=signed_head(entries, "second"), heads=heads)
