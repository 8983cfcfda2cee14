"""What a server does with its log before it answers: read all of it, decide all of it again, believe nothing else.

A numbered procedure (ledger design, "Tree, checkpoint, witness"). Whatever it finds, the log opens for reading; with a
finding the gate denies, nothing is written and nothing is signed until somebody has looked.
0. The database file is whole: of a damaged one nothing is read at all.
1. The log is at least as long as every checkpoint shown and as the high-water mark, or an entry accepts what was lost.
2. Each entry, in order: the rules decide it again and give the same entry.
3. Each row that an entry put into the tables is what the entry gives, and there are no others.
4. Each tile is what the leaves give, and there are no others.
5. The root at the size of the mark is the mark's.
6. Each checkpoint has a signature by a key of the log that had not ended there, and the root at its size.
7. The private half of the log's key is here. A log that is behind its mark needs none: another key is named with that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.proofs.errors import NoteError, TileError
from interlock.proofs.tiles import TileId, find_tile_faults, tile_path
from interlock.service.ledger.batch import Head
from interlock.service.ledger.health import HEALTHY, LedgerHealth, disagrees, rolled_back
from interlock.service.ledger.highwater import MarkError
from interlock.service.ledger.rereading import Rereading, remake_snapshots
from interlock.service.ledger.tree import Tree, tile_reader
from interlock.service.ledger.view import View
from interlock.service.ledger.writer import MARK_KEPT
from interlock.service.storage import queries
from interlock.service.storage.store import UNREADABLE
from interlock.statemachine import rules as rulebook
from interlock.statemachine import snapshot

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from interlock.service.ledger.checkpoints import CheckpointSigner
    from interlock.service.ledger.highwater import HighWaterMark, Mark
    from interlock.service.ledger.remembered import Remembered
    from interlock.service.storage.store import Store
    from interlock.statemachine.policy import Policy


class EmptyLogError(RuntimeError):
    """There is no genesis: `interlock init` has not been run, or not to its end."""


class LogUnreadableError(RuntimeError):
    """The database or the policy can't be read, so nothing could be answered, not even a reasoned DENY."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A log that was read from end to end: its head as far as it can be believed, and whether that is all of it.

    ``remembered`` is what was decided on the way. ``lower_mark``: the mark is still that of a tree which an entry
    accepts as lost.
    """

    head: Head
    health: LedgerHealth
    remembered: Remembered
    lower_mark: bool = False


def open_log(
    store: Store,
    mark: HighWaterMark,
    signer: CheckpointSigner,
    *,
    founding_policy: Policy | None = None,
) -> Opened:
    """Read the whole log and compare it with everything beside it.

    Bad data is no exception: it is in the health of what is returned. ``founding_policy`` is what a genesis that is yet
    to come will be decided by; without it an empty log raises EmptyLogError. Raises LogUnreadableError where not even
    the database or the policy can be read.
    """
    try:
        return _open(store, mark, signer, founding_policy)
    except UNREADABLE as error:
        raise LogUnreadableError(f"the database can't be read: {error}") from error


def _open(store: Store, mark: HighWaterMark, signer: CheckpointSigner, founding_policy: Policy | None) -> Opened:
    with store.reading() as connection:
        if damage := queries.damage(connection):  # 0
            raise LogUnreadableError(damage)
        stale = queries.has_other_fold(connection, snapshot.FOLD_VERSION)
    if stale:
        with store.transaction() as connection:
            if not remake_snapshots(connection):
                connection.rollback()  # the examination below says which entry it is
    with store.reading() as connection:
        size = queries.head(connection) + 1
        checkpoints = dict(queries.checkpoints(connection))
        last, mark_fault = _load_mark(connection, mark)
        behind = last if last is not None and last.size > size else None
        rereading = Rereading(connection, (*checkpoints, *((last.size,) if last else ())))
        tile_fault = _first_tile_fault(connection, rereading)
        health = rolled_back(mark_fault) if mark_fault else None
        health = health or _longer_checkpoint(checkpoints, size)  # 1
        health = health or _disagreement(rereading, tile_fault)  # 2 to 4
        health = health or (_mark_differs(rereading, mark, last) if behind is None else None)  # 5
        health = health or _checkpoint_differs(rereading, checkpoints, signer)  # 6
        accepted = behind is not None and _was_accepted(rereading, behind)
        if behind is not None and not accepted and not mark_fault:  # 1
            said = f"the log has {size} entries, {mark.path} has seen {behind.size}"
            health = rolled_back(said, None if health else behind)
        health = health or _key_missing(rereading, signer)  # 7
        return _opened(connection, rereading, health or HEALTHY, founding_policy, lower_mark=accepted)


def _load_mark(connection: Connection, mark: HighWaterMark) -> tuple[Mark | None, str]:
    """Return the mark, and what is wrong with its file."""
    try:
        last = mark.load()
    except (MarkError, OSError) as error:
        return None, f"{mark.path} can't be read: {error}"
    if last is None and queries.meta(connection, MARK_KEPT) is not None:
        return None, f"{mark.path} is missing, and this log has had one: without it nobody can say what was lost"
    return last, ""


def _was_accepted(rereading: Rereading, lost: Mark) -> bool:
    """Say whether an entry of the log accepts that this very head was lost: the mark was to be put back after it."""
    state = rereading.replay.state
    rows = state.log.restores if state.size else ()
    return any((row.lost_size, row.lost_root) == (lost.size, lost.root) for row in rows)


def _first_tile_fault(connection: Connection, rereading: Rereading) -> str:
    """Read the whole log, and say which stored tile its leaves contradict first."""
    stored: list[TileId] = []
    first = ""
    for level, index in queries.tile_ids(connection):
        try:
            stored.append(TileId(level, index))
        except (TileError, TypeError):  # SQLite keeps a word where a number should be
            first = f"no tile of any tree at ({level!r}, {index!r})"
    for found in find_tile_faults(rereading.leaves(), tile_reader(connection), stored):
        first = first or f"{tile_path(found.tile)}: {found.fault}"
    return first


def _longer_checkpoint(checkpoints: dict[int, str], size: int) -> LedgerHealth | None:
    longest = max(checkpoints, default=0)
    if longest > size:
        return rolled_back(f"the log has {size} entries, a checkpoint of {longest} was shown")
    return None


def _disagreement(rereading: Rereading, tile_fault: str) -> LedgerHealth | None:
    if rereading.finding:  # first: after it, the tiles are compared with the part that was good
        return disagrees(rereading.finding)
    if tile_fault:
        return disagrees(tile_fault)
    return None


def _key_missing(rereading: Rereading, signer: CheckpointSigner) -> LedgerHealth | None:
    state = rereading.replay.state
    if state.size and not signer.has(state.log.log_key):
        named = f"the private half of the log's key {state.log.log_key.hex()}"
        return disagrees(f"{named} is not here: neither keys/log.key nor keys/log-next.key has it")
    return None


def _mark_differs(rereading: Rereading, mark: HighWaterMark, last: Mark | None) -> LedgerHealth | None:
    if last is not None and rereading.roots[last.size] != last.root:
        return rolled_back(f"the first {last.size} entries are not those that {mark.path} has seen")
    return None


def _checkpoint_differs(
    rereading: Rereading, checkpoints: dict[int, str], signer: CheckpointSigner
) -> LedgerHealth | None:
    state = rereading.replay.state
    known = signer.history(state.log) if state.size else None
    for size, text in checkpoints.items():
        if known is None:
            return disagrees(f"checkpoint {size}: of a log in which nothing is founded")
        try:
            checkpoint, _ = known.open(text)
        except NoteError as error:
            return disagrees(f"checkpoint {size}: {error}")
        if (checkpoint.size, checkpoint.root) != (size, rereading.roots[size]):
            return disagrees(f"checkpoint {size}: the log has another root there")
    return None


def _opened(
    connection: Connection,
    rereading: Rereading,
    health: LedgerHealth,
    founding_policy: Policy | None,
    *,
    lower_mark: bool,
) -> Opened:
    """Return the head of what was read; the tree to append to only where all is well."""
    replay = rereading.replay
    policy = replay.policy or founding_policy
    if replay.policy is None and rereading.finding:
        raise LogUnreadableError(rereading.finding)
    if policy is None and not health.ok:
        raise LogUnreadableError(health.detail)
    if policy is None:
        raise EmptyLogError("the log is empty: run `interlock init`")
    size = rereading.frontier.size
    whole = health.ok or health.lost is not None
    tree = Tree.load(size, tile_reader(connection)) if whole else Tree.empty()
    view = View(replay.state, policy, rulebook.current(), rereading.frontier.root())
    return Opened(Head(view, tree), health, rereading.remembered, lower_mark and health.ok)
