"""The log one entry at a time: what is kept in memory, what the store gives again, and whom an entry can concern."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from interlock.service.ledger.steps import KEPT, Steps, step_of
from interlock.service.ledger.view import View
from interlock.statemachine import firings as f
from interlock.statemachine import names, rules
from interlock.statemachine import resources as r
from interlock.statemachine.explain import explain
from tests.support.log_keys import rotation
from tests.unit.ledger.faulty import Fault, FaultyStore
from tests.unit.ledger.place import Place, place_hold
from tests.unit.ledger.story import M, N, tell
from tests.unit.ledger.told import submit, write_story

if TYPE_CHECKING:
    from interlock.service.ledger.steps import Step
    from interlock.statemachine.state import State


def test_the_store_gives_again_every_state_as_the_fold_had_it(place: Place) -> None:
    """A replay from any position shows each later state, all its indexes with it, as it was; before and after."""
    world, states = tell()
    first = 2  # the founding is over
    shown: list[tuple[State, State]] = []

    def visit(before: View, step: Step) -> bool:
        shown.append((before.state, step.view.state))
        return False

    async def play() -> int:
        await write_story(place, world)
        async with place.running() as ledger:
            return await ledger.committer.replay(first, visit)

    assert asyncio.run(play()) == world.state.head
    assert shown == list(zip(states[first:], states[first + 1 :], strict=False))


def test_memory_and_store_show_the_same_steps(place: Place) -> None:
    """A step made while the entry was committed and the one made again later say the same of whom it concerns."""
    world, _ = tell()
    again: list[tuple[int, bool, frozenset[str]]] = []

    def visit(_before: View, step: Step) -> bool:
        again.append((step.position, step.every_model, step.models))
        return False

    async def play() -> list[tuple[int, bool, frozenset[str]]]:
        await place.found()
        async with place.running() as ledger:
            for entry in world.entries[2:]:
                await submit(ledger, entry)
            await ledger.committer.replay(1, visit)
            kept = ledger.committer.steps_since(1)[1:]
            return [(step.position, step.every_model, step.models) for step in kept]

    assert asyncio.run(play()) == again


def test_an_entry_that_touches_a_model_not_moves_no_verdict_of_it() -> None:
    """Where a step says that it can't concern a model, the verdict in every context is the one before, reasons too."""
    world, states = tell()
    for before, after, entry in zip(states, states[1:], world.entries[1:], strict=False):
        view = View(after, world.policy, rules.current(), bytes(32))
        step = step_of(view, tuple(name for name, _ in entry.prev))
        for model in (M, N):
            if not step.touches(model):
                for place_ in world.policy.contexts:
                    question = (model, place_.id, "", after.time)
                    assert explain(world.policy, before, *question) == explain(world.policy, after, *question)


def test_another_key_of_the_log_can_concern_every_model() -> None:
    """Where the one in force was named by a tainted change, the verdict of every model moves with the next one."""
    world, _ = tell()
    world.enact(rotation())
    keys = world.state.need("principals/owner-a", r.Principal).credentials
    stolen = next(key.fingerprint for key in keys if key.use == "signoff")
    since = world.now
    world.fire("admin", f.CredentialRevoke(names.credential_name("principals/owner-a", stolen), since - 1))
    before = world.state
    world.enact(rotation("third", "second"), signers=("owner-b", "reviewer-a"))
    view = View(world.state, world.policy, rules.current(), bytes(32))

    step = step_of(view, tuple(name for name, _ in world.entries[-1].prev))

    said = [explain(world.policy, state, M, "internal", "", world.now) for state in (before, world.state)]
    assert said[0] != said[1]
    assert step.touches(M)


def test_only_so_many_steps_are_kept() -> None:
    """Memory holds the newest steps; who asks from before them is told so by getting none."""
    world, states = tell()
    views = [View(state, world.policy, rules.current(), bytes(32)) for state in states]
    steps = Steps(views[0])
    for _ in range(KEPT // len(views) + 1):
        steps.extend(step_of(view, ()) for view in views[1:])

    assert steps.since(-1) == ()
    assert len(Steps(views[0]).since(0)) == 1


def test_a_commit_that_was_durable_after_all_shows_its_steps_too(place: Place) -> None:
    """Where a COMMIT reports a failure and was durable, watchers see its entries as soon as the head has moved."""

    async def play() -> list[int]:
        await place.found()
        store = FaultyStore.open(f"sqlite:///{place.database}")
        store.faults = [Fault.DURABLE]
        async with place.running(store) as ledger:
            told: list[int] = []
            ledger.committer.listen(lambda steps: told.extend(step.position for step in steps))
            failed = await asyncio.gather(ledger.committer.submit(place_hold()), return_exceptions=True)
            assert isinstance(failed[0], Exception)
            await ledger.committer.submit(place_hold())
            return told

    assert asyncio.run(play()) == [2, 3]
