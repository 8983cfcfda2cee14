"""C2SP tlog-tiles geometry, height 8: which hashes lie in which tile, and what an append rewrites.

Lives here: coordinates, contents and checks of tiles as bytes. Not here: where tiles are stored
(the ledger writes them in the entries' own transaction) and the tree's arithmetic (merkle.py).

The tile (L, N) holds the hashes of the complete subtrees of 256^L leaves numbered 256·N to
256·N + 255, 32 bytes each, so one tile spans eight levels of the tree. A tile with fewer than 256
hashes is partial; it lies on the right edge and grows only by appending, hence one row for each
(L, N) that is overwritten until it is full and never again: what a smaller tree had is its prefix.

Source: C2SP tlog-tiles, "Merkle Tree" and "Partial Tiles".
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from interlock.proofs.errors import Fault, TileError
from interlock.proofs.merkle import HASH_BYTES, MAX_SIZE, NODE_PREFIX, Frontier

TILE_HEIGHT: Final = 8
"""Levels of the tree that one tile spans."""

TILE_WIDTH: Final = 1 << TILE_HEIGHT
"""Hashes in a full tile."""

TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES
"""Length of a full tile, in bytes."""

MAX_TILE_LEVEL: Final = 63
"""Greatest tile level that C2SP tlog-tiles has paths for."""


@dataclass(frozen=True, slots=True, order=True)
class TileId:
    """Coordinates of a tile: its level, and its number on that level, both from 0."""

    level: int
    index: int

    def __post_init__(self) -> None:
        """Refuse coordinates that no tree has, with `TileError` TILE_COORDINATES."""
        if not (0 <= self.level <= MAX_TILE_LEVEL and 0 <= self.index <= MAX_SIZE):
            raise TileError(Fault.TILE_COORDINATES, f"no tile at {self.level}, {self.index}")


ReadTile: TypeAlias = Callable[[TileId], bytes | None]
"""TileId → the stored bytes, of this or a later tree size, or None where none are stored."""


@dataclass(frozen=True, slots=True)
class ExpandedTile:
    """A tile with the inner nodes of its subtree, computed once: `rows[h]` are those h levels up.

    Immutable, so threads may share it; about 16 KiB for a full tile.
    """

    rows: tuple[bytes, ...]

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Compute the inner nodes: at most 255 hashes."""
        rows = [content]
        for _ in range(TILE_HEIGHT):
            rows.append(_parents(rows[-1]))
        return cls(tuple(rows))

    @property
    def root(self) -> bytes:
        """The hash of the whole subtree, which the tile above holds; empty if not full."""
        return self.rows[TILE_HEIGHT]

    def node(self, height: int, position: int) -> bytes:
        """Give one node `height` levels up; empty bytes if the tile is not that wide."""
        return self.rows[height][position * HASH_BYTES : (position + 1) * HASH_BYTES]


@dataclass(frozen=True, slots=True)
class TileFault:
    """One stored tile that is not what the leaves say; `position` is the first wrong hash."""

    tile: TileId
    fault: Fault
    position: int | None = None


class TileReader:
    """Reads tree nodes out of tiles, each tile once: make one for each proof or transaction.

    An inclusion proof follows the leaf's branch and the right edge: at most ⌈log256 n⌉ tiles each.
    `cache` may outlive the reader, be shared between threads and forget at will (an LRU mapping):
    a full tile in it is not read again, since it never changes; a partial one is, and compared.
    """

    __slots__ = ("_cache", "_read_tile", "_seen")

    def __init__(self, read_tile: ReadTile, cache: MutableMapping[TileId, ExpandedTile] | None = None) -> None:
        """Read tiles with `read_tile`, unless `cache` has them."""
        self._read_tile = read_tile
        self._cache = {} if cache is None else cache
        self._seen: dict[TileId, ExpandedTile] = {}

    def read_node(self, level: int, index: int) -> bytes:
        """Give the complete subtree hash at (level, index): a `merkle.ReadNode`.

        Raises `TileError`: TILE_MISSING, or TILE_LENGTH if the tile is too short to hold it or no
        whole number of hashes. That the bytes are the right ones is not checked here: a proof
        made from them verifies against a signed root, or does not.
        """
        tile_level, height = divmod(level, TILE_HEIGHT)
        tile = TileId(tile_level, index << height >> TILE_HEIGHT)
        position = index & ((TILE_WIDTH >> height) - 1)
        node = self._load(tile).node(height, position)
        if len(node) != HASH_BYTES:
            raise TileError(Fault.TILE_LENGTH, f"{tile_path(tile)} is too short for node {index}")
        return node

    def _load(self, tile: TileId) -> ExpandedTile:
        if tile in self._seen:
            return self._seen[tile]
        expanded = self._cache.get(tile)
        if expanded is None or not expanded.root:
            content = _stored(tile, self._read_tile)
            if expanded is None or expanded.rows[0] != content:
                expanded = self._cache[tile] = ExpandedTile.load(content)
        self._seen[tile] = expanded
        return expanded


@dataclass(frozen=True, slots=True)
class RightEdge:
    """The partial tiles of a tree: `tiles[L]` is the one on level L, empty where none is partial.

    Holds every hash of the tree's frontier, so it is all that an append has to read.
    """

    size: int = 0
    tiles: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse tiles that are not those of this size, with `TileError` TILE_LENGTH."""
        widths = [tile_width(tile, self.size) for tile in edge_tiles(self.size)]
        if [len(content) for content in self.tiles] != [width * HASH_BYTES for width in widths]:
            raise TileError(Fault.TILE_LENGTH, f"not the partial tiles of a tree of {self.size}")

    @classmethod
    def load(cls, size: int, read_tile: ReadTile) -> Self:
        """Read the edge of the stored tree: one tile a level at most.

        Raises `TileError`: TILE_MISSING, or TILE_LENGTH if a tile is of another size.
        """
        return cls(
            size,
            tuple(_stored(tile, read_tile) if tile_width(tile, size) else b"" for tile in edge_tiles(size)),
        )

    def append(self, leaf_hashes: Iterable[bytes]) -> tuple["RightEdge", dict[TileId, bytes]]:
        """Give the edge after more leaves, and each tile that changed, whole, to be stored.

        One leaf rewrites one tile, and one more for each tile that it fills; a batch rewrites
        each tile once. The writes are complete: store all of them with the entries, or none.
        """
        writes: dict[TileId, bytes] = {}
        edge: list[bytes] = []
        fresh = b"".join(_checked(leaf_hashes))
        size = self.size + len(fresh) // HASH_BYTES
        for level in range(_levels(size)):
            first = self.size >> TILE_HEIGHT * (level + 1)
            old = self.tiles[level] if level < len(self.tiles) else b""
            content, filled = old + fresh, []
            for at in range(0, len(content) if fresh else 0, TILE_BYTES):
                chunk = content[at : at + TILE_BYTES]
                writes[TileId(level, first + at // TILE_BYTES)] = chunk
                if len(chunk) == TILE_BYTES:
                    filled.append(ExpandedTile.load(chunk).root)
            edge.append(content[len(content) - len(content) % TILE_BYTES :])
            fresh = b"".join(filled)
        return RightEdge(size, tuple(edge)), writes

    def read_tile(self, tile: TileId) -> bytes | None:
        """Give a partial tile of the edge: a `ReadTile`, enough to read the tree's frontier."""
        if tile not in edge_tiles(self.size):
            return None
        return self.tiles[tile.level] or None

    def frontier(self) -> Frontier:
        """Give the tree's frontier, and with it the root."""
        return Frontier.load(self.size, TileReader(self.read_tile).read_node)


def tile_width(tile: TileId, size: int) -> int:
    """Count the hashes of `tile` in a tree of `size` entries: 0 if it has none, 256 if full."""
    return max(0, min(TILE_WIDTH, (size >> TILE_HEIGHT * tile.level) - tile.index * TILE_WIDTH))


def edge_tiles(size: int) -> tuple[TileId, ...]:
    """List, for each level, the tile that its next hash goes into; stored if its width > 0."""
    return tuple(TileId(level, size >> TILE_HEIGHT * (level + 1)) for level in range(_levels(size)))


def tile_path(tile: TileId, width: int = TILE_WIDTH) -> str:
    """Format `tile/<L>/<N>[.p/<W>]` (C2SP tlog-tiles, "Merkle Tree"), N as in `x001/x234/067`.

    Raises `TileError` TILE_LENGTH for a width that no tile has.
    """
    if not 1 <= width <= TILE_WIDTH:
        raise TileError(Fault.TILE_LENGTH, f"no tile is {width} hashes wide")
    digits = str(tile.index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    number = "/x".join(digits[at : at + 3] for at in range(0, len(digits), 3))
    head, _, last = f"x{number}".rpartition("x")
    suffix = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{tile.level}/{head}{last}{suffix}"


def all_tiles(leaf_hashes: Iterable[bytes]) -> Iterator[tuple[TileId, bytes]]:
    """Compute every tile of a tree from its leaves, each once, in O(log n) memory."""
    rows: list[bytearray] = []
    done: list[int] = []
    for leaf in _checked(leaf_hashes):
        level, node = 0, leaf
        while node:
            if level == len(rows):
                rows.append(bytearray())
                done.append(0)
            rows[level] += node
            node = b""
            if len(rows[level]) == TILE_BYTES:
                full = bytes(rows[level])
                yield TileId(level, done[level]), full
                rows[level].clear()
                done[level] += 1
                level, node = level + 1, ExpandedTile.load(full).root
    for level, row in enumerate(rows):
        if row:
            yield TileId(level, done[level]), bytes(row)


def find_tile_faults(
    leaf_hashes: Iterable[bytes], read_tile: ReadTile, stored: Iterable[TileId] = ()
) -> Iterator[TileFault]:
    """Recompute every tile from the leaves and name each stored one that differs.

    Yields TILE_MISSING, TILE_LENGTH or TILE_HASH; of the ids in `stored` (all that the store
    lists) those that the tree does not have, as TILE_SURPLUS. Nothing yielded: all is well. That
    the leaves are the right ones is for a signed root to say.
    """
    expected_ids = set()
    for tile, expected in all_tiles(leaf_hashes):
        expected_ids.add(tile)
        content = read_tile(tile)
        if content is None:
            yield TileFault(tile, Fault.TILE_MISSING)
        elif len(content) != len(expected):
            yield TileFault(tile, Fault.TILE_LENGTH)
        elif content != expected:
            differs = next(at for at in range(len(expected)) if content[at] != expected[at])
            yield TileFault(tile, Fault.TILE_HASH, differs // HASH_BYTES)
    for tile in stored:
        if tile not in expected_ids:
            yield TileFault(tile, Fault.TILE_SURPLUS)


def _parents(row: bytes) -> bytes:
    """Hash neighbours in pairs; a last one without a neighbour has no complete parent."""
    return b"".join(
        [
            hashlib.sha256(NODE_PREFIX + row[at : at + 2 * HASH_BYTES]).digest()
            for at in range(0, len(row) - 2 * HASH_BYTES + 1, 2 * HASH_BYTES)
        ]
    )


def _levels(size: int) -> int:
    return -(-size.bit_length() // TILE_HEIGHT)


def _stored(tile: TileId, read_tile: ReadTile) -> bytes:
    content = read_tile(tile)
    if content is None:
        raise TileError(Fault.TILE_MISSING, f"{tile_path(tile)} is not stored")
    if not content or len(content) % HASH_BYTES or len(content) > TILE_BYTES:
        raise TileError(Fault.TILE_LENGTH, f"{tile_path(tile)} has {len(content)} bytes")
    return content


def _checked(leaf_hashes: Iterable[bytes]) -> Iterator[bytes]:
    for leaf in leaf_hashes:
        if len(leaf) != HASH_BYTES:
            raise TileError(Fault.HASH_LENGTH, f"a leaf hash has 32 bytes, not {len(leaf)}")
        yield leaf
