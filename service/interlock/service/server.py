"""The one way into every method: each handler is wrapped once, at the start, and nothing is looked up per call.

What a wrapped call goes through, in this order; the first that says no ends it:
1. metadata → session → caller, against the newest committed state (``identity/admission.py``);
2. the caller's right, by the permissions table (``identity/permissions.py``);
3. bytes → message, its rules, its characters (``wire.py``);
4. the servicer, with the caller in ``CALLER``;
5. what it raises → status: typed errors by ``api/status.py``; anything else is INTERNAL, without detail, and logged;
6. a refused attempt at a method that mutates is recorded before the answer (``api/attempts.py``).

A caller without a session learns nothing of the request's form, and one without the right nothing of the resource.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc import aio

from interlock.service.api import status
from interlock.service.errors import LimitExceeded, ServiceError, SlowConsumer
from interlock.service.identity.caller import CALLER
from interlock.service.logs import REQUEST, RequestInfo
from interlock.service.open_streams import OpenStreams
from interlock.service.wire import RequestReader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping

    from google.protobuf.message import Message
    from google.rpc import status_pb2
    from protovalidate import Validator
    from structlog.typing import FilteringBoundLogger

    from interlock.service.api.attempts import Attempts
    from interlock.service.identity.admission import Admission
    from interlock.service.identity.caller import Caller
    from interlock.service.identity.limits import RateLimiter
    from interlock.service.identity.permissions import Permission
    from interlock.service.metrics import Metrics

STATUS_TRAILER: Final = "grpc-status-details-bin"
STREAM_IS_OPEN: Final = (("interlock-stream", "open"),)
_REQUEST_ID: Final = "x-request-id"
_REQUEST_ID_FORM: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")

Context: TypeAlias = "aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in the stubs only


@dataclass(frozen=True, slots=True)
class Limits:
    """What one caller may ask of the server."""

    deadline_seconds: float
    upload_idle_seconds: float
    stream_write_seconds: float
    streams_per_principal: int
    writes: RateLimiter


@dataclass(frozen=True, slots=True)
class Method:
    """All that a call needs to know of its method, found once."""

    name: str
    permission: Permission
    reader: RequestReader


class Handlers:
    """Stands in for a server while generated code registers its servicers, and keeps what it is given."""

    def __init__(self) -> None:
        self.by_name: dict[str, Handler] = {}

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Nothing: the same handlers come by ``add_registered_method_handlers``."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Keep a servicer's handlers by full method name."""
        self.by_name |= {f"{service}/{method}": handler for method, handler in handlers.items()}


class _Routes(grpc.GenericRpcHandler):
    """One dictionary for all methods."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = {f"/{name}": handler for name, handler in handlers.items()}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """Return the handler of a call."""
        return self._handlers.get(handler_call_details.method)


class Pipeline:
    """Wraps handlers. Used from the event loop only."""

    def __init__(
        self,
        *,
        admission: Admission,
        attempts: Attempts,
        validator: Validator,
        limits: Limits,
        metrics: Metrics,
        log: FilteringBoundLogger,
        new_request_id: Callable[[], str],
    ) -> None:
        self._admission = admission
        self._attempts = attempts
        self._validator = validator
        self._limits = limits
        self._metrics = metrics
        self._log = log
        self._new_request_id = new_request_id
        self._streams = OpenStreams(admission, metrics, limits.streams_per_principal)

    def routes(self, handlers: Mapping[str, Handler], permissions: Mapping[str, Permission]) -> grpc.GenericRpcHandler:
        """Return the wrapped handlers. Raises LookupError for a method without a row in the permissions table."""
        without = sorted(handlers.keys() - permissions.keys())
        if without:
            raise LookupError(f"no row in the permissions table for {', '.join(without)}")
        return _Routes({name: self._wrap(name, handlers[name], permissions[name]) for name in handlers})

    @property
    def streams(self) -> OpenStreams:
        """The streams that are open."""
        return self._streams

    def _wrap(self, name: str, handler: Handler, permission: Permission) -> Handler:
        reader = RequestReader(_request_type(name), self._validator, remembers=not permission.mutates)
        method = Method(name, permission, reader)
        serializer = _bytes_of
        if handler.unary_unary is not None:
            call = self._unary(method, handler.unary_unary)
            return grpc.unary_unary_rpc_method_handler(call, None, serializer)
        if handler.unary_stream is not None:
            watch = self._server_stream(method, handler.unary_stream)
            return grpc.unary_stream_rpc_method_handler(watch, None, serializer)
        if handler.stream_unary is not None:
            upload = self._client_stream(method, handler.stream_unary)
            return grpc.stream_unary_rpc_method_handler(upload, None, serializer)
        raise LookupError(f"{name}: streams both ways, which this server does not do")

    def _unary(self, method: Method, handler: Any) -> Any:  # noqa: ANN401  # gRPC's handlers, untyped in its stubs
        admit, read = self._admit, method.reader.read
        require, permission = self._admission.require, method.permission
        answered = self._metrics.calls.timing(method.name).add
        log, mutates = self._log, permission.mutates
        limited = mutates and not permission.tightens

        async def call(data: bytes, context: Context) -> Any:  # noqa: ANN401  # a message of the contract
            started = time.perf_counter()
            caller = None
            try:
                caller = admit(method, context)
                if caller is not None:
                    require(permission, caller)
                    if limited:
                        self._limit_writes(caller)
                request = read(data)
                if context.time_remaining() is None:
                    async with asyncio.timeout(self._limits.deadline_seconds):
                        reply = await handler(request, context)
                else:
                    reply = await handler(request, context)
            except ServiceError as error:
                await self._refuse(method, context, caller, data, error)
            except TimeoutError:
                await self._refuse(method, context, caller, data, LimitExceeded("time"))
            except aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001  # the outermost handler; see the module's list, 5
                await self._fail(method, context, error)
            else:
                answered(time.perf_counter() - started)
                if mutates:
                    log.info("done", principal=caller.principal if caller else "")
                return reply

        return call

    def _server_stream(self, method: Method, handler: Any) -> Any:  # noqa: ANN401  # as in `_unary`
        # Writes by itself instead of yielding: then what ends a stream also interrupts it while it waits for a slow
        # reader. gRPC's flow control makes a write wait; nothing is queued here.
        async def stream(data: bytes, context: Context) -> None:
            caller, opened = None, None
            try:
                caller = self._admit(method, context)
                self._require(method, caller)
                request = method.reader.read(data)
                async with (
                    self._streams.watch(caller, method.permission) as opened,
                    aclosing(handler(request, context)) as replies,
                ):
                    # Tells a client that takes a broken stream up again that it has: the next message may be days away.
                    await context.send_initial_metadata(STREAM_IS_OPEN)
                    async for reply in replies:
                        opened.review()
                        await self._write(context, reply)
            except ServiceError as error:
                await self._refuse(method, context, caller, data, error)
            except asyncio.CancelledError:
                if opened is None or opened.ended is None:  # the caller went away
                    raise
                await self._refuse(method, context, caller, data, opened.ended)
            except aio.AbortError:
                raise
            except aio.InternalError as error:
                # Nothing could be written to a caller who went away; the task is cancelled for that a moment later.
                raise asyncio.CancelledError from error
            except Exception as error:  # noqa: BLE001  # the outermost handler
                await self._fail(method, context, error)
            else:
                self._metrics.calls.count(method.name, "OK")

        return stream

    async def _write(self, context: Context, reply: object) -> None:
        """Write one message. Raises SlowConsumer where the reader leaves no room for it."""
        try:
            async with asyncio.timeout(self._limits.stream_write_seconds):
                await context.write(reply)
        except TimeoutError:
            raise SlowConsumer from None

    def _client_stream(self, method: Method, handler: Any) -> Any:  # noqa: ANN401  # as in `_unary`
        async def upload(parts: AsyncIterator[bytes], context: Context) -> Any:  # noqa: ANN401  # a message
            caller = None
            first = _FirstPart(parts)
            try:
                caller = self._admit(method, context)
                self._require(method, caller)
                async with self._streams.count(caller), aclosing(self._read_parts(method, first)) as read:
                    reply = await handler(read, context)
            except ServiceError as error:
                await self._refuse(method, context, caller, first.data, error)
            except aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001  # the outermost handler
                await self._fail(method, context, error)
            else:
                self._metrics.calls.count(method.name, "OK")
                self._log.info("done", principal=caller.principal if caller else "")
                return reply
            finally:
                await first.close()

        return upload

    async def _read_parts(self, method: Method, parts: _FirstPart) -> AsyncGenerator[Any]:
        while True:
            try:
                async with asyncio.timeout(self._limits.upload_idle_seconds):
                    data = await parts.next()
            except TimeoutError:
                raise LimitExceeded("time between two parts of an upload") from None
            if data is None:
                return
            yield method.reader.read(data)

    def _admit(self, method: Method, context: Context) -> Caller | None:
        metadata = context.invocation_metadata() or ()
        request_id: str | bytes = ""
        for key, value in metadata:
            if key == _REQUEST_ID:
                request_id = value
        if not request_id or not isinstance(request_id, str) or not _REQUEST_ID_FORM.fullmatch(request_id):
            request_id = self._new_request_id()
        REQUEST.set(RequestInfo(method.name, request_id))
        caller = self._admission.admit(method.permission, metadata)
        if caller is not None:
            CALLER.set(caller)
        return caller

    def _limit_writes(self, caller: Caller) -> None:
        if not self._limits.writes.allow(caller.principal):
            raise LimitExceeded("writes a second of one principal")

    def _require(self, method: Method, caller: Caller | None) -> None:
        if caller is not None:
            self._admission.require(method.permission, caller)

    async def _refuse(
        self, method: Method, context: Context, caller: Caller | None, data: bytes, error: ServiceError
    ) -> None:
        """Record the attempt where it is one, then answer with the error's status."""
        principal = caller.principal if caller else ""
        self._log.info("refused", principal=principal, error=type(error).__name__, codes=status.codes_of(error))
        if caller is not None and method.permission.mutates:
            await self._attempts.record(caller, method.name, hashlib.sha256(data).digest(), error)
        await self._abort(method, context, status.status_of(error))

    async def _fail(self, method: Method, context: Context, error: Exception) -> None:
        self._log.error("internal_error", exc_info=error)
        self._metrics.internal_errors.inc()
        await self._abort(method, context, status.internal())

    async def _abort(self, method: Method, context: Context, answer: status_pb2.Status) -> None:
        code = _CODES[answer.code]
        self._metrics.calls.count(method.name, code.name)
        await context.abort(code, answer.message, ((STATUS_TRAILER, answer.SerializeToString()),))


class _FirstPart:
    """A client's stream that remembers its first message, which names the request in the log."""

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._parts: Any = aiter(parts)  # gRPC's own generator
        self.data = b""

    async def next(self) -> bytes | None:
        """Return the next message; None at the end."""
        data = await anext(self._parts, None)
        if data is not None and not self.data:
            self.data = data
        return data

    async def close(self) -> None:
        """Read no further: what is left to the garbage collector is reported as forgotten."""
        await self._parts.aclose()


def _bytes_of(reply: Message | bytes) -> bytes:
    """Return a reply's bytes, which a servicer that keeps answers may give itself."""
    return reply if isinstance(reply, bytes) else reply.SerializeToString()


_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


def _request_type(name: str) -> Any:  # noqa: ANN401  # a message class
    service, _, method = name.partition("/")
    found = descriptor_pool.Default().FindServiceByName(service).FindMethodByName(method)
    return message_factory.GetMessageClass(found.input_type)
