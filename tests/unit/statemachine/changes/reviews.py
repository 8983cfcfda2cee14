"""What the tests of changes name and ask again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.changes import Evaluation, evaluate

if TYPE_CHECKING:
    from tests.support.world import World

MODEL: Final = "models/m"
LEVEL: Final = f"{MODEL}/levels/deployment"
MISUSE: Final = f"{MODEL}/determinations/misuse"
FILTER: Final = f"{MODEL}/safeguards/input-filter"
ASSIGN: Final = f.LevelAssign(LEVEL, "basic")


def stored(world: World, change: str) -> r.Change:
    """Return a change."""
    return world.state.need(change, r.Change)


def judged(world: World, change: str) -> Evaluation:
    """Judge a change now."""
    return evaluate(world.policy, world.state, stored(world, change), max(world.now, world.state.time))


def voids(world: World, change: str) -> dict[str, str]:
    """Return who gave a sign-off that does not count now, and why."""
    at = {s.position: s.signer.removeprefix("principals/") for s in stored(world, change).sign_offs}
    return {at[position]: code.value for position, code in judged(world, change).void.items()}
