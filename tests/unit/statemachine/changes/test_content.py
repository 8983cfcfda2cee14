"""The content bytes of a change: one form, and nothing but what the head gives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from interlock.statemachine import codec, drafting, rules
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine.changes import content_of
from interlock.statemachine.entry import Content
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.unmet import Code, RefusalKind, Refused
from interlock.v1 import change_pb2
from tests.support.world import World, codes
from tests.unit.statemachine.changes.reviews import ASSIGN, FILTER, LEVEL, MISUSE, MODEL

if TYPE_CHECKING:
    from collections.abc import Callable


def varint(field: int, value: int) -> bytes:
    """Return one protobuf field, number and value below 128."""
    return bytes([field << 3, value])


BYTES: dict[str, Callable[[bytes], bytes]] = {
    "an unknown field": lambda good: good + varint(15, 1),
    "a field again": lambda good: good + good[good.index(b"\x18\x01") :][:2],
    "a default value written out": lambda good: good + b"\x58\x00",
    "another order": lambda good: good[18:] + good[:18],
    "cut short": lambda good: good[:-1],
    "nothing": lambda _good: b"",
    "no protobuf": lambda _good: b"\xff" * 20,
    "text that is not UTF-8": lambda good: good.replace(b"basic", b"b\xffsic"),
    "a longer varint": lambda good: good.replace(b"\x18\x01", b"\x18\x81\x00"),
}


@pytest.mark.parametrize("how", sorted(BYTES))
def test_bytes_that_are_not_in_their_one_form(how: str, world: World) -> None:
    """Content bytes with anything unknown, out of order or spelled another way are refused."""
    good = world.content(ASSIGN)
    assert codes(world.decide("evaluator", c.ProposeChange(good))) == []

    decided = world.decide("evaluator", c.ProposeChange(BYTES[how](good)))

    assert isinstance(decided, Refused)
    assert decided.unmet[0].code in {Code.CONTENT, Code.CHANGE_TOO_LARGE}


def test_an_unknown_field_inside_a_trigger(world: World) -> None:
    """Unknown fields are found at any depth."""
    message = change_pb2.ChangeContent.FromString(world.content(ASSIGN))
    inner = message.triggers[0].level_assign.SerializeToString() + varint(15, 1)
    message.triggers[0].level_assign.ParseFromString(inner)

    decided = world.decide("evaluator", c.ProposeChange(message.SerializeToString(deterministic=True)))

    assert codes(decided) == [Code.CONTENT]


@pytest.mark.parametrize("number", [4, 77, -1, 2**31 - 1])
def test_an_unknown_enum_number(number: int, world: World) -> None:
    """Regression: enums are open on the wire, and a number without a name raised KeyError."""
    report = f.DeterminationReport(MISUSE, "reached")
    message = change_pb2.ChangeContent.FromString(world.content(report, f.DeterminationConfirm(MISUSE)))
    message.triggers[0].determination_report.conclusion = number  # type: ignore[assignment]

    decided = world.decide("evaluator", c.ProposeChange(message.SerializeToString(deterministic=True)))

    assert codes(decided) == [Code.CONTENT]


def test_a_trigger_without_a_kind(world: World) -> None:
    """A trigger that names nothing is no trigger."""
    message = change_pb2.ChangeContent.FromString(world.content(ASSIGN))
    message.triggers.add()

    decided = world.decide("evaluator", c.ProposeChange(message.SerializeToString(deterministic=True)))

    assert codes(decided) == [Code.CONTENT]


CHANGED: dict[str, dict[str, Any]] = {
    "log id": {"log_id": bytes(16)},
    "name": {"change": "changes/2"},
    "revision": {"revision": 2},
    "policy": {"policy_digest": bytes(32)},
    "rules": {"rules_digest": bytes(32)},
    "base left out": {"base": ()},
    "base position": {"base": ((MODEL, 1), (f"{MODEL}/determinations/misuse", -1), (LEVEL, -1))},
    "base of too much": {"base": (("holds/1", -1), (MODEL, 2), (f"{MODEL}/determinations/misuse", -1), (LEVEL, -1))},
    "base out of order": {"base": ((f"{MODEL}/determinations/misuse", -1), (MODEL, 2), (LEVEL, -1))},
}


@pytest.mark.parametrize("what", sorted(CHANGED))
def test_content_that_is_not_what_the_head_gives(what: str, world: World) -> None:
    """Content must be what these triggers give at the head: log, name, revision, policy, rules and base."""
    content = replace(codec.decode_content(world.content(ASSIGN)), **CHANGED[what])

    decided = world.decide("evaluator", c.ProposeChange(codec.encode_content(content)))

    assert isinstance(decided, Refused)
    assert (decided.kind, codes(decided)) == (RefusalKind.STALE, [Code.CONTENT])


MALFORMED: dict[str, dict[str, Any]] = {
    "a text twice": {"texts": (("title", bytes(32)), ("title", b"\x01" * 32))},
    "a text that is neither title nor summary": {"texts": (("body", bytes(32)),)},
    "a digest of a text that is none": {"texts": (("title", b"x"),)},
    "a negative earliest moment": {"not_before": -1},
    "a document by no number": {"evidence": (("evidence/x", "00" * 32),)},
    "a document by an odd number": {"evidence": (("evidence/01", "00" * 32),)},
    "a name that is no level's": {"triggers": (f.LevelAssign(f"{MODEL}/x/levels/deployment", "basic"),)},
    "a name that writes over an account": {"triggers": (ASSIGN, f.ModelRegister("principals/owner-a"))},
}


@pytest.mark.parametrize("what", sorted(MALFORMED))
@pytest.mark.parametrize("draft", [True, False])
def test_content_of_no_form(what: str, draft: bool, world: World) -> None:  # noqa: FBT001  # a parameter
    """What no state could make right is invalid, also in a draft."""
    content = replace(codec.decode_content(world.content(ASSIGN)), **MALFORMED[what])

    decided = world.decide("evaluator", c.ProposeChange(codec.encode_content(content), draft))

    assert isinstance(decided, Refused)
    assert (decided.kind, set(codes(decided))) == (RefusalKind.INVALID, {Code.MALFORMED})


@pytest.mark.parametrize(
    "parts",
    [{"triggers": ()}, {"triggers": (ASSIGN,) * 65}, {"evidence": tuple((f"evidence/{n}", "") for n in range(201))}],
)
def test_sizes(parts: dict[str, Any], world: World) -> None:
    """A change has 1 to 64 triggers and at most 200 documents."""
    content = replace(codec.decode_content(world.content(ASSIGN)), **parts)

    decided = world.decide("evaluator", c.ProposeChange(codec.encode_content(content)))

    assert codes(decided) == [Code.CHANGE_TOO_LARGE]


def test_evidence_is_named_by_its_bytes(world: World) -> None:
    """A document under another digest is not the document."""
    name = world.upload("evaluator", "risk_report")
    content = codec.decode_content(world.content(ASSIGN, evidence=[name]))
    swapped = replace(content, evidence=((name, "ab" * 32),))

    decided = world.decide("evaluator", c.ProposeChange(codec.encode_content(swapped)))

    assert codes(decided) == [Code.CONTENT]


def test_evidence_must_be_recorded(world: World) -> None:
    """A document that nobody recorded can't be attached."""
    content = replace(codec.decode_content(world.content(ASSIGN)), evidence=(("evidence/9", "ab" * 32),))

    decided = world.decide("evaluator", c.ProposeChange(codec.encode_content(content)))

    assert codes(decided) == [Code.EVIDENCE_UNKNOWN]


BASES: list[tuple[f.Firing, set[str]]] = [
    (ASSIGN, {MODEL, LEVEL, MISUSE, f"{MODEL}/determinations/autonomy", f"{MODEL}/determinations/extreme"}),
    (f.LevelRaise(f"{MODEL}/levels/security", "guarded"), {
        MODEL, f"{MODEL}/levels/security", f"{MODEL}/determinations/theft", f"{MODEL}/determinations/autonomy",
    }),
    (f.DeterminationConfirm(MISUSE), {MODEL, MISUSE}),
    (f.DeterminationReport(MISUSE, "reached", "assessments/1"), {MODEL, MISUSE, "assessments/1"}),
    (f.ModelAddArtifact(MODEL, "0a" * 32), {
        MODEL, *(f"{MODEL}/determinations/{t}" for t in ("misuse", "theft", "autonomy", "extreme")),
    }),
    (f.ModelRegister("models/new"), {"models/new"}),
    (f.SafeguardActivate(FILTER), {MODEL, FILTER}),
    (f.SafeguardActivate("safeguards/classifier"), {"safeguards/classifier"}),
    (f.SafeguardRetire(FILTER), {MODEL, FILTER, LEVEL, f"{MODEL}/levels/security"}),
    (f.SafeguardRetire(f"{MODEL}/safeguards/autonomy-case"), {
        MODEL, f"{MODEL}/safeguards/autonomy-case", LEVEL, f"{MODEL}/levels/security",
        f"{MODEL}/determinations/autonomy",
    }),
    (f.SafeguardRetire("safeguards/classifier"), {"safeguards/classifier", LEVEL, f"{MODEL}/levels/security"}),
    (f.HoldPlace(EVERYTHING), set()),
    (f.HoldPlace(MODEL), {MODEL}),
    (f.HoldLift("holds/1"), {MODEL, "holds/1"}),
    (f.HoldLift("holds/2"), {"holds/2"}),
    (f.AssessmentConclude("assessments/1"), {MODEL, "assessments/1"}),
]  # fmt: skip


@pytest.mark.parametrize(("firing", "expected"), BASES)
def test_base(firing: f.Firing, expected: set[str], wide_world: World) -> None:
    """The base lists what a trigger writes and whose state its conditions read: machine instances, no more."""
    for one, what in (
        ("evaluator", f.ModelRegister(MODEL)),
        ("evaluator", f.AssessmentOpen(MODEL, ("misuse",))),
        ("owner-a", f.HoldPlace(MODEL)),
        ("admin", f.HoldPlace(EVERYTHING)),
    ):
        assert codes(wide_world.fire(one, what)) == []

    drafted = drafting.draft(
        rules.current(), wide_world.policy, wide_world.state, name="changes/1", revision=1, triggers=(firing,)
    )

    assert isinstance(drafted, Content)
    assert dict(drafted.base) == {name: wide_world.state.position(name) for name in expected}
    assert list(drafted.base) == sorted(drafted.base)


def test_documents_are_sorted_by_number(world: World) -> None:
    """Attachments are listed by number, not as text, and each once."""
    names = [world.upload("evaluator", "risk_report") for _ in range(11)]

    content = content_of(world.content(ASSIGN, evidence=[*reversed(names), *names]))

    assert [name for name, _ in content.evidence] == names
