"""What pymerkle says of trees, as JSON lines; run by the Python of its own environment, never imported.

    python vectors.py FIRST LAST STEP     sizes FIRST to LAST; positions and older sizes STEP apart

Leaf i is the decimal number i. pymerkle counts leaves from one and begins an inclusion path with the leaf itself; both
are undone here. Its consistency proofs are not those of RFC 6962: they are checked by its own verifier, and the RFC's
PROOF(m, D[n]), §2.1.2, is written down over the subtree hashes that pymerkle computes.
"""

import json
import sys

from pymerkle import InmemoryTree, verify_consistency, verify_inclusion


def proof(tree: InmemoryTree, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[start:end], b), word by word."""
    if old == end - start:
        return [] if whole else [tree._get_root(start, end)]
    split = 1
    while split * 2 < end - start:
        split *= 2
    if old <= split:
        return [*proof(tree, old, start, start + split, whole=whole), tree._get_root(start + split, end)]
    return [*proof(tree, old - split, start + split, end, whole=False), tree._get_root(start, start + split)]


def main(first: int, last: int, step: int) -> None:
    """Write a line for each size."""
    tree = InmemoryTree()
    for number in range(last):
        tree.append_entry(str(number).encode())
    for size in range(first, last + 1):
        root = tree.get_state(size)
        inclusion, consistency = [], []
        for position in {*range(0, size, step), size - 1}:
            found = tree.prove_inclusion(position + 1, size)
            verify_inclusion(tree.get_leaf(position + 1), root, found)
            inclusion.append([position, b"".join(found.path[1:]).hex()])
        for old in {*range(1, size + 1, step), size}:
            verify_consistency(tree.get_state(old), root, tree.prove_consistency(old, size))
            consistency.append([old, b"".join(proof(tree, old, 0, size, whole=True)).hex()])
        line = {"size": size, "root": root.hex(), "inclusion": inclusion, "consistency": consistency}
        sys.stdout.write(json.dumps(line) + "\n")


main(*map(int, sys.argv[1:]))
