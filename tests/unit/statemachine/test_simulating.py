"""Adopting, tried before anyone signs: what flips, why, what carries over, and who could sign afterwards."""

from __future__ import annotations

from interlock.statemachine import firings as f
from interlock.statemachine.policy import load_pack
from interlock.statemachine.simulating import simulate
from interlock.statemachine.unmet import Code
from tests.support.versions import version
from tests.support.world import World
from tests.unit.statemachine.machines.test_policy_version import FILTER, MODEL, new_threshold, released


def test_a_flip_to_deny_says_what_is_missing() -> None:
    """And nothing was written: the same world goes on."""
    world = released()
    before = world.state

    found = simulate(world.policy, load_pack(new_threshold()), world.state, world.now)

    assert [(row.model, row.context, row.allowed) for row in found.turned] == [
        (MODEL, "internal", False),
        (MODEL, "api", False),
    ]
    assert [unmet.code for unmet in found.turned[0].reasons] == [Code.DETERMINATION_MISSING]
    assert (found.releases, world.state is before) == (2, True)


def test_a_flip_to_allow_says_what_is_no_longer_asked_for_and_stands_first() -> None:
    """What was unmet is what the release would go out without."""
    world = released()
    world.fire("filter-monitor", f.SafeguardDegrade(FILTER))
    easier = version(
        ("attested_for: 180d", "attested_for: 180d\n    only: true"),
        ("guards: [api] ", "guards: [internal] "),
        ("{id: internal, unguarded: true}, api", "internal, {id: api, unguarded: true}"),
    )

    first, second = simulate(world.policy, load_pack(easier), world.state, world.now).turned

    assert (first.context, first.allowed, [unmet.resource for unmet in first.reasons]) == ("api", True, [FILTER])
    assert (second.context, second.allowed) == ("internal", False)


def test_it_tells_just_what_adopting_does() -> None:
    """The simulated flips are those that the next checks see."""
    world = released()
    found = simulate(world.policy, load_pack(new_threshold()), world.state, world.now)

    world.adopt(new_threshold())

    for row in found.turned:
        assert world.verdict(row.model, row.context, row.artifact).allowed is row.allowed


def test_both_ways_to_ask_count_where_one_version_wants_the_artifact() -> None:
    """A model without an artifact can't go out any more, and nobody could ask with one."""
    world = released()
    strict = load_pack(version(("true}, api]", "true}, {id: api, artifact: required}]")))

    found = simulate(world.policy, strict, world.state, world.now)

    assert [(row.context, row.artifact, row.allowed) for row in found.turned] == [("api", "", False)]


def test_rules_that_nobody_could_meet_are_named() -> None:
    """A version may ask for people that there are none of: then nothing could ever be loosened again."""
    world = World.found()
    roles = "reviewer:  {approves: true}\n  board: {approves: true, affiliation: external}"
    rule = (
        "  - {triggers: [policy.adopt], sign_offs: [{role: owner}, {role: board}], source: {document: D, section: s}}\n"
    )
    outside = version(("reviewer:  {approves: true}", roles), ("default:", f"{rule}default:"))

    found = simulate(world.policy, load_pack(outside), world.state, world.now)

    assert [(row.triggers, row.roles) for row in found.unfillable] == [(("policy.adopt",), ("board",))]
    assert simulate(world.policy, load_pack(new_threshold()), world.state, world.now).unfillable == ()
