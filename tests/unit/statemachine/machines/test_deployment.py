"""The deployment machine: recorded either way, with the gate's own verdict; ended once; compliance derived."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine import verdicts
from interlock.statemachine.compliance import Compliance, live_deployments
from interlock.statemachine.decide import Accepted, decide
from interlock.statemachine.replay import Replay
from interlock.statemachine.rules import current
from interlock.statemachine.snapshot import rebuild
from interlock.statemachine.unmet import Code, RefusalKind, Refused
from tests.support.world import DAY_US, MINIMAL_CAST, SKETCH, Member, World, actor, codes
from tests.unit.statemachine.steps import MODEL, NOW, outcome, with_model

OWN, FOREIGN = "01" * 32, "02" * 32
RECORD: Final = f.DeploymentRecord(MODEL, "api", OWN, "cluster-a/eu-west")
MORE: Final = (
    Member("deployer", (("requester", "*"), ("release-tool", "*"))),
    Member("bot-of-m", (("release-tool", "m"),), kind="service"),
    Member("bot-of-n", (("release-tool", "n"),), kind="service"),
)


@pytest.fixture(scope="module")
def opened() -> World:
    """Give a world whose gate allows models/m with its own artifact."""
    world = World.found({"policy.yaml": SKETCH.read_bytes()}, (*MINIMAL_CAST, *MORE))
    world.must("evaluator", c.Fire(f.ModelRegister(MODEL, (OWN,))))
    report = world.upload("evaluator", "evaluation_results")
    rule_out = f.DeterminationRuleOut(f"{MODEL}/determinations/misuse")
    world.enact(rule_out, f.LevelAssign(f"{MODEL}/levels/deployment", "basic"), evidence=[report])
    return world


@pytest.fixture
def world(opened: World) -> World:
    """Give a world of one's own."""
    return opened.fork()


def deployed(world: World, firing: f.DeploymentRecord = RECORD) -> r.Deployment:
    """Record a deployment and return it."""
    entry = world.must("release-bot", c.Fire(firing))
    return world.state.need(entry.transitions[0].resource, r.Deployment)


def denied(world: World, instant: int = 0) -> set[str]:
    """Return the deployments that are out of compliance."""
    gate = Compliance(world.policy, world.state, instant or max(world.now, world.state.time))
    return {deployment.name for deployment in live_deployments(world.state) if gate.denied(deployment)}


def decision(world: World, artifact: str = OWN) -> str:
    """Record a decision on the release and return its name."""
    made = verdicts.judge(world.policy, world.state, MODEL, "api", artifact, max(world.now, world.state.time + 1))
    entry = world.must("release-bot", verdicts.command_for(made))
    return entry.transitions[0].resource


def test_a_record_holds_what_was_told_and_who_told_it(world: World) -> None:
    """Model, context, artifact, place, decision, recorder and moment are kept; names are numbered from one."""
    relied = decision(world)

    deployment = deployed(world, replace(RECORD, decision=relied))

    assert deployment == r.Deployment(
        "deployments/1", MODEL, "api", OWN, "cluster-a/eu-west", relied,
        allowed=True, recorded_at=world.state.time, recorder="principals/release-bot",
    )  # fmt: skip
    assert deployed(world).name == "deployments/2"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda world: world.fire("owner-a", f.HoldPlace(MODEL)),
        lambda world: world.fire("owner-a", f.ModelRetire(MODEL)),
        lambda world: world.fire("evaluator", f.DeterminationReport(f"{MODEL}/determinations/misuse", "reached")),
    ],
    ids=["held", "retired", "reported"],
)
def test_what_the_gate_denies_is_recorded_all_the_same(world: World, spoil: object) -> None:
    """A DENY refuses no record: it stands in it, and the deployment is out of compliance from the start."""
    assert callable(spoil)
    spoil(world)

    deployment = deployed(world)

    assert (deployment.allowed, deployment.state) == (False, "live")
    assert denied(world) == {deployment.name}


def test_an_artifact_that_is_not_the_models_is_recorded_as_denied(world: World) -> None:
    """Weights that nobody knows run somewhere: that is what a record is for."""
    assert not deployed(world, replace(RECORD, artifact=FOREIGN)).allowed


@pytest.mark.parametrize(
    ("change", "kind", "expected"),
    [
        ({"model": "models/never"}, RefusalKind.NOT_FOUND, [Code.MODEL_UNKNOWN]),
        ({"context": "nowhere"}, RefusalKind.NOT_FOUND, [Code.CONTEXT_UNKNOWN]),
        ({"decision": "decisions/9"}, RefusalKind.NOT_FOUND, [Code.NOT_FOUND]),
        (
            {"model": "models/never", "context": "nowhere", "decision": "decisions/9"},
            RefusalKind.NOT_FOUND,
            [Code.CONTEXT_UNKNOWN, Code.MODEL_UNKNOWN, Code.NOT_FOUND],
        ),
        ({"location": ""}, RefusalKind.INVALID, [Code.MALFORMED]),
        ({"location": "rack of Mallory Smith"}, RefusalKind.INVALID, [Code.MALFORMED]),
        ({"artifact": "01"}, RefusalKind.INVALID, [Code.MALFORMED]),
    ],
)
def test_what_does_not_exist_is_refused(
    change: dict[str, str], kind: RefusalKind, expected: list[Code], world: World
) -> None:
    """A model never registered, a context or a decision that is none, a place that is no id: all named at once."""
    refused = world.fire("release-bot", replace(RECORD, **change))

    assert isinstance(refused, Refused)
    assert (refused.kind, codes(refused)) == (kind, expected)


def test_a_context_that_asks_for_an_artifact_gets_one() -> None:
    """Without the digest nobody could say later what runs there."""
    pack = SKETCH.read_bytes().replace(b"contexts: [", b"contexts: [{id: vault, artifact: required, unguarded: true}, ")
    world = World.found({"policy.yaml": pack})
    world.must("evaluator", c.Fire(f.ModelRegister(MODEL, (OWN,))))

    assert codes(world.fire("release-bot", replace(RECORD, context="vault", artifact=""))) == [Code.ARTIFACT_REQUIRED]
    assert codes(world.fire("release-bot", replace(RECORD, context="vault"))) == []


@pytest.mark.parametrize("other", [{"artifact": ""}, {"context": "internal"}, {"artifact": FOREIGN}])
def test_a_decision_about_another_release_is_refused(other: dict[str, str], world: World) -> None:
    """What is relied on has to be about this very model, context and artifact."""
    relied = decision(world)

    refused = world.fire("release-bot", replace(RECORD, decision=relied, **other))

    assert codes(refused) == [Code.DECISION_OF_ANOTHER]


def test_a_decision_that_has_ended_or_denied_is_recorded(world: World) -> None:
    """Relying on an expired or a failed decision is a fact like any other."""
    relied = decision(world)
    world.now += DAY_US
    failed = decision(world, FOREIGN)

    assert deployed(world, replace(RECORD, decision=relied)).decision == relied
    assert deployed(world, replace(RECORD, artifact=FOREIGN, decision=failed)).decision == failed


def test_a_deployment_ends_once(world: World) -> None:
    """A live one ends, with who and when; an ended one has no edge; one that never was is not found."""
    name = deployed(world).name

    world.must("release-bot", c.Fire(f.DeploymentEnd(name)))

    ended = world.state.need(name, r.Deployment)
    assert (ended.state, ended.ended_at, ended.ender) == ("ended", world.state.time, "principals/release-bot")
    assert codes(world.fire("release-bot", f.DeploymentEnd(name))) == [Code.NO_SUCH_EDGE]
    assert codes(world.fire("release-bot", f.DeploymentEnd("deployments/9"))) == [Code.NOT_FOUND]


def test_only_live_ones_are_out_of_compliance(world: World) -> None:
    """A hold puts every live deployment of its model out of compliance; ended ones and other models' stay out of it."""
    first, second = deployed(world).name, deployed(world).name
    world.must("release-bot", c.Fire(f.DeploymentEnd(first)))
    assert denied(world) == set()

    world.fire("owner-a", f.HoldPlace(MODEL))

    assert denied(world) == {second}
    assert list(live_deployments(world.state, "models/other")) == []


def test_time_alone_puts_a_deployment_out_of_compliance(world: World) -> None:
    """What is allowed is so until exactly its valid_until: then the determination has lapsed."""
    deployment = deployed(world)

    gate = Compliance(world.policy, world.state, world.now)
    assert gate.denied(deployment) is None
    end = gate.valid_until
    assert end is not None
    assert denied(world, end - 1) == set()
    assert denied(world, end) == {deployment.name}


def test_a_record_without_serving_conditions_is_refused(world: World) -> None:
    """An entry that holds a verdict says what it was served under; ending a deployment holds none."""
    deployed(world)

    for firing, serving in ((RECORD, ()), (f.DeploymentEnd("deployments/1"), verdicts.SERVING)):
        facts = c.Facts(world.now + 1, (), serving)
        decided = decide(current(), world.policy, world.state, c.Fire(firing), facts, actor("release-bot"))
        assert codes(decided) == [Code.SERVING]


def test_a_grants_scope_is_over_the_deployments_model(world: World) -> None:
    """Whoever may not deploy a model may neither record nor end a deployment of it."""
    deployed(world)

    for who in ("owner-a", "bot-of-n"):
        assert codes(world.fire(who, RECORD)) == [Code.RIGHT_MISSING]
        assert codes(world.fire(who, f.DeploymentEnd("deployments/1"))) == [Code.RIGHT_MISSING]
    assert codes(world.fire("bot-of-m", f.DeploymentEnd("deployments/1"))) == []


def test_a_record_rides_in_a_change_and_is_judged_after_what_stands_before_it(world: World) -> None:
    """The change that lifts the hold records an ALLOW; each of its sign-offs says what a verdict was served under."""
    world.fire("owner-a", f.HoldPlace(MODEL))

    world.enact(f.HoldLift("holds/1"), RECORD, by="deployer")

    assert world.state.need("deployments/1", r.Deployment).allowed
    assert [entry.facts.serving for entry in world.entries[-2:]] == [verdicts.SERVING] * 2


def test_only_who_may_deploy_proposes_a_record(world: World) -> None:
    """In a change as well the record takes its own right."""
    content = world.content(f.LevelRaise(f"{MODEL}/levels/deployment", "guarded"), RECORD)

    assert codes(world.attempt("evaluator", c.ProposeChange(content))) == [Code.RIGHT_MISSING]


def test_replay_and_rebuild_give_the_same_deployments(world: World) -> None:
    """The verdict at record is found again from nothing, and the fold can be made again from its resources."""
    deployed(world)
    world.must("release-bot", c.Fire(f.DeploymentEnd(deployed(world).name)))

    replay = Replay(world.resolve)
    for data in world.encoded():
        assert isinstance(replay.feed(data), Accepted)
    state = world.state
    rows = [(name, state.position(name), item) for name, item in state.items.items()]

    assert replay.state == state
    assert rebuild(rows, size=state.size, time=state.time).live == state.live


@pytest.mark.parametrize("state", ["live", "ended"])
def test_no_other_edge(state: str, world: World) -> None:
    """Only a live deployment ends."""
    known = r.Deployment("deployments/1", MODEL, "api", "", "x", "", allowed=True, state=state)

    ending = outcome(world, with_model(world, known), f.DeploymentEnd("deployments/1"), NOW)

    assert ending == ("ended" if state == "live" else Code.NO_SUCH_EDGE)
