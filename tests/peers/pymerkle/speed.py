"""How many proofs a second pymerkle makes; run by the Python of its own environment, never imported.

    python speed.py memory|sqlite LEAVES SECONDS FILE

Prints the root once the tree stands; then, for each word it reads, `cold` or `warm`, measures with its cache of
subtrees empty or full and prints proofs a second. The table of SqliteTree is filled in bulk with the rows that
`append_entry` would write one by one, and the cache with what proofs would leave in it one by one.
"""

import hashlib
import random
import sqlite3
import sys
import time

from pymerkle import InmemoryTree, SqliteTree


def warm(tree: InmemoryTree | SqliteTree, size: int) -> None:
    """Put every subtree that pymerkle keeps into its cache."""
    width = tree.threshold
    for offset in range(0, size - width + 1, width):
        tree._get_subroot(offset, width)
    while width * 2 <= size:
        for offset in range(0, size - 2 * width + 1, 2 * width):
            halves = tree.cache[offset, width], tree.cache[offset + width, width]
            tree.cache[offset, 2 * width] = tree._hash_nodes(*halves)
        width *= 2


def main(kind: str, leaves: str, seconds: str, file: str) -> None:
    """Build, then measure as often as told."""
    size = int(leaves)
    if kind == "memory":
        tree = InmemoryTree()
        for number in range(size):
            tree.append_entry(str(number).encode())
    else:
        SqliteTree(file).con.close()
        entries = (str(number).encode() for number in range(size))
        rows = ((entry, hashlib.sha256(b"\x00" + entry).digest()) for entry in entries)
        with sqlite3.connect(file) as database:
            database.executemany("insert into leaf(entry, hash) values (?, ?)", rows)
        database.close()
        tree = SqliteTree(file)
    dice = random.Random(size)
    sys.stdout.write(f"{tree.get_state().hex()}\n")
    sys.stdout.flush()
    for word in sys.stdin:
        tree.cache_clear()
        if word.strip() == "warm":
            warm(tree, size)
        done, started = 0, time.perf_counter()
        while time.perf_counter() < started + float(seconds):
            tree.prove_inclusion(dice.randrange(size) + 1)
            tree.prove_consistency(dice.randrange(size) + 1)
            done += 2
        sys.stdout.write(f"{done / (time.perf_counter() - started)}\n")
        sys.stdout.flush()


main(*sys.argv[1:])
