"""The corpus of broken packs: one fault each, found with its place, its reason and the calls that show it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from interlock.statemachine.policy import Severity
from interlock.statemachine.policy.lint import lint_pack
from tests.unit.policy.packs import FIXTURES

if TYPE_CHECKING:
    from pathlib import Path

CORPUS = sorted(path for path in (FIXTURES / "broken-packs").iterdir() if path.is_dir())


def expected_of(folder: Path) -> dict[str, Any]:
    """What a lint has to find in a broken pack."""
    found: dict[str, Any] = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return found


def uncounted(reason: str) -> str:
    """How many triggers more a rule leaves open moves with every trigger that the table of directions gets."""
    return re.sub(r"\(and \d+ more\)", "(and more)", reason)


@pytest.mark.parametrize("folder", CORPUS, ids=lambda folder: folder.name)
def test_the_one_fault_is_found_where_it_is_and_shown(folder: Path) -> None:
    """Severity, place, code, reason and calls are exactly those written beside the pack; nothing else is found."""
    files = {"policy.yaml": (folder / "policy.yaml").read_bytes()}

    found = [finding for finding in lint_pack(files).findings if finding.severity is not Severity.NOTE]

    assert [
        {
            "severity": finding.severity.value,
            "line": finding.line,
            "column": finding.column,
            "code": finding.code.value,
            "reason": uncounted(finding.message),
            "calls": list(finding.calls),
        }
        for finding in found
    ] == [expected_of(folder) | {"reason": uncounted(expected_of(folder)["reason"])}]


def test_the_corpus_is_wide() -> None:
    """At least forty packs, of at least forty kinds of fault, each with calls."""
    expected = [expected_of(folder) for folder in CORPUS]

    assert len(expected) >= 40
    assert len({row["code"] for row in expected}) >= 40
    assert all(row["calls"] for row in expected)
