"""The gRPC port: methods, health, reflection, and how it opens and closes."""

from __future__ import annotations

import asyncio
import errno
import itertools
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from protovalidate import Validator

from interlock.service import tls
from interlock.service.api import servicers
from interlock.service.api.calls import Writer
from interlock.service.api.identity import IdentityService
from interlock.service.api.reads import Reader
from interlock.service.api.recovery import Recoveries
from interlock.service.api.streams import Streams
from interlock.service.api.token_seal import TokenSeal
from interlock.service.health import Health
from interlock.service.identity.limits import Rate, RateLimiter
from interlock.service.identity.permissions import METHODS
from interlock.service.keyfiles import read_private
from interlock.service.ledger.proving import Prover
from interlock.service.server import Handlers, Limits, Pipeline
from interlock.v1 import identity_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from interlock.service.bootstrap import Runtime
    from interlock.service.config import Config

MAX_METADATA_BYTES: Final = 64 * 1024
"""Refusals that list everything travel in trailing metadata."""

_PROCESS_BYTES: Final = 4


class ListenError(RuntimeError):
    """The port can't be opened."""


@asynccontextmanager
async def listening(runtime: Runtime) -> AsyncIterator[str]:
    """Serve while entered, and give the address. Leaving drains: no new calls, running ones may finish."""
    config = runtime.config
    handlers = Handlers()
    pipeline = _pipeline(runtime)
    seal = TokenSeal.of(runtime.committer.view.state.log.log_id, runtime.decision_key.private_bytes_raw())
    streams = Streams(runtime.committer, runtime.clock, pipeline.streams.review, seal)
    servicers.register(
        handlers,
        runtime.committer,
        runtime.digests,
        runtime.store,
        runtime.blobs,
        runtime.clock,
        runtime.rng,
        config.max_evidence_bytes,
        runtime.decision_key,
        streams,
        runtime.signer,
        runtime.witnesses,
    )
    identity = IdentityService(
        runtime.committer,
        Reader(runtime.committer, runtime.clock),
        Writer(runtime.committer, runtime.rng),
        runtime.sign_in,
        runtime.sessions,
        runtime.admission,
        Recoveries(runtime.committer, Prover(runtime.committer, runtime.store), runtime.signer),
        lambda: runtime.lookout.missing,
    )
    identity_pb2_grpc.add_IdentityServiceServicer_to_server(identity, handlers)  # type: ignore[arg-type]  # as a server
    server = aio.server(options=_options(config))
    server.add_generic_rpc_handlers((pipeline.routes(handlers.by_name, METHODS),))
    names = sorted({name.partition("/")[0] for name in handlers.by_name})
    health = Health(names, runtime.lookout)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    known = (*names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(known, server)
    address = _open_port(server, config)
    await server.start()
    looking = asyncio.get_running_loop().create_task(streams.run())
    try:
        yield address
    finally:
        health.drain()
        pipeline.streams.drain()
        await server.stop(config.drain_seconds)
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


def _pipeline(runtime: Runtime) -> Pipeline:
    config = runtime.config
    return Pipeline(
        admission=runtime.admission,
        attempts=runtime.attempts,
        validator=Validator(),
        limits=Limits(
            deadline_seconds=config.deadline_seconds,
            upload_idle_seconds=config.upload_idle_seconds,
            stream_write_seconds=config.stream_write_seconds,
            streams_per_principal=config.streams_per_principal,
            writes=RateLimiter(Rate(config.writes_per_second, config.write_burst), runtime.clock),
        ),
        metrics=runtime.metrics,
        log=runtime.log,
        new_request_id=_request_ids(runtime.rng),
    )


def _request_ids(rng: Callable[[int], bytes]) -> Callable[[], str]:
    """Return what names requests that come without an id: this process by chance, the request by its number."""
    process, numbers = rng(_PROCESS_BYTES).hex(), itertools.count(1)
    return lambda: f"{process}-{next(numbers)}"


def _options(config: Config) -> tuple[tuple[str, int], ...]:
    return (
        ("grpc.so_reuseport", 0),  # a second server on this port must fail, not share its callers
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", config.max_message_bytes),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        # A watcher's stream is quiet for days. Either side pings, so that neither waits for one that is gone.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    )


def _why_not(listen: str) -> str:
    """Return why an address can't be had, as the system says it; gRPC only says that it can't. Empty for a socket."""
    host, _, port = listen.rpartition(":")
    if host.startswith("unix") or not port.isdigit():
        return ""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host.strip("[]"), int(port)), family=family):
            return ""
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return (
                "the address is in use; is a server running there already? --listen HOST:PORT chooses another; "
                "profiles name the one that `interlock init` was given"
            )
        return f"{error.strerror}; --listen HOST:PORT chooses another address"


def _open_port(server: aio.Server, config: Config) -> str:
    try:
        if config.insecure:
            server.add_insecure_port(config.listen)
            return config.listen
        place = config.data_path / "keys"
        credentials = tls.server_credentials(read_private(place / "server.key"), (place / "server.crt").read_bytes())
        port = server.add_secure_port(config.listen, credentials)
    except RuntimeError as error:
        raise ListenError(f"can't listen on {config.listen}: {_why_not(config.listen) or error}") from error
    return f"{config.listen.rpartition(':')[0]}:{port}"
