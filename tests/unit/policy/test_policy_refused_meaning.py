"""Packs that are refused for what they say: names that lead nowhere, and what no pack may give away."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.statemachine.policy import Code, Severity, examine_pack
from interlock.statemachine.triggers import DIRECTIONS, Direction, can_loosen
from tests.unit.policy.packs import FIXTURES, SKETCH, WIDE, break_pack, errors_of, files

REVIEWER = "      - {role: reviewer, distinct_from: [requester, evidence_author]}\n    evidence:"
DEFAULT = (
    "  sign_offs:\n    - {role: owner, distinct_from: [requester]}\n    - {role: reviewer, distinct_from: [requester]}"
)
RULE_2 = "[safeguard.activate, safeguard.verify]\n    standard: deployment"
REPLACES = "attested_for: 30d, replaces: [guard]}"

SUCCEEDS = "obligations:\n  quarterly"
FIRST = "succeeds:\n  - {policy: old, "


def succeeding(words: str, code: Code, name: str) -> object:
    """Return a fault in what the sketch says that it carries over."""
    return pytest.param(SKETCH, SUCCEEDS, f"{FIRST}{words}}}\n{SUCCEEDS}", code, id=name)


NAME_FAULTS = [
    succeeding("thresholds: {¦fraud: [a]}", Code.UNKNOWN_THRESHOLD, "succeeds-unknown-threshold"),
    succeeding("thresholds: {misuse: [a, ¦a]}", Code.DUPLICATE_ID, "succeeds-threshold-twice"),
    succeeding("levels: {¦high: [a]}", Code.UNKNOWN_LEVEL, "succeeds-unknown-level"),
    succeeding("levels: {basic: [a], guarded: ¦[a]}", Code.DUPLICATE_ID, "succeeds-level-in-two"),
    succeeding("safeguards: {¦filter: a}", Code.UNKNOWN_SAFEGUARD, "succeeds-unknown-safeguard"),
    succeeding("version: '1'}\n  - {policy: ¦old, version: '1'", Code.DUPLICATE_ID, "succeeds-version-twice"),
    pytest.param(
        SKETCH, "levels: [basic, guarded]", "levels: [basic, guarded, ¦basic]", Code.DUPLICATE_ID, id="level-twice"
    ),
    pytest.param(SKETCH, "true}, api]", "true}, api, ¦{id: api}]", Code.DUPLICATE_ID, id="context-twice"),
    pytest.param(SKETCH, "guards: [api] ", "guards: [api, ¦api] ", Code.DUPLICATE_ID, id="guard-twice"),
    pytest.param(SKETCH, "[level.assign,", "[level.assign, ¦level.assign,", Code.DUPLICATE_ID, id="trigger-twice"),
    pytest.param(SKETCH, "baseline: basic", "baseline: ¦basics", Code.UNKNOWN_LEVEL, id="unknown-baseline"),
    pytest.param(SKETCH, "level: guarded", "level: ¦garded", Code.UNKNOWN_LEVEL, id="safeguard-at-unknown-level"),
    pytest.param(
        SKETCH, "asks: {deployment: guarded}", "asks: {deployment: ¦high}", Code.UNKNOWN_LEVEL, id="asks-unknown-level"
    ),
    pytest.param(
        SKETCH,
        "asks: {deployment: guarded}",
        "asks: {¦security: guarded}",
        Code.UNKNOWN_STANDARD,
        id="asks-unknown-standard",
    ),
    pytest.param(
        SKETCH, "standard: deployment", "standard: ¦security", Code.UNKNOWN_STANDARD, id="safeguard-of-unknown-standard"
    ),
    pytest.param(
        WIDE, "standard: security\n", "standard: ¦secrecy\n", Code.UNKNOWN_STANDARD, id="rule-for-unknown-standard"
    ),
    pytest.param(
        SKETCH, "applies_in: all", "applies_in: [api, ¦web]", Code.UNKNOWN_CONTEXT, id="applies-in-unknown-context"
    ),
    pytest.param(SKETCH, "guards: [api] ", "guards: [¦app] ", Code.UNKNOWN_CONTEXT, id="guards-unknown-context"),
    pytest.param(
        WIDE,
        "thresholds: [misuse]}",
        "thresholds: [¦misuses]}",
        Code.UNKNOWN_THRESHOLD,
        id="context-needs-unknown-threshold",
    ),
    pytest.param(WIDE, "for: [runaway]", "for: [¦run]", Code.UNKNOWN_THRESHOLD, id="for-unknown-threshold"),
    pytest.param(
        WIDE, "replaces: [guard]", "replaces: [¦gard]", Code.UNKNOWN_SAFEGUARD, id="replaces-unknown-safeguard"
    ),
    pytest.param(SKETCH, "{role: owner}", "{role: ¦oner}", Code.UNKNOWN_ROLE, id="unknown-role"),
    pytest.param(
        SKETCH,
        "[{role: owner, distinct",
        "[{role: ¦chair, distinct",
        Code.UNKNOWN_ROLE,
        id="unknown-role-in-break-glass",
    ),
    pytest.param(SKETCH, "safeguard.verify,", "¦safeguard.verifi,", Code.UNKNOWN_RIGHT, id="unknown-right"),
    pytest.param(SKETCH, "[level.assign,", "[¦level.assing,", Code.UNKNOWN_TRIGGER, id="unknown-trigger"),
    pytest.param(
        SKETCH,
        "kind: evaluation_results",
        "kind: ¦evaluation_result",
        Code.UNKNOWN_EVIDENCE_KIND,
        id="unknown-evidence-in-a-rule",
    ),
    pytest.param(
        SKETCH,
        "evidence: red_team_report",
        "evidence: ¦red_team",
        Code.UNKNOWN_EVIDENCE_KIND,
        id="unknown-evidence-in-a-safeguard",
    ),
    pytest.param(
        SKETCH,
        "evidence: risk_report",
        "evidence: ¦risks",
        Code.UNKNOWN_EVIDENCE_KIND,
        id="unknown-evidence-in-an-obligation",
    ),
]

SAFETY_FAULTS = [
    pytest.param(
        WIDE, "deployment: {baseline: low}", "deployment: {baseline: ¦top}", Code.STUB_BASELINE, id="stub-as-baseline"
    ),
    pytest.param(
        SKETCH,
        "levels: [basic, guarded]",
        "levels: [basic, ¦middle, guarded]",
        Code.LEVEL_WITHOUT_COMMITMENT,
        id="level-without-commitment",
    ),
    pytest.param(
        SKETCH,
        "levels: [basic, guarded]",
        "levels: [basic, guarded, ¦{id: top}]",
        Code.LEVEL_WITHOUT_COMMITMENT,
        id="top-level-without-commitment",
    ),
    pytest.param(
        SKETCH, "{id: internal, unguarded: true}", "¦internal", Code.CONTEXT_UNGUARDED, id="context-that-nothing-guards"
    ),
    pytest.param(
        SKETCH, "true}, api]", "true}, ¦web, api]", Code.CONTEXT_UNGUARDED, id="context-less-exposed-than-the-guard"
    ),
    pytest.param(
        WIDE,
        "thresholds: [misuse]}",
        "thresholds: [¦noise]}",
        Code.THRESHOLD_TRACKED,
        id="context-needs-a-tracked-threshold",
    ),
    pytest.param(WIDE, "for: [runaway]", "for: [¦noise]", Code.THRESHOLD_TRACKED, id="for-a-tracked-threshold"),
    pytest.param(
        WIDE,
        "noise: {title: Noise,",
        "noise: {title: Noise, ¦asks: {deployment: high},",
        Code.THRESHOLD_TRACKED,
        id="tracked-that-asks",
    ),
    pytest.param(
        WIDE,
        "level: high, track: commitment, guards: [staff], scope",
        "level: high, track: commitment, guards: [¦public], only: true, scope",
        Code.GUARDS_OUTSIDE_STANDARD,
        id="guards-where-its-standard-does-not-apply",
    ),
    pytest.param(
        WIDE,
        REPLACES,
        "attested_for: 30d, replaces: [¦vault]}",
        Code.REPLACES_NOT_LOWER,
        id="replaces-another-standard",
    ),
    pytest.param(
        WIDE, REPLACES, "attested_for: 30d, replaces: [¦guard-high]}", Code.REPLACES_NOT_LOWER, id="replaces-itself"
    ),
    pytest.param(
        WIDE,
        REPLACES,
        "attested_for: 30d, for: [misuse], replaces: [¦guard]}",
        Code.REPLACES_WEAKENS,
        id="a-report-takes-a-safeguard-away",
    ),
    pytest.param(
        WIDE,
        "level: high, track: commitment, guards: [partners],\n     verify_with: [{evidence: red_team_report}],"
        " attested_for: 30d, replaces: [guard]}",
        "level: high, track: recommendation, guards: [partners],\n     verify_with: [{evidence: red_team_report}],"
        " attested_for: 30d, replaces: [¦guard]}",
        Code.REPLACES_WEAKENS,
        id="a-recommendation-replaces-a-commitment",
    ),
    pytest.param(
        SKETCH, "  monitor:   {may", "  monitor:   {approves: ¦true, may", Code.BUILT_IN_ROLE, id="monitor-approves"
    ),
    pytest.param(
        SKETCH, "roles: ", "roles:\n  admin: {approves: ¦true}\n  # ", Code.BUILT_IN_ROLE, id="admin-approves"
    ),
    pytest.param(
        SKETCH,
        "roles: ",
        "roles:\n  auditor: {affiliation: ¦external}\n  # ",
        Code.BUILT_IN_ROLE,
        id="built-in-role-made-external",
    ),
    pytest.param(
        SKETCH,
        "may: [safeguard.degrade,",
        "may: [¦hold.lift, safeguard.degrade,",
        Code.RIGHT_LOOSENS,
        id="right-to-loosen",
    ),
    pytest.param(
        SKETCH,
        "may: [safeguard.degrade,",
        "may: [¦grant.give, safeguard.degrade,",
        Code.RIGHT_LOOSENS,
        id="right-to-grant",
    ),
    pytest.param(
        SKETCH,
        "may: [safeguard.degrade,",
        "may: [¦change.sign, safeguard.degrade,",
        Code.RIGHT_NEEDS_APPROVING,
        id="right-to-sign-without-approving",
    ),
    pytest.param(
        SKETCH,
        "  reviewer:  {approves: true}",
        "  reviewer:  {approves: true, may: [¦principal.suspend]}",
        Code.RIGHT_ADMINISTERS,
        id="an-approver-administers",
    ),
    pytest.param(SKETCH, "{role: owner}", "{role: ¦engineer}", Code.ROLE_DOES_NOT_APPROVE, id="engineer-signs"),
    pytest.param(SKETCH, "{role: owner}", "{role: ¦admin}", Code.ROLE_DOES_NOT_APPROVE, id="admin-signs"),
    pytest.param(
        SKETCH, "[level.assign,", "[¦hold.place, level.assign,", Code.TRIGGER_TIGHTENS, id="rule-slows-a-hold"
    ),
    pytest.param(
        SKETCH,
        "[level.assign,",
        "[¦safeguard.degrade, level.assign,",
        Code.TRIGGER_TIGHTENS,
        id="rule-slows-a-degradation",
    ),
    pytest.param(
        WIDE,
        RULE_2,
        "[safeguard.activate, ¦hold.lift]\n    standard: deployment",
        Code.TRIGGER_HAS_NO_STANDARD,
        id="lift-narrowed-to-a-standard",
    ),
    pytest.param(
        SKETCH,
        "[level.assign,",
        "[¦determination.confirm, level.assign,",
        Code.RULES_OVERLAP,
        id="two-rules-for-one-trigger",
    ),
    pytest.param(
        WIDE,
        RULE_2,
        "[¦safeguard.activate, safeguard.verify]\n    standard: security",
        Code.RULES_OVERLAP,
        id="two-rules-for-one-standard",
    ),
    pytest.param(
        WIDE, RULE_2, "[¦safeguard.activate, safeguard.verify]", Code.RULES_OVERLAP, id="one-rule-narrowed-and-one-not"
    ),
    pytest.param(
        SKETCH,
        "rules: ",
        "rules:\n  - triggers: [grant.give, principal.create, principal.restore, principal.unlink, credential.bind,"
        " recovery.suspend, recovery.revoke, log.rotate_key,"
        " issuer.trust]\n"
        "    sign_offs: [{role: owner, count: 2}, {role: reviewer}]\n"
        "    source: {document: House rules, section: '9'}\n"
        "  - triggers: [¦credential.register]\n"
        "    sign_offs: [{role: owner}, {role: reviewer}]\n    source: {document: House rules, section: '9'}\n  # ",
        Code.WEAKER_THAN_A_GRANT,
        id="a-key-is-cheaper-than-a-role",
    ),
    pytest.param(
        SKETCH,
        "    sign_offs:\n      - {role: owner}\n" + REVIEWER,
        "    ¦sign_offs:\n      - {role: owner}\n    evidence:",
        Code.TOO_FEW_PEOPLE,
        id="one-person-confirms",
    ),
    pytest.param(
        SKETCH,
        DEFAULT,
        "  ¦sign_offs:\n    - {role: owner, distinct_from: [requester]}",
        Code.TOO_FEW_PEOPLE,
        id="one-person-by-default",
    ),
    pytest.param(
        SKETCH,
        "    sign_offs: [{role: owner, distinct_from: [requester]}, "
        "{role: reviewer, distinct_from: [requester]}]\n    lasts",
        "    ¦sign_offs: [{role: owner, distinct_from: [requester]}]\n    lasts",
        Code.TOO_FEW_PEOPLE,
        id="one-person-breaks-the-glass",
    ),
    pytest.param(
        WIDE,
        "    sign_offs: [{role: owner, count: 2}, {role: outsider, veto",
        "    ¦sign_offs: [{role: owner, count: 16}, {role: outsider, veto",
        Code.BAD_NUMBER,
        id="seventeen-people",
    ),
    pytest.param(
        SKETCH,
        "- triggers: [hold.lift]",
        "- triggers: [hold.lift, ¦level.raise]",
        Code.TRIGGER_NOT_EXCEPTABLE,
        id="break-glass-raises-a-level",
    ),
    pytest.param(
        SKETCH,
        "- triggers: [hold.lift]",
        "- triggers: [hold.lift, ¦hold.lift]",
        Code.RULES_OVERLAP,
        id="break-glass-twice",
    ),
    pytest.param(
        SKETCH,
        "{every: 90d, fulfilled_by: {evidence: risk_report}, blocking: false}",
        "{every: ¦1h, fulfilled_by: {evidence: risk_report}, blocking: true}",
        Code.BAD_DURATION,
        id="blocks-each-hour",
    ),
    pytest.param(
        SKETCH,
        "quarterly-report: {every: 90d, ",
        "¦quarterly-report: {",
        Code.OBLIGATION_CLOCK,
        id="no-clock",
    ),
    pytest.param(
        SKETCH,
        "{every: 90d, fulfilled_by: {evidence: risk_report}, blocking: false}",
        "{after: {incident: closing, at_least: low, within: 1d}, "
        "fulfilled_by: {evidence: risk_report}, blocking: ¦true}",
        Code.OBLIGATION_CLOCK,
        id="a-closing-blocks",
    ),
    pytest.param(
        SKETCH,
        "{every: 90d, ",
        "{after: {incident: discovery, at_least: ¦grave, within: 1d}, ",
        Code.UNKNOWN_SEVERITY,
        id="unknown-severity",
    ),
    pytest.param(
        SKETCH,
        "{every: 90d, ",
        "{after: {incident: discovery, at_least: low, categories: [¦leak], within: 1d}, ",
        Code.UNKNOWN_CATEGORY,
        id="unknown-category",
    ),
    pytest.param(
        SKETCH,
        "obligations:\n",
        "incidents: {severities: [{id: mild, blocking: true}, ¦grave]}\nobligations:\n",
        Code.SEVERITY_ORDER,
        id="a-milder-severity-blocks",
    ),
]


@pytest.mark.parametrize(("pack", "old", "new", "code"), [*NAME_FAULTS, *SAFETY_FAULTS])
def test_a_fault_of_meaning_is_found_where_it_is(pack: str, old: str, new: str, code: Code) -> None:
    """A pack that says what no pack may say is refused with the code, line and column, and with nothing else."""
    broken = break_pack(pack, old, new)

    found = errors_of(files(broken.text))

    assert [(f.code, f.line, f.column) for f in found] == [(code, broken.line, broken.column)]
    assert found[0].fix


@pytest.mark.parametrize(
    "trigger", sorted(t.value for t, d in DIRECTIONS.items() if d is Direction.TIGHTENS and not can_loosen(t.value))
)
def test_no_rule_can_name_a_trigger_that_tightens(trigger: str) -> None:
    """Whatever tightens stays one person's at once, whatever a pack would like."""
    broken = break_pack(SKETCH, "[level.assign,", f"[¦{trigger}, level.assign,")

    assert [f.code for f in errors_of(files(broken.text))] == [Code.TRIGGER_TIGHTENS]


def test_faults_of_meaning_in_unrelated_places_are_told_at_once() -> None:
    """Rules are looked at even where levels are wrong, and in order of place."""
    text = SKETCH.replace("level: guarded", "level: gard").replace("[level.assign,", "[level.asign,")

    found = errors_of(files(text.replace("{evidence: risk_report}", "{evidence: risk_repot}")))

    assert [f.code for f in found] == [Code.UNKNOWN_LEVEL, Code.UNKNOWN_TRIGGER, Code.UNKNOWN_EVIDENCE_KIND]


def test_an_unknown_name_is_answered_with_the_nearest_one() -> None:
    """A finding says what to write, not only what is wrong."""
    text = SKETCH.replace("level: guarded", "level: garded")

    assert [f.fix for f in errors_of(files(text))] == ["did you mean `guarded`?"]


WARNINGS = [
    pytest.param(
        SKETCH,
        "true}, api]",
        "true}, ¦{id: api, unguarded: true}]",
        Code.CONTEXT_GUARDED_AFTER_ALL,
        id="says-unguarded",
    ),
    pytest.param(
        SKETCH,
        "asks: {deployment: guarded}",
        "asks: {deployment: ¦basic}",
        Code.THRESHOLD_ASKS_NOTHING,
        id="asks-for-the-baseline",
    ),
    pytest.param(
        WIDE,
        "  runaway:\n    title: Runaway\n    asks: {deployment: high}",
        "  ¦other:\n    title: Other\n    reassess: {every: 1d}\n"
        "  runaway:\n    title: Runaway\n    asks: {deployment: high}",
        Code.THRESHOLD_ASKS_NOTHING,
        id="asks-for-nothing",
    ),
    pytest.param(
        WIDE,
        "level: middle, track: recommendation",
        "level: ¦top, track: recommendation",
        Code.SAFEGUARD_AT_STUB,
        id="at-a-stub",
    ),
    pytest.param(
        WIDE,
        "guards: [staff], scope",
        "guards: [staff, ¦public], scope",
        Code.GUARDS_OUTSIDE_STANDARD,
        id="one-guard-too-many",
    ),
    pytest.param(
        WIDE,
        "misuse:\n    title: Misuse\n    asks: {deployment: middle, security: high}",
        "misuse:\n    title: Misuse\n    asks: {deployment: middle, security: middle}",
        Code.LEVEL_ADDS_NOTHING,
        id="adds-nothing",
    ),
]


@pytest.mark.parametrize(("pack", "old", "new", "code"), WARNINGS)
def test_what_is_most_likely_not_meant_loads_with_a_warning(pack: str, old: str, new: str, code: Code) -> None:
    """Odd but safe packs load; a warning keeps them from being clean."""
    if code is Code.LEVEL_ADDS_NOTHING:
        pack, old, new = pack.replace(old, new), "levels: [low, middle", "levels: [low, ¦middle"
    broken = break_pack(pack, old, new)

    examined = examine_pack(files(broken.text))

    warnings = [(f.code, f.line, f.column) for f in examined.findings if f.severity is Severity.WARNING]
    assert warnings == [(code, broken.line, broken.column)]
    assert examined.policy is not None
    assert not examined.clean


def test_notes_point_at_what_is_legal_and_worth_a_look() -> None:
    """A slot open to the requester, a login in place of a signature and break-glass are noted, and stay clean."""
    text = SKETCH.replace("{role: owner}", "{role: owner, assurance: login}")

    examined = examine_pack(files(text))

    assert [f.code for f in examined.findings] == [Code.OPEN_TO_REQUESTER, Code.LOGIN_ASSURANCE, Code.BREAK_GLASS]
    assert examined.clean


def test_no_kind_of_finding_is_without_a_test() -> None:
    """Every code in the table is expected by some test of this folder."""
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    corpus = "".join(path.read_text(encoding="utf-8") for path in FIXTURES.glob("broken-packs/*/expected.json"))

    assert [code for code in Code if f"Code.{code.name}" not in tests and f'"{code.value}"' not in corpus] == []
