"""RFC 6962 hashing, frontiers and proofs: known answers, an independent tree, flipped bits.

The independent tree is the RFC's recursive text turned into code, word by word and with no regard
for speed; it shares nothing with the code under test.
"""

import hashlib
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.proofs.errors import Fault, ProofError
from interlock.proofs.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_at,
    subtrees_of,
    verify_consistency,
    verify_inclusion,
)

# Certificate Transparency's vectors: google/certificate-transparency, merkle_tree_test.cc and
# python/ct/crypto/merkle_test.py.
CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
NODE_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
NODE_2_3 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
NODE_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
NODE_4_5 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
NODE_4_7 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
NODE_6_7 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
CT_INCLUSION = [
    (0, 1, []),
    (0, 8, [NODE_1, NODE_2_3, NODE_4_7]),
    (5, 8, [NODE_4, NODE_6_7, CT_ROOTS[4]]),
    (2, 3, [CT_ROOTS[2]]),
    (1, 5, [CT_ROOTS[1], NODE_2_3, NODE_4]),
]
CT_CONSISTENCY = [
    (1, 1, []),
    (1, 8, [NODE_1, NODE_2_3, NODE_4_7]),
    (6, 8, [NODE_4_5, NODE_6_7, CT_ROOTS[4]]),
    (2, 5, [NODE_2_3, NODE_4]),
]

# A proof that a public log really gave: same source, `sha256_audit_path`.
PILOT_LEAF = "7a395c866d5ecdb0cccb623e011dbc392cd348d1d1d72776174e127a24b09c78"
PILOT_INDEX, PILOT_SIZE = 848049, 3630887
PILOT_ROOT = "78316a05c9bcf14a3a4548f5b854a9adfcd46a4c034401b3ce7eb7ac2f1d0ecb"
PILOT_PATH = [
    "1a208aeebcd1b39fe2de247ee8db9454e1e93a312d206b87f6ca9cc6ec6f1ddd",
    "0a1b78b383f580856f433c01a5741e160d451c185910027f6cc9f828687a40c4",
    "3d1745789bc63f2da15850de1c12a5bf46ed81e1cc90f086148b1662e79aab3d",
    "9095b61e14d8990acf390905621e62b1714fb8e399fbb71de5510e0aef45affe",
    "0a332b91b8fab564e6afd1dd452449e04619b18accc0ff9aa8393cd4928451f2",
    "2336f0181d264aed6d8f3a6507ca14a8d3b3c3a23791ac263e845d208c1ee330",
    "b4ce56e300590500360c146c6452edbede25d4ed83919278749ee5dbe178e048",
    "933f6ddc848ea562e4f9c5cfb5f176941301dad0c6fdb9d1fbbe34fac1be6966",
    "b95a6222958a86f74c030be27c44f57dbe313e5e7c7f4ffb98bcbd3a03bb52f2",
    "daeeb3ce5923defd0faeb8e0c210b753b85b809445d7d3d3cd537a9aabaa9c45",
    "7fadd0a13e9138a2aa6c3fdec4e2275af233b94812784f66bcca9aa8e989f2bc",
    "1864e6ba3e32878610546539734fb5eeae2529991f130c575c73a7e25a2a7c56",
    "12842d1202b1dc6828a17ab253c02e7ce9409b5192430feba44189f39cc02d66",
    "29af64b16fa3053c13d02ac63aa75b23aa468506e44c3a2315edc85d2dc22b11",
    "b527b99934a0bd9edd154e449b0502e2c499bba783f3bc3dfe23364b6b532009",
    "4584db8ae8e351ace08e01f306378a92bfd43611714814f3d834a2842d69faa8",
    "86a9a41573b0d6e4292f01e93243d6cc65b30f06606fc6fa57390e7e90ed580f",
    "a88b98fbe84d4c6aae8db9d1605dfac059d9f03fe0fcb0d5dff1295dacba09e6",
    "06326dc617a6d1f7021dc536026dbfd5fffc6f7c5531d48ef6ccd1ed1569f2a1",
    "f41fe8fdc3a2e4e8345e30216e7ebecffee26ff266eeced208a6c2a3cf08f960",
    "40cf5bde8abb76983f3e98ba97aa36240402975674e120f234b3448911090f8d",
    "b3222dc8658538079883d980d7fdc2bef9285344ea34338968f736b04aeb387a",
]

LARGEST = 130
ENTRIES = [b"entry %d" % number for number in range(300)]


@cache
def mth(begin: int, end: int) -> bytes:
    """RFC 6962 §2.1: the Merkle Tree Hash of `ENTRIES[begin:end]`."""
    n = end - begin
    if n == 0:
        return hashlib.sha256(b"").digest()
    if n == 1:
        return hashlib.sha256(b"\x00" + ENTRIES[begin]).digest()
    k = split(n)
    return hashlib.sha256(b"\x01" + mth(begin, begin + k) + mth(begin + k, end)).digest()


def split(n: int) -> int:
    """RFC 6962 §2.1: the largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path(m: int, begin: int, end: int) -> list[bytes]:
    """RFC 6962 §2.1.1: PATH(m, ENTRIES[begin:end])."""
    n = end - begin
    if n == 1:
        return []
    k = split(n)
    if m < k:
        return [*path(m, begin, begin + k), mth(begin + k, end)]
    return [*path(m - k, begin + k, end), mth(begin, begin + k)]


def subproof(m: int, begin: int, end: int, *, known: bool) -> list[bytes]:
    """RFC 6962 §2.1.2: SUBPROOF(m, ENTRIES[begin:end], known)."""
    n = end - begin
    if m == n:
        return [] if known else [mth(begin, end)]
    k = split(n)
    if m <= k:
        return [*subproof(m, begin, begin + k, known=known), mth(begin + k, end)]
    return [*subproof(m - k, begin + k, end, known=False), mth(begin, begin + k)]


def reader(size: int) -> Callable[[int, int], bytes]:
    """Give complete subtree hashes of the independent tree, and no others."""

    def read_node(level: int, index: int) -> bytes:
        begin, end = index << level, (index + 1) << level
        assert end <= size, f"({level}, {index}) is not complete in a tree of {size}"
        return mth(begin, end)

    return read_node


def unhex(texts: list[str]) -> list[bytes]:
    """Decode hashes."""
    return [bytes.fromhex(text) for text in texts]


def flip(value: bytes, bit: int) -> bytes:
    """Invert one bit."""
    return (int.from_bytes(value) ^ (1 << bit)).to_bytes(len(value))


def ct_read_node(level: int, index: int) -> bytes:
    """Give nodes over Certificate Transparency's leaves."""
    leaves = CT_LEAVES[index << level : (index + 1) << level]
    return Frontier().extend(leaf_hash(leaf) for leaf in leaves).root()


def test_the_empty_root_is_the_hash_of_nothing() -> None:
    """An empty tree's root is SHA-256 of the empty string, as the vectors have it."""
    assert CT_ROOTS[0] == EMPTY_ROOT.hex() == Frontier().root().hex()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("", CT_ROOTS[1]),
        (
            "101112131415161718191a1b1c1d1e1f",
            "3bfb960453ebaebf33727da7a1f4db38acc051d381b6da20d6d4e88f0eabfd7a",
        ),
    ],
)
def test_leaves_hash_as_published(data: str, expected: str) -> None:
    """A leaf is hashed under the prefix 0x00."""
    assert leaf_hash(bytes.fromhex(data)).hex() == expected


def test_inner_nodes_hash_as_published() -> None:
    """An inner node is hashed under the prefix 0x01, left before right."""
    left, right = bytes(range(0x20)), bytes(range(0x20, 0x40))

    parent = node_hash(left, right)

    assert parent.hex() == "1a378704c17da31e2d05b6d121c2bb2c7d76f6ee6fa8f983e596c2d034963c57"


def test_an_inner_node_cannot_be_passed_off_as_a_leaf() -> None:
    """Leaf and node prefixes keep an entry that spells out two hashes apart from their parent."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")

    assert leaf_hash(left + right) != node_hash(left, right)


@pytest.mark.parametrize("size", range(9))
def test_roots_match_the_published_ones(size: int) -> None:
    """Appending Certificate Transparency's leaves one by one gives each published root."""
    frontier = Frontier()
    for leaf in CT_LEAVES[:size]:
        frontier = frontier.append(leaf_hash(leaf))

    assert frontier.root().hex() == CT_ROOTS[size]
    assert root_at(size, ct_read_node).hex() == CT_ROOTS[size]


@pytest.mark.parametrize(("index", "size", "expected"), CT_INCLUSION)
def test_inclusion_proofs_match_the_published_ones(index: int, size: int, expected: list[str]) -> None:
    """An inclusion proof is the published one, and verifies against the published root."""
    proof = inclusion_proof(index, size, ct_read_node)

    assert list(proof) == unhex(expected)
    verify_inclusion(leaf_hash(CT_LEAVES[index]), index, size, proof, bytes.fromhex(CT_ROOTS[size]))


@pytest.mark.parametrize(("old", "new", "expected"), CT_CONSISTENCY)
def test_consistency_proofs_match_the_published_ones(old: int, new: int, expected: list[str]) -> None:
    """A consistency proof is the published one, and verifies between the published roots."""
    proof = consistency_proof(old, new, ct_read_node)

    assert list(proof) == unhex(expected)
    verify_consistency(old, new, proof, bytes.fromhex(CT_ROOTS[old]), bytes.fromhex(CT_ROOTS[new]))


def test_a_proof_of_a_public_log_verifies() -> None:
    """A proof that a log of 3.6 million certificates gave verifies, and not one place further."""
    leaf, root = bytes.fromhex(PILOT_LEAF), bytes.fromhex(PILOT_ROOT)

    verify_inclusion(leaf, PILOT_INDEX, PILOT_SIZE, unhex(PILOT_PATH), root)

    with pytest.raises(ProofError):
        verify_inclusion(leaf, PILOT_INDEX + 1, PILOT_SIZE, unhex(PILOT_PATH), root)


@pytest.mark.parametrize("size", range(LARGEST + 1))
def test_roots_match_the_independent_tree(size: int) -> None:
    """Frontiers grown by appending, in one go or read from nodes are one and the same."""
    leaves = [leaf_hash(entry) for entry in ENTRIES[:size]]
    grown = Frontier().extend(leaves[: size // 2]).extend(leaves[size // 2 :])

    assert grown.root() == root_at(size, reader(size)) == mth(0, size)
    assert grown == Frontier.load(size, reader(LARGEST))
    assert grown.append(leaf_hash(ENTRIES[size])).root() == mth(0, size + 1)


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_inclusion_proofs_match_the_independent_tree(size: int) -> None:
    """For every leaf of every size the proof is the RFC's PATH, and it verifies."""
    for index in range(size):
        proof = inclusion_proof(index, size, reader(size))

        assert list(proof) == path(index, 0, size)
        verify_inclusion(mth(index, index + 1), index, size, proof, mth(0, size))


@pytest.mark.parametrize("new", range(1, LARGEST + 1))
def test_consistency_proofs_match_the_independent_tree(new: int) -> None:
    """For every earlier size of every size the proof is the RFC's PROOF, and it verifies."""
    for old in range(1, new + 1):
        proof = consistency_proof(old, new, reader(new))

        assert list(proof) == subproof(old, 0, new, known=True)
        verify_consistency(old, new, proof, mth(0, old), mth(0, new))


@pytest.mark.parametrize("new", [0, 1, 2, 7, 130])
def test_every_tree_extends_the_empty_one(new: int) -> None:
    """From size 0 nothing is to be proven, but the old root must be the empty tree's."""
    assert consistency_proof(0, new, reader(new)) == ()
    verify_consistency(0, new, (), EMPTY_ROOT, mth(0, new))

    with pytest.raises(ProofError) as refused:
        verify_consistency(0, new, (), mth(0, 1), mth(0, new))

    assert refused.value.fault is Fault.OLD_ROOT_MISMATCH


@settings(deadline=None)
@given(data=st.data(), size=st.integers(1, len(ENTRIES)))
def test_a_flipped_bit_anywhere_breaks_an_inclusion_proof(data: st.DataObject, size: int) -> None:
    """One inverted bit in the leaf, any element of the proof or the root is refused."""
    index = data.draw(st.integers(0, size - 1))
    parts = [mth(index, index + 1), *path(index, 0, size), mth(0, size)]
    at = data.draw(st.integers(0, len(parts) - 1))
    parts[at] = flip(parts[at], data.draw(st.integers(0, 255)))
    leaf, *proof, root = parts

    with pytest.raises(ProofError) as refused:
        verify_inclusion(leaf, index, size, proof, root)

    assert refused.value.fault is Fault.ROOT_MISMATCH


@settings(deadline=None)
@given(data=st.data(), new=st.integers(1, len(ENTRIES)))
def test_a_flipped_bit_anywhere_breaks_a_consistency_proof(data: st.DataObject, new: int) -> None:
    """One inverted bit in either root or any element of the proof is refused."""
    old = data.draw(st.integers(1, new))
    parts = [mth(0, old), *subproof(old, 0, new, known=True), mth(0, new)]
    at = data.draw(st.integers(0, len(parts) - 1))
    parts[at] = flip(parts[at], data.draw(st.integers(0, 255)))
    old_root, *proof, new_root = parts

    with pytest.raises(ProofError) as refused:
        verify_consistency(old, new, proof, old_root, new_root)

    assert refused.value.fault in {Fault.ROOT_MISMATCH, Fault.OLD_ROOT_MISMATCH}


@settings(deadline=None)
@given(data=st.data(), size=st.integers(2, len(ENTRIES)))
def test_a_proof_proves_one_position_only(data: st.DataObject, size: int) -> None:
    """A leaf's proof is refused at every other index of the same tree."""
    index, other = data.draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True))

    with pytest.raises(ProofError):
        verify_inclusion(mth(index, index + 1), other, size, path(index, 0, size), mth(0, size))


@settings(deadline=None)
@given(data=st.data(), size=st.integers(1, len(ENTRIES)))
def test_an_inclusion_proof_has_one_length(data: st.DataObject, size: int) -> None:
    """A hash too many is refused as such wherever it is put in, a missing last one likewise."""
    index = data.draw(st.integers(0, size - 1))
    leaf, proof, root = mth(index, index + 1), path(index, 0, size), mth(0, size)
    at = data.draw(st.integers(0, len(proof)))

    with pytest.raises(ProofError) as longer:
        verify_inclusion(leaf, index, size, [*proof[:at], root, *proof[at:]], root)

    assert longer.value.fault is Fault.PROOF_TOO_LONG
    if proof:
        with pytest.raises(ProofError) as shorter:
            verify_inclusion(leaf, index, size, proof[:-1], root)
        assert shorter.value.fault is Fault.PROOF_TOO_SHORT


@settings(deadline=None)
@given(data=st.data(), new=st.integers(1, len(ENTRIES)))
def test_a_consistency_proof_has_one_length(data: st.DataObject, new: int) -> None:
    """A trailing hash is refused as such, a missing one likewise."""
    old = data.draw(st.integers(1, new))
    proof, old_root, new_root = subproof(old, 0, new, known=True), mth(0, old), mth(0, new)

    with pytest.raises(ProofError) as longer:
        verify_consistency(old, new, [*proof, new_root], old_root, new_root)

    assert longer.value.fault is Fault.PROOF_TOO_LONG
    if proof:
        with pytest.raises(ProofError) as shorter:
            verify_consistency(old, new, proof[:-1], old_root, new_root)
        assert shorter.value.fault is Fault.PROOF_TOO_SHORT


@pytest.mark.parametrize(
    ("index", "size", "fault"),
    [
        (0, 0, Fault.INDEX_OUT_OF_RANGE),
        (8, 8, Fault.INDEX_OUT_OF_RANGE),
        (9, 8, Fault.INDEX_OUT_OF_RANGE),
        (-1, 8, Fault.INDEX_OUT_OF_RANGE),
        (0, -1, Fault.SIZE_OUT_OF_RANGE),
        (0, MAX_SIZE + 1, Fault.SIZE_OUT_OF_RANGE),
    ],
)
def test_positions_outside_the_tree_are_refused(index: int, size: int, fault: Fault) -> None:
    """No proof is made or accepted for a leaf that the tree does not have."""
    with pytest.raises(ProofError) as made:
        inclusion_proof(index, size, reader(8))
    with pytest.raises(ProofError) as verified:
        verify_inclusion(mth(0, 1), index, size, path(0, 0, 8), mth(0, 8))

    assert made.value.fault is verified.value.fault is fault


@pytest.mark.parametrize(("old", "new"), [(9, 8), (-1, 8), (0, -1), (1, MAX_SIZE + 1)])
def test_sizes_in_the_wrong_order_are_refused(old: int, new: int) -> None:
    """No tree is consistent with a smaller one, nor with one of an impossible size."""
    with pytest.raises(ProofError) as made:
        consistency_proof(old, new, reader(8))
    with pytest.raises(ProofError) as verified:
        verify_consistency(old, new, (), mth(0, 8), mth(0, 8))

    assert made.value.fault is verified.value.fault is Fault.SIZE_OUT_OF_RANGE


def test_two_roots_of_one_size_are_a_fork() -> None:
    """Equal sizes need no proof, but equal roots."""
    with pytest.raises(ProofError) as refused:
        verify_consistency(8, 8, (), mth(0, 8), mth(1, 9))

    assert refused.value.fault is Fault.ROOT_MISMATCH


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_hashes_of_another_length_are_refused(length: int) -> None:
    """Every hash has 32 bytes: leaf, proof element, root, frontier."""
    wrong, right = bytes(length), mth(0, 1)
    attempts: list[Callable[[], object]] = [
        lambda: verify_inclusion(wrong, 0, 2, [right], right),
        lambda: verify_inclusion(right, 0, 2, [wrong], right),
        lambda: verify_inclusion(right, 0, 2, [right], wrong),
        lambda: verify_consistency(1, 2, [wrong], right, right),
        lambda: verify_consistency(1, 2, [right], wrong, right),
        lambda: verify_consistency(1, 2, [right], right, wrong),
        lambda: Frontier(1, (wrong,)),
        lambda: Frontier().append(wrong),
        lambda: Frontier().extend([right, wrong]),
    ]

    for attempt in attempts:
        with pytest.raises(ProofError) as refused:
            attempt()
        assert refused.value.fault is Fault.HASH_LENGTH


@pytest.mark.parametrize(("size", "count"), [(0, 1), (1, 0), (3, 1), (4, 2), (7, 4)])
def test_a_frontier_has_the_shape_of_its_size(size: int, count: int) -> None:
    """A frontier holds one hash for each set bit of its size, no more and no fewer."""
    with pytest.raises(ProofError) as refused:
        Frontier(size, (mth(0, 1),) * count)

    assert refused.value.fault is Fault.FRONTIER_SHAPE


def test_appending_leaves_the_old_frontier_as_it_was() -> None:
    """A frontier is a value: appending gives another one."""
    before = Frontier().append(leaf_hash(b"a"))

    after = before.append(leaf_hash(b"b"))

    assert (before.size, after.size) == (1, 2)
    assert before.root() == leaf_hash(b"a")


def _subtree(leaves: list[bytes], level: int, index: int) -> bytes:
    return Frontier().extend(leaves[index << level : (index + 1) << level]).root()


def test_a_frontier_goes_on_behind_a_gap_as_if_nothing_were_missing() -> None:
    """From the complete subtrees that the missing leaves fall into, at every place of trees up to 33."""
    leaves = [leaf_hash(bytes((number,))) for number in range(33)]
    for size in range(1, 34):
        whole = Frontier().extend(leaves[:size])
        for begin in range(size):
            for end in range(begin + 1, size + 1):
                hashes = [_subtree(leaves, *part) for part in subtrees_of(begin, end)]
                frontier = Frontier().extend(leaves[:begin]).skip(end - begin, hashes)
                assert frontier.extend(leaves[end:size]) == whole


@pytest.mark.parametrize("count", [0, -1, MAX_SIZE])
def test_a_gap_of_no_size_is_refused(count: int) -> None:
    """None, fewer than none, or more than there can be."""
    with pytest.raises(ProofError) as raised:
        Frontier().append(bytes(32)).skip(count, [bytes(32)])
    assert raised.value.fault is Fault.SIZE_OUT_OF_RANGE


@pytest.mark.parametrize("hashes", [[], [bytes(32)], [bytes(32)] * 3])
def test_a_gap_with_other_subtrees_than_it_falls_into_is_refused(hashes: list[bytes]) -> None:
    """Three leaves after one are two subtrees."""
    with pytest.raises(ProofError) as raised:
        Frontier().append(bytes(32)).skip(3, hashes)
    assert raised.value.fault is Fault.FRONTIER_SHAPE


def test_a_gap_with_a_hash_of_another_length_is_refused() -> None:
    """Before it vanishes in a parent."""
    with pytest.raises(ProofError) as raised:
        Frontier().skip(1, [bytes(31)])
    assert raised.value.fault is Fault.HASH_LENGTH
