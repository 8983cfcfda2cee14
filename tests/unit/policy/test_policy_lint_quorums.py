"""Quorums compared by the people who could meet them, and the ways round a rule that a lint finds."""

from __future__ import annotations

from itertools import combinations as subsets
from itertools import combinations_with_replacement as subsets_with_repeats
from itertools import permutations
from itertools import product as combinations
from typing import TYPE_CHECKING

import pytest

from interlock.statemachine.machines import tables
from interlock.statemachine.policy import Code, load_pack, shipped_pack_names
from interlock.statemachine.policy.lint import lint_pack
from interlock.statemachine.policy.lint.detours import detours
from interlock.statemachine.policy.lint.doors import effective_quorums
from interlock.statemachine.policy.lint.machines import Key, base, ruled_keys
from interlock.statemachine.policy.lint.people import implies
from interlock.statemachine.triggers import Direction, direction_of
from tests.unit.policy.packs import SKETCH, WIDE, files, shipped

if TYPE_CHECKING:
    from interlock.statemachine.policy.model import Rule

OWNER = "{role: owner, distinct_from: [requester]}"
REVIEWER = "{role: reviewer, distinct_from: [requester]}"
REFEREE = "{role: referee, distinct_from: [requester]}"
"""Slots to make rules of."""

ROLE_SETS = [frozenset(some) for count in range(4) for some in subsets(("owner", "reviewer", "referee"), count)]
GROUPS = [group for count in (2, 3, 4) for group in subsets_with_repeats(ROLE_SETS, count)]


def rules_of(*asked: list[str]) -> list[Rule]:
    """Compile a rule for each list of slots: the sketch with a third role and these rules for holds and the like."""
    names = ["hold.lift", "model.add_artifact", "obligation.waive", "incident.close"]
    text = SKETCH.replace("  reviewer:  {approves: true}", "  reviewer:  {approves: true}\n  referee: {approves: true}")
    more = "".join(
        f"  - triggers: [{name}]\n    sign_offs: [{', '.join(slots)}]\n    source: {{document: D, section: s}}\n"
        for name, slots in zip(names, asked, strict=False)
    )
    policy = load_pack(files(text.replace("rules:  ", f"rules:\n{more}  #", 1)))
    return [policy.rules[name] for name, _ in zip(names, asked, strict=False)]


def side_doors(text: str) -> list[tuple[int, tuple[str, ...]]]:
    """Lint a pack and return line and calls of each side door."""
    return [(f.line, f.calls) for f in lint_pack(files(text)).findings if f.code is Code.SIDE_DOOR]


@pytest.mark.parametrize(
    ("have", "want", "expected"),
    [
        ([OWNER, REVIEWER], [OWNER, REVIEWER], True),
        ([OWNER, REVIEWER, REFEREE], [OWNER, REVIEWER], True),
        ([OWNER, REVIEWER], [OWNER, OWNER], False),
        ([OWNER, OWNER], [OWNER, "{role: owner}"], True),
        ([OWNER, "{role: owner}"], [OWNER, OWNER], False),
        ([OWNER, "{role: reviewer, affiliation: external}"], [OWNER, REVIEWER], False),
        ([OWNER, "{role: reviewer, affiliation: external, distinct_from: [requester]}"], [OWNER, REVIEWER], True),
        ([OWNER, REVIEWER], [OWNER, "{role: reviewer, affiliation: external}"], False),
        ([OWNER, "{role: reviewer, assurance: login, distinct_from: [requester]}"], [OWNER, REVIEWER], False),
        ([OWNER, REVIEWER], [OWNER, "{role: reviewer, distinct_from: [requester, evidence_author]}"], True),
    ],
)
def test_a_rule_implies_another_when_its_people_could_meet_it(
    have: list[str], want: list[str], *, expected: bool
) -> None:
    """Slot by slot: role, affiliation, assurance and the requester count; what was done for one change does not."""
    first, second = rules_of(have, want)

    assert implies((first,), second) is expected


def test_two_rules_together_can_imply_what_neither_does() -> None:
    """Two owners and two reviewers are an owner and a reviewer, whether four people or two with both roles."""
    owners, reviewers, mixed, three = rules_of(
        [OWNER, OWNER], [REVIEWER, REVIEWER], [OWNER, REVIEWER], [OWNER, OWNER, REVIEWER]
    )

    assert not implies((owners,), mixed)
    assert implies((owners, reviewers), mixed)
    assert not implies((owners, reviewers), three)  # two people with both roles are too few


def test_implies_is_what_trying_every_group_says() -> None:
    """Against all groups of up to four people with any of three roles, each way to fill the slots tried in turn."""
    lists = [
        some
        for count in (2, 3)
        for some in combinations((OWNER, REVIEWER, REFEREE), repeat=count)
        if list(some) == sorted(some)
    ]
    rules = {some: rules_of(list(some))[0] for some in lists}
    met = {some: {at for at, group in enumerate(GROUPS) if _meets(group, rule)} for some, rule in rules.items()}

    for first, second, wanted in combinations(lists, repeat=3):
        said = implies((rules[first], rules[second]), rules[wanted])
        tried = met[first] & met[second] <= met[wanted]
        if len(first) + len(second) <= 4:
            assert said is tried
        else:  # groups of four are too small to show every difference
            assert tried or not said


def _meets(group: tuple[frozenset[str], ...], rule: Rule) -> bool:
    return any(
        all(slot.role in roles for slot, roles in zip(rule.slots, chosen, strict=True))
        for chosen in permutations(group, len(rule.slots))
    )


# Ways round ----------------------------------------------------------------------------------------------------------


def test_only_raise_leads_up_only_lower_down_only_assign_out() -> None:
    """The level machine has no way round, for any number of levels: what ``detours`` leaves out."""
    table = tables.level_table(load_pack(files(WIDE)))
    order = ["unassigned", "low", "middle", "high"]

    for (source, trigger), target in table.edges.items():
        before, after = (order.index(state.partition("(")[2].rstrip(")") or state) for state in (source, target))
        expected = "assign" if before == 0 else "raise" if after > before else "lower" if after < before else "confirm"
        assert base(trigger) == f"level.{expected}"


@pytest.mark.parametrize(
    ("trigger", "ways"),
    [
        ("determination.rule_out", [{"determination.confirm"}]),
        ("determination.confirm", [{"determination.rule_out"}]),
        ("safeguard.activate", []),
        ("safeguard.reattest", [{"safeguard.activate"}]),
        ("safeguard.restore", [{"safeguard.activate"}]),
        ("safeguard.resume", [{"safeguard.activate"}]),
        ("hold.lift", []),
        ("level.raise", []),
    ],
)
def test_the_ways_round_each_trigger(trigger: str, ways: list[set[str]]) -> None:
    """What else leads to the same state, by the loosening triggers that it takes."""
    loosening = frozenset(key.trigger for key in ruled_keys(load_pack(files(SKETCH))))

    assert [set(detour.path) & loosening for detour in detours(trigger, loosening)] == ways


def test_every_way_is_one_that_the_machine_can_go() -> None:
    """Each way's triggers, fired in order from the start, are edges of one table, with time in between."""
    loosening = frozenset(key.trigger for key in ruled_keys(load_pack(files(SKETCH))))
    for trigger in loosening:
        for before, path in detours(trigger, loosening):
            table = tables.SAFEGUARD if path[-1].startswith("safeguard") else tables.DETERMINATION
            reached = {table.states[0]}
            for step in (*before, *path):
                reached = {
                    target for (state, name), target in table.edges.items() if base(name) == step and state in reached
                } or {f"{old}/lapsed" for old in tables.CONCLUSIONS if step == "time passes"}
                assert reached


@pytest.mark.parametrize("pack", shipped_pack_names())
def test_no_shipped_pack_has_an_easier_way_than_its_rules(pack: str) -> None:
    """The effective quorum of every trigger is its own rule."""
    for quorum in effective_quorums(load_pack(shipped(pack))):
        assert all(implies(route.rules, quorum.rule) for route in quorum.routes)


def test_a_weak_rule_for_roles_is_a_door_to_all_the_others() -> None:
    """Two owners give roles; every rule that asks for a reviewer is open to them."""
    weak = SKETCH.replace(
        "default: ",
        "  - triggers: [grant.give, credential.register, credential.bind, issuer.trust,\n"
        "               principal.create, principal.restore, principal.unlink, recovery.suspend,\n"
        "               recovery.revoke, log.rotate_key, policy.adopt, rules.adopt]\n"
        f"    sign_offs: [{OWNER}, {OWNER}]\n    source: {{document: D, section: s}}\ndefault: ",
    )

    ((line, calls),) = side_doors(weak)

    assert "policy.adopt, rules.adopt]" in weak.split("\n")[line - 1]
    assert calls[-1].endswith("applied without reviewer")


def test_adoption_is_a_door_even_to_the_rule_for_grants() -> None:
    """Whoever can adopt any policy can do anything: the effective quorum of grant.give is that of policy.adopt."""
    weak = SKETCH.replace(
        "default: ",
        f"  - triggers: [policy.adopt, rules.adopt]\n    sign_offs: [{OWNER}, {OWNER}]\n"
        "    source: {document: D, section: s}\ndefault: ",
    )

    grant = next(q for q in effective_quorums(load_pack(files(weak))) if q.key == Key("grant.give"))

    assert any([rule.id for rule in route.rules] == ["rules/2"] for route in grant.routes)
    assert any("policy.adopt" in weak.split("\n")[line - 1] for line, _ in side_doors(weak))


def test_confirming_cheaply_is_a_way_round_ruling_out() -> None:
    """One evaluator reports ``ruled_out``; whoever may confirm that has ruled it out."""
    cheap = SKETCH.replace(
        "  - triggers: [determination.rule_out, determination.confirm]",
        f"  - triggers: [determination.confirm]\n    sign_offs: [{OWNER}, {OWNER}]\n"
        "    source: {document: D, section: s}\n  - triggers: [determination.rule_out]",
    )

    doors = side_doors(cheap)

    assert any(calls[0].startswith("determination.report") for _, calls in doors)


def test_every_loosening_trigger_has_a_quorum() -> None:
    """None is left out, under narrowed rules neither."""
    for text in (SKETCH, WIDE):
        named = {quorum.key.trigger for quorum in effective_quorums(load_pack(files(text)))}
        assert named >= {name for name in named if direction_of(name) is Direction.LOOSENS}
        assert {key.trigger for key in ruled_keys(load_pack(files(text)))} == named
