"""Everything that can happen to one model under the ``minimal`` pack, state by state, against the naive oracle."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine import rules
from interlock.statemachine.decide import Accepted, decide
from interlock.statemachine.explain import Verdict, explain
from interlock.statemachine.triggers import Direction, Trigger, can_loosen
from tests.exhaustive import slices
from tests.exhaustive.explore import MODEL, TIME, Graph, Node, ends_of
from tests.exhaustive.slices import FIRST, LATER
from tests.exhaustive.spared import sparing
from tests.support.world import actor

ARTIFACTS = ("", FIRST, LATER)
OF_IDENTITY = {
    trigger.value
    for trigger in Trigger
    if trigger.value.startswith(("principal.", "credential.", "grant.", "delegation.", "issuer."))
}
"""No verdict reads identity: their directions are derived in ``test_identity_product.py``."""
OF_CHANGES = {
    "policy.adopt", "change.ratify", "delegation.give", "delegation.end", "recovery.suspend", "recovery.revoke",
    "log.rotate_key",
}  # fmt: skip
"""What is about the policy, a change, a word given for another, who recovers, who signs heads: for other tests."""


@pytest.fixture(scope="module")
def product() -> Graph:
    """Everything that the product can reach."""
    return slices.product().explore()


@pytest.fixture(scope="module")
def growth() -> Graph:
    """Everything that training runs, later artifacts and assessments reach."""
    return slices.growth().explore()


@pytest.fixture(scope="module")
def standing_in() -> Graph:
    """Everything that a measure and the safeguard that it stands in for reach."""
    return slices.standing_in().explore()


@pytest.fixture(scope="module")
def owing() -> Graph:
    """Everything that an obligation that blocks reaches, through its first periods."""
    return slices.owing().explore()


@pytest.fixture(scope="module")
def excepting() -> Graph:
    """Everything that a use of break-glass reaches, on a hold and on a degraded safeguard, with its review."""
    return slices.excepting().explore()


@pytest.fixture(scope="module")
def open_matters() -> Graph:
    """Everything that an incident and a finding reach."""
    return slices.open_matters().explore()


EXPLORED = ("product", "growth", "standing_in", "owing", "excepting", "open_matters")


@pytest.fixture(scope="module")
def graphs(request: pytest.FixtureRequest) -> list[Graph]:
    """All of the explorations."""
    return [request.getfixturevalue(name) for name in EXPLORED]


@pytest.fixture(scope="module", params=EXPLORED)
def graph(request: pytest.FixtureRequest) -> Graph:
    """Each of the explorations."""
    explored: Graph = request.getfixturevalue(request.param)
    return explored


def _ask(graph: Graph, node: Node, context: str, artifact: str, now: int) -> Verdict:
    return explain(graph.slice.policy, node.state, MODEL, context, artifact, now)


def _contexts(graph: Graph) -> list[str]:
    return [*(context.id for context in graph.slice.policy.contexts), "nowhere"]


def test_the_product_is_explored_whole(product: Graph) -> None:
    """The product has every determination, level and safeguard state, attested or not, held or not."""
    assert len(product.nodes) > 5000
    assert {node.state.safeguard(f"{MODEL}/safeguards/input-filter").state for node in product.nodes} >= {
        "planned", "implementing", "verified", "active", "degraded", "retired",
        "suspended(verified)", "suspended(active)", "suspended(degraded)", "suspended(implementing)",
    }  # fmt: skip
    assert len({node.state.determination(MODEL, "misuse").state for node in product.nodes}) == 7
    assert len({node.state.level(MODEL, "deployment").state for node in product.nodes}) == 5


def test_every_trigger_fires_somewhere(graphs: list[Graph]) -> None:
    """The explorations leave no trigger out but those of identity, which no verdict reads, and of the policy."""
    fired = set().union(*(graph.triggers() for graph in graphs))
    assert fired == {trigger.value for trigger in Trigger} - OF_IDENTITY - OF_CHANGES


def test_explain_gives_the_oracles_reasons_in_every_state(graph: Graph) -> None:
    """In every reachable state, for every context and artifact, the gate lists exactly what the oracle says fails."""
    for node in graph.nodes:
        for context in _contexts(graph):
            for artifact in ARTIFACTS:
                verdict = _ask(graph, node, context, artifact, node.now)
                said = {(reason.rule, reason.resource) for reason in verdict.reasons}
                assert said == node.oracle.failures(MODEL, context, artifact, node.now)
                assert verdict.allowed is (not said)


def test_a_trigger_loosens_if_and_only_if_the_table_says_so(graphs: list[Graph]) -> None:
    """The triggers that turn some DENY into ALLOW at once are exactly those marked as loosening, here or somewhere."""
    loosening = {edge.trigger for graph in graphs for edge in graph.edges if graph.turned(edge, to=True)}
    marked = {trigger.value for trigger in Trigger if can_loosen(trigger.value)}
    assert loosening == marked - OF_IDENTITY - OF_CHANGES


def test_a_neutral_trigger_changes_no_verdict(graph: Graph) -> None:
    """No neutral trigger turns any answer, either way."""
    turning = [edge for edge in graph.edges if graph.turned(edge, to=True) or graph.turned(edge, to=False)]
    assert not [edge for edge in turning if edge.direction is Direction.NEUTRAL]


def test_what_turns_a_deny_is_a_step_that_loosens_there(graph: Graph) -> None:
    """A trigger whose direction depends on what it is fired on turns DENY into ALLOW only where it loosens."""
    turning = [edge for edge in graph.edges if graph.turned(edge, to=True)]
    assert {edge.direction for edge in turning} <= {Direction.LOOSENS}


@pytest.mark.parametrize("direction", [Direction.TIGHTENS, Direction.NEUTRAL])
def test_what_one_person_does_spares_no_later_deny(graph: Graph, direction: Direction) -> None:
    """Whatever single people and time do next, a run with a ↓ or = trigger is never ALLOW where one without is DENY."""
    assert sparing(graph, direction) == set()


def test_time_alone_never_loosens(graph: Graph) -> None:
    """Invariant 5: letting time pass turns no DENY into ALLOW, in no reachable state."""
    assert not any(edge.trigger == TIME and graph.turned(edge, to=True) for edge in graph.edges)


def test_valid_until_is_the_first_instant_that_denies(graph: Graph) -> None:
    """An ALLOW holds up to its valid_until, which is an end ahead of it; without one it holds for ever."""
    for node in graph.nodes:
        for context in _contexts(graph):
            verdict = _ask(graph, node, context, "", node.now)
            ahead = [end for end in ends_of(node.state) if end > node.now]
            if not verdict.allowed:
                assert verdict.valid_until is None
                continue
            last = max(ahead, default=node.now) + 1 if verdict.valid_until is None else verdict.valid_until - 1
            assert _ask(graph, node, context, "", last).allowed
            if verdict.valid_until is not None:
                assert verdict.valid_until in ahead
                assert not _ask(graph, node, context, "", verdict.valid_until).allowed


def test_stable_until_is_when_a_reason_first_changes(graph: Graph) -> None:
    """Up to stable_until the same rules fail for the same resources."""
    for node in graph.nodes:
        for context in _contexts(graph):
            verdict = _ask(graph, node, context, "", node.now)
            until = verdict.stable_until
            last = max([node.now, *ends_of(node.state)]) + 1 if until is None else until - 1
            later = _ask(graph, node, context, "", last)
            assert [(reason.code, reason.resource) for reason in later.reasons] == [
                (reason.code, reason.resource) for reason in verdict.reasons
            ]


def test_one_more_active_safeguard_never_denies(product: Graph) -> None:
    """Invariant 4: activating, restoring or resuming a safeguard turns no ALLOW into DENY."""
    more = {"safeguard.activate", "safeguard.restore", "safeguard.resume", "safeguard.reattest"}
    assert not any(edge.trigger in more and product.turned(edge, to=False) for edge in product.edges)


def test_one_safeguard_less_never_allows(product: Graph) -> None:
    """Invariant 4: degrading, suspending, retiring or replanning a safeguard turns no DENY into ALLOW."""
    less = {"safeguard.degrade", "safeguard.suspend", "safeguard.retire", "safeguard.replan"}
    assert not any(edge.trigger in less and product.turned(edge, to=True) for edge in product.edges)


def test_one_person_can_always_stop_every_release(product: Graph) -> None:
    """Invariant 6: from every reachable state, one owner's hold makes every verdict of the model DENY."""
    policy = product.slice.policy
    for node in product.nodes:
        if node.state.find(MODEL, r.Model) is None:
            continue
        facts = c.Facts(max(node.now, node.state.time + 1))
        placed = decide(rules.current(), policy, node.state, c.Fire(f.HoldPlace(MODEL)), facts, actor("owner-a"))
        assert isinstance(placed, Accepted)
        held = replace(node, state=placed.state, now=facts.instant)
        assert not any(product.slice.verdicts(held))
