"""Proofs and checkpoints through the real server: each leads to a signed root, or is refused with a typed error."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import grpc
import pytest

from interlock.proofs import merkle, note
from interlock.proofs.merkle import leaf_hash
from interlock.v1 import audit_pb2, gate_pb2, hold_pb2
from tests.support.people import People, refused
from tests.support.server import ServerThread, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HELD = 6


@pytest.fixture(scope="module")
def people(installations: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Serve a log of a few entries, for tests that write none."""
    folder = copy_of(installations("minimal"), tmp_path_factory.mktemp("proofs") / "data")
    with ServerThread(folder) as server, People(server) as everybody:
        model = everybody.new_model()
        for _ in range(HELD):
            everybody["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=model.model))
        yield everybody


def opened(people: People, text: str) -> note.Checkpoint:
    """Return a checkpoint that the log signed."""
    return note.open_checkpoint(text, note.NoteVerifier.from_vkey(str(people.server.ready["log_key"])))


def test_every_entry_is_proven_in_every_tree(people: People) -> None:
    """Each leaf in each size, by the checkpoint that comes along; entries are hashed as a tail gives them."""
    audit = people["auditor"].audit
    entries = [record.entry for record in audit.TailEntries(audit_pb2.TailEntriesRequest(after_position=-1))]

    for size in range(1, len(entries) + 1):
        for position in range(size):
            proof = audit.GetInclusionProof(audit_pb2.GetInclusionProofRequest(position=position, tree_size=size))
            head = opened(people, proof.checkpoint)
            assert (proof.leaf_index, proof.tree_size, head.size) == (position, size, size)
            assert proof.leaf_hash == leaf_hash(entries[position])
            merkle.verify_inclusion(proof.leaf_hash, position, size, proof.hashes, head.root)


def test_every_tree_extends_every_smaller_one(people: People) -> None:
    """All pairs of sizes, by the two checkpoints that come along."""
    audit = people["auditor"].audit
    newest = opened(people, audit.GetCheckpoint(audit_pb2.GetCheckpointRequest()).note).size

    for second in range(1, newest + 1):
        for first in range(1, second + 1):
            request = audit_pb2.GetConsistencyProofRequest(first_size=first, second_size=second)
            proof = audit.GetConsistencyProof(request)
            older, newer = opened(people, proof.first_checkpoint), opened(people, proof.second_checkpoint)
            assert (proof.first_size, proof.second_size, older.size, newer.size) == (first, second, first, second)
            merkle.verify_consistency(first, second, proof.hashes, older.root, newer.root)


def test_without_a_size_the_newest_tree_is_meant(people: People) -> None:
    """Zero is the head for both proofs."""
    audit = people["auditor"].audit
    head = audit.GetCheckpoint(audit_pb2.GetCheckpointRequest()).note

    inclusion = audit.GetInclusionProof(audit_pb2.GetInclusionProofRequest(position=0))
    consistency = audit.GetConsistencyProof(audit_pb2.GetConsistencyProofRequest(first_size=1))

    assert inclusion.checkpoint == consistency.second_checkpoint == head


@pytest.mark.parametrize(
    ("position", "size", "reason"),
    [
        (3, 3, "INVALID_FIELD"),
        (10**9, 0, "POSITION_NOT_REACHED"),
        (0, 10**9, "POSITION_NOT_REACHED"),
        (-1, 0, "INVALID_FIELD"),
        (0, -1, "INVALID_FIELD"),
    ],
)
def test_no_inclusion_proof_outside_the_tree(people: People, position: int, size: int, reason: str) -> None:
    """An entry past the tree is the caller's mistake; one that is not there yet may come."""
    with refused(reason):
        people["auditor"].audit.GetInclusionProof(audit_pb2.GetInclusionProofRequest(position=position, tree_size=size))


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (0, 3, "INVALID_FIELD"),
        (4, 3, "INVALID_FIELD"),
        (10**9, 0, "POSITION_NOT_REACHED"),
        (1, 10**9, "POSITION_NOT_REACHED"),
        (-5, 1, "INVALID_FIELD"),
    ],
)
def test_no_consistency_proof_between_other_sizes(people: People, first: int, second: int, reason: str) -> None:
    """What RFC 6962 leaves undefined is refused, and so is what the log has not reached."""
    with refused(reason):
        people["auditor"].audit.GetConsistencyProof(
            audit_pb2.GetConsistencyProofRequest(first_size=first, second_size=second)
        )


def test_every_checkpoint_shown_is_listed(people: People) -> None:
    """In either order and by pages of any size; what a proof brought is among them."""
    audit = people["auditor"].audit
    shown = audit.GetInclusionProof(audit_pb2.GetInclusionProofRequest(position=0, tree_size=2)).checkpoint

    def listed(**options: object) -> list[str]:
        notes: list[str] = []
        token = ""
        while True:
            request = audit_pb2.ListCheckpointsRequest(page_token=token, **options)  # type: ignore[arg-type]  # fields
            page = audit.ListCheckpoints(request)
            notes += [row.note for row in page.checkpoints]
            token = page.next_page_token
            if not token:
                return notes

    up = listed()
    assert shown in up
    assert [opened(people, text).size for text in up] == sorted({opened(people, text).size for text in up})
    assert listed(page_size=2, descending=True) == up[::-1]


def test_who_may_not_audit_gets_no_proof(people: People) -> None:
    """The right is that of the trail."""
    with refused("NOT_ALLOWED"):
        people["release-bot"].audit.GetInclusionProof(audit_pb2.GetInclusionProofRequest(position=0))


@pytest.mark.parametrize("change", ["flip", "delete"])
def test_a_tile_changed_behind_the_server_s_back_is_found_by_the_server(server: ServerThread, change: str) -> None:
    """No proof goes out that does not lead to the server's own root; from then on the gate denies with LEDGER."""
    with People(server) as people:
        model = people.new_model()
        with closing(sqlite3.connect(server.data / "interlock.db")) as database, database:
            if change == "delete":
                database.execute("delete from tiles")
            else:
                [(tile,)] = database.execute("select bytes from tiles where level = 0")
                flipped = bytes([tile[0] ^ 1]) + tile[1:]
                database.execute("update tiles set bytes = ? where level = 0", (flipped,))

        with refused("LEDGER") as said:
            people["auditor"].audit.GetInclusionProof(audit_pb2.GetInclusionProofRequest(position=1))
        with refused("LEDGER"):
            people["auditor"].audit.GetConsistencyProof(audit_pb2.GetConsistencyProofRequest(first_size=1))

        assert said.code is grpc.StatusCode.UNAVAILABLE
        verdict = people["release-bot"].gate.CheckRelease(
            gate_pb2.CheckReleaseRequest(model=model.model, context="api")
        )
        assert "LEDGER" in [row.code for row in verdict.reasons]
