"""Proofs out of tiles: few tiles, no entries, and nothing that does not lead to the root that was computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from interlock.proofs import merkle
from interlock.proofs.errors import ProofError, TileError
from interlock.proofs.tiles import TileId, TileReader, all_tiles
from interlock.service.ledger.proving import Head, prove_consistency, prove_inclusion
from interlock.service.ledger.tree import TileCache, tile_reader
from interlock.service.storage import Store
from interlock.service.storage.writes import Writes

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 70_000
LEVELS = 3
LEAVES = [merkle.leaf_hash(b"%d" % number) for number in range(SIZE)]
TILES = dict(all_tiles(LEAVES))
VIEW = Head(SIZE, merkle.root_at(SIZE, TileReader(TILES.get).read_node))


class Counted:
    """A reader of tiles that counts them."""

    def __init__(self, tiles: dict[TileId, bytes]) -> None:
        self.tiles = tiles
        self.read: list[TileId] = []

    def __call__(self, tile: TileId) -> bytes | None:
        """Count and read."""
        self.read.append(tile)
        return self.tiles.get(tile)


@pytest.mark.parametrize("index", [0, 255, 256, 35_000, 65_535, 65_536, SIZE - 1])
def test_an_inclusion_proof_reads_two_tiles_a_level(index: int) -> None:
    """The leaf's branch and the right edge, each tile once."""
    reader = Counted(TILES)

    prove_inclusion(index, SIZE, VIEW, TileReader(reader).read_node)

    assert len(reader.read) == len(set(reader.read)) <= 2 * LEVELS


@pytest.mark.parametrize(("first", "second"), [(1, SIZE), (65_536, SIZE), (300, 40_000), (65_535, 65_537)])
def test_a_consistency_proof_reads_three_tiles_a_level(first: int, second: int) -> None:
    """Two edges of the past, and the right edge that both are held to."""
    reader = Counted(TILES)

    proof = prove_consistency(first, second, VIEW, TileReader(reader).read_node)

    merkle.verify_consistency(first, second, proof.hashes, proof.first.root, proof.second.root)
    assert len(reader.read) == len(set(reader.read)) <= 3 * LEVELS


def test_a_proof_asks_for_tiles_and_for_nothing_else(tmp_path: Path) -> None:
    """Of the whole database, not one entry is read."""
    store = Store.open(f"sqlite:///{tmp_path / 'log.db'}")
    rows = Writes()
    rows.add_tiles({(tile.level, tile.index): data for tile, data in TILES.items()})
    with store.transaction() as connection:
        rows.flush(connection)
    asked: list[str] = []
    with store.reading() as connection:
        event.listen(connection, "before_cursor_execute", lambda *told: asked.append(told[2]))

        prove_inclusion(123, 40_000, VIEW, TileReader(tile_reader(connection)).read_node)
    store.close()

    assert 0 < len(asked) <= 3 * LEVELS
    assert all("FROM tiles" in " ".join(statement.split()) for statement in asked)


@pytest.mark.parametrize("tile", [*sorted(TILES)[::40], TileId(1, 0), TileId(1, 1), TileId(2, 0)], ids=str)
def test_no_proof_comes_out_of_a_changed_tile(tile: TileId) -> None:
    """A flipped bit in any tile that a proof needs ends it, also in a tree of the past."""
    content = bytearray(TILES[tile])
    content[0] ^= 1
    beside = (tile.index * 256 + 1) * 256**tile.level
    read_node = TileReader({**TILES, tile: bytes(content)}.get).read_node

    for size in (SIZE, SIZE - 1):
        with pytest.raises((ProofError, TileError)):
            prove_inclusion(beside, size, VIEW, read_node)


def test_the_cache_forgets_what_was_used_least() -> None:
    """It holds as many tiles as it was told."""
    cache = TileCache(size=2)
    for index in range(3):
        reader = TileReader(TILES.get, cache)
        reader.read_node(8, index)
        reader.read_node(0, 0)

    assert len(cache) == 2
    assert TileId(0, 0) in cache
