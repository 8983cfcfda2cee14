"""The shipped pack rsp-2.2: that it says what its sources say, and that the main story plays by it."""

from __future__ import annotations

from interlock.statemachine.policy import Policy, load_pack
from tests.unit.policy.packs import shipped


def rsp() -> Policy:
    """The shipped RSP 2.2 pack."""
    return load_pack(shipped("rsp-2.2"))


def test_rsp_asks_per_standard_as_its_table_says() -> None:
    """A threshold may ask for a level in one standard only; tracked ones ask for nothing."""
    asks = {key: dict(threshold.asks) for key, threshold in rsp().thresholds.items()}

    assert asks == {
        "cbrn-3": {"deployment": "asl-3", "security": "asl-3"},
        "cbrn-4": {"deployment": "asl-4", "security": "asl-4"},
        "ai-rnd-4": {"security": "asl-3"},
        "ai-rnd-5": {"deployment": "asl-4", "security": "asl-4"},
        "autonomy-checkpoint": {},
        "cyber": {},
    }
    assert {key for key, threshold in rsp().thresholds.items() if threshold.tracked} == {"autonomy-checkpoint", "cyber"}


def test_rsp_lets_the_main_story_play() -> None:
    """Which evidence each step of precautionary activation has to bring, and who signs."""
    policy = rsp()

    def kinds(trigger: str) -> list[str]:
        return [need.kind for need in policy.rule_for(trigger, "deployment").evidence]

    def roles(trigger: str) -> list[str]:
        return [slot.role for slot in policy.rule_for(trigger, "deployment").slots]

    everyone = ["rso", "ceo", "safeguards-lead", "security-lead"]
    assert [kinds(t) for t in ("determination.confirm", "determination.rule_out")] == [["capability_report"]] * 2
    assert [roles(t) for t in ("determination.confirm", "determination.rule_out")] == [["rso", "ceo"]] * 2
    assert (kinds("level.assign"), roles("level.assign")) == (["capability_report"], everyone)
    assert (kinds("level.raise"), roles("level.raise")) == (["safeguards_report"], everyone)
    assert (kinds("safeguard.activate"), roles("safeguard.activate")) == ([], everyone)
    assert (kinds("safeguard.restore"), roles("safeguard.restore")) == ([], everyone)
    assert (kinds("hold.lift"), roles("hold.lift")) == ([], ["rso", "ceo"])
    assert policy.context("api") is not None
    assert not any(context.artifact_required for context in policy.contexts)


def test_rsp_verifies_its_baseline_with_the_capability_report_alone() -> None:
    """Step 4 of the story has no other evidence."""
    policy = rsp()
    baseline = [
        safeguard
        for standard in policy.standards
        for context in policy.contexts
        for safeguard in policy.listed(standard, "asl-2", context.id, frozenset())
    ]

    assert {need.kind for safeguard in baseline for need in safeguard.verify_with} == {"capability_report"}
    assert len({safeguard.id for safeguard in baseline}) == 4


def test_rsp_keeps_internal_use_open_while_the_classifier_is_down() -> None:
    """The real-time classifier guards the API, not the staff."""
    policy = rsp()

    assert policy.safeguards["realtime-classifier"].covers == {"api"}
    assert all(policy.safeguards[key].covers == {"internal", "api"} for key in ("egress-limits", "usage-policy"))


def test_rsp_asks_for_an_affirmative_case_only_while_ai_rnd_4_stands() -> None:
    """The threshold asks for no more deployment level, but for a case."""
    policy = rsp()

    without = policy.listed("deployment", "asl-2", "internal", frozenset({"cbrn-3"}))
    asked = policy.listed("deployment", "asl-2", "internal", frozenset({"ai-rnd-4"}))

    assert {s.id for s in asked} - {s.id for s in without} == {"misalignment-case"}


def test_rsp_has_no_side_door_to_the_rules_that_need_most_people() -> None:
    """Roles, keys and the policy itself take at least everyone whom any other rule asks for."""
    policy = rsp()
    doors = (
        "policy.adopt", "rules.adopt", "grant.give", "credential.register", "principal.create", "principal.restore",
        "principal.unlink", "recovery.suspend", "recovery.revoke", "log.rotate_key",
        "change.ratify",
    )  # fmt: skip
    strictest = {slot.role for trigger in policy.rules for slot in policy.rule_for(trigger).slots}

    assert all({slot.role for slot in policy.rule_for(door).slots} == strictest for door in doors)


def test_rsp_cites_a_source_everywhere() -> None:
    """Each threshold, safeguard, rule, exception and obligation says where it comes from."""
    policy = rsp()
    sources = [
        *(threshold.source for threshold in policy.thresholds.values()),
        *(safeguard.source for safeguard in policy.safeguards.values()),
        *(rule.source for rule in policy.rules.values()),
        *(exception.rule.source for exception in policy.break_glass.values()),
        *(obligation.source for obligation in policy.obligations.values()),
    ]

    assert None not in sources
