"""The page about the change file names what the reader of change files takes."""

from __future__ import annotations

import re

from interlock.cli.change_file import read_change
from interlock.statemachine.triggers import Trigger
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "reference" / "change-file.md"


def test_it_lists_every_trigger() -> None:
    """One row for each, in the order of the contract."""
    listed = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)

    assert listed == [trigger.value for trigger in Trigger]


def test_its_example_is_one() -> None:
    """The reader takes the example whole."""
    text = next(block.text for block in blocks(PAGE) if block.language == "yaml")

    assert len(read_change("change.yaml", text).triggers) == 2
