"""The server is killed at random moments while four people write: nothing that was acknowledged is ever lost.

One data folder lives through all the kills, so that each start also recovers what the kill before left behind. Every
start replays the whole log, compares the stored snapshots with the fold and says `ledger: ok`; what was acknowledged
is then read back by the client.
"""

from __future__ import annotations

import random
import sqlite3
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import grpc
import pytest

from interlock.statemachine import snapshot
from interlock.statemachine.replay import Replay
from interlock.v1 import audit_pb2, change_pb2, evidence_pb2, hold_pb2, ledger_pb2, model_pb2
from tests.support.people import People, Subject
from tests.support.server import ForkedServer

if TYPE_CHECKING:
    from pathlib import Path

KILLS: Final = 50
ROUNDS: Final = 5
GONE: Final = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN}
"""What a client sees when the server dies under a call: the channel's words, never an answer of the server."""


@dataclass
class Acknowledged:
    """What the server said that it had done, over all of its lives."""

    models: list[str] = field(default_factory=list)
    evidence: list[tuple[str, str]] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    applied: list[tuple[str, int]] = field(default_factory=list)


def write_until_dead(people: People, told: Acknowledged, tag: str) -> None:
    """Play small stories one after the other until the server is gone."""
    try:
        for number in range(1_000):
            model = f"m-{tag}-{number}"
            made = people["evaluator"].models.CreateModel(model_pb2.CreateModelRequest(model_id=model))
            told.models.append(made.name)
            report = people["evaluator"].upload("evaluation_results", f"{tag} {number}".encode())
            told.evidence.append((report.name, report.sha256))
            subject = Subject(made.name)
            change = people["evaluator"].propose(subject.rule_out(), subject.assign(), evidence=[report.name])
            people["owner"].sign(change.name, "owner")
            applied = people["reviewer"].sign(change.name, "reviewer")
            told.applied.append((applied.name, applied.applied_position))
            held = people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=made.name, reason="for the test"))
            told.holds.append(held.name)
    except grpc.RpcError as error:
        assert error.code() in GONE, error  # noqa: PT017  # the loop is expected to end this way


def check_acknowledged(people: People, told: Acknowledged) -> None:
    """Read back everything that was acknowledged in any life of the server."""
    reader = people["evaluator"]
    for name in told.models:
        assert reader.models.GetModel(model_pb2.GetModelRequest(name=name)).name == name
    for name, sha256 in told.evidence:
        assert reader.evidence.GetEvidence(evidence_pb2.GetEvidenceRequest(name=name)).sha256 == sha256
    for name, position in told.applied:
        change = reader.changes.GetChange(change_pb2.GetChangeRequest(name=name))
        assert (change.state, change.applied_position) == (change_pb2.CHANGE_STATE_APPLIED, position)
    for name in told.holds:
        assert reader.holds.GetHold(hold_pb2.GetHoldRequest(name=name)).placed


def check_stored(data: Path) -> None:
    """Replay the stored entries from nothing, and compare every stored snapshot with the fold at its position."""
    with sqlite3.connect(data / "interlock.db") as database:
        entries = [bytes(row[0]) for row in database.execute("SELECT bytes FROM entries ORDER BY seq")]
        objects = {bytes(row[0]): bytes(row[1]) for row in database.execute("SELECT sha256, bytes FROM objects")}
        stored = {
            (row[0], row[1]): bytes(row[2]) for row in database.execute("SELECT resource, seq, bytes FROM snapshots")
        }
    database.close()
    replay = Replay(objects.__getitem__)
    folded: dict[tuple[str, int], bytes] = {}
    for data_of_entry in entries:
        accepted = replay.feed(data_of_entry)
        assert accepted is not None, replay.findings
        for name, _ in accepted.entry.prev:
            folded[name, accepted.entry.seq] = snapshot.encode(accepted.state.items[name])
    assert stored == folded


@pytest.mark.fault
@pytest.mark.parametrize("part", range(ROUNDS))
def test_nothing_acknowledged_is_lost_when_the_server_is_killed(data: Path, part: int) -> None:
    """After each of fifty kills at random moments, every acknowledged reply is there and the ledger is sound."""
    moments = random.Random(part)
    told = Acknowledged()
    for life in range(KILLS // ROUNDS):
        server = ForkedServer(data, may_fail=True).start()
        killer = threading.Timer(moments.uniform(0.02, 0.6), server.kill)
        with People(server) as people:
            try:
                check_acknowledged(people, told)
                killer.start()
                write_until_dead(people, told, f"{part}-{life}")
            finally:
                killer.cancel()
                server.kill()

    with ForkedServer(data, may_fail=True) as server, People(server) as people:
        check_acknowledged(people, told)
        assert server.ready["address"]
    check_stored(data)
    assert told.models


@pytest.mark.fault
def test_a_half_written_transaction_leaves_no_trace(data: Path) -> None:
    """A trigger and its change are wholly there or not at all: no entry of a killed server lacks its snapshots."""
    with ForkedServer(data, may_fail=True) as server, People(server) as people:
        subject = people.new_model()
        report = people["evaluator"].upload("evaluation_results")
        change = people["evaluator"].propose(subject.rule_out(), subject.assign(), evidence=[report.name])
        people["owner"].sign(change.name, "owner")
        dying = threading.Timer(0.0, server.kill)
        dying.start()
        try:
            people["reviewer"].sign(change.name, "reviewer")
        except grpc.RpcError as error:
            assert error.code() in GONE  # noqa: PT017  # either outcome is fine, half of one is not
        dying.join()

    with ForkedServer(data, may_fail=True) as server, People(server) as people:
        reader = people["evaluator"]
        found = reader.changes.GetChange(change_pb2.GetChangeRequest(name=change.name))
        model = reader.models.GetModel(model_pb2.GetModelRequest(name=subject.model))
        applied = found.state == change_pb2.CHANGE_STATE_APPLIED
        assert bool(model.levels[0].assigned) == applied
        if applied:
            record = reader.audit.GetEntry(audit_pb2.GetEntryRequest(name=f"entries/{found.applied_position}"))
            entry = ledger_pb2.LedgerEntry.FromString(record.entry)
            assert [row.trigger for row in entry.transitions] == [
                "change.sign",
                "determination.rule_out",
                "level.assign",
                "change.apply",
            ]
    check_stored(data)
