"""Packs that load: the sketch, the shipped ones, and what each part of a pack compiles to."""

from __future__ import annotations

import dataclasses
import hashlib
from decimal import Decimal

import pytest

from interlock.statemachine import rights
from interlock.statemachine.policy import (
    Code,
    EvidenceNeed,
    Severity,
    Slot,
    Source,
    examine_pack,
    load_pack,
    pack_digest,
    shipped_pack_names,
)
from interlock.statemachine.triggers import DIRECTIONS, RESERVED, Direction, loosening
from tests.unit.policy.packs import PACKS, SKETCH, WIDE, files, shipped

DAY_US = 86_400_000_000


def test_the_sketch_loads_and_is_clean() -> None:
    """The fixture that sets the feel of the language has no error and no warning."""
    examined = examine_pack(files(SKETCH))

    assert examined.policy is not None
    assert examined.clean
    assert examined.policy.name == "policies/minimal/versions/1.0"


def test_the_shipped_packs_are_those_in_the_folder() -> None:
    """The list of names and the package data agree, and each folder is named by its pack's id."""
    folders = {entry.name for entry in PACKS.iterdir() if entry.is_dir()}

    assert folders == set(shipped_pack_names())
    assert all(load_pack(shipped(name)).id == name for name in folders)


@pytest.mark.parametrize("name", shipped_pack_names())
def test_a_shipped_pack_is_clean(name: str) -> None:
    """What ships loads without warnings."""
    findings = examine_pack(shipped(name)).findings

    assert [f for f in findings if f.severity is not Severity.NOTE] == []


def test_the_shipped_minimal_pack_says_what_the_sketch_says() -> None:
    """The pack that ships as minimal differs from the fixture in comments only."""
    sketch, minimal = load_pack(files(SKETCH)), load_pack(shipped("minimal"))

    assert dataclasses.replace(minimal, digest=sketch.digest) == sketch


@pytest.mark.parametrize("text", [SKETCH, WIDE, *(shipped(n)["policy.yaml"].decode() for n in shipped_pack_names())])
def test_every_loosening_trigger_has_a_rule_of_two_people_at_least(text: str) -> None:
    """There is no loosening trigger, fired today or reserved, that fewer than two people could let happen."""
    policy = load_pack(files(text))

    for trigger in loosening():
        for standard in policy.standards:
            assert len(policy.rule_for(trigger, standard).slots) >= 2
        assert policy.is_ruled(trigger)
    assert all(len(exception.rule.slots) >= 2 for exception in policy.break_glass.values())


@pytest.mark.parametrize("text", [SKETCH, WIDE, *(shipped(n)["policy.yaml"].decode() for n in shipped_pack_names())])
def test_every_trigger_that_one_person_fires_has_a_role_for_it(text: str) -> None:
    """Nothing stands in the table of triggers that nobody may fire."""
    policy = load_pack(files(text))
    held = frozenset().union(*(role.rights for role in policy.roles.values()))

    alone = {t.value for t, d in DIRECTIONS.items() if d is not Direction.LOOSENS and not policy.is_ruled(t.value)}
    assert alone <= held


def test_rules_cover_neutral_triggers_only_where_one_names_them() -> None:
    """A neutral trigger is anyone's with the right, unless a rule names it; then only for that standard."""
    policy = load_pack(files(WIDE))

    assert not policy.is_ruled("safeguard.start", "deployment")
    assert policy.is_ruled("safeguard.verify", "deployment")
    assert not policy.is_ruled("safeguard.verify", "security")
    with pytest.raises(KeyError):
        policy.rule_for("safeguard.verify", "security")


def test_a_narrowed_rule_comes_before_the_default() -> None:
    """For a trigger and a standard exactly one rule results."""
    policy = load_pack(files(WIDE))

    assert policy.rule_for("safeguard.activate", "security").id == "rules/0"
    assert policy.rule_for("safeguard.activate", "deployment").id == "rules/1"
    assert policy.rule_for("level.raise", "security") is policy.default_rule
    assert policy.rule_for("hold.lift") is policy.default_rule


def test_a_narrowed_trigger_asked_for_without_its_standard_gets_no_rule() -> None:
    """Guessing there could pick the easier rule, so it is a fault of the caller."""
    policy = load_pack(files(WIDE))

    with pytest.raises(KeyError):
        policy.rule_for("safeguard.activate")


def test_a_slot_with_a_count_becomes_that_many_slots() -> None:
    """Slots are numbered through, in the pack's order, with everything that the pack says of them."""
    slots = load_pack(files(WIDE)).rule_for("safeguard.activate", "security").slots

    assert slots == (
        Slot(0, "owner", frozenset(), "any", "signature", seen_full=False, veto=False),
        Slot(1, "owner", frozenset(), "any", "signature", seen_full=False, veto=False),
        Slot(2, "outsider", frozenset(), "external", "signature", seen_full=True, veto=True),
    )


def test_a_slot_is_external_where_it_or_its_role_says_so() -> None:
    """The stricter of the two counts."""
    slots = load_pack(files(WIDE)).rule_for("safeguard.activate", "deployment").slots

    assert [(slot.role, slot.affiliation, slot.assurance) for slot in slots] == [
        ("owner", "any", "login"),
        ("reviewer", "external", "signature"),
    ]


def test_roles_hold_what_their_kind_holds_and_what_the_pack_adds() -> None:
    """Approving roles may tighten and sign, every role of the pack may read, built-in ones are extended."""
    roles = load_pack(files(SKETCH)).roles

    assert roles["owner"].rights == rights.APPROVING
    assert roles["engineer"].rights == rights.READ_SET | {
        "safeguard.start",
        "safeguard.verify",
        "change.propose",
        "evidence.upload",
    }
    assert roles["evaluator"].rights >= rights.GROUPS["assessment"]
    assert roles["monitor"].rights == rights.BUILT_IN_ROLES["monitor"]
    assert {key for key, role in roles.items() if role.built_in} == set(rights.BUILT_IN_ROLES)
    assert {key for key, role in roles.items() if role.approves} == {"owner", "reviewer"}


def test_a_role_without_approving_can_neither_sign_nor_tighten_unasked() -> None:
    """Only approving roles hold change.sign."""
    for text in (SKETCH, WIDE, *(shipped(name)["policy.yaml"].decode() for name in shipped_pack_names())):
        for role in load_pack(files(text)).roles.values():
            assert (rights.CHANGE_SIGN in role.rights) == role.approves


def test_contexts_need_every_threshold_that_is_not_tracked_unless_the_pack_says_fewer() -> None:
    """Tracked thresholds never reach the gate."""
    policy = load_pack(files(WIDE))

    assert [context.thresholds for context in policy.contexts] == [
        ("misuse", "runaway"),
        ("misuse",),
        ("misuse", "runaway"),
    ]
    assert [context.artifact_required for context in policy.contexts] == [False, False, True]
    assert policy.context("public") is policy.contexts[2]
    assert policy.context("nowhere") is None


def test_guards_cover_every_more_exposed_context_where_the_standard_applies() -> None:
    """Unless the safeguard says only."""
    policy = load_pack(files(WIDE))

    assert policy.safeguards["guard-high"].covers == {"partners", "public"}
    assert policy.safeguards["guard"].covers == {"staff", "partners", "public"}
    assert policy.safeguards["advice"].covers == {"staff"}
    assert policy.safeguards["vault"].covers == {"staff", "partners"}


def test_a_level_lists_the_lower_ones_safeguards_unless_replaced_in_that_context() -> None:
    """What replaces a safeguard does so only where it is listed itself."""
    policy = load_pack(files(WIDE))

    def ids(level: str, context: str | None) -> list[str]:
        return [safeguard.id for safeguard in policy.listed("deployment", level, context, frozenset())]

    assert ids("low", "staff") == []
    assert ids("middle", "staff") == ["guard", "advice"]
    assert ids("middle", "public") == ["guard"]
    assert ids("high", "staff") == ["guard", "advice"]
    assert ids("high", "public") == ["guard-high"]
    assert ids("high", None) == ["guard", "advice", "guard-high"]


def test_a_safeguard_for_a_threshold_is_listed_only_while_that_one_asks() -> None:
    """An affirmative case is owed while its threshold is not ruled out."""
    policy = load_pack(files(WIDE))

    assert policy.listed("deployment", "low", "staff", frozenset({"misuse"})) == ()
    asked = policy.listed("deployment", "low", "staff", frozenset({"misuse", "runaway"}))
    assert [safeguard.id for safeguard in asked] == ["affirmative"]


def test_levels_are_in_order_and_a_stub_has_its_place() -> None:
    """The order is the pack's; an unknown level has none."""
    policy = load_pack(files(WIDE))

    assert [policy.level_index(level) for level in ("low", "middle", "high", "top")] == [0, 1, 2, 3]
    assert [level.stub for level in policy.levels] == [False, False, False, True]
    with pytest.raises(KeyError):
        policy.level_index("higher")


def test_durations_are_exact_microseconds_and_factors_exact_decimals() -> None:
    """No figure goes through a float."""
    policy = load_pack(files(WIDE))
    sketch = load_pack(files(SKETCH))

    assert sketch.decision_lasts_us == 900_000_000
    assert sketch.changes_expire_after_us == 14 * DAY_US
    assert policy.decision_lasts_us == 900_000_000
    assert policy.changes_expire_after_us == 14 * DAY_US
    assert policy.thresholds["misuse"].compute_growth == Decimal("2.5")
    assert policy.thresholds["misuse"].reassess_every_us == 90 * DAY_US
    assert policy.thresholds["noise"].reassess_every_us is None
    assert sketch.break_glass["hold.lift"].lasts_us == DAY_US
    assert sketch.break_glass["hold.lift"].review_within_us == 3 * DAY_US
    assert sketch.safeguards["input-filter"].verify_with == (EvidenceNeed("red_team_report", 90 * DAY_US),)


def test_sources_and_evidence_kinds_are_kept() -> None:
    """A rule can be cited, and a pack's own kinds of evidence stand beside the common ones."""
    policy = load_pack(files(WIDE))

    assert policy.default_rule.source == Source("House rules", "3", "2025")
    assert policy.evidence_kinds >= {"our_case", "capability_report"}


def test_an_obligation_of_a_jurisdiction_is_in_force_where_that_is_switched_on() -> None:
    """A pack declares what a law asks for once, and switches it on by name."""
    duty = (
        "obligations:\n"
        "  duty: {every: 90d, fulfilled_by: {evidence: risk_report}, blocking: false, jurisdiction: us-ca}\n"
    )

    off, on = load_pack(files(WIDE + duty)), load_pack(files(WIDE + duty + "jurisdictions: [us-ca]\n"))

    assert not off.obligations["duty"].in_force
    assert on.obligations["duty"].in_force


def test_nothing_of_a_policy_can_be_changed() -> None:
    """Values are frozen, mappings are read-only, and a policy is hashed by its digest."""
    policy = load_pack(files(SKETCH))

    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.title = "Another"  # type: ignore[misc]
    for value in (policy.rules, policy.roles, policy.safeguards, policy.thresholds["misuse"].asks):
        with pytest.raises(TypeError):
            value["x"] = None  # type: ignore[index]
    assert hash(policy) == hash(load_pack(files(SKETCH)))


def test_the_digest_is_that_of_the_sorted_lines() -> None:
    """SHA-256 over lines of digest, two spaces and path, sorted by path and ended by LF."""
    pack = files(SKETCH) | {"notes.md": b"why\n", "a/b.md": b"more\n"}
    paths = sorted(pack)
    lines = "".join(f"{hashlib.sha256(pack[path]).hexdigest()}  {path}\n" for path in paths)

    assert paths == ["a/b.md", "notes.md", "policy.yaml"]
    assert pack_digest(pack) == hashlib.sha256(lines.encode()).digest()
    assert load_pack(pack).digest == pack_digest(pack)


def test_the_digest_does_not_depend_on_the_order_of_files() -> None:
    """And one byte of a note changes it."""
    pack = files(SKETCH) | {"notes.md": b"why\n"}

    assert pack_digest(pack) == pack_digest(dict(reversed(pack.items())))
    assert pack_digest(pack) != pack_digest(pack | {"notes.md": b"why?\n"})
    assert pack_digest(pack) != pack_digest({"policy.yaml": pack["notes.md"], "notes.md": pack["policy.yaml"]})


STYLES = [
    pytest.param(
        "levels: [basic, guarded] ", "levels:\n  - basic\n  - id: guarded\n    stub: false\n", id="block-list"
    ),
    pytest.param("title: A two-level release policy", "title: >-\n  A two-level\n  release policy", id="folded"),
    pytest.param("title: A two-level release policy", "title: |\n  A two-level release policy", id="literal"),
    pytest.param("title: A two-level release policy", "title: 'A two-level release policy'", id="single-quotes"),
    pytest.param("title: A two-level release policy", '"title": "A two\\x2dlevel release policy"', id="double-quotes"),
    pytest.param("    guards: [api] ", "    guards:\n    - api ", id="list-at-the-key's-column"),
    pytest.param("applies_in: all}", "applies_in: [internal, api]}", id="all-written-out"),
    pytest.param(
        "  deployment: {baseline: basic, applies_in: all}", "  deployment: {baseline: basic}", id="default-all"
    ),
    pytest.param("compute_growth: 4", "compute_growth: 4.0", id="factor-with-a-fraction"),
    pytest.param("attested_for: 180d", "attested_for: 4320h", id="same-duration-in-hours"),
    pytest.param(
        "      - {role: owner}\n", "      - role: owner\n        count: 1\n        veto: false\n", id="block-slot"
    ),
    pytest.param("format: 1", "---\nformat: 1", id="document-start"),
    pytest.param("format: 1", "policy: minimal\n? format\n: 1", id="complex-key-and-another-order"),
]


@pytest.mark.parametrize(("old", "new"), STYLES)
def test_the_same_pack_in_another_hand_means_the_same(old: str, new: str) -> None:
    """Flow, block and quoted styles, defaults written out or left out, give equal policies but for the digest."""
    text = SKETCH.replace(old, new, 1)
    if "policy: minimal" in new:
        text = "".join(line for line in text.splitlines(keepends=True) if line.strip() != "policy: minimal")
        text = text.replace("? format", "policy: minimal\n? format")
    assert text != SKETCH

    policy, sketch = load_pack(files(text)), load_pack(files(SKETCH))

    assert policy.digest != sketch.digest
    assert dataclasses.replace(policy, digest=sketch.digest) == sketch


def test_reserved_triggers_can_be_named_in_rules_today() -> None:
    """A pack is immutable once adopted, so it says now who will sign for what comes later."""
    neutral = [name for name, reserved in RESERVED.items() if reserved.direction is Direction.NEUTRAL]
    names = ", ".join(neutral)
    text = SKETCH.replace("[level.assign,", f"[{names}, level.assign,")

    policy = load_pack(files(text))

    assert neutral
    assert all(policy.is_ruled(name) for name in neutral)
    assert not any(load_pack(files(SKETCH)).is_ruled(name) for name in neutral)


def test_examining_a_broken_pack_gives_no_policy_and_the_findings() -> None:
    """Examine never raises for what the files hold."""
    examined = examine_pack(files("format: 2\n"))

    assert examined.policy is None
    assert Code.NOT_ONE_OF in {finding.code for finding in examined.findings}
