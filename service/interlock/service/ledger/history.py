"""The past: the view after any entry, from the append-only snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.proofs.merkle import root_at
from interlock.proofs.tiles import TileReader
from interlock.service.errors import NotFound, PositionNotReached
from interlock.service.ledger.tree import tile_reader
from interlock.service.ledger.view import View
from interlock.service.storage import queries
from interlock.statemachine import snapshot

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from interlock.service.ledger.policies import Policies
    from interlock.service.storage.store import Store


async def view_at(
    store: Store, policies: Policies, head: View, *, position: int | None = None, time: int | None = None
) -> View:
    """Return the view after the entry at ``position``, or else after the last one made by ``time``, up to ``head``.

    Raises PositionNotReached, NotFound where there was no log yet, StoreUnavailable.
    """
    if position is None:
        if time is None or time >= head.state.time:
            return head
        found = await store.read(lambda connection: queries.position_at(connection, time))
    else:
        found = position
    if found > head.position:
        raise PositionNotReached(found, head.position)
    if found < 0:
        raise NotFound("log")
    if found == head.position:
        return head
    return await store.read(lambda connection: _load(connection, policies, head, found))


def _load(connection: Connection, policies: Policies, head: View, position: int) -> View:
    """Rebuild the fold after the entry at ``position``."""
    entry = queries.entry(connection, position)
    if entry is None:
        raise PositionNotReached(position, head.position)
    rows = [(row.resource, row.seq, snapshot.decode(row.data)) for row in queries.snapshots_at(connection, position)]
    state = snapshot.rebuild(rows, size=position + 1, time=entry.time)
    digest = state.policy.digest if state.policy is not None else head.policy.digest
    policy = policies.load(digest, lambda wanted: queries.objects(connection, (wanted,)).get(wanted))
    root = root_at(position + 1, TileReader(tile_reader(connection)).read_node)
    return View(state, policy, head.rules, root)
