"""Tiles: their geometry, what an append rewrites, proofs out of them, and what tampering shows."""

import hashlib
from collections.abc import Iterable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.proofs.errors import Fault, TileError
from interlock.proofs.merkle import (
    Frontier,
    consistency_proof,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from interlock.proofs.tiles import (
    ExpandedTile,
    RightEdge,
    TileFault,
    TileId,
    TileReader,
    all_tiles,
    edge_tiles,
    find_tile_faults,
    tile_path,
    tile_width,
)

LEAVES = [hashlib.sha256(b"leaf %d" % number).digest() for number in range(70_000)]
BOUNDARIES = [1, 2, 3, 255, 256, 257, 511, 512, 513, 65_279, 65_535, 65_536, 65_537, 65_792, 70_000]


class Store(dict[TileId, bytes]):
    """Rows (level, index) → bytes that remember which of them were read."""

    def __init__(self, rows: Iterable[tuple[TileId, bytes]] = ()) -> None:
        super().__init__(rows)
        self.reads: list[TileId] = []

    def read_tile(self, tile: TileId) -> bytes | None:
        """Read one row."""
        self.reads.append(tile)
        return self.get(tile)


@cache
def rows_at(size: int) -> tuple[tuple[TileId, bytes], ...]:
    """Give every tile of the tree over the first leaves."""
    return tuple(all_tiles(LEAVES[:size]))


@cache
def root_of(size: int) -> bytes:
    """Give the root over the first leaves, without any tile."""
    return Frontier().extend(LEAVES[:size]).root()


def tiles_a_side(size: int) -> int:
    """Compute ⌈log256 size⌉ exactly, and 1 for a tree of one tile at most."""
    tiles = 1
    while 256**tiles < size:
        tiles += 1
    return tiles


@pytest.mark.parametrize(
    ("tile", "width", "path"),
    [
        (TileId(0, 0), 256, "tile/0/000"),
        (TileId(0, 999), 256, "tile/0/999"),
        (TileId(0, 1000), 256, "tile/0/x001/000"),
        (TileId(2, 1_234_067), 256, "tile/2/x001/x234/067"),
        (TileId(63, 1_234_067), 255, "tile/63/x001/x234/067.p/255"),
        (TileId(0, 273), 112, "tile/0/273.p/112"),
    ],
)
def test_paths_are_those_of_the_specification(tile: TileId, width: int, path: str) -> None:
    """Tile numbers are three digits a path element, and partial tiles name their width."""
    assert tile_path(tile, width) == path


@pytest.mark.parametrize("width", [-1, 0, 257])
def test_no_path_for_a_width_that_no_tile_has(width: int) -> None:
    """Empty tiles must not be served, and none is wider than 256."""
    with pytest.raises(TileError) as refused:
        tile_path(TileId(0, 0), width)

    assert refused.value.fault is Fault.TILE_LENGTH


@pytest.mark.parametrize(("level", "index"), [(-1, 0), (64, 0), (0, -1), (0, 2**63)])
def test_coordinates_outside_every_tree_are_refused(level: int, index: int) -> None:
    """Levels run from 0 to 63, numbers from 0."""
    with pytest.raises(TileError) as refused:
        TileId(level, index)

    assert refused.value.fault is Fault.TILE_COORDINATES


def test_the_specifications_example_of_70000_entries() -> None:
    """70,000 entries are 273 full tiles and one of 112, above them one full and 17, above them 1."""
    widths: dict[int, list[int]] = {}
    for tile, content in rows_at(70_000):
        widths.setdefault(tile.level, []).append(len(content) // 32)

    assert sorted(widths[0], reverse=True) == [256] * 273 + [112]
    assert sorted(widths[1], reverse=True) == [256, 17]
    assert widths[2] == [1]


def test_256_entries_are_a_full_tile_and_one_hash_above() -> None:
    """A full tile's root is at once in the tile above."""
    assert dict(rows_at(256)) == {
        TileId(0, 0): b"".join(LEAVES[:256]),
        TileId(1, 0): root_of(256),
    }


@pytest.mark.parametrize("size", [0, *BOUNDARIES])
def test_widths_and_edges_follow_from_the_size_alone(size: int) -> None:
    """What tile has how many hashes is arithmetic, and the edge lists the partial ones."""
    tiles = dict(rows_at(size))

    assert {tile: tile_width(tile, size) * 32 for tile in tiles} == {
        tile: len(content) for tile, content in tiles.items()
    }
    assert {tile for tile in edge_tiles(size) if tile_width(tile, size)} == {
        tile for tile, content in tiles.items() if len(content) < 8192
    }
    assert all(tile_width(TileId(level, size + 1), size) == 0 for level in range(4))


@pytest.mark.parametrize("tile", [TileId(0, 0), TileId(0, 200), TileId(1, 0), TileId(1, 1), TileId(2, 0)])
def test_tiles_hold_the_hashes_of_the_specifications_formula(tile: TileId) -> None:
    """Hash i of tile (l, n) is MTH(D[(256n + i)·256^l : (256n + i + 1)·256^l])."""
    content = dict(rows_at(70_000))[tile]

    for at in {0, 1, len(content) // 64, len(content) // 32 - 1} & set(range(len(content) // 32)):
        begin = (tile.index * 256 + at) * 256**tile.level
        expected = Frontier().extend(LEAVES[begin : begin + 256**tile.level]).root()
        assert content[32 * at : 32 * at + 32] == expected


def test_appending_one_by_one_writes_what_changed_and_no_more() -> None:
    """Each append rewrites one tile, and one above for each that it fills; all tiles stay right."""
    edge, store = RightEdge(), Store()

    for size in range(1, 1100):
        edge, writes = edge.append([LEAVES[size - 1]])
        store.update(writes)

        assert len(writes) == (2 if size % 256 == 0 else 1)
        assert edge.frontier().root() == root_of(size)

    assert store == dict(rows_at(1099))


def test_appending_across_a_full_second_level_reaches_the_third() -> None:
    """The 65,536th entry fills a tile on two levels and starts one on the third."""
    edge, before = RightEdge().append(LEAVES[:65_535])

    edge, writes = edge.append([LEAVES[65_535]])

    assert set(writes) == {TileId(0, 255), TileId(1, 0), TileId(2, 0)}
    assert before | writes == dict(rows_at(65_536))
    assert edge.frontier().root() == root_of(65_536)


@settings(deadline=None, max_examples=60)
@given(batches=st.lists(st.integers(0, 700), max_size=6))
def test_batches_of_any_size_give_the_same_tiles(batches: list[int]) -> None:
    """However entries are batched, the stored tiles and the edge are those of the whole."""
    edge, store, size = RightEdge(), Store(), 0

    for count in batches:
        edge, writes = edge.append(LEAVES[size : size + count])
        size += count
        assert len(writes) <= 3 + count // 256
        store.update(writes)

    assert store == dict(all_tiles(LEAVES[:size]))
    assert edge == RightEdge.load(size, store.read_tile)
    assert edge.frontier() == Frontier().extend(LEAVES[:size])


def test_appending_nothing_changes_nothing() -> None:
    """An empty batch writes no tile."""
    edge, _ = RightEdge().append(LEAVES[:300])

    assert edge.append([]) == (edge, {})


def test_a_leaf_of_another_length_is_refused() -> None:
    """A leaf hash has 32 bytes: a short one must not shift those after it."""
    for take in (RightEdge().append, lambda leaves: list(all_tiles(leaves))):
        with pytest.raises(TileError) as refused:
            take([LEAVES[0], LEAVES[1][:31]])
        assert refused.value.fault is Fault.HASH_LENGTH


@pytest.mark.parametrize(("stored", "asked"), [(300, 299), (300, 301), (300, 0), (256, 255), (255, 256)])
def test_an_edge_is_not_loaded_for_a_size_that_is_not_stored(stored: int, asked: int) -> None:
    """A writer that starts on a tree of another size than it believes is stopped."""
    store = Store(rows_at(stored))
    if asked == 0:
        assert RightEdge.load(asked, store.read_tile) == RightEdge()
        return

    with pytest.raises(TileError) as refused:
        RightEdge.load(asked, store.read_tile)

    assert refused.value.fault in {Fault.TILE_LENGTH, Fault.TILE_MISSING}


def test_loading_an_edge_reads_one_tile_a_level() -> None:
    """An append to a tree of 70,000 has three tiles to read."""
    store = Store(rows_at(70_000))

    RightEdge.load(70_000, store.read_tile)

    assert store.reads == [TileId(0, 273), TileId(1, 1), TileId(2, 0)]


@pytest.mark.parametrize("size", BOUNDARIES)
def test_inclusion_proofs_come_out_of_few_tiles(size: int) -> None:
    """A proof from tiles verifies, and reads at most ⌈log256 n⌉ tiles a side, each once."""
    for index in sorted({0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size))):
        store = Store(rows_at(size))

        proof = inclusion_proof(index, size, TileReader(store.read_tile).read_node)

        verify_inclusion(LEAVES[index], index, size, proof, root_of(size))
        assert len(store.reads) == len(set(store.reads)) <= 2 * tiles_a_side(size)


@pytest.mark.parametrize("size", BOUNDARIES)
def test_consistency_proofs_come_out_of_few_tiles(size: int) -> None:
    """A proof between two sizes reads at most ⌈log256 n⌉ tiles a side, each once."""
    for old in sorted({1, 2, size // 3, size // 2, size - 1, size} & set(range(1, size + 1))):
        store = Store(rows_at(size))

        proof = consistency_proof(old, size, TileReader(store.read_tile).read_node)

        verify_consistency(old, size, proof, root_of(old), root_of(size))
        assert len(store.reads) == len(set(store.reads)) <= 2 * tiles_a_side(size)


@pytest.mark.parametrize("size", BOUNDARIES)
def test_old_roots_come_out_of_later_tiles(size: int) -> None:
    """Tiles only grow, so the tree's root at any earlier size can still be read, a tile a level."""
    store = Store(rows_at(70_000))

    assert root_at(size, TileReader(store.read_tile).read_node) == root_of(size)
    assert len(store.reads) <= tiles_a_side(size)


def test_full_tiles_in_a_shared_cache_are_read_once() -> None:
    """Readers that share a cache read a full tile once, and a partial one each time."""
    store, cache_of_tiles = Store(rows_at(300)), dict[TileId, ExpandedTile]()

    for _ in range(3):
        inclusion_proof(7, 300, TileReader(store.read_tile, cache_of_tiles).read_node)

    assert store.reads.count(TileId(0, 0)) == 1
    assert store.reads.count(TileId(0, 1)) == 3


def test_a_cached_partial_tile_does_not_outlive_its_growth() -> None:
    """A reader that meets a partial tile which has grown since uses the new one."""
    store, cache_of_tiles = Store(rows_at(300)), dict[TileId, ExpandedTile]()
    inclusion_proof(299, 300, TileReader(store.read_tile, cache_of_tiles).read_node)
    store.update(rows_at(301))

    proof = inclusion_proof(0, 301, TileReader(store.read_tile, cache_of_tiles).read_node)

    verify_inclusion(LEAVES[0], 0, 301, proof, root_of(301))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, Fault.TILE_MISSING),
        (b"", Fault.TILE_LENGTH),
        (bytes(32 * 5 + 1), Fault.TILE_LENGTH),
        (bytes(32 * 257), Fault.TILE_LENGTH),
        (bytes(32 * 5), Fault.TILE_LENGTH),
    ],
)
def test_a_tile_that_cannot_hold_the_node_is_a_fault(content: bytes | None, fault: Fault) -> None:
    """Missing, empty, ragged, overlong and too short tiles are named, not read as zeros."""
    reader = TileReader(lambda _: content)

    with pytest.raises(TileError) as refused:
        reader.read_node(0, 5)

    assert refused.value.fault is fault


def test_a_healthy_store_has_no_fault() -> None:
    """Checking a whole store against its leaves finds nothing to say."""
    store = Store(rows_at(70_000))

    assert list(find_tile_faults(LEAVES, store.read_tile, list(store))) == []


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_flipped_bit_in_any_tile_is_found_and_named(data: st.DataObject) -> None:
    """One inverted bit in a stored tile is reported with the tile and the hash it is in."""
    store = Store(rows_at(1500))
    tile = data.draw(st.sampled_from(sorted(store)))
    bit = data.draw(st.integers(0, len(store[tile]) * 8 - 1))
    content = bytearray(store[tile])
    content[bit // 8] ^= 1 << bit % 8
    store[tile] = bytes(content)

    faults = list(find_tile_faults(LEAVES[:1500], store.read_tile, list(store)))

    assert faults == [TileFault(tile, Fault.TILE_HASH, bit // 256)]


@pytest.mark.parametrize("tile", [TileId(0, 0), TileId(0, 5), TileId(1, 0)])
def test_missing_and_cut_tiles_are_found_and_named(tile: TileId) -> None:
    """A tile that is gone, or one hash short, is reported as such."""
    store = Store(rows_at(1500))

    store[tile] = store[tile][:-32]
    cut = list(find_tile_faults(LEAVES[:1500], store.read_tile))
    del store[tile]
    gone = list(find_tile_faults(LEAVES[:1500], store.read_tile))

    assert cut == [TileFault(tile, Fault.TILE_LENGTH)]
    assert gone == [TileFault(tile, Fault.TILE_MISSING)]


def test_tiles_that_the_tree_does_not_have_are_found_and_named() -> None:
    """A row left over from a longer tree shows."""
    store = Store([*rows_at(1500), (TileId(0, 6), LEAVES[0])])

    faults = list(find_tile_faults(LEAVES[:1500], store.read_tile, list(store)))

    assert faults == [TileFault(TileId(0, 6), Fault.TILE_SURPLUS)]
