"""What a refusal asks for reads after "needs": it names a thing, and does not say the verb again."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import interlock.statemachine.decide as core

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(core.__file__).parent
WISH_AT = {"Unmet": 1, "refused": 2}


def wishes() -> Iterator[tuple[str, str]]:
    """Yield the place and the words of every requirement that is written out where it is refused."""
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in WISH_AT:
                continue
            at = WISH_AT[node.func.id]
            if len(node.args) > at and isinstance(node.args[at], ast.Constant | ast.JoinedStr):
                words = ast.unparse(node.args[at]).removeprefix("f")[1:-1]
                yield f"{path.name}:{node.lineno}", words


def test_no_requirement_doubles_the_verb_before_it() -> None:
    """Regression: "needs safeguard.degrade needs …" and "needs level.confirm happens only in …"."""
    found = dict(wishes())

    assert len(found) > 50
    plain = {place: words.replace("that needs", "").split() for place, words in found.items()}
    assert {place: words for place, words in plain.items() if {"needs", "happens"} & set(words)} == {}
