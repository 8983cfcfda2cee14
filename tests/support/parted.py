"""A log of two models with two state digests, and the parts of it that tests judge: a range and a selection."""

from __future__ import annotations

from functools import lru_cache

from interlock.proofs import keys
from interlock.statemachine import commands as c
from interlock.statemachine import digest, names
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from tests.support.excerpts import Cut
from tests.support.stories import sign
from tests.support.world import World, public_of

M, N = "models/m", "models/n"
FILTER = f"{M}/safeguards/input-filter"


def must(world: World, who: str, firing: f.Firing) -> int:
    """Fire a trigger; return the position of its entry."""
    return world.must(who, c.Fire(firing)).seq


def enact(world: World, *firings: f.Firing, evidence: tuple[str, ...] = ()) -> int:
    """Propose a change and have it signed as clients do; return the position of its application."""
    change = world.propose("evaluator", *firings, evidence=evidence)
    sign(world, "owner-a", change)
    sign(world, "reviewer-a", change)
    assert world.state.need(change, r.Change).state == "applied"
    return world.state.head


def state(world: World) -> int:
    """State a digest; return the position of its entry."""
    return world.must(c.SYSTEM, digest.digest_of(world.state)).seq


@lru_cache(maxsize=1)
def story() -> tuple[World, dict[str, int]]:
    """Return a log of two models, and the positions of what is of interest in it."""
    world, at = World.found(countersigned_by=["owner-a"]), dict[str, int]()
    must(world, "evaluator", f.ModelRegister(M))
    must(world, "evaluator", f.ModelRegister(N))
    must(world, "engineer", f.SafeguardStart(FILTER))
    report = world.upload("engineer", "red_team_report")
    must(world, "engineer", f.SafeguardVerify(FILTER, (report,)))
    for _ in range(5):
        world.upload("evaluator", "evaluation_results")  # which nothing rests on
    results = world.upload("evaluator", "evaluation_results")
    reported = f.DeterminationReport(f"{M}/determinations/misuse", "ruled_out", "", (report,))
    ruled_out = f.DeterminationRuleOut(f"{M}/determinations/misuse")
    at["ruled_out"] = enact(world, reported, ruled_out, evidence=(results,))
    at["assigned"] = enact(world, f.LevelAssign(f"{M}/levels/deployment", "guarded"), f.SafeguardActivate(FILTER))
    at["held_n"] = must(world, "owner-a", f.HoldPlace(N))
    at["first"] = state(world)
    login = keys.fingerprint(public_of("principals/reviewer-b", "signoff"))
    at["revoked"] = must(world, "admin", f.CredentialRevoke(names.credential_name("principals/reviewer-b", login)))
    at["held"] = must(world, "owner-a", f.HoldPlace(M))
    at["degraded"] = must(world, "filter-monitor", f.SafeguardDegrade(FILTER))
    at["held_all"] = must(world, "admin", f.HoldPlace("-"))
    world.must("auditor", c.AttemptRefused("m", bytes(32), ()))
    must(world, "evaluator", f.AssessmentOpen(N, ("misuse",)))
    at["lifted"] = enact(world, f.HoldLift("holds/3"))
    at["second"] = state(world)
    must(world, "owner-a", f.HoldPlace(N))
    return world, at


def a_range() -> Cut:
    """Return the range from the first digest to the second."""
    world, at = story()
    return Cut.range(world, at["first"], at["second"] + 1)


def a_selection() -> Cut:
    """Return the selection of the first model at the second digest."""
    world, at = story()
    return Cut.selection(world, at["second"], M)
