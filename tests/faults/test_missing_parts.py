"""Folders taken away under a running server are told; what needs their bytes fails closed, the gate goes on."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from interlock.client import UnavailableError
from interlock.client.sdk import Interlock
from tests.support.server import CALL_SECONDS, ServerThread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import grpc

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
WHOLE = ("", "interlock.v1.GateService", "interlock.v1.HoldService")


def health(channel: grpc.Channel, name: str) -> int:
    """Ask once."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    status: int = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=CALL_SECONDS).status
    return status


def told(channel: grpc.Channel, name: str) -> Iterator[int]:
    """Watch: yields how it is, and how it is after each change."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    for answer in stub.Watch(health_pb2.HealthCheckRequest(service=name), timeout=CALL_SECONDS):
        yield answer.status


def scraped(port: int) -> str:
    """Return what Prometheus would read."""
    with socket.create_connection(("127.0.0.1", port), timeout=CALL_SECONDS) as http:
        http.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: http.recv(65536), b"")).decode()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("folder", "part", "services"),
    [("evidence", "evidence", ("interlock.v1.EvidenceService",)), ("keys", "keys", ())],
)
def test_a_folder_that_is_gone_is_told_and_comes_back(
    data: Path, tmp_path: Path, folder: str, part: str, services: tuple[str, ...]
) -> None:
    """Regression: nobody noticed before the next start. The part and what lives by it are not serving, the rest is."""
    port = free_port()
    with ServerThread(data, metrics_listen=f"127.0.0.1:{port}") as server, server.channel() as channel:
        watched = told(channel, part)
        first = next(watched)
        (data / folder).rename(tmp_path / "away")
        gone = next(watched)
        down, up = [health(channel, name) for name in services], [health(channel, name) for name in WHOLE]
        counted = scraped(port)
        (tmp_path / "away").rename(data / folder)
        back = next(watched)
        events = [(line["event"], line.get("part")) for line in server.lines()]

    assert (first, gone, back) == (SERVING, NOT_SERVING, SERVING)
    assert set(down) <= {NOT_SERVING}
    assert set(up) == {SERVING}
    assert f'interlock_part_missing{{part="{part}"}} 1.0' in counted
    assert [row for row in events if row[1] == part] == [("part_missing", part), ("part_back", part)]


def test_status_says_what_is_gone(data: Path, tmp_path: Path) -> None:
    """Whoever may read sees it on the one screen that says how things stand; a release tool is told nothing of it."""
    with ServerThread(data) as server, server.channel() as channel:
        watched = told(channel, "keys")
        next(watched)
        with Interlock.from_profile(str(server.home / "auditor")) as auditor:
            whole = auditor.identity.whoami().missing_parts
            (data / "keys").rename(tmp_path / "away")
            next(watched)
            gone = auditor.identity.whoami().missing_parts
        with Interlock.from_profile(str(server.home / "release-bot")) as tool:
            unseen = tool.identity.whoami().missing_parts
        (tmp_path / "away").rename(data / "keys")

    assert (list(whole), list(gone), list(unseen)) == ([], ["keys"], [])


def test_without_evidence_documents_are_refused_and_the_gate_goes_on(data: Path, tmp_path: Path) -> None:
    """Uploads are UNAVAILABLE, with nothing in the log; verdicts are functions of the log, and a hold still acts."""
    with ServerThread(data) as server:
        with Interlock.from_profile(str(server.home / "requester"), timeout_seconds=2) as requester:
            requester.models.create("m")
            document = tmp_path / "results.md"
            document.write_text("results")
            (data / "evidence").rename(tmp_path / "away")
            head = requester.gate.check("m", "api").log_position
            with pytest.raises(UnavailableError):
                requester.evidence.upload(document, kind="evaluation_results", title="Results")
            after = requester.gate.check("m", "api")
        with Interlock.from_profile(str(server.home / "owner")) as owner:
            owner.holds.place("m", reason="stop")
            held = owner.gate.check("m", "api")

    assert after.log_position == head
    assert "LEDGER" not in {reason.code for reason in after.reasons}
    assert "HOLD_PLACED" in {reason.code for reason in held.reasons}
