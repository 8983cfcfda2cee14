"""The state digest: what it is over, who may state it, and that a wrong one is no entry."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import get_args

import pytest

from interlock.proofs.merkle import Frontier, leaf_hash
from interlock.statemachine import commands as c
from interlock.statemachine import digest, rules, snapshot
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.decide import Accepted
from interlock.statemachine.state import State
from interlock.statemachine.triggers import Direction, direction_of
from interlock.statemachine.unmet import Code, Refused
from tests.support.stories import every_command
from tests.support.world import World, actor
from tests.unit.ledger.story import tell


def codes(decided: object) -> list[Code]:
    """Return the codes of a refusal."""
    assert isinstance(decided, Refused)
    return [unmet.code for unmet in decided.unmet]


def test_the_root_is_over_names_positions_and_forms_by_name() -> None:
    """Made again with nothing but hashlib and the tree: position, digest of the canonical form, name."""
    world, _ = tell()
    state = world.state
    leaves = [
        leaf_hash(
            state.positions[name].to_bytes(8, "big")
            + hashlib.sha256(snapshot.encode(state.items[name])).digest()
            + name.encode()
        )
        for name in sorted(state.items, key=str.encode)
    ]

    assert digest.digest_of(state) == c.StateDigest(Frontier().extend(leaves).root(), len(leaves))


def test_the_digest_of_nothing_is_pinned() -> None:
    """A tree without leaves."""
    assert digest.digest_of(State()).root == hashlib.sha256(b"").digest()


def test_stating_it_moves_nothing() -> None:
    """The entry writes no resource, and what it states is still true after it."""
    world, _ = tell()
    before = world.state

    entry = world.must(c.SYSTEM, digest.digest_of(before))

    assert (entry.transitions, entry.prev) == ((), ())
    assert world.state == replace(before, size=before.size + 1, time=entry.time)
    assert digest.digest_of(world.state) == entry.command


@pytest.mark.parametrize("part", ["root", "resources", "empty"])
def test_a_wrong_one_is_refused(part: str) -> None:
    """Also one of another moment, and one over fewer resources."""
    world, states = tell()
    right = digest.digest_of(world.state)
    wrong = {
        "root": digest.digest_of(states[-2]),
        "resources": replace(right, resources=right.resources - 1),
        "empty": c.StateDigest(b"", 0),
    }[part]
    if part == "root":
        world.must("admin", c.Fire(f.HoldPlace("-")))

    assert codes(world.decide(c.SYSTEM, wrong)) == [Code.STATE_DIGEST]


def test_nobody_commands_it() -> None:
    """An administrator with a key of theirs is refused, the right digest in hand."""
    world, _ = tell()

    assert codes(world.decide("admin", digest.digest_of(world.state))) == [Code.RIGHT_MISSING]
    assert codes(world.decide(c.Actor("principals/system", "00"), digest.digest_of(world.state))) == [
        Code.RIGHT_MISSING
    ]


def test_the_system_commands_nothing_else() -> None:
    """Of every command that occurs in a log, those outside the closed list are refused to it."""
    world = every_command()
    others = {type(entry.command): entry.command for entry in world.entries}

    for kind in c.UNCOMMANDED:
        others.pop(kind, None)

    assert others
    recovery = others.pop(c.Recover)
    assert Code.SIGN_OFF_SIGNER in codes(world.decide(c.SYSTEM, recovery))  # for it signed none of it
    for command in others.values():
        assert codes(world.decide(c.SYSTEM, command)) in ([Code.PRINCIPAL_INACTIVE], [Code.SERVING])


def test_none_of_the_list_loosens() -> None:
    """After the founding, no transition by the system."""
    world = every_command()

    for entry in world.entries[2:]:
        if entry.actor == c.SYSTEM:
            assert isinstance(entry.command, c.UNCOMMANDED)
            assert not any(direction_of(row.trigger) is Direction.LOOSENS for row in entry.transitions)


def test_a_fold_begun_at_any_position_goes_on_as_the_whole() -> None:
    """From each entry of a story, out of canonical forms, the rest is decided alike, envelopes used before included."""
    world, states = tell()
    for at, state in enumerate(states):
        if at < 1:
            continue
        rows = [(name, state.positions[name], snapshot.decode(form)) for name, form in state.in_order(snapshot.encode)]
        again = World(world.policy, world.cast, snapshot.rebuild(rows, size=state.size, time=state.time))

        for entry, whole in zip(world.entries[at + 1 :], states[at + 1 :], strict=True):
            done = again.attempt(
                entry.actor, entry.command, envelopes=entry.facts.envelopes, instant=entry.facts.instant
            )
            assert isinstance(done, Accepted), (at, entry.seq, done)
            assert done.entry == entry
            assert done.state == whole


def test_an_envelope_of_before_the_digest_is_not_accepted_after_it() -> None:
    """Used envelopes are known from the changes that they were sign-offs on, withdrawn ones too."""
    world, states = tell()
    used = [entry for entry in world.entries if entry.facts.envelopes]
    last = states[-1]
    rows = [(name, last.positions[name], last.items[name]) for name in last.items]
    begun = World(world.policy, world.cast, snapshot.rebuild(rows, size=last.size, time=last.time))

    assert len(begun.state.envelopes) == len(used)
    assert begun.state.envelopes == last.envelopes


@pytest.mark.parametrize("kind", get_args(r.Resource), ids=lambda kind: kind.__name__)
def test_every_field_of_a_resource_is_in_the_manifest(kind: type[r.Resource]) -> None:
    """The canonical form belongs to the rules version: another shape is another manifest."""
    shapes = {line for line in rules.manifest().splitlines() if line.startswith(f"{kind.__name__}:")}

    assert len(shapes) == len(kind.__dataclass_fields__)


def test_who_could_be_the_system_is_nobody() -> None:
    """The name is nobody's account, so no session has it."""
    world = World.found()

    assert world.state.find(c.SYSTEM.principal, r.Principal) is None
    assert codes(world.decide(actor("system"), c.AttemptRefused("m", bytes(32), ()))) == [Code.PRINCIPAL_INACTIVE]
