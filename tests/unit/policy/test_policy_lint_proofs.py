"""What a lint proves of machines and verdicts, and that the proofs fail where they should: on policies made by hand."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from interlock.statemachine.machines import tables
from interlock.statemachine.policy import Code, Policy, load_pack, shipped_pack_names
from interlock.statemachine.policy.lint import components as parts
from interlock.statemachine.policy.lint import lint_pack
from interlock.statemachine.policy.lint.machines import base, check_machines
from interlock.statemachine.policy.lint.product import Judge, check_product, products
from interlock.statemachine.triggers import DIRECTIONS
from tests.unit.policy.packs import SKETCH, WIDE, files, shipped


def sketch() -> Policy:
    """The sketch, loaded."""
    return load_pack(files(SKETCH))


@pytest.mark.parametrize("pack", shipped_pack_names())
def test_every_shipped_pack_is_proven_clean(pack: str) -> None:
    """No error and no warning, and every trigger has a quorum."""
    linted = lint_pack(shipped(pack))

    assert linted.clean
    assert linted.quorums


def test_the_sketch_is_proven_on_the_product_of_its_real_tables() -> None:
    """Small enough: no state of a determination or of a safeguard is merged, and model and holds are read."""
    policy = sketch()
    (api,) = products(policy, policy.contexts[1])

    assert api.rest
    assert set(api.graphs[0].states) == {*tables.DETERMINATION.states}
    assert {state[0] for state in api.graphs[1].states if isinstance(state, tuple)} == {*tables.SAFEGUARD.states}


@pytest.mark.parametrize(
    "text", [SKETCH, WIDE, *(shipped(name)["policy.yaml"].decode() for name in shipped_pack_names())]
)
def test_every_context_is_proven_and_can_be_released_to(text: str) -> None:
    """In every context some state allows, and some denies."""
    policy = load_pack(files(text))

    for context in policy.contexts:
        for item in products(policy, context):
            assert set(Judge.of(item).verdicts()) == {0, 1}


def test_every_trigger_of_the_machines_is_a_step_of_a_component() -> None:
    """What the tables can fire, the graphs can: none was forgotten when states were merged."""
    graphs = (
        parts.determination("d", whole=True), parts.safeguard("s", whole=True), parts.level(sketch(), "deployment"),
    )  # fmt: skip
    named = {trigger for graph in graphs for _, trigger, _ in graph.edges}
    real = [tables.DETERMINATION, tables.SAFEGUARD, tables.level_table(sketch())]
    neutral_for_levels = {"level.confirm"}  # which level is assigned stays

    assert named >= {base(name) for table in real for _, name in table.edges} - neutral_for_levels


def test_a_report_that_takes_a_safeguard_off_the_list_is_found() -> None:
    """One person's report would loosen: the loader refuses such a pack, and the proof finds it by itself."""
    policy = load_pack(files(WIDE))
    weakened = replace(
        policy.safeguards["guard-high"], for_thresholds=("runaway",), replaces=("guard",), level="middle"
    )
    unsafe = replace(
        policy, safeguards=MappingProxyType({**policy.safeguards, "guard-high": replace(weakened, level_index=1)})
    )

    found = list(check_product(unsafe))

    assert {claim.code for claim in found} == {Code.INVARIANT_BROKEN}
    assert any(claim.calls[-1].startswith("determination.report") for claim in found)
    assert all(claim.calls[-1].endswith("→ ALLOW") for claim in found)


def test_a_pack_under_which_nothing_can_be_released_is_found() -> None:
    """A baseline that no model can have."""
    policy = load_pack(files(WIDE))
    standards = {key: replace(one, baseline="top") for key, one in policy.standards.items()}

    found = list(check_product(replace(policy, standards=MappingProxyType(standards))))

    assert any("Nothing can ever be released" in claim.message for claim in found)


def test_a_pack_that_is_too_wide_is_said_to_be_unproven() -> None:
    """Never clean by running out of patience."""
    policy = load_pack(files(SKETCH))
    misuse, filter_ = policy.thresholds["misuse"], policy.safeguards["input-filter"]
    many = {f"t{n}": replace(misuse, id=f"t{n}") for n in range(12)}
    guards = {f"s{n}": replace(filter_, id=f"s{n}", for_thresholds=(f"t{n}",)) for n in range(12)}
    contexts = tuple(replace(context, thresholds=tuple(many)) for context in policy.contexts)

    wide = replace(policy, thresholds=MappingProxyType(many), safeguards=MappingProxyType(guards), contexts=contexts)

    assert Code.NOT_PROVEN in {claim.code for claim in check_product(wide)}


def test_an_edge_that_one_person_could_loosen_is_found() -> None:
    """Two people at least, by the rule that would govern it."""
    policy = sketch()
    alone = replace(policy.default_rule, slots=policy.default_rule.slots[:1])

    found = list(check_machines(replace(policy, rules=MappingProxyType({**policy.rules, "hold.lift": alone}))))

    assert [claim.code for claim in found] == [Code.EDGE_TOO_EASY]
    assert "hold.lift" in found[0].calls[1]


def test_a_tightening_edge_that_waits_is_found() -> None:
    """No rule may govern one."""
    policy = sketch()

    slowed = replace(policy, rules=MappingProxyType({**policy.rules, "hold.place": policy.default_rule}))

    assert [claim.code for claim in check_machines(slowed)] == [Code.EDGE_SLOWED]


@pytest.mark.parametrize("right", [t.value for t, way in DIRECTIONS.items() if way.value != "loosens"])
def test_an_edge_that_nobody_may_fire_is_found(right: str) -> None:
    """For each thing that one person does."""
    policy = sketch()
    roles = {key: replace(role, rights=role.rights - {right}) for key, role in policy.roles.items()}

    found = list(check_machines(replace(policy, roles=MappingProxyType(roles))))

    assert [claim.code for claim in found] == [Code.NO_ONE_MAY_FIRE]


def test_a_rule_that_asks_for_a_role_that_signs_nothing_is_found() -> None:
    """Distinct people can fill all slots only if each slot can be filled."""
    policy = sketch()
    roles = {**policy.roles, "reviewer": replace(policy.roles["reviewer"], approves=False)}

    found = list(check_machines(replace(policy, roles=MappingProxyType(roles))))

    assert {claim.code for claim in found} == {Code.NO_ONE_MAY_FIRE}


def test_a_policy_under_which_nobody_can_stop_a_release_is_found() -> None:
    """Invariant 6."""
    policy = sketch()
    roles = {
        key: replace(role, rights=role.rights - {"hold.place", "hold.everything"}) for key, role in policy.roles.items()
    }

    found = list(check_product(replace(policy, roles=MappingProxyType(roles))))

    assert Code.NO_ONE_CAN_STOP in {claim.code for claim in found}
