"""Real servers for tests: a data folder made once and copied, a process or a thread that serves it on a free port.

    data = copy_of(installation, tmp_path / "data")
    with ServerProcess(data) as server:            # `interlock serve`, as users start it
        channel = server.channel()
    with ForkedServer(data) as server: ...         # the same command, forked from a process that has loaded everything
    with ServerThread(data) as server: ...         # the same server in this process: starts ten times as fast

All rewrite ``address`` in every profile of the folder to where they listen, and all fail the test when the server
logged an ``internal_error``, or anything that is nobody's business (``secrets.py``).
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, Self, cast

import grpc
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2

from interlock.proofs import keys
from interlock.service.bootstrap import running
from interlock.service.clock import SystemClock
from interlock.service.commands import found
from interlock.service.config import load_config
from interlock.service.genesis.data_directory import make_data_directory
from interlock.service.identity.challenges import signed_bytes
from interlock.service.logs import make_logger
from interlock.service.server import STATUS_TRAILER
from interlock.v1 import identity_pb2, identity_pb2_grpc
from tests.support import forked
from tests.support.secrets import assert_keeps_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from interlock.service.clock import SetClock

START_SECONDS: Final = 60
STOP_SECONDS: Final = 30
CALL_SECONDS: Final = 30
FREE_PORT: Final = "127.0.0.1:0"


def install(target: Path, pack: str = "minimal") -> Path:
    """Make a data folder as `interlock init --dev --pack PACK` does, in this process."""
    order = found.order_of(found.Wish(target=target, pack=pack))
    asyncio.run(make_data_directory(order, SystemClock(), os.urandom))
    return target


def copy_of(data: Path, target: Path) -> Path:
    """Copy a data folder that nothing serves; a copy is the same log, so never serve two of them to one client."""
    return shutil.copytree(data, target)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a refused call tells: status code, reason word, codes of unmet requirements, fields that are wrong."""

    code: grpc.StatusCode
    reason: str
    unmet: tuple[str, ...]
    fields: tuple[str, ...]


def answer_of(error: grpc.RpcError) -> Answer:
    """Read the details of an error."""
    call = cast("grpc.Call", error)
    trailers = dict(call.trailing_metadata() or ())
    status = status_pb2.Status.FromString(cast("bytes", trailers.get(STATUS_TRAILER, b"")))
    info, unmet, bad = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.PreconditionFailure(),
        error_details_pb2.BadRequest(),
    )
    for detail in status.details:
        for kind in (info, unmet, bad):
            detail.Unpack(kind)  # does nothing for another kind
    return Answer(
        call.code(),
        info.reason,
        tuple(violation.type for violation in unmet.violations),
        tuple(violation.field for violation in bad.field_violations),
    )


class RunningServer:
    """What every kind of server shares: who can log in, and how to reach it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.ready: dict[str, Any] = {}
        self._tokens: list[str] = []

    @property
    def address(self) -> str:
        """``host:port``."""
        return str(self.ready["address"])

    @property
    def home(self) -> Path:
        """What INTERLOCK_HOME must be for a client to find everyone's profile."""
        return self.data / "principals"

    def profile(self, who: str) -> identity_pb2.ClientProfile:
        """Return somebody's profile."""
        text = (self.home / who / "profile.json").read_text()
        return json_format.Parse(text, identity_pb2.ClientProfile())

    def key(self, who: str, use: str = "login") -> Ed25519PrivateKey:
        """Return somebody's private key."""
        folder = self.home / who
        passphrase = (folder / "passphrase").read_bytes().strip()
        pem = (folder / f"{use}.key").read_bytes()
        return cast("Ed25519PrivateKey", load_pem_private_key(pem, passphrase))

    def channel(self) -> grpc.Channel:
        """Open a channel as a client does: TLS, pinned to the log's own authority."""
        certificate = (self.data / "keys" / "ca.crt").read_bytes()
        options = (
            ("grpc.ssl_target_name_override", "interlock"),
            ("grpc.max_metadata_size", 1 << 20),
            ("grpc.use_local_subchannel_pool", 1),
        )
        return grpc.secure_channel(self.address, grpc.ssl_channel_credentials(certificate), options)

    def login(self, channel: grpc.Channel, who: str) -> tuple[tuple[str, str], ...]:
        """Log somebody in and return the metadata of their session."""
        stub = identity_pb2_grpc.IdentityServiceStub(channel)
        principal = f"principals/{who}"
        challenge = stub.Challenge(identity_pb2.ChallengeRequest(principal=principal), timeout=CALL_SECONDS)
        key = self.key(who)
        request = identity_pb2.LoginRequest(
            principal=principal,
            nonce=challenge.nonce,
            credential=keys.fingerprint(keys.public_bytes(key)),
            signature=key.sign(signed_bytes(challenge.log_id, challenge.server_name, challenge.nonce)),
        )
        reply = stub.Login(request, timeout=CALL_SECONDS)
        self._tokens.append(reply.token)
        return (("authorization", f"Bearer {reply.token}"),)

    def _point_profiles_here(self) -> None:
        for path in self.home.glob("*/profile.json"):
            profile = json.loads(path.read_text())
            profile["address"] = self.address
            path.write_text(json.dumps(profile))


class ServerProcess(RunningServer):
    """`interlock serve` as a process of its own."""

    def __init__(
        self,
        data: Path,
        *,
        arguments: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        may_fail: bool = False,
        own_session: bool = False,
    ) -> None:
        """``own_session``: as a service is run, not as a part of what started it; an interrupt does not reach it."""
        super().__init__(data)
        self._own_session = own_session
        self._arguments = arguments
        self._environment = dict(environment or {})
        self._may_fail = may_fail
        self._process: subprocess.Popen[str] | forked.Command | None = None
        self._log_path = data.parent / f"{data.name}.server.log"

    @property
    def process(self) -> subprocess.Popen[str] | forked.Command:
        """The process. Raises AssertionError before the start."""
        assert self._process is not None
        return self._process

    def start(self) -> Self:
        """Start it, and return once it has said that it is ready."""
        listen = () if "--listen" in self._arguments else ("--listen", FREE_PORT)
        with self._log_path.open("ab") as log:
            self._process = self._run(["serve", "--json", "--data", str(self.data), *listen, *self._arguments], log)
        watchdog = threading.Timer(START_SECONDS, self._process.kill)
        watchdog.start()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        watchdog.cancel()
        if not line:
            self._process.wait()
            self._process.stdout.close()
            raise AssertionError(f"the server did not start:\n{self._log_path.read_text()}")
        self.ready = json.loads(line)
        self._point_profiles_here()
        return self

    def stop(self) -> int:
        """Tell it to stop, wait, and return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """Kill it as a crash would."""
        return self._end(signal.SIGKILL)

    def lines(self) -> list[dict[str, Any]]:
        """Return what it has logged since the folder was made."""
        return [json.loads(line) for line in self._log_path.read_text().splitlines() if line.startswith("{")]

    def _run(self, words: list[str], log: IO[bytes]) -> subprocess.Popen[str] | forked.Command:
        return subprocess.Popen(
            [sys.executable, "-m", "interlock.service", *words],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **self._environment},
            start_new_session=self._own_session,
        )

    def _end(self, number: signal.Signals) -> int:
        process = self.process
        if process.poll() is None:
            process.send_signal(number)
        code = process.wait(STOP_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
        return code

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = self.stop()
        if error is None and not self._may_fail:
            assert code in {0, -signal.SIGKILL}, self._log_path.read_text()
            assert_no_internal_error(self.lines())
        if error is None:
            assert_keeps_secrets(self._log_path.read_text(), self.data, self._tokens)


class ForkedServer(ServerProcess):
    """The same command in a process of its own that has nothing to load: for tests that start many."""

    def _run(self, words: list[str], log: IO[bytes]) -> forked.Command:
        return forked.Command(words, log, {**os.environ, **self._environment}, own_session=self._own_session)


class ServerThread(RunningServer):
    """The same server in a thread of this process, for tests that need many."""

    def __init__(
        self, data: Path, *, may_fail: bool = False, clock: SetClock | None = None, **settings: str | float
    ) -> None:
        super().__init__(data)
        self._may_fail = may_fail
        self._clock = clock
        self._settings: dict[str, Any] = {"data": str(data), "listen": FREE_PORT, **settings}
        self._written = io.StringIO()
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="interlock-server", daemon=True)

    def start(self) -> Self:
        """Start it, and return once it answers."""
        self._thread.start()
        assert self._started.wait(START_SECONDS)
        if self._fault is not None:
            raise self._fault
        self._point_profiles_here()
        return self

    def stop(self) -> None:
        """Drain and stop it."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_SECONDS)
        assert not self._thread.is_alive()

    def lines(self) -> list[dict[str, Any]]:
        """Return what it has logged."""
        return [json.loads(line) for line in self._written.getvalue().splitlines()]

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as fault:  # noqa: BLE001  # handed to the thread that waits
            self._fault = fault
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        config = load_config(self._settings, {})
        async with running(config, make_logger("info", "json", self._written), clock=self._clock) as ready:
            self.ready = {"address": ready.address, "checkpoint": ready.checkpoint, "log_key": ready.log_key}
            self._started.set()
            await self._stop.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is None and not self._may_fail:
            assert_no_internal_error(self.lines())
        if error is None:
            assert_keeps_secrets(self._written.getvalue(), self.data, self._tokens)


def assert_no_internal_error(lines: list[dict[str, Any]]) -> None:
    """Fail where the outermost handler had to catch something: that is a bug, whatever the test was about."""
    faults = [line for line in lines if line.get("event") == "internal_error"]
    assert not faults, json.dumps(faults, indent=2)
