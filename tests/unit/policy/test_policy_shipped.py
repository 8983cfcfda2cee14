"""The shipped packs, read against the documents that they paraphrase: whole, sourced, in one voice about the law."""

from __future__ import annotations

import pytest

from interlock.statemachine.policy import Policy, load_pack, shipped_pack_names
from tests.unit.policy.packs import shipped

COMPANIES = [name for name in shipped_pack_names() if name != "minimal"]
LAW = {
    "us-ca": {
        "us-ca-framework-review",
        "us-ca-internal-use-summary",
        "us-ca-channel-briefing",
        "us-ca-reporter-updates",
    },
    "us-ny": {"us-ny-framework-review", "us-ny-internal-use-summary"},
    "eu": {"eu-framework-assessment"},
}
DAY_US = 86_400_000_000


def pack(name: str) -> Policy:
    """A shipped pack, loaded."""
    return load_pack(shipped(name))


@pytest.mark.parametrize("name", COMPANIES)
def test_a_pack_after_a_document_cites_it_everywhere(name: str) -> None:
    """Each threshold, safeguard, rule, exception and obligation says where it comes from."""
    policy = pack(name)
    sources = [
        *(threshold.source for threshold in policy.thresholds.values()),
        *(safeguard.source for safeguard in policy.safeguards.values()),
        *(rule.source for rule in policy.rules.values()),
        *(exception.rule.source for exception in policy.break_glass.values()),
        *(obligation.source for obligation in policy.obligations.values()),
    ]

    assert None not in sources


@pytest.mark.parametrize("name", COMPANIES)
def test_the_laws_calendar_duties_are_the_same_in_every_pack(name: str) -> None:
    """By jurisdiction, switched off until the pack names it, none of them blocking."""
    policy = pack(name)

    found = {
        place: {duty.id for duty in policy.obligations.values() if duty.jurisdiction == place and duty.after is None}
        for place in LAW
    }

    assert found == LAW
    assert not any(duty.in_force or duty.blocking for duty in policy.obligations.values() if duty.jurisdiction)
    assert policy.obligations["us-ca-reporter-updates"].every_us == 30 * DAY_US


CLOCKS = {
    "us-ca-incident-report": ("discovery", "critical", 15),
    "us-ca-imminent-risk": ("discovery", "imminent", 1),
    "us-ny-incident-report": ("determination", "critical", 3),
    "us-ny-imminent-risk": ("determination", "imminent", 1),
    "eu-incident-infrastructure": ("determination", "serious", 2),
    "eu-incident-breach": ("determination", "serious", 5),
    "eu-incident-death": ("determination", "serious", 10),
    "eu-incident-harm": ("determination", "serious", 15),
    "eu-incident-progress": ("determination", "serious", 28),
    "eu-incident-final-report": ("closing", "serious", 60),
}
DEEDS = {
    "us-ca-framework-change": ("adoption", 30),
    "us-ca-transparency-report": ("deployment", 0),
    "eu-model-report": ("deployment", 0),
}
"""What is owed for what is done, and how many days it leaves."""


@pytest.mark.parametrize("name", COMPANIES)
def test_the_laws_clocks_after_an_incident_are_the_same_in_every_pack(name: str) -> None:
    """From what each counts, from which severity on, and how many days it leaves."""
    found = {duty.id: duty.after for duty in pack(name).obligations.values() if duty.after is not None}
    clocks = {key: row for key, row in found.items() if key not in DEEDS}

    assert {key: (row.event, row.at_least, row.within_us // DAY_US) for key, row in clocks.items()} == CLOCKS
    assert [key for key, row in clocks.items() if row.repeats] == ["eu-incident-progress"]
    assert {key: (found[key].event, found[key].within_us // DAY_US) for key in DEEDS} == DEEDS


@pytest.mark.parametrize("name", COMPANIES)
def test_reports_on_models_are_owed_where_others_use_them(name: str) -> None:
    """Not for use inside: in the most exposed context, and never in the least."""
    policy = pack(name)

    for duty in ("us-ca-transparency-report", "eu-model-report"):
        after = policy.obligations[duty].after
        assert after is not None
        assert policy.contexts[-1].id in after.contexts
        assert policy.contexts[0].id not in after.contexts


@pytest.mark.parametrize("name", shipped_pack_names())
def test_every_pack_has_a_way_in_an_emergency_by_two_people(name: str) -> None:
    """Break-glass for lifting a hold, with an end and a review."""
    exception = pack(name).break_glass["hold.lift"]

    assert len(exception.rule.slots) >= 2
    assert exception.lasts_us == DAY_US
    assert exception.review_within_us == 3 * DAY_US


@pytest.mark.parametrize("name", ["rsp-3", "preparedness", "fsf"])
def test_what_the_industry_should_do_is_on_the_other_track(name: str) -> None:
    """A recommendation is there, and blocks in no pack."""
    assert any(spec.track == "recommendation" for spec in pack(name).safeguards.values())


def test_rsp_lists_what_both_asl_3_standards_ask_for() -> None:
    """Threat models, defence in depth, red-teaming, rapid response, monitoring, trusted users, others, audits."""
    policy = pack("rsp-2.2")

    def at_asl_3(standard: str) -> set[str]:
        return {spec.id for spec in policy.safeguards.values() if (spec.standard, spec.level) == (standard, "asl-3")}

    assert at_asl_3("deployment") == {
        "misuse-threat-model", "realtime-classifier", "adversary-testing", "rapid-response", "offline-monitoring",
        "access-controls", "third-party-deployment",
    }  # fmt: skip
    assert at_asl_3("security") == {
        "weights-threat-model", "security-programme", "independent-validation", "third-party-security",
        "two-party-authorisation", "egress-limits", "change-management", "endpoint-software-control",
    }  # fmt: skip
