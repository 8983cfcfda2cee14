"""A pack means the same in whatever legal YAML 1.2 style it is written, and a lint says the same of it."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.statemachine.policy import POLICY_FILE, Code, load_pack, shipped_pack_names
from interlock.statemachine.policy.lint import lint_pack
from interlock.statemachine.policy.yamltree import read_tree
from tests.support.styles import Hand
from tests.unit.policy.packs import SKETCH, WIDE, errors_of, files, shipped

TEXTS = {"sketch": SKETCH, "wide": WIDE} | {n: shipped(n)[POLICY_FILE].decode() for n in shipped_pack_names()}
TITLE = "title: A two-level release policy\n"


@pytest.mark.parametrize("name", TEXTS)
@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=12, deadline=None)
def test_a_pack_written_in_any_hand_means_the_same(name: str, seed: int) -> None:
    """Block or flow, any quotes, escapes, folds, comments, tabs, indentation: one policy, but for its digest."""
    tree, _ = read_tree(POLICY_FILE, TEXTS[name])
    assert tree is not None

    again = load_pack(files(Hand(Random(seed)).write(tree.root)))

    policy = load_pack(files(TEXTS[name]))
    assert replace(again, digest=policy.digest) == policy


@pytest.mark.parametrize("seed", range(3))
def test_a_lint_finds_the_same_in_any_hand(seed: int) -> None:
    """The same codes, messages and calls; places move with the text."""
    tree, _ = read_tree(POLICY_FILE, TEXTS["rsp-2.2"])
    assert tree is not None
    again = lint_pack(files(Hand(Random(seed)).write(tree.root)))

    said = {(finding.code, finding.message, finding.calls) for finding in again.findings}

    assert said == {(f.code, f.message, f.calls) for f in lint_pack(shipped("rsp-2.2")).findings}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("decision_lasts: 15m", "decision_lasts:\t15m", id="tab-after-a-colon"),
        pytest.param("decision_lasts: 15m", "decision_lasts: 15m\t# a while", id="tab-before-a-comment"),
        pytest.param("decision_lasts: 15m\n", "decision_lasts: 15m\t\n", id="tab-at-the-end"),
        pytest.param("decision_lasts: 15m\n", "decision_lasts: 15m\n\t\n", id="tab-alone"),
        pytest.param("decision_lasts: 15m\n", "decision_lasts: 15m\n \t # x\n", id="tab-then-comment-alone"),
        pytest.param("levels: [basic, guarded]", "levels: [basic,\tguarded\t]", id="tab-in-flow"),
        pytest.param(
            "  owner:     {approves: true} ", "  owner: {\n    approves\n    :\n    true\n  } ", id="key-alone"
        ),
        pytest.param(TITLE, 'title: "A two-level\n  release \\\n  policy"\n', id="escaped-line-break"),
        pytest.param(TITLE, "title: >+\n  A two-level\n  release policy\n", id="folded-and-kept"),
        pytest.param("blocking: false}\n", "blocking: false}", id="no-line-end-at-the-end"),
        pytest.param("blocking: false}\n", "blocking: false}\n...\n# the end\n", id="document-end"),
        pytest.param("{id: internal, unguarded: true}", "{id: internal,unguarded: TRUE,}", id="capital-true"),
    ],
)
def test_styles_that_people_write(old: str, new: str) -> None:
    """Each by itself, so that a failure has a name."""
    assert SKETCH.count(old) == 1

    policy = load_pack(files(SKETCH.replace(old, new)))

    expected = load_pack(files(SKETCH))
    assert replace(policy, digest=expected.digest) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    scope: model ", "\tscope: model "),
        ("    scope: model ", "    \tscope: model "),
        ("      - {role: owner}\n", "      -\t{role: owner}\n"),
        ("      - {role: owner}\n", "\t- {role: owner}\n"),
    ],
)
def test_a_tab_that_indents_is_refused(old: str, new: str) -> None:
    """Or could be read as if it did: YAML indents with spaces alone."""
    assert {finding.code for finding in errors_of(files(SKETCH.replace(old, new)))} == {Code.YAML_SYNTAX}
