"""Proofs out of the stored tiles, each checked against the root that this process computed before anyone sees it.

A proof touches O(log n) tiles and no entry. Whatever the tiles say, what goes out leads to the view's own root: the
newest tree directly, an older one through a consistency proof up to it. Tiles from which that can't be had were changed
behind the server's back; then the log is not relied on any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from interlock.proofs import merkle
from interlock.proofs.errors import ProofError, TileError
from interlock.proofs.tiles import TileReader
from interlock.service.errors import Invalid, LedgerUnhealthy, PositionNotReached
from interlock.service.ledger.health import disagrees
from interlock.service.ledger.tree import TileCache, tile_reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from interlock.proofs.merkle import ReadNode
    from interlock.proofs.tiles import ReadTile
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.view import View
    from interlock.service.storage import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Head:
    """A tree head of this log: the view's own, or one that the view's was proven to extend."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That the leaf with ``leaf_hash`` is at ``index`` of ``head``."""

    index: int
    leaf_hash: bytes
    hashes: tuple[bytes, ...]
    head: Head


@dataclass(frozen=True, slots=True)
class Consistency:
    """That ``second`` only appended to ``first``."""

    first: Head
    second: Head
    hashes: tuple[bytes, ...]


def prove_inclusion(index: int, size: int, view: Head, read_node: ReadNode) -> Inclusion:
    """Prove a leaf of the tree of ``size``. Raises TileError or ProofError where the tiles don't lead to ``view``."""
    head = prove_head(size, view, read_node)
    leaf = read_node(0, index)
    hashes = merkle.inclusion_proof(index, size, read_node)
    merkle.verify_inclusion(leaf, index, size, hashes, head.root)
    return Inclusion(index, leaf, hashes, head)


def prove_consistency(first: int, second: int, view: Head, read_node: ReadNode) -> Consistency:
    """Prove that one tree extends another. Raises as `prove_inclusion`."""
    newer = prove_head(second, view, read_node)
    # What a proven head extends is proven with it: the older root needs no way of its own to the newest.
    older = newer if first == second else Head(first, merkle.root_at(first, read_node))
    hashes = merkle.consistency_proof(first, second, read_node)
    merkle.verify_consistency(first, second, hashes, older.root, newer.root)
    return Consistency(older, newer, hashes)


def prove_head(size: int, view: Head, read_node: ReadNode) -> Head:
    """Return the head of ``size``, proven to be what ``view`` extends. Raises TileError or ProofError."""
    if size == view.size:
        return view
    root = merkle.root_at(size, read_node)
    merkle.verify_consistency(size, view.size, merkle.consistency_proof(size, view.size, read_node), root, view.root)
    return Head(size, root)


class Prover:
    """Answers for proofs. Its tiles are read in the store's threads and kept for the next proof."""

    def __init__(
        self, committer: Committer, store: Store, read_tiles: Callable[[Connection], ReadTile] = tile_reader
    ) -> None:
        self._committer = committer
        self._store = store
        self._read_tiles = read_tiles
        self._cache = TileCache()

    async def inclusion(self, position: int, tree_size: int) -> Inclusion:
        """Prove the entry at ``position`` in the tree of ``tree_size`` (0: the newest).

        Raises PositionNotReached for what is not there yet, Invalid for an entry past the tree, LedgerUnhealthy,
        StoreUnavailable.
        """
        view = self._believed()
        size = _size(tree_size, view)
        if position >= view.size:
            raise PositionNotReached(position, view.size - 1)
        if position >= size:
            raise Invalid("position", f"must be less than the tree size, {size}")
        return await self._prove(lambda read_node: prove_inclusion(position, size, view, read_node))

    async def consistency(self, first_size: int, second_size: int) -> Consistency:
        """Prove that the tree of ``second_size`` (0: the newest) extends that of ``first_size``. Raises as above."""
        view = self._believed()
        second = _size(second_size, view)
        if first_size > view.size:
            raise PositionNotReached(first_size - 1, view.size - 1)
        if not 0 < first_size <= second:
            raise Invalid("first_size", f"must be at least 1 and at most the second size, {second}")
        return await self._prove(lambda read_node: prove_consistency(first_size, second, view, read_node))

    async def head(self, size: int) -> Head:
        """Return the tree head of a size up to the newest. Raises as above."""
        view = self._believed()
        if not 0 < size <= view.size:
            raise PositionNotReached(size - 1, view.size - 1)
        return await self._prove(lambda read_node: prove_head(size, view, read_node))

    def _believed(self) -> Head:
        if not self._committer.health.ok:
            raise LedgerUnhealthy(self._committer.health.code)
        return head_of(self._committer.view)

    async def _prove(self, proof: Callable[[ReadNode], T]) -> T:
        def ask(connection: Connection) -> T:
            return proof(TileReader(self._read_tiles(connection), self._cache).read_node)

        try:
            return await self._store.read(ask)
        except (TileError, ProofError) as error:
            health = disagrees(f"the stored tiles do not lead to the root that was computed: {error}")
            self._committer.distrust(health)
            raise LedgerUnhealthy(health.code) from error


def head_of(view: View) -> Head:
    """Return the tree head of a view."""
    return Head(view.state.size, view.root)


def _size(asked: int, view: Head) -> int:
    if asked > view.size:
        raise PositionNotReached(asked - 1, view.size - 1)
    return asked or view.size
