"""Who may have a text erased, once, and that no verdict reads it."""

from __future__ import annotations

import pytest

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.decide import Accepted
from interlock.statemachine.entry import Transition
from interlock.statemachine.names import text_name
from interlock.statemachine.unmet import Code
from tests.support.world import World, codes

DIGEST = bytes(range(32))
NAME = text_name(DIGEST)


def test_an_administrator_erases_a_text() -> None:
    """The entry says which; the fold says by whom and when, and the position is the entry's."""
    world = World.found()

    entry = world.must("admin", c.EraseText(DIGEST))

    assert entry.transitions == (Transition(NAME, "text.erase", "kept", "erased"),)
    assert world.state.need(NAME, r.ErasedText) == r.ErasedText(NAME, "principals/admin", entry.time)
    assert world.state.position(NAME) == entry.seq


@pytest.mark.parametrize("who", ["owner-a", "evaluator", "auditor", "everything-but-admin", "release-bot"])
def test_nobody_else_does(who: str) -> None:
    """Whoever approves, asks or looks has no business with it."""
    assert codes(World.found().decide(who, c.EraseText(DIGEST))) == [Code.RIGHT_MISSING]


def test_a_text_is_erased_once() -> None:
    """The refusal names the entry that did it."""
    world = World.found()
    entry = world.must("admin", c.EraseText(DIGEST))

    decided = world.decide("admin", c.EraseText(DIGEST))

    assert not isinstance(decided, Accepted)
    assert [(row.code, row.resource) for row in decided.unmet] == [(Code.NO_SUCH_EDGE, NAME)]
    assert f"entry {entry.seq}" in decided.unmet[0].actual


@pytest.mark.parametrize("digest", [b"", b"d" * 31, b"d" * 33])
def test_only_a_digest_names_a_text(digest: bytes) -> None:
    """32 bytes."""
    assert codes(World.found().decide("admin", c.EraseText(digest))) == [Code.MALFORMED]


def test_no_verdict_reads_it() -> None:
    """Nor is anything else of the fold another than before."""
    world = World.found()
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    before, items = world.verdict("models/m", "internal"), dict(world.state.items.items())

    world.must("admin", c.EraseText(DIGEST))

    assert world.verdict("models/m", "internal").reasons == before.reasons
    assert {name: item for name, item in world.state.items.items() if name != NAME} == items
