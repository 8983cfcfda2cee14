"""A short life of a model, with every kind of resource in it: what tests of the fold and its copies read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine.decide import Accepted
from interlock.statemachine.policy import load_pack
from tests.support.world import World, sha256_of

if TYPE_CHECKING:
    from interlock.statemachine.entry import Entry
    from interlock.statemachine.state import State

M, N = "models/m", "models/n"
FILTER = f"{M}/safeguards/input-filter"
MISUSE = f"{M}/determinations/misuse"


def tell() -> tuple[World, list[State]]:
    """Return a world after the story, and the state after each of its entries."""
    world = World.found()

    def fire(who: str, firing: f.Firing) -> None:
        fired = world.fire(who, firing)
        assert isinstance(fired, Accepted), fired

    fire("evaluator", f.ModelRegister(M, (sha256_of("weights"),)))
    fire("evaluator", f.ModelRegister(N))
    fire("evaluator", f.AssessmentOpen(M, ("misuse",)))
    fire("evaluator", f.DeterminationReport(MISUSE, "cannot_rule_out", "assessments/1"))
    fire("engineer", f.SafeguardStart(FILTER))
    report = world.upload("engineer", "red_team_report", classification="restricted")
    results = world.upload("evaluator", "evaluation_results")
    world.must("engineer", c.GrantEvidenceAccess(report, "principals/reviewer-a"))
    world.must("reviewer-a", c.OpenEvidence(report))
    fire("engineer", f.SafeguardVerify(FILTER, (report,)))
    fire("owner-a", f.HoldPlace(M))
    fire("admin", f.HoldPlace("-"))
    change = world.propose("evaluator", f.DeterminationConfirm(MISUSE), evidence=(results,))
    for who, decision in (
        ("owner-a", "approve"),
        ("owner-a", "withdraw"),
        ("owner-b", "reject"),
        ("owner-b", "approve"),
        ("reviewer-a", "approve"),
    ):
        signed = world.sign(who, change, decision)
        assert isinstance(signed, Accepted), signed
    world.enact(f.LevelAssign(f"{M}/levels/deployment", "guarded"), f.SafeguardActivate(FILTER))
    other = world.propose("evaluator", f.LevelAssign(f"{N}/levels/deployment", "basic"), draft=True)
    world.must("evaluator", c.SubmitChange(other))
    world.must("evaluator", c.WithdrawProposedChange(other))
    fire("release-bot", f.DeploymentRecord(M, "internal", sha256_of("weights"), "cluster-a/eu-west"))
    fire("release-bot", f.DeploymentRecord(N, "api", "", "cluster-b"))
    fire("release-bot", f.DeploymentEnd("deployments/2"))
    fire("filter-monitor", f.SafeguardSuspend(FILTER))
    world.enact(f.HoldLift("holds/2"))
    world.must("auditor", c.AttemptRefused("interlock.v1.HoldService/PlaceHold", bytes(32), ("RIGHT_MISSING",)))
    return world, replayed_states(world)


def replayed_states(world: World) -> list[State]:
    """Return the state after each entry of a world."""
    founding = world.entries[0].command
    assert isinstance(founding, c.Genesis)
    pack = world.objects[codec.decode_genesis(founding.document).policy.digest]
    again = World(load_pack(codec.decode_pack(pack)), world.cast)
    return [_step(again, entry) for entry in world.entries]


def _step(world: World, entry: Entry) -> State:
    done = world.attempt(entry.actor, entry.command, envelopes=entry.facts.envelopes, instant=entry.facts.instant)
    assert isinstance(done, Accepted), done
    return done.state
