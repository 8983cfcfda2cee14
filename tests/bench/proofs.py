"""The row `proofs`: proofs a second out of tiles on the disk beside pymerkle's two trees, and what an append costs.

INTERLOCK_BENCH_LEAVES and INTERLOCK_BENCH_LARGE say how many leaves the trees have: 1,000,000 and 5,000,000.
Ours are what the service does for a proof but for gRPC: tiles are read from SQLite, and each proof is checked against
the root before it counts. Leaves are hashes of numbers; tiles are written by the tree's own append, in large batches.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import time
from typing import TYPE_CHECKING, Final

from interlock.proofs.merkle import leaf_hash
from interlock.proofs.tiles import RightEdge, TileReader
from interlock.service.ledger.proving import Head, prove_consistency, prove_inclusion
from interlock.service.ledger.tree import TileCache, Tree, tile_reader
from interlock.service.storage import Store
from interlock.service.storage.engine import sqlite_url
from interlock.service.storage.writes import Writes
from tests.bench.gate import pairs
from tests.bench.rounds import Bar, Row, Settings, medians, ratio, spread
from tests.support.peers import PEERS, python_of

if TYPE_CHECKING:
    from pathlib import Path

LEAVES: Final = int(os.environ.get("INTERLOCK_BENCH_LEAVES", "1000000"))
LARGE: Final = int(os.environ.get("INTERLOCK_BENCH_LARGE", "5000000"))
SMALL: Final = 5_000
BATCH: Final = 65_536
APPENDS: Final = 200
BARS: Final = (
    Bar("ratio", 100),
    Bar("ratio_memory", 0.3),
    Bar("append_growth", 1.3, at_most=True),
)
_NOTES: Final = (
    f"{LEAVES:,} leaves; half inclusion, half consistency proofs at random positions, one thread",
    "`ratio`: SqliteTree, its cache empty at first as ours; `ratio_sqlite_warm`: its cache of subtrees full",
    "`ratio_memory`: InmemoryTree, its cache full",
    f"`append_growth`: time of one durable append at {LARGE:,} leaves ÷ at {SMALL:,}",
)


def run(settings: Settings) -> Row:
    """Build the trees, then measure by turns."""
    python = python_of("pymerkle")
    ours, small, large = (_Log(settings.scratch / name) for name in ("ours.db", "small.db", "large.db"))
    ours.grow(LEAVES)
    with (
        _peer(python, "memory", settings.seconds, settings.scratch) as memory,
        _peer(python, "sqlite", settings.seconds, settings.scratch) as sqlite,
    ):
        roots = {_answer(memory), _answer(sqlite)}
        if roots != {ours.head.root.hex()}:
            raise AssertionError(f"other trees than ours: {roots}")
        rounds, peers = [], []
        for _ in range(settings.rounds):
            rounds.append({"per_second": ours.proofs_per_second(settings.seconds)})
            peers.append(
                {
                    "sqlite": _ask(sqlite, "cold"),
                    "sqlite_warm": _ask(sqlite, "warm"),
                    "memory_warm": _ask(memory, "warm"),
                }
            )
    small.grow(SMALL)
    large.grow(LARGE)
    appends = [_appends(large, small) for _ in range(settings.rounds)]
    names = ("sqlite", "sqlite_warm", "memory_warm")
    cold, warm, kept = ([{"per_second": one[name]} for one in peers] for name in names)
    costs = [(one["large"], one["small"]) for one in appends]
    for log in (ours, small, large):
        log.close()
    return Row(
        "proofs",
        "proofs/s",
        {**medians(rounds), **{f"append_{name}_ms": value * 1e3 for name, value in medians(appends).items()}},
        medians(peers),
        {
            "ratio": ratio(pairs(rounds, cold, "per_second")),
            "ratio_sqlite_warm": ratio(pairs(rounds, warm, "per_second")),
            "ratio_memory": ratio(pairs(rounds, kept, "per_second")),
            "append_growth": ratio(costs),
        },
        max(spread(pairs(rounds, kept, "per_second")), spread(costs)),
        BARS,
        _NOTES,
    )


def _appends(large: _Log, small: _Log) -> dict[str, float]:
    """Append to both by turns; the median of each, for whatever else runs only ever adds."""
    times = [(large.append_seconds(), small.append_seconds()) for _ in range(APPENDS)]
    return {"large": statistics.median(one for one, _ in times), "small": statistics.median(one for _, one in times)}


class _Log:
    """A tree on the disk, as the service keeps it."""

    def __init__(self, path: Path) -> None:
        self._store = Store.open(sqlite_url(path))
        self._tree = Tree.empty()

    @property
    def head(self) -> Head:
        return Head(self._tree.size, self._tree.frontier.root())

    def grow(self, size: int) -> None:
        edge = RightEdge()
        for first in range(0, size, BATCH):
            leaves = [leaf_hash(str(number).encode()) for number in range(first, min(first + BATCH, size))]
            edge, tiles = edge.append(leaves)
            self._write({(tile.level, tile.index): data for tile, data in tiles.items()})
        self._tree = Tree(edge, edge.frontier())

    def proofs_per_second(self, seconds: float) -> float:
        dice, cache, head, done = random.Random(LEAVES), TileCache(), self.head, 0
        started = time.perf_counter()
        while time.perf_counter() < started + seconds:
            with self._store.reading() as connection:
                reader = TileReader(tile_reader(connection), cache)
                prove_inclusion(dice.randrange(head.size), head.size, head, reader.read_node)
            with self._store.reading() as connection:
                reader = TileReader(tile_reader(connection), cache)
                prove_consistency(dice.randrange(head.size) + 1, head.size, head, reader.read_node)
            done += 2
        return done / (time.perf_counter() - started)

    def append_seconds(self) -> float:
        """Return the time of one append that is durable when this returns."""
        started = time.perf_counter()
        leaf = leaf_hash(str(self._tree.size).encode())
        self._tree, tiles = self._tree.append((leaf,), self._tree.frontier.append(leaf))
        self._write(tiles)
        return time.perf_counter() - started

    def close(self) -> None:
        self._store.close()

    def _write(self, tiles: dict[tuple[int, int], bytes]) -> None:
        rows = Writes()
        rows.add_tiles(tiles)
        with self._store.transaction() as connection:
            rows.flush(connection)


def _peer(python: Path, kind: str, seconds: float, scratch: Path) -> subprocess.Popen[str]:
    script = PEERS / "pymerkle" / "speed.py"
    command = [str(python), str(script), kind, str(LEAVES), str(seconds), str(scratch / f"pymerkle-{kind}.db")]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _ask(peer: subprocess.Popen[str], word: str) -> float:
    assert peer.stdin is not None
    peer.stdin.write(f"{word}\n")
    peer.stdin.flush()
    return float(_answer(peer))


def _answer(peer: subprocess.Popen[str]) -> str:
    assert peer.stdout is not None
    line = peer.stdout.readline().strip()
    if not line:
        raise AssertionError("pymerkle has ended")
    return line
