"""Later versions of a pack, made of its text: for tests that adopt one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support.world import sketch

if TYPE_CHECKING:
    from collections.abc import Mapping

NEXT = "2.0"

SECOND: Final = """\
safeguards:
  second:
    title: Somebody looks a second time
    standard: deployment
    level: guarded
    track: commitment
    guards: [api]
    verify_with: [{evidence: red_team_report}]
    attested_for: 40d
"""
"""A second safeguard of the sketch's kind: put it in the place of its ``safeguards:`` line."""


def version(*edits: tuple[str, str], of: Mapping[str, bytes] | None = None, called: str = NEXT) -> dict[str, bytes]:
    """Return the next version of a pack (the sketch) with words replaced, each of which must be there."""
    text = (sketch() if of is None else of)["policy.yaml"].decode()
    start = text.index("\nversion: ") + 1
    text = text[:start] + f'version: "{called}"' + text[text.index("\n", start) :]
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return {"policy.yaml": text.encode()}
