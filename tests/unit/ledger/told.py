"""The story of ``story.py`` in a real ledger on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.ledger.place import call, founding

if TYPE_CHECKING:
    from interlock.statemachine.entry import Entry
    from tests.support.world import World
    from tests.unit.ledger.place import Place, Running


async def submit(ledger: Running, entry: Entry) -> None:
    """Submit the command of an entry, at its instant."""
    ledger.clock.move_to(entry.time)
    await ledger.committer.submit(call(entry.actor, entry.command, envelopes=entry.facts.envelopes))


async def write_story(place: Place, world: World, *, checkpoints: bool = False) -> None:
    """Make a ledger that holds a world's log, with a checkpoint halfway and one at the end if asked."""
    async with place.running() as ledger:
        for each, entry in zip(founding(), world.entries[:2], strict=True):
            ledger.clock.move_to(entry.time)
            await ledger.committer.submit(each)
        for entry in world.entries[2:]:
            await submit(ledger, entry)
            if checkpoints and entry.seq in {9, world.state.head}:
                await ledger.committer.checkpoint()
