"""Which texts an entry names."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from typing import get_args

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine.named import OTHER_DIGESTS, TEXT_DIGESTS, texts_of
from tests.support.world import World, envelope

REASON = hashlib.sha256(b"a reason").digest()
COMMENT = hashlib.sha256(b"a comment").digest()


def test_every_digest_of_a_command_is_of_a_text_or_of_something_else() -> None:
    """A new field must say which, or its texts would be missing in bundles."""
    kinds = [*get_args(c.Command), *get_args(f.Firing)]
    names = {item.name for kind in kinds for item in fields(kind) if item.name.endswith("_digest")}

    assert names == TEXT_DIGESTS | OTHER_DIGESTS


def test_a_reason_is_named_by_the_trigger() -> None:
    """Fired by one person, or in a change."""
    world = World.found()
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    world.must("owner-a", c.Fire(f.HoldPlace("models/m", REASON)))

    assert texts_of(world.entries[-1]) == {REASON: "reason"}
    assert texts_of(world.entries[-2]) == {}


def test_a_title_is_named_by_the_document() -> None:
    """Of every document."""
    world = World.found()
    world.upload("evaluator", "evaluation_results")

    assert list(texts_of(world.entries[-1]).values()) == ["title"]


def test_a_comment_is_named_by_the_signed_statement() -> None:
    """The entry itself does not repeat it."""
    world = World.found()
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    world.must("owner-a", c.Fire(f.HoldPlace("models/m")))
    change = world.propose("evaluator", f.HoldLift("holds/1"))
    statement = replace(world.statement("owner-a", change), comment_digest=COMMENT.hex())
    world.must("owner-a", c.SignOffChange(change), envelopes=(envelope("owner-a", statement),))

    assert texts_of(world.entries[-1]) == {COMMENT: "comment"}
