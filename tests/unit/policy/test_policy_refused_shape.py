"""Packs that are refused for their shape: keys that mean nothing, keys that are missing, values of another kind."""

from __future__ import annotations

import typing

import pytest
from pydantic import BaseModel

from interlock.statemachine.policy import Code
from interlock.statemachine.policy.schema import EXAMPLES, PackShape
from tests.unit.policy.packs import MARK, SKETCH, break_pack, errors_of, files, locate

SHAPE_FAULTS = [
    pytest.param("\nlevels:", "\n¦levles:", Code.UNKNOWN_KEY, id="key-misspelt"),
    pytest.param("{baseline: basic,", "{baseline: basic, ¦weight: 3,", Code.UNKNOWN_KEY, id="key-in-a-standard"),
    pytest.param("unguarded: true}, api", "¦unguared: true}, api", Code.UNKNOWN_KEY, id="key-in-a-context"),
    pytest.param("{role: owner}", "{role: owner, ¦rôle: x}", Code.UNKNOWN_KEY, id="key-in-a-slot"),
    pytest.param("newer_than: 90d}]", "newer_than: 90d, ¦older_than: 1d}]", Code.UNKNOWN_KEY, id="key-in-a-list"),
    pytest.param("    track: commitment", "    ¦trak: commitment", Code.UNKNOWN_KEY, id="key-in-a-safeguard"),
    pytest.param("    scope: model", "    scope: ¦everyone", Code.NOT_ONE_OF, id="word-that-is-no-scope"),
    pytest.param("format: 1", "format: ¦2", Code.NOT_ONE_OF, id="another-format"),
    pytest.param("format: 1", "format: ¦true", Code.NOT_ONE_OF, id="format-true"),
    pytest.param("format: 1", 'format: ¦"1"', Code.NOT_ONE_OF, id="format-as-text"),
    pytest.param("format: 1", "format: ¦1.0", Code.NOT_ONE_OF, id="format-with-a-fraction"),
    pytest.param('version: "1.0"', "version: ¦1.0", Code.WRONG_TYPE, id="version-as-number"),
    pytest.param('version: "1.0"', 'version: ¦"1 0"', Code.BAD_VERSION, id="version-with-a-space"),
    pytest.param("policy: minimal", "policy: ¦Minimal", Code.BAD_ID, id="capital-in-an-id"),
    pytest.param("policy: minimal", "policy: ¦a/b", Code.BAD_ID, id="slash-in-an-id"),
    pytest.param("policy: minimal", "policy: ¦mınımal", Code.BAD_ID, id="letter-like-another-in-an-id"),
    pytest.param("policy: minimal", "policy: ¦" + "a" * 64, Code.BAD_ID, id="id-of-64-letters"),
    pytest.param("  owner:     {", "  ¦Owner:     {", Code.BAD_ID, id="capital-in-a-key"),
    pytest.param("decision_lasts: 15m", "decision_lasts: ¦15", Code.BAD_DURATION, id="duration-without-unit"),
    pytest.param("decision_lasts: 15m", "decision_lasts: ¦0m", Code.BAD_DURATION, id="no-duration"),
    pytest.param("decision_lasts: 15m", "decision_lasts: ¦1.5h", Code.BAD_DURATION, id="duration-with-fraction"),
    pytest.param("decision_lasts: 15m", "decision_lasts: ¦25h", Code.BAD_DURATION, id="decision-past-a-day"),
    pytest.param("    attested_for: 180d", "    attested_for: ¦6 months", Code.BAD_DURATION, id="months"),
    pytest.param("    attested_for: 180d", "    attested_for: ¦36501d", Code.BAD_DURATION, id="past-a-century"),
    pytest.param("    attested_for: 180d", "    attested_for: ¦180D", Code.BAD_DURATION, id="capital-unit"),
    pytest.param("    attested_for: 180d", "    attested_for: ¦-1d", Code.BAD_DURATION, id="negative-duration"),
    pytest.param("    guards: [api] ", "    guards: ¦api ", Code.WRONG_TYPE, id="text-for-a-list"),
    pytest.param("    guards: [api] ", "    guards: ¦[] ", Code.BAD_LENGTH, id="empty-guards"),
    pytest.param("levels: [basic, guarded]", "levels: ¦[]", Code.BAD_LENGTH, id="no-levels"),
    pytest.param("levels: [basic, guarded]", "levels: [basic, ¦7]", Code.WRONG_TYPE, id="number-as-level"),
    pytest.param("applies_in: all", "applies_in: ¦everywhere", Code.WRONG_TYPE, id="word-for-contexts"),
    pytest.param("asks: {deployment: guarded}", "asks: ¦[deployment]", Code.WRONG_TYPE, id="list-for-a-mapping"),
    pytest.param('source: {document: House rules, section: "4"}', "source: ¦House", Code.WRONG_TYPE, id="source"),
    pytest.param('section: "4"', "section: ¦4.1", Code.WRONG_TYPE, id="section-as-number"),
    pytest.param("owner:     {approves: true}", "owner:     {approves: ¦yes}", Code.WRONG_TYPE, id="yes"),
    pytest.param("{role: owner}", "{role: owner, count: ¦1.5}", Code.WRONG_TYPE, id="fraction-of-a-person"),
    pytest.param("{role: owner}", "{role: owner, count: ¦0}", Code.BAD_NUMBER, id="nobody"),
    pytest.param("{role: owner}", "{role: owner, count: ¦17}", Code.BAD_NUMBER, id="seventeen-people"),
    pytest.param("{role: owner}", "{role: owner, distinct_from: [¦admin]}", Code.NOT_ONE_OF, id="conflict"),
    pytest.param("{role: owner}", "{role: owner, assurance: ¦none}", Code.NOT_ONE_OF, id="assurance"),
    pytest.param("compute_growth: 4", "compute_growth: ¦1", Code.BAD_NUMBER, id="growth-of-one"),
    pytest.param("compute_growth: 4", "compute_growth: ¦four", Code.WRONG_TYPE, id="growth-in-words"),
    pytest.param("title: A two-level release policy", 'title: ¦" "', Code.BAD_TEXT, id="blank-title"),
    pytest.param("title: A two-level release policy", 'title: ¦"a\\nb"', Code.BAD_TEXT, id="two-line-title"),
    pytest.param("title: A two-level release policy", "title: ¦" + "a" * 301, Code.BAD_TEXT, id="long-title"),
    pytest.param("title: A two-level release policy", "title: ¦2", Code.WRONG_TYPE, id="number-as-title"),
]


@pytest.mark.parametrize(("old", "new", "code"), SHAPE_FAULTS)
def test_a_fault_of_shape_is_found_where_it_is(old: str, new: str, code: Code) -> None:
    """A key or value that does not fit is refused with its code, line and column."""
    broken = break_pack(SKETCH, old, new)

    found = errors_of(files(broken.text))

    places = [(f.code, f.line, f.column) for f in found]
    assert (code, broken.line, broken.column) in places
    assert all(f.fix for f in found)


MISSING = [
    pytest.param("format: 1\n", "", "¦# A sketch", "format", id="format"),
    pytest.param("contexts: [{id: internal, unguarded: true}, api]", "", "¦# A sketch", "contexts", id="contexts"),
    pytest.param("\ndefault:", "\ndefaults:", "¦# A sketch", "default", id="default"),
    pytest.param("    level: guarded\n", "", "  ¦input-filter:", "level", id="level-of-a-safeguard"),
    pytest.param("    attested_for: 180d\n", "", "  ¦input-filter:", "attested_for", id="attested-for"),
    pytest.param("    reassess: {every: 180d, compute_growth: 4}\n", "", "  ¦misuse:", "reassess", id="reassess"),
    pytest.param("{every: 180d, ", "{", "    ¦reassess:", "every", id="every"),
    pytest.param(
        '    source: {document: House rules, section: "4"}\n', "", "¦triggers: [level.assign", "source", id="rule"
    ),
    pytest.param('  source: {document: House rules, section: "5"}\n', "", "¦default:", "source", id="of-default"),
    pytest.param(
        'document: House rules, section: "4"', "document: House", "¦source: {document: House}", "section", id="section"
    ),
    pytest.param("    lasts: 24h\n", "", "¦triggers: [hold.lift]", "lasts", id="end-of-break-glass"),
    pytest.param(", blocking: false", "", "  ¦quarterly-report:", "blocking", id="blocking"),
    pytest.param("{role: owner}", "{veto: true}", "¦{veto: true}", "role", id="role-of-a-slot"),
]


@pytest.mark.parametrize(("old", "new", "parent", "key"), MISSING)
def test_a_missing_key_is_told_where_it_belongs(old: str, new: str, parent: str, key: str) -> None:
    """A missing key is reported at what it is missing from, with an example of what to write."""
    assert SKETCH.count(old) == 1
    text = SKETCH.replace(old, new)
    anchor = parent.replace(MARK, "")
    assert text.count(anchor) == 1
    broken = locate(text.replace(anchor, parent))

    found = [f for f in errors_of(files(broken.text)) if f.code is Code.MISSING_KEY]

    assert [(f.line, f.column) for f in found] == [(broken.line, broken.column)]
    assert f"`{key}`" in found[0].message
    assert key in found[0].fix


def test_a_misspelt_key_is_answered_with_the_right_one() -> None:
    """An unknown key gets the nearest known one of that very place, below lists and mappings as well."""
    texts = {
        SKETCH.replace("trak:", "").replace("    track:", "    trak:"): "track",
        SKETCH.replace("newer_than: 90d", "newer_then: 90d"): "newer_than",
        SKETCH.replace(
            "reassess: {every: 180d, compute_growth", "reassess: {every: 180d, compute_grow"
        ): "compute_growth",
        SKETCH.replace("{role: owner}", "{role: owner, distinct: []}"): "distinct_from",
        SKETCH.replace("    guards: [api] ", "    guards: [api]\n    fore: [misuse] "): "for",
    }

    fixes = [next(f.fix for f in errors_of(files(t)) if f.code is Code.UNKNOWN_KEY) for t in texts]

    assert fixes == [f"did you mean `{key}`?" for key in texts.values()]


def test_all_faults_of_shape_are_told_at_once() -> None:
    """Faults in unrelated places are all in one answer, in order of place."""
    text = SKETCH.replace("decision_lasts: 15m", "decision_lasts: 15").replace("scope: model", "scope: all")

    found = errors_of(files(text.replace("lasts: 24h", "lasts: long").replace("format: 1", "format: 3")))

    assert [f.code for f in found] == [Code.NOT_ONE_OF, Code.BAD_DURATION, Code.NOT_ONE_OF, Code.BAD_DURATION]
    assert [f.line for f in found] == sorted(f.line for f in found)


def test_more_kinds_of_things_than_anyone_could_review_are_refused() -> None:
    """Levels, contexts and roles are counted in tens."""
    many = ", ".join(f"l{n}" for n in range(65))
    broken = break_pack(SKETCH, "levels: [basic, guarded]", f"levels: ¦[{many}]")

    found = errors_of(files(broken.text))

    assert [(f.code, f.line, f.column) for f in found] == [(Code.BAD_LENGTH, broken.line, broken.column)]


def test_every_key_that_can_be_missing_has_an_example() -> None:
    """The table of examples covers every required key of every part of the schema."""
    shapes: list[type[BaseModel]] = [PackShape]
    required: set[str] = set()
    while shapes:
        for name, field in shapes.pop().model_fields.items():
            required |= {name} if field.is_required() else set()
            shapes += _shapes_in(field.annotation)

    assert required <= set(EXAMPLES)


def _shapes_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [shape for argument in typing.get_args(annotation) for shape in _shapes_in(argument)]
