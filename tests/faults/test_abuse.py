"""Callers who ask for too much: refused by a documented code, in flat memory, and nobody else notices."""

from __future__ import annotations

import asyncio
import itertools
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc import aio

from interlock.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    change_pb2,
    change_pb2_grpc,
    evidence_pb2,
    evidence_pb2_grpc,
    gate_pb2,
    gate_pb2_grpc,
    hold_pb2,
    hold_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
)
from tests.support.people import metadata_of
from tests.support.server import CALL_SECONDS, ForkedServer, ServerThread, answer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.fault

KIB = 1024
MIB = 1024 * KIB
IDLE_STREAMS = 10_000
HEAD = 1  # a founded log has two entries
MOST_FOR_A_STREAM = 64 * KIB


def resident(server: ForkedServer) -> int:
    """Return the server's resident memory in bytes."""
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * 4 * KIB


def asks(channel: grpc.Channel, metadata: tuple[tuple[str, str], ...]) -> bool:
    """Ask the gate, and say that it answered."""
    request = gate_pb2.CheckReleaseRequest(model="models/m", context="api")
    reply = gate_pb2_grpc.GateServiceStub(channel).CheckRelease(request, metadata=metadata, timeout=CALL_SECONDS)
    return reply.verdict == gate_pb2.VERDICT_DENY


def test_somebody_who_writes_without_end_is_slowed_down(data: Path) -> None:
    """RESOURCE_EXHAUSTED past the burst; what tightens is never limited, and others write on."""
    with ServerThread(data, writes_per_second=0.001, write_burst=5) as server, server.channel() as channel:
        metadata, others = server.login(channel, "evaluator"), server.login(channel, "requester")
        models = model_pb2_grpc.ModelServiceStub(channel)

        def create(who: tuple[tuple[str, str], ...], name: str) -> str:
            try:
                models.CreateModel(model_pb2.CreateModelRequest(model_id=name), metadata=who, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                answer = answer_of(error)
                assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
                return answer.reason
            return "OK"

        answers = [create(metadata, f"m-{number}") for number in range(8)]

        assert answers == ["OK"] * 5 + ["LIMIT_EXCEEDED"] * 3
        assert create(others, "theirs") == "OK"
        owner = server.login(channel, "owner")
        for _ in range(12):
            hold_pb2_grpc.HoldServiceStub(channel).PlaceHold(
                hold_pb2.PlaceHoldRequest(target="models/m-0", reason="stop"),
                metadata=owner,
                timeout=CALL_SECONDS,
            )


def test_uploads_that_drip(data: Path) -> None:
    """A hundred uploads of a byte now and then hold their streams and nothing else: memory is flat, others go on."""
    with ForkedServer(data) as server, server.channel() as channel:
        metadata = server.login(channel, "requester")
        bot = server.login(channel, "release-bot")
        stop, started = threading.Event(), threading.Semaphore(0)
        before = resident(server)

        def drips() -> Iterator[evidence_pb2.UploadEvidenceRequest]:
            yield evidence_pb2.UploadEvidenceRequest(metadata=metadata_of("risk_report", b"x" * MIB))
            started.release()
            while not stop.wait(0.05):
                yield evidence_pb2.UploadEvidenceRequest(chunk=b"x")

        stub = evidence_pb2_grpc.EvidenceServiceStub(channel)
        calls = [stub.UploadEvidence.future(drips(), metadata=metadata, timeout=CALL_SECONDS) for _ in range(100)]
        assert all(started.acquire(timeout=CALL_SECONDS) for _ in calls)

        assert all(asks(channel, bot) for _ in range(50))
        assert resident(server) - before < 32 * MIB

        stop.set()
        ends = {answer_of(error).code for call in calls if isinstance(error := call.exception(), grpc.RpcError)}
        assert ends == {grpc.StatusCode.DATA_LOSS}  # what came is not what was promised: nothing is kept
        listed = stub.ListEvidence(evidence_pb2.ListEvidenceRequest(), metadata=metadata, timeout=CALL_SECONDS)
        assert list(listed.evidence) == []


def test_an_upload_without_end(data: Path) -> None:
    """It ends with the first byte past the greatest document, in flat memory, and leaves nothing."""
    settings = {"INTERLOCK_MAX_EVIDENCE_BYTES": str(8 * MIB)}
    with ForkedServer(data, environment=settings) as server, server.channel() as channel:
        metadata = server.login(channel, "requester")
        before = resident(server)

        def endless() -> Iterator[evidence_pb2.UploadEvidenceRequest]:
            yield evidence_pb2.UploadEvidenceRequest(metadata=metadata_of("risk_report", b"x" * MIB))
            yield from itertools.repeat(evidence_pb2.UploadEvidenceRequest(chunk=b"x" * MIB), 4096)

        stub = evidence_pb2_grpc.EvidenceServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.UploadEvidence(endless(), metadata=metadata, timeout=CALL_SECONDS)

        assert answer_of(refused.value).code in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DATA_LOSS}
        assert resident(server) - before < 48 * MIB
        assert not [path for path in (data / "evidence").rglob("*") if path.is_file()]


@pytest.mark.parametrize("field", ["triggers", "evidence"])
def test_a_million_attachments(data: Path, field: str) -> None:
    """Past 64 triggers or 200 documents a change is no change: INVALID_ARGUMENT, as the contract says."""
    with ServerThread(data) as server, server.channel() as channel:
        metadata = server.login(channel, "evaluator")
        request = change_pb2.ProposeChangeRequest(title="Too much")
        if field == "triggers":
            for number in range(65):
                request.triggers.add().model_register.model = f"models/m-{number}"
        else:
            request.triggers.add().model_register.model = "models/m"
            request.evidence.extend(f"evidence/{number}" for number in range(100_000))

        with pytest.raises(grpc.RpcError) as refused:
            change_pb2_grpc.ChangeServiceStub(channel).ProposeChange(request, metadata=metadata, timeout=CALL_SECONDS)

        answer = answer_of(refused.value)
        assert (answer.code, field in answer.fields) == (grpc.StatusCode.INVALID_ARGUMENT, True)


@pytest.mark.slow
def test_ten_thousand_idle_streams(data: Path) -> None:
    """Bounded memory for each, the gate goes on answering, and what they held is given back."""
    settings = {"INTERLOCK_STREAMS_PER_PRINCIPAL": str(IDLE_STREAMS)}
    with ForkedServer(data, environment=settings) as server, server.channel() as channel:
        metadata, bot = server.login(channel, "auditor"), server.login(channel, "release-bot")
        before = resident(server)

        held = asyncio.run(_hold_open(server, metadata, lambda: asks(channel, bot)))

        assert held - before < IDLE_STREAMS * MOST_FOR_A_STREAM
        assert asks(channel, bot)


async def _hold_open(server: ForkedServer, metadata: tuple[tuple[str, str], ...], ask: Callable[[], bool]) -> int:
    """Open them all, ask the gate while they are open, and return the server's memory then."""
    request = audit_pb2.TailEntriesRequest(after_position=HEAD, follow=True)
    credentials = grpc.ssl_channel_credentials((server.data / "keys" / "ca.crt").read_bytes())
    options = (("grpc.ssl_target_name_override", "interlock"), ("grpc.use_local_subchannel_pool", 1))
    async with aio.secure_channel(server.address, credentials, options) as channel:
        stub = audit_pb2_grpc.AuditServiceStub(channel)
        calls = []
        for _ in range(IDLE_STREAMS // 100):
            batch = [stub.TailEntries(request, metadata=metadata, timeout=4 * CALL_SECONDS) for _ in range(100)]
            await asyncio.gather(*(call.initial_metadata() for call in batch))
            calls += batch
        assert await asyncio.to_thread(ask)
        assert not any(call.done() for call in calls)
        memory = resident(server)
        for call in calls:
            call.cancel()
    return memory
