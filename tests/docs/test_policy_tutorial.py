"""The tutorial on policies, run: each shell block in order, against the server that it starts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import ROOT, blocks
from tests.docs.test_tutorial import founded, run_shell

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_policy_tutorial_works_as_it_is_written(tmp_path: Path) -> None:
    """The sketch is clean, the side door is found and mended, and the new policy comes into force."""
    shell = [block.text for block in blocks(ROOT / "docs" / "policy-tutorial.md") if block.language == "sh"]

    with founded(tmp_path, shell) as rest:
        said = run_shell(tmp_path, rest)

    assert "error SIDE_DOOR" in said
    assert "the lint said no, with exit code 1" in said
    assert len(re.findall(r"^clean  sha256 [0-9a-f]{64}$", said, re.MULTILINE)) == 3
    assert re.search(r"^policies/house-rules/versions/1 +in force", said, re.MULTILINE)
    assert (tmp_path / "house-rules.svg").read_text(encoding="utf-8").startswith("<svg ")
