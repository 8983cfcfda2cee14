"""The requirement tree: the verdict's own leaves, and where each comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.tree import RULES, Node, grow_tree, unmet_leaves
from interlock.statemachine.unmet import Code
from tests.unit.statemachine.steps import MODEL, NOW, with_model
from tests.unit.statemachine.test_explain import CLASSIFIER, END, FILTER, ONE, ONE_BY_ONE, ask, released

if TYPE_CHECKING:
    from interlock.statemachine.state import State
    from tests.support.world import World

MISUSE = f"{MODEL}/determinations/misuse"


def grow(world: World, state: State, context: str = "api", model: str = MODEL) -> Node:
    """Return the tree of a release with the model's artifact."""
    return grow_tree(world.policy, state, model, context, ONE, NOW)


def leaf(node: Node, resource: str) -> Node:
    """Return the first leaf about a resource."""
    return next(found for rule in node.children for found in rule.children if found.resource == resource)


def test_the_eight_rules_under_one_root(wide_world: World) -> None:
    """The root is rule 0, its children are the rules of the design by number; all are met where the gate allows."""
    tree = grow(wide_world, released(wide_world))

    assert (tree.rule, tree.met) == (0, True)
    assert [(node.rule, node.met) for node in tree.children] == [(number, True) for number in RULES]


@pytest.mark.parametrize("other", [other for other, _ in ONE_BY_ONE])
def test_the_unmet_leaves_are_the_reasons(other: r.Resource, wide_world: World) -> None:
    """Whatever is wrong: code, words and resource of the unmet leaves are those of the reasons, in their order."""
    state = released(wide_world, other)
    verdict, tree = ask(wide_world, state), grow(wide_world, state)

    for blocking, told in ((True, verdict.reasons), (False, verdict.advisories)):
        found = [(n.rule, n.code, n.requirement, n.actual, n.resource) for n in unmet_leaves(tree, blocking=blocking)]
        assert found == [(u.rule, u.code.value, u.requirement, u.actual, u.resource) for u in told]
    assert tree.met is verdict.allowed
    assert tree.until == verdict.valid_until


def test_a_group_ends_with_the_first_of_its_parts(wide_world: World) -> None:
    """A rule is met until the first of its blocking leaves no longer is; a recommendation's end is only its own."""
    tree = grow(wide_world, released(wide_world, r.Safeguard(CLASSIFIER, "active", attested_until=END - 20)))

    assert tree.children[5].until == tree.until == END - 20
    assert leaf(tree, f"{MODEL}/safeguards/tips").until is None


@pytest.mark.parametrize(("context", "model"), [("nowhere", MODEL), ("api", "models/nobody")])
def test_what_can_not_be_judged_is_not_met(context: str, model: str, wide_world: World) -> None:
    """Of an unknown context or model rules 4 to 6 are not met, and no reason of their own."""
    tree = grow(wide_world, released(wide_world), context, model)

    assert not tree.met
    assert [node.rule for node in tree.children if not node.met and not node.children] == [4, 5, 6]
    assert len(unmet_leaves(tree)) == 1


def test_entries_documents_and_signers_of_a_fact(world: World) -> None:
    """A leaf names the entry of the applied change, what that rests on, and those who filled its slots."""
    world.fire("evaluator", f.ModelRegister(MODEL, (ONE,)))
    report, change_report = (
        world.upload("evaluator", "evaluation_results"),
        world.upload("engineer", "evaluation_results"),
    )
    world.must("evaluator", c.Fire(f.DeterminationReport(MISUSE, "cannot_rule_out", "", (report,))))
    enacted = world.enact(f.DeterminationConfirm(MISUSE), evidence=[change_report])

    found = leaf(grow(world, world.state), MISUSE)

    assert found.entries == (world.state.need(enacted, r.Change).applied_position,)
    assert found.evidence == (report, change_report)
    assert found.signers == ("principals/owner-a", "principals/reviewer-a")
    assert found.until == world.state.determination(MODEL, "misuse").lapses_at


def test_only_those_who_signed_for_this_resource(world: World) -> None:
    """What one person did alone has its entry and no signer."""
    world.fire("evaluator", f.ModelRegister(MODEL, (ONE,)))
    world.must("owner-a", c.Fire(f.HoldPlace(MODEL, b"r" * 32)))

    found = leaf(grow(world, world.state), "holds/1")

    assert (found.code, found.entries, found.signers) == (Code.HOLD_PLACED, (world.state.position("holds/1"),), ())


def test_a_lower_level_is_read_with_what_was_ruled_out(world: World) -> None:
    """What a level has to be follows from determinations: their entries and signers stand by the level's own."""
    world.fire("evaluator", f.ModelRegister(MODEL, (ONE,)))
    document = world.upload("engineer", "evaluation_results")
    ruled_out = world.enact(f.DeterminationRuleOut(MISUSE), evidence=[document])
    assigned = world.enact(f.LevelAssign(f"{MODEL}/levels/deployment", "basic"), evidence=[document])

    found = leaf(grow(world, world.state), f"{MODEL}/levels/deployment")

    assert found.entries == tuple(world.state.need(name, r.Change).applied_position for name in (ruled_out, assigned))


def test_an_attestation_is_a_leaf_of_its_own(wide_world: World) -> None:
    """A degraded safeguard whose attestation lasts is unmet in one way and met in the other."""
    tree = grow(wide_world, released(wide_world, r.Safeguard(FILTER, "degraded", attested_until=END)))

    found = [(node.met, node.until) for node in tree.children[5].children if node.resource == FILTER]

    assert found == [(False, None), (True, END)]


def test_no_rule_is_met_without_a_word(world: World) -> None:
    """Regression: a rule that finds nothing to ask for stood there met and empty."""
    tree = grow(world, with_model(world))

    silent = [node.rule for node in tree.children if not node.children and not node.actual]

    assert silent == []
