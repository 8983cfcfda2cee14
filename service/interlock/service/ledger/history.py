"""The past: the view after any entry, from the append-only snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.proofs.errors import TileError
from interlock.proofs.merkle import root_at
from interlock.proofs.tiles import TileReader
from interlock.service.errors import NotFound, PositionNotReached, StoreUnavailable
from interlock.service.ledger.steps import Step, step_of
from interlock.service.ledger.tree import tile_reader
from interlock.service.ledger.view import View
from interlock.service.storage import queries
from interlock.statemachine import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from interlock.service.ledger.policies import Policies
    from interlock.service.ledger.remembered import Remembered
    from interlock.service.storage.store import Store
    from interlock.statemachine import resources as r


class ForgedError(RuntimeError):
    """The database has other rows than this process wrote or found right at its start."""


PAGE: Final = 200
"""Entries whose snapshots are read at a time."""

MOST: Final = 10_000
"""Entries that one replay goes over, so that a reader's thread is given back."""


async def view_at(
    store: Store,
    policies: Policies,
    remembered: Remembered,
    head: View,
    *,
    position: int | None = None,
    time: int | None = None,
) -> View:
    """Return the view after the entry at ``position``, or else after the last one made by ``time``, up to ``head``.

    It is made of snapshots that are just those which this process wrote or found right. Raises PositionNotReached,
    NotFound where there was no log yet, ForgedError, StoreUnavailable.
    """
    if position is None:
        if time is None or time >= head.state.time:
            return head
        found = remembered.position_at(time)
    else:
        found = position
    if found > head.position:
        raise PositionNotReached(found, head.position)
    if found < 0:
        raise NotFound("log")
    if found == head.position:
        return head
    return await store.read(lambda connection: _load(connection, policies, remembered, head, found))


def _load(connection: Connection, policies: Policies, remembered: Remembered, head: View, position: int) -> View:
    """Rebuild the fold after the entry at ``position``."""
    found = tuple(queries.snapshots_at(connection, position))
    if fault := remembered.snapshots_fault(position, found):
        raise ForgedError(fault)
    rows = [(row.resource, row.seq, snapshot.decode(row.data)) for row in found]
    state = snapshot.rebuild(rows, size=position + 1, time=remembered.time_of(position))
    digest = state.policy.digest if state.policy is not None else head.policy.digest
    policy = policies.load(digest, lambda wanted: queries.objects(connection, (wanted,)).get(wanted))
    try:
        root = root_at(position + 1, TileReader(tile_reader(connection)).read_node)
    except TileError as error:
        raise ForgedError(str(error)) from error
    return View(state, policy, head.rules, root)


async def replay(
    store: Store,
    policies: Policies,
    remembered: Remembered,
    head: View,
    after: int,
    visit: Callable[[View, Step], bool],
) -> int:
    """Show ``visit`` each step past ``after`` and the view before it; return the last position shown.

    Ends when ``visit`` returns True, at ``head``, or after ``MOST`` entries. The views have no root: who watches
    proves nothing. Raises PositionNotReached, NotFound, StoreUnavailable.
    """
    before = await view_at(store, policies, remembered, head, position=after)
    return await store.read(lambda connection: _replay(connection, policies, remembered, before, head.position, visit))


def _replay(
    connection: Connection,
    policies: Policies,
    remembered: Remembered,
    before: View,
    last: int,
    visit: Callable[[View, Step], bool],
) -> int:
    end = min(last, before.position + MOST)
    while before.position < end:
        until = min(end, before.position + PAGE)
        entries = queries.entries_after(connection, before.position, until=until, limit=PAGE)
        written: dict[int, list[tuple[str, r.Resource]]] = {}
        for row in queries.snapshots_in(connection, before.position + 1, until):
            if fault := remembered.step_fault(row):
                raise ForgedError(fault)
            written.setdefault(row.seq, []).append((row.resource, snapshot.decode(row.data)))
        for entry in entries:
            rows = written.get(entry.seq, [])
            state = snapshot.advance(before.state, [resource for _, resource in rows], time=entry.time)
            digest = state.policy.digest if state.policy is not None else before.policy.digest
            policy = policies.load(digest, lambda wanted: queries.objects(connection, (wanted,)).get(wanted))
            step = step_of(View(state, policy, before.rules, b""), tuple(name for name, _ in rows))
            done = visit(before, step)
            before = step.view
            if done:
                return before.position
        if before.position != until:
            raise StoreUnavailable(f"the log has no entry {before.position + 1} any more")
    return before.position
