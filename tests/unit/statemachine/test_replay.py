"""Replay and fold: a log that was meddled with gives a finding, never an exception and never a clean bill."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.decide import Accepted
from interlock.statemachine.evolve import FoldError, evolve
from interlock.statemachine.replay import Replay
from interlock.statemachine.state import EVERYTHING, State
from tests.support.world import World, actor, envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.statemachine.entry import Entry

MODEL = "models/m"
LEVEL = f"{MODEL}/levels/deployment"


@lru_cache(maxsize=1)
def story() -> World:
    """Return a world with a short story: a model, evidence, a change that was applied, a hold, an attempt."""
    world = World.found(countersigned_by=["owner-a", "reviewer-a"])
    world.fire("evaluator", f.ModelRegister(MODEL, ("0a" * 32,)))
    world.fire("evaluator", f.DeterminationReport(f"{MODEL}/determinations/misuse", "cannot_rule_out"))
    document = world.upload("evaluator", "risk_report")
    change = world.propose("evaluator", f.LevelAssign(LEVEL, "basic"))
    world.must("evaluator", c.AttachEvidence(change, world.revised(change, evidence=[document])))
    world.sign("owner-b", change, "reject")
    world.sign("owner-b", change, "withdraw")
    world.sign("owner-a", change)
    world.sign("reviewer-a", change)
    world.fire("owner-a", f.HoldPlace(MODEL))
    world.must("auditor", c.AttemptRefused("service/Method", bytes(32), ("RIGHT_MISSING",)))
    return world


def replayed(log: list[bytes], resolve: Callable[[bytes], bytes] | None = None) -> Replay:
    """Replay a log to its end."""
    replay = Replay(resolve or story().resolve)
    for data in log:
        replay.feed(data)
    return replay


def test_a_good_log_has_no_finding() -> None:
    """Replaying what was decided gives the same state and no finding."""
    world = story()

    replay = replayed(world.encoded())

    assert replay.findings == []
    assert replay.state == world.state


def test_the_fold_is_what_decide_gave() -> None:
    """Folding the entries gives the state that deciding them gave."""
    world, state = story(), State()

    for entry in world.entries:
        state = evolve(world.policy, state, entry)

    assert state == world.state


LENGTH = len(story().entries)


@pytest.mark.parametrize("at", range(LENGTH))
def test_an_entry_that_was_dropped(at: int) -> None:
    """Without an entry the next one does not follow; the last one's absence is the checkpoint's to show."""
    log = story().encoded()

    replay = replayed(log[:at] + log[at + 1 :])

    assert [finding.position for finding in replay.findings] == ([at] if at < LENGTH - 1 else [])


@pytest.mark.parametrize("at", range(LENGTH))
def test_an_entry_that_stands_twice(at: int) -> None:
    """The same entry again is found where it stands again."""
    log = story().encoded()

    replay = replayed(log[: at + 1] + log[at:])

    assert [finding.position for finding in replay.findings] == [at + 1]


@pytest.mark.parametrize("at", range(LENGTH - 1))
def test_two_entries_that_were_swapped(at: int) -> None:
    """Two neighbours in the other order are found at the first of them."""
    log = story().encoded()

    replay = replayed([*log[:at], log[at + 1], log[at], *log[at + 2 :]])

    assert [finding.position for finding in replay.findings] == [at]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, LENGTH - 1), st.data())
def test_a_byte_that_was_flipped(at: int, data: st.DataObject) -> None:
    """Any bit of any entry flipped: a finding at it, or an entry that says exactly the same in other bytes."""
    world = story()
    log = world.encoded()
    where = data.draw(st.integers(0, len(log[at]) - 1))
    bent = bytearray(log[at])
    bent[where] ^= 1 << data.draw(st.integers(0, 7))

    replay = replayed([*log[:at], bytes(bent), *log[at + 1 :]])

    if replay.findings:
        assert len(replay.findings) == 1
        assert replay.findings[0].position >= at
    else:
        assert codec.decode_entry(bytes(bent), world.resolve) == world.entries[at] or _unjudged(bytes(bent), at)


def _unjudged(bent: bytes, at: int) -> bool:
    """Say whether all that differs is what the server alone can know: request id, credential, instant, digests."""
    entry, good = codec.decode_entry(bent, story().resolve), story().entries[at]
    return type(entry.command) is type(good.command) and entry.transitions == good.transitions


def forged(at: int, **parts: Any) -> list[bytes]:  # noqa: ANN401  # fields of an entry
    """Return the log with parts of one entry replaced."""
    entries = list(story().entries)
    entries[at] = replace(entries[at], **parts)
    return [codec.encode_entry(entry) for entry in entries]


LAST = LENGTH - 1
HOLD = LENGTH - 2
APPLIED = LENGTH - 3
FORGERIES: dict[str, tuple[int, dict[str, Any]]] = {
    "position": (HOLD, {"seq": 99}),
    "time": (HOLD, {"time": story().entries[HOLD].time + 1}),
    "time before the last": (HOLD, {"time": 1, "facts": c.Facts(1)}),
    "another policy": (HOLD, {"policy": replace(story().entries[0].policy, version="2")}),
    "rules of another digest": (HOLD, {"rules_digest": bytes(32)}),
    "rules of another version": (HOLD, {"rules_version": 2}),
    "somebody without the right": (HOLD, {"actor": actor("auditor")}),
    "somebody unknown": (HOLD, {"actor": actor("nobody")}),
    "the system": (HOLD, {"actor": c.SYSTEM}),
    "another's key": (HOLD, {"actor": c.Actor("principals/owner-a", actor("owner-b").credential)}),
    "no transition": (HOLD, {"transitions": ()}),
    "another transition": (HOLD, {"transitions": story().entries[2].transitions}),
    "no chain": (HOLD, {"prev": ()}),
    "another chain": (HOLD, {"prev": (("holds/1", 3),)}),
    "an envelope that nobody reads": (HOLD, {"facts": c.Facts(story().entries[HOLD].time, (b"{}",))}),
    "applied without the last sign-off": (APPLIED, {"facts": c.Facts(story().entries[APPLIED].time)}),
    "applied by somebody else's sign-off": (
        APPLIED,
        {"facts": replace(story().entries[APPLIED].facts, envelopes=story().entries[APPLIED - 1].facts.envelopes)},
    ),
    "applied by one of the same person": (APPLIED, {"actor": actor("owner-a")}),
    "a loosening trigger of one person": (HOLD, {"command": c.Fire(f.LevelAssign(LEVEL, "basic"))}),
    "a second founding": (HOLD, {"command": story().entries[0].command, "actor": c.SYSTEM}),
    "an attempt in place of a hold": (HOLD, {"command": story().entries[LAST].command}),
}


@pytest.mark.parametrize("what", sorted(FORGERIES))
def test_a_forged_entry(what: str) -> None:
    """An entry that says anything that the rules do not give is found at its position."""
    at, parts = FORGERIES[what]

    replay = replayed(forged(at, **parts))

    assert [finding.position for finding in replay.findings] == [at]


def test_a_change_applied_without_its_quorum() -> None:
    """An operator who inserts an apply with all that belongs to it, save the sign-offs, is found."""
    world = story().fork()
    change = world.propose("evaluator", f.HoldLift("holds/1"), apply_separately=True)
    world.sign("owner-a", change)
    honest = world.encoded()
    stored = world.state.need(change, r.Change)
    phantom = world.fork()
    phantom.sign("reviewer-a", change)
    applied = phantom.must("owner-a", c.ApplyApprovedChange(change))
    lie = replace(applied, seq=world.state.size, prev=tuple((n, world.state.position(n)) for n, _ in applied.prev))

    replay = replayed([*honest, codec.encode_entry(lie)], world.resolve)

    assert stored.state == "in_review"
    assert [(finding.position, finding.code) for finding in replay.findings] == [(len(honest), "NOT_DECIDABLE_SO")]
    assert not isinstance(world.decide("owner-a", lie.command), Accepted)


def test_nothing_is_judged_after_a_finding() -> None:
    """After the first finding nothing more is judged, and nothing more is found."""
    log = story().encoded()

    replay = replayed([*log[:3], b"", *log[3:]])

    assert [(finding.position, finding.code) for finding in replay.findings] == [(3, "ENTRY_UNREADABLE")]
    assert replay.state.size == 3


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x00" * 50, b"\x08\x01", b"\x42\x02\x1a\x00"])
def test_bytes_that_are_no_entry(data: bytes) -> None:
    """Bytes that are no entry are a finding, at the start as well."""
    assert [finding.position for finding in replayed([data]).findings] == [0]
    log = story().encoded()
    assert [finding.position for finding in replayed([*log, data]).findings] == [LENGTH]


def test_no_genesis() -> None:
    """A log that does not begin with its founding is found at position 0."""
    replay = replayed(story().encoded()[1:])

    assert [(finding.position, finding.code) for finding in replay.findings] == [(0, "NO_GENESIS")]


OBJECTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda _data: b"", "PACK_DIGEST"),
    "no pack": (lambda _data: b"\xff", "POLICY_UNREADABLE"),
    "another pack": (lambda _data: codec.encode_pack({"policy.yaml": b"format: 1\n"}), "PACK_DIGEST"),
    "one word other": (lambda data: data.replace(b"basic", b"basis"), "PACK_DIGEST"),
    "a path that no pack has": (lambda _data: codec.encode_pack({"../x": b""}), "POLICY_UNREADABLE"),
}


@pytest.mark.parametrize("what", sorted(OBJECTS))
def test_a_pack_that_is_not_the_one_named(what: str) -> None:
    """A pack with another digest than the founding names is found at position 0."""
    change, code = OBJECTS[what]
    digest = story().policy.digest

    def resolve(wanted: bytes) -> bytes:
        return change(story().resolve(digest)) if wanted == digest else story().resolve(wanted)

    replay = replayed(story().encoded(), resolve)

    assert [(finding.position, finding.code) for finding in replay.findings] == [(0, code)]


def test_content_that_is_not_the_one_named() -> None:
    """Content bytes handed out under another's digest are found at the entry that names them."""
    world = story()
    contents = [e.command.content for e in world.entries if isinstance(e.command, c.ProposeChange)]
    other = hashlib.sha256(contents[0]).digest()

    def resolve(wanted: bytes) -> bytes:
        return contents[0].replace(b"basic", b"basis") if wanted == other else world.resolve(wanted)

    replay = replayed(world.encoded(), resolve)

    assert [finding.code for finding in replay.findings] == ["ENTRY_UNREADABLE"]


def test_objects_that_are_missing() -> None:
    """A log whose objects are withheld is found where the first is missing."""

    def resolve(_wanted: bytes) -> bytes:
        raise LookupError

    assert [finding.position for finding in replayed(story().encoded(), resolve).findings] == [0]


# The fold --------------------------------------------------------------------------------------------------------

UNFOLDABLE: dict[str, Callable[[Entry], Entry]] = {
    "another position": lambda entry: replace(entry, seq=entry.seq + 1),
    "rules of another version": lambda entry: replace(entry, rules_version=2),
    "rules of another digest": lambda entry: replace(entry, rules_digest=b""),
    "another transition": lambda entry: replace(entry, transitions=()),
    "a command that can't happen": lambda entry: replace(entry, command=c.Fire(f.HoldLift("holds/9"))),
}


@pytest.mark.parametrize("what", sorted(UNFOLDABLE))
def test_an_entry_that_does_not_follow(what: str) -> None:
    """The fold refuses an entry that does not follow from the state before it."""
    world = story().fork()
    before = world.state
    entry = world.must("admin", c.Fire(f.HoldPlace(EVERYTHING)))

    with pytest.raises(FoldError):
        evolve(world.policy, before, UNFOLDABLE[what](entry))


def test_the_fold_needs_no_rights() -> None:
    """Accepted entries are folded without judging again who may do what."""
    world = story().fork()
    before = world.state
    entry = world.must("admin", c.Fire(f.HoldPlace(EVERYTHING)))

    other = evolve(world.policy, before, replace(entry, actor=actor("nobody")))

    assert other.find("holds/2", r.Hold) is not None


def test_a_sign_off_is_verified_by_the_fold_as_well() -> None:
    """An envelope that proves nothing does not get into a state, also where rights are not judged."""
    world = story().fork()
    change = world.propose("evaluator", f.HoldLift("holds/1"))
    before = world.state
    statement = world.statement("owner-a", change)
    entry = world.must("owner-a", c.SignOffChange(change), envelopes=(envelope("owner-a", statement),))
    forged_entry = replace(entry, facts=replace(entry.facts, envelopes=(envelope("owner-b", statement),)))

    with pytest.raises(FoldError):
        evolve(world.policy, before, forged_entry)
