"""Our proofs beside pymerkle's: roots, audit paths and consistency proofs, hash by hash."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Final

from interlock.proofs import merkle
from interlock.proofs.merkle import HASH_BYTES, leaf_hash
from interlock.proofs.tiles import TileReader, all_tiles
from tests.support.peers import PEERS, python_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCRIPT: Final = PEERS / "pymerkle" / "vectors.py"


def compare(first: int, last: int, step: int = 1) -> tuple[int, list[str]]:
    """Return how many proofs were compared for trees of ``first`` to ``last`` leaves, and each that differs.

    Positions and older sizes are ``step`` apart. Ours come out of tiles. Raises PeerUnavailableError.
    """
    tiles = dict(all_tiles(leaf_hash(str(number).encode()) for number in range(last)))
    read_node = TileReader(tiles.get).read_node
    compared, differing = 0, []
    for line in _vectors(first, last, step):
        size, root = line["size"], bytes.fromhex(line["root"])
        if merkle.root_at(size, read_node) != root:
            differing.append(f"root of {size}")
        for position, path in line["inclusion"]:
            ours = merkle.inclusion_proof(position, size, read_node)
            merkle.verify_inclusion(read_node(0, position), position, size, _hashes(path), root)
            if b"".join(ours).hex() != path:
                differing.append(f"inclusion of {position} in {size}")
        for old, proof in line["consistency"]:
            ours = merkle.consistency_proof(old, size, read_node)
            merkle.verify_consistency(old, size, _hashes(proof), merkle.root_at(old, read_node), root)
            if b"".join(ours).hex() != proof:
                differing.append(f"consistency of {old} and {size}")
        compared += len(line["inclusion"]) + len(line["consistency"])
    return compared, differing


def _vectors(first: int, last: int, step: int) -> Iterator[dict]:  # type: ignore[type-arg]  # JSON
    command = [str(python_of("pymerkle")), str(_SCRIPT), str(first), str(last), str(step)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise AssertionError(f"pymerkle ended with {process.returncode}")


def _hashes(proof: str) -> list[bytes]:
    data = bytes.fromhex(proof)
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
