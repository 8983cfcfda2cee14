"""Everything that can happen to the recovery quorum and to the log's key: the directions of their triggers.

No verdict reads these, so a direction shows in powers: which people together can recover, and whose key signs a head of
the log as it is. What one person fires may move neither; a quorum's changes do, either way.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

import pytest

from interlock.statemachine import firings as f
from interlock.statemachine import log_keys
from interlock.statemachine import resources as r
from interlock.statemachine.machines.fire import fire
from interlock.statemachine.machines.step import Moment, Moved
from interlock.statemachine.names import credential_name
from interlock.statemachine.triggers import DIRECTIONS, Direction, Trigger
from tests.support.log_keys import rotation
from tests.support.world import MINIMAL_CAST, Member, World, public_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from interlock.statemachine.state import State

LEAST: Final = 2
WORDS: Final = ("log", "second", "third")


@dataclass(frozen=True, slots=True)
class Step:
    """An edge between two states."""

    before: State
    firing: f.Firing
    after: State

    @property
    def trigger(self) -> Trigger:
        """What was fired."""
        return self.firing.trigger


def explored(
    begin: State, offers: Callable[[State], Iterator[f.Firing]], key: Callable[[State], Hashable]
) -> list[Step]:
    """Return every edge that can be reached by what is offered."""
    world = World.found()
    moment = Moment(world.policy, world.now, "principals/admin")
    seen, steps, waiting = {key(begin)}, list[Step](), deque([begin])
    while waiting:
        state = waiting.popleft()
        for firing in offers(state):
            moved = fire(moment, state, firing)
            if not isinstance(moved, Moved):
                continue
            after = moved.state.after_entry(state.time + 1)
            steps.append(Step(state, firing, after))
            if key(after) not in seen:
                seen.add(key(after))
                waiting.append(after)
    return steps


def members(state: State) -> list[r.Principal]:
    """Return the quorum's accounts, by name."""
    return sorted((one for one in state.all_of(r.Principal) if one.recovery), key=lambda one: one.name)


def recoverers(state: State) -> frozenset[tuple[str, ...]]:
    """Return the groups of accounts that can recover: enough persons, each in, with a key that counts."""
    able = [
        one for one in members(state) if one.state == "active" and any(k.state == "active" for k in one.credentials)
    ]
    groups = (group for size in range(LEAST, len(able) + 1) for group in combinations(able, size))
    return frozenset(
        tuple(one.name for one in group) for group in groups if len({one.person for one in group}) >= LEAST
    )


def at_the_quorum(state: State) -> Iterator[f.Firing]:
    """Yield everything that anybody could try on the quorum's accounts and keys."""
    for one in members(state):
        key = credential_name(one.name, one.credentials[0].fingerprint)
        yield from (f.RecoverySuspend(one.name), f.RecoveryRevoke(key), f.PrincipalRestore(one.name))
        yield from (f.PrincipalSuspend(one.name), f.PrincipalRemove(one.name), f.CredentialRevoke(key))
        yield from (f.CredentialRevoke(key, 1), f.GrantGive(one.name, "owner", "*"))
        yield from (f.PrincipalLink(one.name, other.name) for other in members(state) if other != one)
        yield from (f.PrincipalLink(one.name, "principals/owner-a"), f.PrincipalLink("principals/owner-a", one.name))
        yield f.PrincipalUnlink(one.name, "persons/parted")


def quorum_key(state: State) -> Hashable:
    """Return what of a state this is about."""
    return tuple((one.state, one.person, tuple(key.state for key in one.credentials)) for one in members(state))


@pytest.fixture(scope="module")
def quorum() -> list[Step]:
    """Everything that a quorum of two of four can come to."""
    spare = (Member("recovery-3", recovery=True), Member("recovery-4", recovery=True))
    return explored(World.found(cast=(*MINIMAL_CAST, *spare)).state, at_the_quorum, quorum_key)


def test_only_a_change_takes_from_the_quorum(quorum: list[Step]) -> None:
    """Nothing that one person fires moves who can recover; what takes is marked as loosening, as is what gives back."""
    moving = {step.trigger for step in quorum if recoverers(step.before) != recoverers(step.after)}
    taking = {step.trigger for step in quorum if recoverers(step.before) - recoverers(step.after)}

    assert moving == {Trigger.RECOVERY_SUSPEND, Trigger.RECOVERY_REVOKE, Trigger.PRINCIPAL_RESTORE}
    assert taking == {Trigger.RECOVERY_SUSPEND, Trigger.RECOVERY_REVOKE}
    assert {DIRECTIONS[trigger] for trigger in moving} == {Direction.LOOSENS}


def test_somebody_can_always_recover(quorum: list[Step]) -> None:
    """In every state that any changes lead to, enough people are left."""
    assert all(recoverers(step.after) for step in quorum)
    assert {len(recoverers(step.after)) for step in quorum} >= {1, 11}


def signing(state: State) -> frozenset[bytes]:
    """Return the keys that may sign a head of the log as it is."""
    keys = log_keys.history(state.log, "log").keys
    return frozenset(key.public_key for key in keys if key.signs(state.size))


def at_the_key(state: State) -> Iterator[f.Firing]:
    """Yield every rotation, by the word of every key that this log has, or never had."""
    yield from (rotation(word, old) for word in WORDS for old in WORDS)


@pytest.fixture(scope="module")
def rotations() -> list[Step]:
    """Everything that can come of three keys."""
    return explored(World.found().state, at_the_key, lambda state: (state.log.log_key, len(state.log.retired)))


def test_one_key_signs_the_log_as_it_is(rotations: list[Step]) -> None:
    """A rotation gives that to a key that never had it, and takes it from the one before: always the key in force."""
    ways = {(signing(step.before), signing(step.after)) for step in rotations}
    log, second, third = (frozenset({public_of(word, "log")}) for word in WORDS)

    assert ways == {(log, second), (log, third), (second, third), (third, second)}


def test_giving_a_key_the_logs_word_loosens(rotations: list[Step]) -> None:
    """Nothing else does, and it is marked so."""
    giving = {step.trigger for step in rotations if signing(step.after) - signing(step.before)}

    assert giving == {Trigger.LOG_ROTATE_KEY}
    assert DIRECTIONS[Trigger.LOG_ROTATE_KEY] is Direction.LOOSENS


def test_an_old_key_signs_what_was_there_before_its_end(rotations: list[Step]) -> None:
    """And nothing with the entry that ended it, in every state."""
    for step in rotations:
        gone = step.after.log.retired[-1]
        (old,) = (key for key in log_keys.history(step.after.log, "log").keys if key.public_key == gone.public_key)
        assert old.signs(step.before.size)
        assert not old.signs(step.after.size)
