"""The log's Merkle tree at one size: enough to append, to tell the root, and to say which tiles an append rewrites."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from interlock.proofs.merkle import Frontier
from interlock.proofs.tiles import ExpandedTile, RightEdge, TileId
from interlock.service.storage import queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from interlock.proofs.tiles import ReadTile

CACHED_TILES: Final = 4_096
"""Expanded tiles that are kept for proofs: about 16 KiB each, 64 MiB in all, which is a log of a million entries."""


class TileCache(MutableMapping[TileId, ExpandedTile]):
    """The tiles that were used last, for `TileReader`s of any thread."""

    def __init__(self, size: int = CACHED_TILES) -> None:
        self._size = size
        self._tiles: OrderedDict[TileId, ExpandedTile] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, tile: TileId) -> ExpandedTile:
        with self._lock:
            self._tiles.move_to_end(tile)
            return self._tiles[tile]

    def __setitem__(self, tile: TileId, content: ExpandedTile) -> None:
        with self._lock:
            self._tiles[tile] = content
            self._tiles.move_to_end(tile)
            if len(self._tiles) > self._size:
                self._tiles.popitem(last=False)

    def __delitem__(self, tile: TileId) -> None:
        with self._lock:
            del self._tiles[tile]

    def __iter__(self) -> Iterator[TileId]:
        with self._lock:
            return iter(tuple(self._tiles))

    def __len__(self) -> int:
        return len(self._tiles)


@dataclass(frozen=True, slots=True)
class Tree:
    """Partial tiles and frontier of one and the same tree."""

    edge: RightEdge
    frontier: Frontier

    @classmethod
    def empty(cls) -> Self:
        """Return the tree of an empty log."""
        return cls(RightEdge(), Frontier())

    @classmethod
    def load(cls, size: int, read_tile: ReadTile) -> Self:
        """Read a stored tree. Raises TileError where its edge is not that of ``size`` entries."""
        edge = RightEdge.load(size, read_tile)
        return cls(edge, edge.frontier())

    @property
    def size(self) -> int:
        """How many entries it holds."""
        return self.frontier.size

    def append(self, leaves: Sequence[bytes], frontier: Frontier) -> tuple[Tree, dict[tuple[int, int], bytes]]:
        """Return the tree after more leaf hashes, and the tiles to store with them, by (level, index).

        ``frontier`` is what appending the same leaves to this tree's frontier gave: a batch has it anyway.
        """
        edge, tiles = self.edge.append(leaves)
        written = {(tile.level, tile.index): data for tile, data in tiles.items()}
        return Tree(edge, frontier), written


def tile_reader(connection: Connection) -> ReadTile:
    """Return a reader of the tiles that are stored."""

    def read(tile: TileId) -> bytes | None:
        return queries.tile(connection, tile.level, tile.index)

    return read
