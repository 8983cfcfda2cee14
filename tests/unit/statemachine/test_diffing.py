"""Two versions of a policy, in words: which way each difference goes, and what stands first."""

from __future__ import annotations

import re

import pytest

from interlock.client.packs import shipped_pack
from interlock.statemachine.diffing import Difference, Way, compare_policies
from interlock.statemachine.policy import load_pack
from interlock.statemachine.policy.shipped import shipped_pack_names
from tests.support.versions import version
from tests.support.world import sketch
from tests.unit.policy.packs import WIDE

WIDE_FILES = {"policy.yaml": WIDE.encode()}
ADOPT = """\
  - triggers: [policy.adopt]
    sign_offs: [{role: owner, distinct_from: [requester]}, {role: reviewer, distinct_from: [requester]}, {role: owner}]
    source: {document: House rules, section: "6"}
"""

EDITS = [
    ("attested_for: 180d", "attested_for: 90d", "an attestation lasts 180d → 90d", Way.TIGHTENS),
    ("newer_than: 90d}]\n    attested", "newer_than: 30d}]\n    attested", "verified with", Way.TIGHTENS),
    ("verify_with: [{evidence: red_team_report, newer_than: 90d}]", "verify_with: [{evidence: risk_report}]",
     "verified with", Way.LOOSENS),
    ("Requests are screened", "Requests pass a screen", "reworded", Way.NEUTRAL),
    ("reassess: {every: 180d, compute_growth: 4}", "reassess: {every: 200d, compute_growth: 4}",
     "determined anew each 180d → 200d", Way.LOOSENS),
    ("reassess: {every: 180d, compute_growth: 4}", "reassess: {every: 180d, compute_growth: 2}",
     "lapses at 4 → 2 times", Way.TIGHTENS),
    ("reassess: {every: 180d, compute_growth: 4}", "reassess: {every: 180d}", "lapses at 4 → no times", Way.LOOSENS),
    ("levels: [basic, guarded]", "levels: [basic, guarded, {id: high, stub: true}]", "levels in order", Way.NEUTRAL),
    ("true}, api]", "true}, api, web]", "new: models can be released there", Way.LOOSENS),
    ("{id: internal, unguarded: true}, api]", "api]", "dropped: the gate denies it", Way.TIGHTENS),
    ("true}, api]", "true}, {id: api, artifact: required}]", "asks for the artifact", Way.TIGHTENS),
    ("true}, api]", "true}, {id: api, thresholds: []}]", "no longer needs to know of misuse", Way.LOOSENS),
    ("safeguard.suspend]}", "safeguard.suspend, hold.place]}", "may hold.place from then on", Way.NEUTRAL),
    ("[safeguard.degrade, safeguard.suspend]", "[safeguard.degrade]", "", None),
    ("evaluator: {may", "evaluator: {approves: true, may", "approves from then on", Way.LOOSENS),
    ("reviewer:  {approves: true}", "reviewer:  {approves: true, affiliation: external}", "held by any → external",
     Way.TIGHTENS),
    ("newer_than: 30d}]\n    source", "newer_than: 60d}]\n    source", "on evaluation_results", Way.LOOSENS),
    ("decision_lasts: 15m", "decision_lasts: 1h", "a signed decision lasts 15m → 1h", Way.LOOSENS),
    ("changes_expire_after: 14d", "changes_expire_after: 7d", "a change ends after 14d → 7d", Way.TIGHTENS),
    ("lasts: 24h", "lasts: 48h", "lasts 1d → 2d", Way.LOOSENS),
    ("every: 90d", "every: 120d", "every 90d → 120d", Way.LOOSENS),
    ("fulfilled_by: {evidence: risk_report}", "fulfilled_by: {evidence: board_notice}", "fulfilled by", Way.LOOSENS),
    ("decision_lasts: 15m", "decision_lasts: 15m\nssh_agent_signs: true", "keys in an SSH agent may sign off",
     Way.LOOSENS),
    ("title: A two-level release policy", "title: Another title", "A two-level", Way.NEUTRAL),
    ('section: "4"', 'section: "4a"', "only sources, comments", Way.NEUTRAL),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "words", "way"), EDITS, ids=[f"{i}-{row[2][:20]}" for i, row in enumerate(EDITS)]
)
def test_one_edit_is_one_difference_with_its_way(old: str, new: str, words: str, way: Way | None) -> None:
    """What may open the gate or ask fewer people loosens, what asks for more tightens, the rest is neither."""
    rows = compare_policies(load_pack(sketch()), load_pack(version((old, new))))

    if way is None:  # built-in roles keep their rights
        assert [row.area for row in rows] == ["text"]
    else:
        assert [row.way for row in rows if words in row.words] == [way], rows


QUARTERLY = "every: 90d"
INCIDENT = "after: {incident: determination, at_least: serious, categories: [leak, theft], within: 9d, repeats: true}"
DEPLOYED = "after: {deployment: recorded, contexts: [internal, api], within: 9d}"
ADOPTED = "after: {adoption: policy, within: 9d}"
CLOCKS = [
    (INCIDENT, "within: 9d", "within: 10d", "due within 9d → 10d of the determination", Way.LOOSENS),
    (INCIDENT, "within: 9d", "within: 8d", "due within 9d → 8d", Way.TIGHTENS),
    (INCIDENT, "at_least: serious", "at_least: critical", "counts incidents from serious → critical on", Way.LOOSENS),
    (INCIDENT, "at_least: serious", "at_least: low", "counts incidents from serious → low on", Way.TIGHTENS),
    (INCIDENT, "[leak, theft], w", "[leak], w", "counts incidents of leak, theft → leak", Way.LOOSENS),
    (INCIDENT, "categories: [leak, theft], ", "", "counts incidents of leak, theft → any", Way.TIGHTENS),
    (INCIDENT, ", repeats: true", "", "owed once for an incident", Way.LOOSENS),
    (INCIDENT, "incident: determination", "incident: discovery", "the discovery of an incident", Way.LOOSENS),
    (DEPLOYED, "within: 9d", "within: 0d", "due within 9d → 0d of the first deployment of a model", Way.TIGHTENS),
    (
        DEPLOYED,
        "contexts: [internal, api]",
        "contexts: [api]",
        "counts deployments in api, internal → api",
        Way.LOOSENS,
    ),
    (DEPLOYED, "contexts: [internal, api], ", "", "counts deployments in api, internal → any", Way.TIGHTENS),
    (DEPLOYED, DEPLOYED, ADOPTED, "→ within 9d of each adoption of a version of the policy", Way.LOOSENS),
    (ADOPTED, "within: 9d", "within: 30d", "due within 9d → 30d of each adoption", Way.LOOSENS),
    (ADOPTED, ADOPTED, QUARTERLY, "within 9d of each adoption of a version of the policy → every 90d", Way.LOOSENS),
    (QUARTERLY, QUARTERLY, ADOPTED, "from then on, this adoption included", Way.LOOSENS),
]
"""A clock, an edit of it, what is said of that, and which way it goes."""


@pytest.mark.parametrize(("clock", "old", "new", "words", "way"), CLOCKS)
def test_each_key_of_a_clock_is_told(clock: str, old: str, new: str, words: str, way: Way) -> None:
    """Just what differs, and whether less is owed by it, or later; where nobody can tell, it loosens."""
    kinds = ("obligations:\n", "incidents: {categories: [leak, theft]}\nobligations:\n")
    before = version(kinds, (QUARTERLY, clock), called="1.0")

    rows = compare_policies(load_pack(before), load_pack(version((old, new), of=before)))

    assert [(row.way, row.area) for row in rows] == [(way, "obligations")]
    assert words in rows[0].words
    if way is Way.TIGHTENS:
        back = compare_policies(load_pack(version((old, new), of=before)), load_pack(before))
        assert [row.way for row in back] == [Way.LOOSENS]


def test_severities_that_move_may_make_a_clock_count_less() -> None:
    """What was as grave as it asks for and is milder now starts it no more."""
    before = version((QUARTERLY, INCIDENT.replace("categories: [leak, theft], ", "")), called="1.0")
    after = version(
        ("obligations:\n", "incidents: {severities: [low, critical, {id: serious, blocking: true}]}\nobligations:\n"),
        of=before,
    )

    rows = compare_policies(load_pack(before), load_pack(after))

    assert (Way.LOOSENS, "counts incidents from serious → serious on") in {(row.way, row.words) for row in rows}


def test_what_tightens_loosens_the_other_way_round() -> None:
    """Going back from an edit that tightens is an edit that loosens."""
    strict = [version((old, new)) for old, new, _, way in EDITS if way is Way.TIGHTENS]
    plain = load_pack(version(called="3"))

    assert all(Way.LOOSENS in {row.way for row in compare_policies(load_pack(files), plain)} for files in strict)


def test_what_would_let_adopting_itself_need_less_stands_first() -> None:
    """It is named before everything else that loosens."""
    more = version(("default:", f"{ADOPT}default:"))
    fewer = version(("decision_lasts: 15m", "decision_lasts: 1h"), called="3")

    first = compare_policies(load_pack(more), load_pack(fewer))[0]

    assert (first.foremost, first.way, first.area) == (True, Way.LOOSENS, "rules")
    assert first.subject == "policy.adopt"
    assert first.words.startswith("fewer sign-offs, 3 → 2:")


def test_loosening_comes_before_all_else() -> None:
    """The order is: what concerns adopting, what loosens, what tightens, the rest."""
    rows = compare_policies(load_pack(shipped_pack("rsp-2.2")), load_pack(shipped_pack("rsp-3")))
    ranks = [row.rank for row in rows]

    assert ranks == sorted(ranks)
    assert {(row.area, row.subject) for row in rows if row.way is Way.LOOSENS} >= {
        ("safeguards", "offline-monitoring"),
        ("safeguards", "change-management"),
        ("obligations", "compliance-review"),
    }
    assert (
        Difference(
            Way.NEUTRAL,
            "thresholds",
            "chem-bio-known",
            "cbrn-3 is called chem-bio-known; its determinations carry over",
        )
        in rows
    )


@pytest.mark.parametrize("name", [*shipped_pack_names(), "wide"])
def test_a_version_differs_in_nothing_from_itself(name: str) -> None:
    """Nor is anything said of it."""
    policy = load_pack(WIDE_FILES if name == "wide" else shipped_pack(name))

    assert compare_policies(policy, policy) == ()


def test_a_policy_that_succeeds_nothing_says_so() -> None:
    """All that is known is lost: the first thing that its signers have to know of what tightens."""
    rows = compare_policies(load_pack(shipped_pack("rsp-2.2")), load_pack(shipped_pack("preparedness")))

    assert "carries nothing over" in next(row.words for row in rows if row.area == "succeeds")


def test_promoting_and_demoting_say_what_the_gate_does() -> None:
    """A commitment that is only recommended loosens, the other way tightens."""
    old = shipped_pack("rsp-3")
    text = old["policy.yaml"].decode()
    start = text.index("  offline-monitoring:")
    promoted = text[:start] + text[start:].replace("track: recommendation", "track: commitment", 1)
    committed, recommended = load_pack({"policy.yaml": promoted.encode()}), load_pack(old)

    rows = [
        [(row.way, row.subject, row.words.partition(":")[2]) for row in compare_policies(*pair)]
        for pair in ((recommended, committed), (committed, recommended))
    ]

    assert rows == [
        [(Way.TIGHTENS, "offline-monitoring", " the gate blocks on it")],
        [
            (Way.LOOSENS, "offline-monitoring", " the gate stops blocking on it, it is listed as an advisory"),
        ],
    ]


ANOTHER = """\
safeguards:
  other:
    title: Another
    standard: deployment
    level: guarded
    track: commitment
    guards: [api]
    verify_with: [{evidence: risk_report}]
    attested_for: 1d
"""
FRAUD = "thresholds:\n  fraud: {title: Fraud, asks: {deployment: guarded}, reassess: {every: 90d}}\n"


@pytest.mark.parametrize(
    ("more", "gone", "says", "subject", "words"),
    [
        (ANOTHER, ("other:\n", "input-filter:\n"), "safeguards: {input-filter: other}", "input-filter",
         "dropped commitment: nothing asks for it any more; its id stands for other from then on"),
        (FRAUD, ("fraud: {", "misuse: {"), "thresholds: {misuse: [fraud]}", "misuse",
         "dropped: its id stands for fraud, what was determined of it is no longer read"),
    ],
    ids=["safeguard", "threshold"],
)  # fmt: skip
def test_what_gives_its_id_to_another_is_dropped(
    more: str, gone: tuple[str, str], says: str, subject: str, words: str
) -> None:
    """An id that is still there hides nothing: what went by it before is no longer asked for."""
    section = more.partition("\n")[0] + "\n"
    old = version((section, more))
    text = old["policy.yaml"].decode()
    body = re.sub(rf"(?s)(?<={section})(.*?\n)  {subject}:\n.*?\n(?=\S|\n\S)", r"\1", text)
    new = version(gone, ("obligations:\n", f"succeeds: [{{policy: minimal, {says}}}]\nobligations:\n"),
                  of={"policy.yaml": body.encode()}, called="3.0")  # fmt: skip

    rows = compare_policies(load_pack(old), load_pack(new))

    assert [(row.way, row.words) for row in rows if row.subject == subject and row.words.startswith("dropped")] == [
        (Way.LOOSENS, words)
    ]


def test_what_is_not_carried_is_compared_all_the_same() -> None:
    """Whatever has to be determined anew, is asked for less from then on."""
    less = "  - {id: high, stub: true}\n"
    old = version(("levels: [basic, guarded]", "levels: [basic, guarded, {id: high, stub: true}]"),
                  ("asks: {deployment: guarded}", "asks: {deployment: high}"))  # fmt: skip
    new = version(
        ("policy: minimal", "policy: other"), ("levels: [basic, guarded]", f"levels:\n  - basic\n  - guarded\n{less}")
    )

    rows = compare_policies(load_pack(old), load_pack(new))

    assert (Way.LOOSENS, "misuse", "asks for deployment high → guarded") in {
        (row.way, row.subject, row.words) for row in rows
    }


REPLACING = ANOTHER.replace("level: guarded", "level: high").replace(
    "attested", "replaces: [input-filter]\n    attested"
)
TOPS = """\
  top: {title: T, standard: deployment, level: high, track: commitment, guards: [api],
        verify_with: [{evidence: risk_report}], attested_for: 9d}
  higher: {title: H, standard: deployment, level: higher, track: commitment, guards: [api],
        verify_with: [{evidence: risk_report}], attested_for: 9d}
  other:
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("level: high\n    track", "level: higher\n    track", "level higher → high"),
        ("guards: [api]\n    verify_with: [{evidence: risk", "guards: [web]\n    verify_with: [{evidence: risk",
         "guards web → api, web"),
    ],
    ids=["level", "guards"],
)  # fmt: skip
def test_what_replaces_others_loosens_where_more_list_it(old: str, new: str, words: str) -> None:
    """A safeguard at a lower level, or in more contexts, takes off the list there what it replaces."""
    wider = version(
        ("safeguards:\n", REPLACING),
        ("[basic, guarded]", "[basic, guarded, high, higher]"),
        ("true}, api]", "true}, api, web]"),
        ("  other:\n", TOPS),
    )
    narrower = version((old, new), of=wider, called="3.0")

    rows = compare_policies(load_pack(narrower), load_pack(wider))

    assert [(row.way, row.words) for row in rows if row.subject == "other"] == [(Way.LOOSENS, words)]


TWIN = """\
  twin:
    {title: Guard, standard: deployment, level: middle, track: commitment, guards: [staff],
     verify_with: [{evidence: red_team_report}], attested_for: 30d}
  advice:
"""
ESCAPE = "  escape: {title: Escape, asks: {deployment: high}, reassess: {every: 90d}}\n  noise:"


@pytest.mark.parametrize(
    ("says", "subject", "words"),
    [
        ("safeguards: {guard: twin, twin: guard}", "guard-high", "replaces guard → guard (what was twin)"),
        ("thresholds: {runaway: [escape], escape: [runaway]}", "affirmative",
         "listed for runaway → runaway (what was escape)"),
    ],
    ids=["replaces", "for"],
)  # fmt: skip
def test_the_same_words_may_name_other_things(says: str, subject: str, words: str) -> None:
    """Where two ids are swapped, what names one of them means the other: what stands behind it is compared."""
    text = WIDE.replace("  advice:\n", TWIN, 1).replace("  noise:", ESCAPE)
    new = text.replace('version: "1"', 'version: "2"', 1) + f"succeeds: [{{policy: wide, {says}}}]\n"

    rows = compare_policies(load_pack({"policy.yaml": text.encode()}), load_pack({"policy.yaml": new.encode()}))

    assert [(row.way, row.words) for row in rows if row.subject == subject] == [(Way.LOOSENS, words)]


def test_a_stub_that_moves_down_loosens() -> None:
    """What asks for it was out of reach for every model, and is met by a level above it from then on."""
    old = version(("levels: [basic, guarded]", "levels: [basic, guarded, {id: top, stub: true}]"))
    new = version(("levels: [basic, guarded]", "levels: [basic, {id: top, stub: true}, guarded]"), called="3.0")

    rows = compare_policies(load_pack(old), load_pack(new))

    assert [(row.way, row.area) for row in rows] == [(Way.LOOSENS, "levels")]
