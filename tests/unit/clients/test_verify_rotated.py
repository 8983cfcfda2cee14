"""A log whose key was rotated by a change, judged under the old key or the new one, and against who has the old one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from interlock.client.verify import LOG, Trust, VerifyReport
from interlock.proofs import note
from interlock.statemachine import codec, snapshot
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from tests.support.bundles import NAME, VKEY, Parts, codes, judged, signed_head, trust_in
from tests.support.excerpts import Cut
from tests.support.log_keys import rotation
from tests.support.parted import M, enact, must, state
from tests.support.rekeyed import SECOND
from tests.support.rotated import rotated, whole
from tests.support.world import World, public_of

if TYPE_CHECKING:
    from collections.abc import Callable


def trust(**parts: object) -> Trust:
    """Return what an auditor holds it to: the first key, the founding."""
    return replace(trust_in(rotated()[0]), **parts)  # type: ignore[arg-type]


def judge(parts: Parts | Cut, **pins: object) -> VerifyReport:
    """Return what the verifier says."""
    return judged(parts.data, trust(**pins))


def a_range(world: World | None = None) -> Cut:
    """Return the range that begins after the rotation."""
    at = rotated()[1]["second"]
    return replace(Cut.range(world or rotated()[0], at, at + 2), signer="second")


@pytest.mark.parametrize("key", [VKEY, SECOND])
@pytest.mark.parametrize("pinned", [True, False])
def test_it_verifies_under_the_old_key_and_under_the_new(key: str, *, pinned: bool) -> None:
    """Either leads to the other, and the rotation counts as signed for."""
    report = judge(whole(), log_key=key, **({} if pinned else {"genesis_digest": b"", "log_id": b""}))

    at = rotated()[1]["rotated"]
    assert report.findings == ()
    assert report.asserted == 0
    assert [(row.last_size, row.retired_by) for row in report.retired] == [(at, at)]
    assert [key.public_key for key in report.keys] == [public_of("log", "log"), public_of("second", "log")]


def test_the_old_key_signs_no_tree_with_the_entry() -> None:
    """Not the head of the log, and no checkpoint of the very entry that applied it."""
    world, at = rotated()
    entries, parts = world.encoded(), whole()

    assert codes(judge(replace(parts, head=signed_head(entries)))) == [("checkpoint", LOG, "LOG_KEY_ENDED")]
    parts.heads[at["rotated"] + 1] = signed_head(entries[: at["rotated"] + 1])
    assert codes(judge(parts)) == [("history", LOG, "LOG_KEY_ENDED")]


def test_the_new_key_is_none_before_the_log_names_it() -> None:
    """Who has a key that is proposed and not applied signs nothing."""
    world = World.found(countersigned_by=["owner-a"])
    world.propose("evaluator", rotation())
    parts = replace(Parts.of(world), head=signed_head(world.encoded(), "second"))

    assert codes(judged(parts.data, trust_in(world))) == [("checkpoint", LOG, "NOTE_NOT_SIGNED")]


def test_who_goes_on_with_the_old_key_shows_another_log() -> None:
    """A second server, an old copy, a thief: alone it looks like a log, beside a head of the new key it does not."""
    world, at = rotated()
    fork = forked(world, at["first"] + 1)
    for _ in range(20):
        must(fork, "owner-a", f.HoldPlace(M))
    forged, later = Parts.of(fork), signed_head(world.encoded(), "second")

    assert judge(forged).verified
    assert ("history", LOG, "LOG_FORKED") in codes(judge(forged, notes=(later,)))
    assert codes(judge(forged, log_key=SECOND)) == [("genesis", 0, "OTHER_LOG_KEY")]


def forked(world: World, size: int) -> World:
    """Return a world that goes on from an earlier head of another."""
    from tests.unit.ledger.story import replayed_states  # noqa: PLC0415  # it imports the world too

    state_then = replayed_states(world)[size - 1]
    return replace(
        world, entries=world.entries[:size], objects=dict(world.objects), state=state_then, now=state_then.time
    )


@pytest.mark.parametrize("key", [VKEY, SECOND])
def test_parts_of_it_verify_too(key: str) -> None:
    """A range after the rotation, one with it inside, one from the founding, and a selection."""
    world, at = rotated()
    for cut in (
        Cut.range(world, at["second"], at["second"] + 2),
        Cut.range(world, at["first"], at["lifted"]),
        Cut.range(world, 0, at["lifted"]),
        Cut.selection(world, at["second"], M),
    ):
        report = judge(replace(cut, signer="second"), log_key=key, partial_ok=True)
        assert report.findings == ()
        assert report.asserted == 0
        assert [row.last_size for row in report.retired] == [at["rotated"]]


def test_a_range_that_ends_before_it() -> None:
    """Its head is by the new key, which the part does not name: good for who pins that, unknown to who pins the old."""
    world, at = rotated()
    cut = replace(Cut.range(world, at["first"], at["first"] + 2), signer="second")

    assert judge(cut, log_key=SECOND).findings == ()
    assert codes(judge(cut)) == [("checkpoint", LOG, "NOTE_NOT_SIGNED")]
    assert codes(judge(cut, log_key=vkey("third"))) == [
        ("genesis", 0, "OTHER_LOG_KEY"),
        ("checkpoint", LOG, "NOTE_NOT_SIGNED"),
    ]


def of_log(change: Callable[[r.Log], r.Log]) -> Callable[[Cut], Cut]:
    """Return what alters the log in the state that a range begins with."""

    def altered(cut: Cut) -> Cut:
        return cut.with_row("log", snapshot.encode(change(rotated()[0].state.log)))

    return altered


FALSE_STATES: dict[str, Callable[[r.Log], r.Log]] = {
    "another key": lambda log: replace(log, log_key=public_of("third", "log")),
    "a later end": lambda log: replace(log, retired=(replace(log.retired[0], last_size=log.retired[0].last_size + 1),)),
    "never rotated": lambda log: replace(log, log_key=public_of("log", "log"), retired=()),
}


@pytest.mark.parametrize("false", FALSE_STATES)
def test_a_range_whose_state_says_other_keys_is_found(false: str) -> None:
    """The state that a range begins with says of the log what founding, recoveries and rotations said."""
    assert not judge(of_log(FALSE_STATES[false])(a_range())).verified


def test_a_range_without_the_rotation_is_not_decidable() -> None:
    """Who leaves the entry out that applied it leaves a gap in the log's own chain; so with its sign-offs."""
    world, at = rotated()
    change = world.state.need(world.state.applied[at["rotated"]], r.Change)

    for position in {at["rotated"], *(row.position for row in change.sign_offs)}:
        assert not judge(a_range().without(position)).verified


def test_a_range_forged_without_the_old_key() -> None:
    """Enough people who once signed can't show a stranger a log with their own key: the old one said no word for it."""
    world, at = rotated()
    change = world.state.need(world.state.applied[at["rotated"]], r.Change)
    content = codec.decode_content(change.content)
    forged = codec.encode_content(replace(content, triggers=(rotation("second", "second"),)))
    row = snapshot.encode(replace(change, content=forged))

    found = codes(judge(a_range().with_row(change.name, row)))

    assert ("sign-offs", at["rotated"], "ROTATION_DIFFERS") in found


def test_a_range_whose_entry_says_nothing_of_it() -> None:
    """The entry names what it moved: else the step would not be counted among those that were signed for."""
    world, at = rotated()
    entry = world.entries[at["rotated"]]
    silent = replace(entry, transitions=tuple(row for row in entry.transitions if row.trigger != "log.rotate_key"))
    entries = list(a_range().entries)
    entries[at["rotated"]] = codec.encode_entry(silent)

    found = codes(judge(replace(a_range(), entries=tuple(entries))))

    assert ("sign-offs", at["rotated"], "ROTATION_DIFFERS") in found


def test_no_byte_of_the_change_can_change() -> None:
    """Whoever has the new key signs the log again: what was signed for is still what it was."""
    world, at = rotated()
    propose = world.state.need(world.state.applied[at["rotated"]], r.Change).proposed_position
    for position in (propose, at["rotated"]):
        data = world.encoded()[position]
        for place in range(3, len(data), len(data) // 8):
            entries = world.encoded()
            entries[position] = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
            parts = whole().with_row(position, entry=entries[position])
            heads = {size: note for size, note in whole().heads.items() if size <= position}

            assert not judge(replace(parts, head=signed_head(entries, "second"), heads=heads)).verified, place


def test_rotated_twice() -> None:
    """Each of three keys leads to the log, and each ended where the next was put in force."""
    world = World.found(countersigned_by=["owner-a"])
    first = enact(world, rotation("second"))
    second = enact(world, rotation("third", "second"))
    at = state(world)
    must(world, "evaluator", f.ModelRegister(M))
    entries = world.encoded()
    heads = {
        first: signed_head(entries[:first]),
        second: signed_head(entries[:second], "second"),
        second + 1: signed_head(entries[: second + 1], "third"),
    }
    parts = replace(Parts.of(world), head=signed_head(entries, "third"), heads=heads)

    for cut in (parts, replace(Cut.range(world, at, at + 2), signer="third")):
        for word in ("log", "second", "third"):
            key = VKEY if word == "log" else vkey(word)
            report = judged(cut.data, replace(trust_in(world), log_key=key))
            assert report.findings == (), word
            assert [row.last_size for row in report.retired] == [first, second]
    late = replace(parts, heads={second + 1: signed_head(entries[: second + 1], "second")})
    assert codes(judged(late.data, trust_in(world))) == [("history", LOG, "LOG_KEY_ENDED")]


def vkey(word: str) -> str:
    """Return the verifier key of the log key called by a word."""
    return note.vkey_of(NAME, public_of(word, "log"))
