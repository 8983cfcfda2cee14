"""Later versions of a pack, made of its text: for tests that adopt one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.world import sketch

if TYPE_CHECKING:
    from collections.abc import Mapping

NEXT = "2.0"


def version(*edits: tuple[str, str], of: Mapping[str, bytes] | None = None, called: str = NEXT) -> dict[str, bytes]:
    """Return the next version of a pack (the sketch) with words replaced, each of which must be there."""
    text = (sketch() if of is None else of)["policy.yaml"].decode()
    start = text.index("\nversion: ") + 1
    text = text[:start] + f'version: "{called}"' + text[text.index("\n", start) :]
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return {"policy.yaml": text.encode()}
