"""The page of threats: every threat of the design has a row, and every test that a row names is there."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import Final

import pytest

from tests.docs.pages import ROOT

PAGE: Final = ROOT / "docs" / "threats.md"
NAMED: Final = re.compile(r"`([a-z_/]+\.py)::(test_\w+)`")
LISTED: Final = (
    "second account", "delegate", "fresh key", "a minute ago", "suspending its author", "evidence swapped",
    "on another change", "later revision", "after it was withdrawn", "another log", "another key", "another role",
    "revoked earlier", "an old client", "release tool", "monitor", "another server", "lone evaluator", "lone closer",
    "permanent effect", "break-glass twice", "duplicate keys", "together are not", "oversized", "slow and endless",
    "4 GiB", "a million attachments", "resource names", "homoglyphs", "filters", "who edits", "who inserts",
    "who truncates", "who rolls back", "double apply", "set back",
)  # fmt: skip
"""The list at the end of the identity design, each by words that its row has."""
STEPS: Final = 8
"""How many steps the insiders' scenario has."""


def rows() -> list[list[str]]:
    """Return the cells of every row of the page's tables but their heads."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in found if row[0] not in {"threat", "step"}]


@lru_cache
def names_in(path: str) -> frozenset[str]:
    """Return the tests of a file below `tests/`."""
    tree = ast.parse((ROOT / "tests" / path).read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:60])
def test_every_row_names_tests_that_are_there(row: list[str]) -> None:
    """A threat whose test is gone or was renamed fails."""
    named = NAMED.findall(row[-1])

    assert named
    assert row[-1] == ", ".join(f"`{path}::{name}`" for path, name in named)
    assert not [name for path, name in named if name not in names_in(path)]


def test_every_threat_of_the_design_has_a_row() -> None:
    """None of the list is forgotten, nor a step of the scenario."""
    threats = " ".join(row[0] for row in rows())

    assert not [words for words in LISTED if words not in threats]
    assert [row[0].split(".")[0] for row in rows() if row[0][0].isdigit()] == [str(n + 1) for n in range(STEPS)]
