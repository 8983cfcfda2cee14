"""RFC 6962 Merkle trees: hashes, frontiers, proofs and their verification.

Lives here: SHA-256 arithmetic on positions and hashes. Not here: what a leaf is made of, where
hashes are stored (tiles.py has the geometry), who signed a root (note.py).

Sources: RFC 6962 §2.1 defines the tree and both proofs; RFC 9162 §2.1.3.2 and §2.1.4.2 give the
verification algorithms, whose steps are numbered alike below. Proofs are data that everybody may
see, so hashes are compared with `!=`: there is no secret that timing could give away.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from interlock.proofs.errors import Fault, ProofError

LEAF_PREFIX: Final = b"\x00"
"""RFC 6962 §2.1: domain separation, so that no inner node can be passed off as a leaf."""

NODE_PREFIX: Final = b"\x01"
"""RFC 6962 §2.1: the prefix of inner nodes."""

HASH_BYTES: Final = 32
"""Length of a SHA-256 hash, in bytes."""

MAX_SIZE: Final = 2**63 - 1
"""Greatest tree size in entries: what fits a signed 64-bit column and a protobuf int64."""

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""RFC 6962 §2.1: the hash of an empty list is the hash of an empty string."""

ReadNode: TypeAlias = Callable[[int, int], bytes]
"""(level, index) → hash of the complete subtree over leaves [index·2^level, (index+1)·2^level)."""


def leaf_hash(data: bytes) -> bytes:
    """Hash one entry's stored bytes into a leaf (RFC 6962 §2.1, `MTH({d(0)})`)."""
    return hashlib.sha256(LEAF_PREFIX + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into their parent (RFC 6962 §2.1)."""
    return hashlib.sha256(NODE_PREFIX + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that is needed to append to a tree and to tell its root: O(log size) hashes.

    `hashes` are the roots of the complete subtrees that `size`, written in binary, falls into:
    largest (leftmost) first, one for each set bit. Raises `ProofError` for any other shape.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse hashes that no tree of this size has."""
        _check_size(self.size)
        _check_hashes(self.hashes)
        if len(self.hashes) != self.size.bit_count():
            raise ProofError(
                Fault.FRONTIER_SHAPE,
                f"a tree of {self.size} has {self.size.bit_count()} subtrees, not {len(self.hashes)}",
            )

    @classmethod
    def load(cls, size: int, read_node: ReadNode) -> Self:
        """Read the frontier of the tree's first `size` entries from stored nodes."""
        _check_size(size)
        return cls(size, tuple(_range_nodes(0, size, read_node)))

    def append(self, leaf: bytes) -> "Frontier":
        """Give the frontier after one more leaf hash."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> "Frontier":
        """Give the frontier after more leaf hashes, at two node hashes a leaf or fewer."""
        size, stack = self.size, list(self.hashes)
        for leaf in leaves:
            node = leaf
            # Each trailing one bit of `size` is a complete subtree that the new leaf closes up.
            for _ in range((size ^ (size + 1)).bit_length() - 1):
                node = node_hash(stack.pop(), node)
            # A wrong length must be caught before it vanishes in a parent.
            _check_hashes((leaf,))
            stack.append(node)
            size += 1
        return Frontier(size, tuple(stack))

    def skip(self, count: int, hashes: Sequence[bytes]) -> "Frontier":
        """Give the frontier after `count` more leaves of which only `subtrees_of` are known.

        That they are the right ones shows in the root alone. Raises `ProofError`: SIZE_OUT_OF_RANGE, HASH_LENGTH, or
        FRONTIER_SHAPE for more or fewer hashes than these leaves fall into.
        """
        if count < 1 or count > MAX_SIZE - self.size:
            raise ProofError(Fault.SIZE_OUT_OF_RANGE, f"no {count} leaves more after {self.size}")
        _check_hashes(hashes)
        parts = tuple(subtrees_of(self.size, self.size + count))
        if len(parts) != len(hashes):
            raise ProofError(Fault.FRONTIER_SHAPE, f"{count} leaves after {self.size} are {len(parts)} subtrees")
        size, stack = self.size, list(self.hashes)
        for (level, index), subtree in zip(parts, hashes, strict=True):
            node, place = subtree, index
            while place & 1:
                node, place = node_hash(stack.pop(), node), place >> 1
            stack.append(node)
            size += 1 << level
        return Frontier(size, tuple(stack))

    def root(self) -> bytes:
        """Give the root hash of the tree (RFC 6962 §2.1, `MTH(D[size])`)."""
        return _fold(self.hashes) if self.hashes else EMPTY_ROOT


def subtrees_of(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Give (level, index) of the complete subtrees that leaves [begin, end) fall into, from left to right.

    Each is the largest that begins where the one before ended: at most two for each level.
    """
    while begin < end:
        level = (end - begin).bit_length() - 1
        if begin:
            level = min(level, _trailing_zeros(begin))
        yield level, begin >> level
        begin += 1 << level


def root_at(size: int, read_node: ReadNode) -> bytes:
    """Give the root over the first `size` entries, from stored nodes of this or a later tree."""
    return Frontier.load(size, read_node).root()


def inclusion_proof(index: int, size: int, read_node: ReadNode) -> tuple[bytes, ...]:
    """Prove that the leaf at `index` is in the tree of `size` (RFC 6962 §2.1.1, `PATH`).

    The hashes run from the leaf's sibling up to the root. Raises `ProofError` if `index` is not
    one of the tree; what `read_node` raises passes through.
    """
    _check_size(size)
    _check_index(index, size)
    return tuple(_path(0, index, size, read_node))


def consistency_proof(old_size: int, new_size: int, read_node: ReadNode) -> tuple[bytes, ...]:
    """Prove that the tree of `new_size` only appended to that of `old_size` (§2.1.2, `PROOF`).

    Empty for equal sizes, and for an old size of 0, which the RFC leaves undefined: everything
    extends the empty tree. Raises `ProofError` for sizes in the wrong order.
    """
    _check_sizes(old_size, new_size)
    if old_size in {0, new_size}:
        return ()
    level = _trailing_zeros(old_size)
    path = _path(level, old_size - 1, new_size, read_node)
    if old_size == 1 << level:
        # The old tree is itself one complete subtree: its root, which both sides know, is left
        # out (SUBPROOF with b = true).
        return tuple(path)
    return (read_node(level, (old_size - 1) >> level), *path)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that `leaf` is the leaf hash at `index` of the tree (`size`, `root`).

    Raises `ProofError`: INDEX_OUT_OF_RANGE, SIZE_OUT_OF_RANGE, HASH_LENGTH, PROOF_TOO_SHORT,
    PROOF_TOO_LONG or ROOT_MISMATCH. The caller owes two things: `leaf` is hashed from the bytes
    in question; `size` and `root` come from one checkpoint whose signature was verified. A proof
    alone does not pin the size: the first leaf's path looks alike in trees of 3 and of 4.
    """
    _check_size(size)
    _check_hashes((leaf, *proof, root))
    # 1. The leaf's position is in the tree.
    _check_index(index, size)
    # 2., 3. Start from the leaf; `last` is the rightmost position on the same level.
    position, last, node = index, size - 1, leaf
    # 4. Climb, with one proof element for each level that has a sibling.
    for sibling in proof:
        if last == 0:
            raise ProofError(Fault.PROOF_TOO_LONG, f"{len(proof)} hashes pass the root of {size}")
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            position, last = _skip_lonely_levels(position, last)
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    # 5. The climb ended at the root, and it is the root we were given.
    if last != 0:
        raise ProofError(Fault.PROOF_TOO_SHORT, f"{len(proof)} hashes end below the root of {size}")
    if node != root:
        raise ProofError(
            Fault.ROOT_MISMATCH,
            f"leaf {index} of {size} leads to root {node.hex()}, not {root.hex()}",
        )


def verify_consistency(old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the tree (`new_size`, `new_root`) extends the tree (`old_size`, `old_root`).

    Raises `ProofError`: SIZE_OUT_OF_RANGE (also for sizes in the wrong order), HASH_LENGTH,
    PROOF_TOO_SHORT, PROOF_TOO_LONG, OLD_ROOT_MISMATCH or ROOT_MISMATCH. The caller owes that
    both roots come from checkpoints whose signatures were verified.
    """
    _check_sizes(old_size, new_size)
    _check_hashes((*proof, old_root, new_root))
    if old_size in {0, new_size}:
        _verify_trivial_consistency(old_size, proof, old_root, new_root)
        return
    # 1., 2. The walk starts at the old tree's last complete subtree; if that is the whole old
    # tree, the proof leaves it out.
    path = (old_root, *proof) if old_size.bit_count() == 1 else tuple(proof)
    if not path:
        raise ProofError(Fault.PROOF_TOO_SHORT, f"no hash between {old_size} and {new_size}")
    # 3., 4. Climb to the level of that subtree.
    level = _trailing_zeros(old_size)
    position, last = (old_size - 1) >> level, (new_size - 1) >> level
    # 5., 6. Rebuild both roots at once: hashes on the left are in both trees, those on the right
    # only in the new one.
    old_node = new_node = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError(Fault.PROOF_TOO_LONG, f"{len(proof)} hashes pass the root of {new_size}")
        if position & 1 or position == last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            position, last = _skip_lonely_levels(position, last)
        else:
            new_node = node_hash(new_node, sibling)
        position, last = position >> 1, last >> 1
    # 7. The climb ended at the root, and both roots are the ones we were given.
    if last != 0:
        raise ProofError(Fault.PROOF_TOO_SHORT, f"{len(proof)} hashes end below the root of {new_size}")
    if old_node != old_root:
        raise ProofError(
            Fault.OLD_ROOT_MISMATCH,
            f"size {old_size} leads to root {old_node.hex()}, not {old_root.hex()}",
        )
    if new_node != new_root:
        raise ProofError(
            Fault.ROOT_MISMATCH,
            f"size {new_size} leads to root {new_node.hex()}, not {new_root.hex()}",
        )


def _verify_trivial_consistency(old_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check the two cases that need no proof, and refuse one that comes along."""
    if proof:
        raise ProofError(Fault.PROOF_TOO_LONG, f"nothing is to be proven from size {old_size}")
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise ProofError(Fault.OLD_ROOT_MISMATCH, f"{old_root.hex()} is not the empty tree's root")
    if old_size != 0 and old_root != new_root:
        raise ProofError(Fault.ROOT_MISMATCH, f"two roots for size {old_size}")


def _path(level: int, leaf: int, size: int, read_node: ReadNode) -> list[bytes]:
    """Collect the siblings from the node at `level`, whose last leaf is `leaf`, up to the root."""
    # Below `split` the node's branch and the tree's right edge are different; above, the same.
    split = (leaf ^ (size - 1)).bit_length()
    # 1. The branch's own siblings lie inside a complete subtree.
    path = [read_node(at, (leaf >> at) ^ 1) for at in range(level, split - 1)]
    # 2. Where branch and edge meet, the sibling is all that is right of the branch, maybe ragged.
    if split > 0:
        begin = ((leaf >> (split - 1)) ^ 1) << (split - 1)
        path.append(_fold(_range_nodes(begin, size, read_node)))
    # 3. On the edge there are siblings on the left only.
    path += [read_node(at, (leaf >> at) ^ 1) for at in range(split, size.bit_length()) if (leaf >> at) & 1]
    return path


def _range_nodes(begin: int, end: int, read_node: ReadNode) -> list[bytes]:
    """Read the complete subtrees of leaves [begin, end), largest first; `begin` is aligned."""
    return [
        read_node(level, (end >> level) - 1)
        for level in reversed(range((end - begin).bit_length()))
        if (end - begin) >> level & 1
    ]


def _fold(nodes: Sequence[bytes]) -> bytes:
    """Hash subtrees, largest first, into one: the split of RFC 6962 §2.1 seen from the right."""
    *rest, node = nodes
    for left in reversed(rest):
        node = node_hash(left, node)
    return node


def _skip_lonely_levels(position: int, last: int) -> tuple[int, int]:
    """Climb over the levels on which the right edge has no sibling (step 4.b.ii and 6.b.ii)."""
    while position and not position & 1:
        position, last = position >> 1, last >> 1
    return position, last


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1


def _check_size(size: int) -> None:
    if not 0 <= size <= MAX_SIZE:
        raise ProofError(Fault.SIZE_OUT_OF_RANGE, f"{size} is not a tree size")


def _check_sizes(old_size: int, new_size: int) -> None:
    _check_size(new_size)
    if not 0 <= old_size <= new_size:
        raise ProofError(Fault.SIZE_OUT_OF_RANGE, f"no tree of {new_size} extends {old_size}")


def _check_index(index: int, size: int) -> None:
    if not 0 <= index < size:
        raise ProofError(Fault.INDEX_OUT_OF_RANGE, f"a tree of {size} has no leaf {index}")


def _check_hashes(hashes: Iterable[bytes]) -> None:
    for value in hashes:
        if len(value) != HASH_BYTES:
            raise ProofError(Fault.HASH_LENGTH, f"a hash has 32 bytes, not {len(value)}")
