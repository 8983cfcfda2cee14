"""`interlock serve` as a process: what it says, what it refuses, how it stops, what survives."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from interlock.proofs import note
from interlock.v1 import audit_pb2, audit_pb2_grpc, identity_pb2, identity_pb2_grpc, model_pb2, model_pb2_grpc
from tests.support.server import CALL_SECONDS, STOP_SECONDS, ServerProcess, answer_of

if TYPE_CHECKING:
    from pathlib import Path


def refused_start(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `serve` where it can't start."""
    command = [sys.executable, "-m", "interlock.service", "serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=STOP_SECONDS, check=False)


def health_check(channel: grpc.Channel) -> Any:  # noqa: ANN401  # grpc's stubs leave it out
    """Return the stub's method; its stubs don't know it."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    return stub.Check


def health_watch(channel: grpc.Channel) -> Any:  # noqa: ANN401  # grpc's stubs leave it out
    """Return the stub's method; its stubs don't know it."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    return stub.Watch


def reflect(channel: grpc.Channel) -> Any:  # noqa: ANN401  # grpc's stubs leave it out
    """Return the stub's method; its stubs don't know it."""
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    return stub.ServerReflectionInfo


def test_the_ready_line_says_what_a_client_must_know(server_process: ServerProcess) -> None:
    """Address, log id, key, genesis digest and a first checkpoint that the key signed."""
    ready = server_process.ready
    profile = server_process.profile("owner")

    assert (ready["log_id"], ready["log_key"], ready["genesis_digest"]) == (
        profile.log_id,
        profile.log_key,
        profile.genesis_digest,
    )
    assert ready["development"] is True
    assert note.open_checkpoint(ready["checkpoint"], note.NoteVerifier.from_vkey(profile.log_key)).size == 2


def test_the_ready_line_for_people_names_the_same(data: Path) -> None:
    """Without --json: one line, the same facts."""
    ready_file = data.parent / "ready.json"
    command = [sys.executable, "-m", "interlock.service", "serve", "--data", str(data), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, "--ready-file", str(ready_file)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0
    facts = json.loads(ready_file.read_text())

    _origin, size, root, *_ = facts["checkpoint"].split("\n")
    assert words == [
        *("ready", facts["address"], "log", facts["log_id"], "key", facts["key_fingerprint"]),
        *("genesis", facts["genesis_digest"], "checkpoint", size, root, "development"),
    ]


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT], ids=lambda told: told.name)
def test_it_stops_cleanly_when_told(data: Path, told: signal.Signals) -> None:
    """Exit code 0, by Ctrl-C too: it is how a server is stopped, and no failure. It logs that it stopped, last."""
    server = ServerProcess(data).start()

    server.process.send_signal(told)

    assert server.process.wait(STOP_SECONDS) == 0
    assert server.stop() == 0  # closes what it was read through
    assert [line["event"] for line in server.lines()][-2:] == ["stopping", "stopped"]


def test_a_second_server_on_the_same_data_refuses_to_start(server_process: ServerProcess) -> None:
    """Embedded mode is exactly one process."""
    second = refused_start("--data", str(server_process.data), "--listen", "127.0.0.1:0")

    assert second.returncode == 5
    assert str(server_process.process.pid) in second.stderr


def test_no_lock_file_that_is_taken_away_lets_a_second_server_in(server_process: ServerProcess) -> None:
    """The folder is locked, not the file that says who holds it."""
    (server_process.data / "lock").unlink()

    assert refused_start("--data", str(server_process.data), "--listen", "127.0.0.1:0").returncode == 5
    link = server_process.data.with_name("link")
    link.symlink_to(server_process.data)
    assert refused_start("--data", str(link), "--listen", "127.0.0.1:0").returncode == 5


def test_a_crash_leaves_no_lock(data: Path) -> None:
    """What was killed does not keep the next one out."""
    ServerProcess(data).start().kill()

    with ServerProcess(data) as again:
        assert again.ready["log_id"]


def test_a_port_that_is_taken_is_not_shared(data: Path) -> None:
    """The address belongs to somebody else: refused, not split."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        refused = refused_start("--data", str(data), "--listen", f"127.0.0.1:{port}")

    assert refused.returncode == 5
    assert "in use" in refused.stderr
    assert "--listen" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--listen", "127.0.0.1"), 2),
        (("--insecure",), 2),
        (("--log-level", "loud"), 2),
        (("--config", "/nonexistent/interlock.toml"), 2),
    ],
)
def test_a_bad_setting_is_a_usage_error(data: Path, arguments: tuple[str, ...], code: int) -> None:
    """Exit code 2, before anything is opened."""
    assert refused_start("--data", str(data), *arguments).returncode == code


def test_a_folder_that_init_did_not_make_is_refused(tmp_path: Path) -> None:
    """No log is ever made by serving one."""
    result = refused_start("--data", str(tmp_path))

    assert result.returncode == 5
    assert "interlock init" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_others_can_read_is_refused(data: Path) -> None:
    """The log's key is worth a look at its mode."""
    (data / "keys" / "log.key").chmod(0o644)

    assert refused_start("--data", str(data), "--listen", "127.0.0.1:0").returncode == 5


def test_a_key_of_another_log_is_refused(data: Path) -> None:
    """Nothing is signed with a key that log.pub does not name."""
    (data / "keys" / "log.key").write_bytes((data / "keys" / "decision.key").read_bytes())

    assert refused_start("--data", str(data), "--listen", "127.0.0.1:0").returncode == 5


def test_it_serves_on_a_unix_socket_without_tls(data: Path) -> None:
    """--insecure is for a socket that the file system guards."""
    path = data.parent / "s"
    with ServerProcess(data, arguments=("--listen", f"unix:{path}", "--insecure")) as server:
        mode = path.stat().st_mode & 0o777
        with grpc.insecure_channel(server.address) as channel:
            reply = identity_pb2_grpc.IdentityServiceStub(channel).Challenge(
                identity_pb2.ChallengeRequest(principal="principals/owner"), timeout=CALL_SECONDS
            )

    assert len(reply.nonce) == 32
    assert mode & 0o077 == 0


def test_a_session_survives_a_restart(data: Path) -> None:
    """The token goes on; it is stored by its digest alone."""
    with ServerProcess(data) as first, first.channel() as channel:
        session = first.login(channel, "owner")
    with ServerProcess(data) as second, second.channel() as channel:
        reply = identity_pb2_grpc.IdentityServiceStub(channel).WhoAmI(
            identity_pb2.WhoAmIRequest(), metadata=session, timeout=CALL_SECONDS
        )
    token = session[0][1].removeprefix("Bearer ").encode()

    assert reply.principal.name == "principals/owner"
    assert not any(token in path.read_bytes() for path in data.rglob("*") if path.is_file())


def test_an_acknowledged_write_survives_a_kill(data: Path) -> None:
    """What was answered is there after the process was killed."""
    server = ServerProcess(data).start()
    with server.channel() as channel:
        session = server.login(channel, "evaluator")
        model_pb2_grpc.ModelServiceStub(channel).CreateModel(
            model_pb2.CreateModelRequest(model_id="aurora"), metadata=session, timeout=CALL_SECONDS
        )
    server.kill()

    with ServerProcess(data) as again, again.channel() as channel:
        model = model_pb2_grpc.ModelServiceStub(channel).GetModel(
            model_pb2.GetModelRequest(name="models/aurora"), metadata=session, timeout=CALL_SECONDS
        )
    assert model.name == "models/aurora"


def test_a_log_that_was_set_back_is_served_and_not_believed(data: Path, tmp_path: Path) -> None:
    """It says so when it is ready, signs no checkpoint, and writes nothing."""
    shutil.copytree(data, tmp_path / "backup")
    with ServerProcess(data) as server, server.channel() as channel:
        session = server.login(channel, "evaluator")
        models = model_pb2_grpc.ModelServiceStub(channel)
        models.CreateModel(model_pb2.CreateModelRequest(model_id="lost"), metadata=session, timeout=CALL_SECONDS)
    for path in data.glob("interlock.db*"):
        path.unlink()
    shutil.copy(tmp_path / "backup" / "interlock.db", data / "interlock.db")

    with ServerProcess(data) as server, server.channel() as channel:
        session = server.login(channel, "evaluator")
        models = model_pb2_grpc.ModelServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            models.CreateModel(model_pb2.CreateModelRequest(model_id="new"), metadata=session, timeout=CALL_SECONDS)

    assert (server.ready["ledger"], server.ready["checkpoint"]) == ("LOG_ROLLED_BACK", "")
    assert answer_of(refused.value).reason == "LEDGER"


def test_health_says_serving_for_every_service(server_process: ServerProcess) -> None:
    """The server as a whole, and each service by name."""
    with server_process.channel() as channel:
        check = health_check(channel)
        answers = {
            name: check(health_pb2.HealthCheckRequest(service=name), timeout=CALL_SECONDS).status
            for name in ("", "interlock.v1.GateService", "interlock.v1.IdentityService")
        }

    assert set(answers.values()) == {health_pb2.HealthCheckResponse.SERVING}


def test_health_says_not_serving_when_it_drains(server_process: ServerProcess) -> None:
    """A balancer that watches is told before the port closes."""
    with server_process.channel() as channel:
        watch = health_watch(channel)(health_pb2.HealthCheckRequest(), timeout=CALL_SECONDS)
        seen = [next(watch).status]
        server_process.process.send_signal(signal.SIGTERM)
        with suppress(grpc.RpcError):  # the connection may go before the stream is read to its end
            seen += [answer.status for answer in watch]

    assert seen == [health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING]


def test_an_endless_answer_ends_when_it_drains(server_process: ServerProcess) -> None:
    """Whoever follows the log is told to come again, and does not hold the server up."""
    with server_process.channel() as channel:
        session = server_process.login(channel, "auditor")
        tail = audit_pb2_grpc.AuditServiceStub(channel).TailEntries(
            audit_pb2.TailEntriesRequest(after_position=-1, follow=True), metadata=session, timeout=CALL_SECONDS
        )
        next(tail), next(tail)
        server_process.process.send_signal(signal.SIGTERM)

        with pytest.raises(grpc.RpcError) as ended:
            next(tail)

    assert answer_of(ended.value).reason == "SHUTTING_DOWN"
    assert server_process.process.wait(STOP_SECONDS) == 0


def test_reflection_lists_the_services(server_process: ServerProcess) -> None:
    """A tool without the .proto files can find its way."""
    with server_process.channel() as channel:
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        answer = next(reflect(channel)(iter([request]), timeout=CALL_SECONDS))
    names = {service.name for service in answer.list_services_response.service}

    assert {"interlock.v1.GateService", "interlock.v1.IdentityService", "grpc.health.v1.Health"} <= names


def test_plain_text_is_not_spoken(server_process: ServerProcess) -> None:
    """Every TCP connection is TLS, on loopback too."""
    with grpc.insecure_channel(server_process.address) as channel, pytest.raises(grpc.RpcError) as refused:
        identity_pb2_grpc.IdentityServiceStub(channel).Challenge(
            identity_pb2.ChallengeRequest(principal="principals/owner"), timeout=CALL_SECONDS
        )

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_logs_carry_the_request_id_and_no_secret(data: Path) -> None:
    """The caller's id is in the line of its call; token, salt and text are in none."""
    with ServerProcess(data) as server, server.channel() as channel:
        session = server.login(channel, "evaluator")
        model_pb2_grpc.ModelServiceStub(channel).CreateModel(
            model_pb2.CreateModelRequest(model_id="aurora"),
            metadata=(*session, ("x-request-id", "from-the-caller-1")),
            timeout=CALL_SECONDS,
        )
        model_pb2_grpc.ModelServiceStub(channel).RetireModel(
            model_pb2.RetireModelRequest(name="models/aurora", reason="a secret reason"),
            metadata=(*server.login(channel, "owner"), ("x-request-id", "not an id")),
            timeout=CALL_SECONDS,
        )
    lines = server.lines()
    text = json.dumps(lines)

    done = [line for line in lines if line["event"] == "done"]
    assert done[0]["request_id"] == "from-the-caller-1"
    assert done[1]["request_id"] not in {"", "not an id"}
    assert session[0][1].removeprefix("Bearer ") not in text
    assert "a secret reason" not in text


def test_metrics_count_calls_by_method_and_code(data: Path) -> None:
    """Prometheus reads them over HTTP, without TLS, where that is switched on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (
        ServerProcess(data, arguments=("--metrics-listen", f"127.0.0.1:{port}")) as server,
        server.channel() as channel,
    ):
        server.login(channel, "owner")
        with socket.create_connection(("127.0.0.1", port), timeout=CALL_SECONDS) as http:
            http.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            text = b"".join(iter(lambda: http.recv(65536), b"")).decode()

    assert 'interlock_calls_total{code="OK",method="interlock.v1.IdentityService/Login"} 1.0' in text
    assert "interlock_internal_errors_total 0.0" in text
    assert 'interlock_deployments_out_of_compliance{context="api"} 0.0' in text
