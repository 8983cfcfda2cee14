"""A real gRPC server over TLS whose answers are scripted: for what a good server never does on purpose.

    with ScriptedServer(tmp_path, [code_pb2.UNAVAILABLE, Model(name="models/m")]) as server:
        server.client().models.get("m")
        server.requests                     # what arrived, in order

An answer is a message, or a status code to fail with. Logging in always works and is counted.
"""

from __future__ import annotations

import datetime as dt
from concurrent import futures
from typing import TYPE_CHECKING, Any, Final, Self

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from google.protobuf import any_pb2
from google.rpc import code_pb2, status_pb2

from interlock.client.profile import Profile
from interlock.client.sdk import Interlock
from interlock.client.transport import Ticking
from interlock.service.tls import certificate_pem, make_authority, make_server_certificate
from interlock.v1 import audit_pb2, gate_pb2, identity_pb2, ledger_pb2, model_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from google.protobuf.message import Message

LOG_ID: Final = bytes(range(16))
_NAME: Final = "interlock"
_ANSWERED: Final[dict[str, type[Message]]] = {
    "/interlock.v1.ModelService/GetModel": model_pb2.GetModelRequest,
    "/interlock.v1.ModelService/ListModels": model_pb2.ListModelsRequest,
    "/interlock.v1.ModelService/CreateModel": model_pb2.CreateModelRequest,
    "/interlock.v1.GateService/CheckRelease": gate_pb2.CheckReleaseRequest,
    "/interlock.v1.IdentityService/WhoAmI": identity_pb2.WhoAmIRequest,
    "/interlock.v1.AuditService/GetCheckpoint": audit_pb2.GetCheckpointRequest,
    "/interlock.v1.AuditService/GetEntry": audit_pb2.GetEntryRequest,
    "/interlock.v1.AuditService/GetStateAt": audit_pb2.GetStateAtRequest,
    "/interlock.v1.AuditService/ListEntries": audit_pb2.ListEntriesRequest,
}
_STREAMED: Final[dict[str, type[Message]]] = {"/interlock.v1.AuditService/TailEntries": audit_pb2.TailEntriesRequest}


class HandTicking:
    """Time that passes only in pauses, which are noted; chance is always in the middle."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Note a pause and let it pass."""
        self.pauses.append(seconds)
        self.now += seconds

    def ticking(self) -> Ticking:
        """Return what a client takes."""
        return Ticking(now=lambda: self.now, sleep=self.sleep, chance=lambda: 0.5)


class ScriptedServer(grpc.GenericRpcHandler):
    """Answers by script, in order; a stream takes its whole answer from one list."""

    def __init__(self, folder: Path, script: Sequence[Message | int | Sequence[Message | int]]) -> None:
        self.script: list[Any] = list(script)
        self.requests: list[Any] = []
        self.tokens: list[str] = []
        self.logins = 0
        self.hand = HandTicking()
        self._folder = folder
        self._clients: list[Interlock] = []
        now = dt.datetime.now(dt.UTC)
        self._authority = make_authority(now)
        key, certificate = make_server_certificate(self._authority, [_NAME], now)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[self])
        credentials = grpc.ssl_server_credentials([(pem, certificate_pem(certificate))])
        self.port = self._server.add_secure_port("127.0.0.1:0", credentials)

    def profile(self, *, ca_certificate: bytes | None = None) -> Profile:
        """Return a profile that names this server; its login key is made on first use."""
        key = self._folder / "login.key"
        if not key.exists():
            made = Ed25519PrivateKey.generate()
            key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass")))
        return Profile(
            folder=self._folder,
            principal="principals/rso",
            address=f"127.0.0.1:{self.port}",
            server_name=_NAME,
            ca_certificate=ca_certificate or certificate_pem(self._authority.certificate),
            log_id=LOG_ID,
            log_key="",
            genesis_digest=bytes(32),
            login_key_file=key,
            signoff_key_file=None,
            passphrase_file=None,
        )

    def client(self, **settings: Any) -> Interlock:  # noqa: ANN401  # those of Interlock
        """Return a client whose time is `hand`; closed with the server."""
        profile = settings.pop("profile", None) or self.profile()
        client = Interlock(profile, passphrase=lambda _path: b"pass", ticking=self.hand.ticking(), **settings)
        self._clients.append(client)
        return client

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Return the handler of a method, as grpc asks for it."""
        method = handler_call_details.method
        metadata = dict(handler_call_details.invocation_metadata or ())
        if method.startswith("/interlock.v1.IdentityService/") and not method.endswith("WhoAmI"):
            return self._identity(method)
        self.tokens.append(str(metadata.get("authorization", "")))
        if method in _STREAMED:
            return grpc.unary_stream_rpc_method_handler(
                self._stream,
                request_deserializer=lambda data: _parsed(_STREAMED[method], data),
                response_serializer=lambda message: message.SerializeToString(),
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary,
            request_deserializer=lambda data: _parsed(_ANSWERED[method], data),
            response_serializer=lambda message: message.SerializeToString(),
        )

    def _identity(self, method: str) -> grpc.RpcMethodHandler[Any, Any]:
        known: dict[str, tuple[Callable[[Any, grpc.ServicerContext], Message], type[Message]]] = {
            "Challenge": (self._challenge, identity_pb2.ChallengeRequest),
            "Login": (self._login, identity_pb2.LoginRequest),
            "Logout": (lambda _request, _context: identity_pb2.LogoutResponse(), identity_pb2.LogoutRequest),
        }
        behaviour, kind = known[method.rpartition("/")[2]]
        return grpc.unary_unary_rpc_method_handler(
            behaviour,
            request_deserializer=lambda data: _parsed(kind, data),
            response_serializer=lambda message: message.SerializeToString(),
        )

    def _challenge(self, _request: object, _context: grpc.ServicerContext) -> Message:
        return identity_pb2.ChallengeResponse(nonce=bytes(32), log_id=LOG_ID, server_name=_NAME)

    def _login(self, _request: object, _context: grpc.ServicerContext) -> Message:
        self.logins += 1
        reply = identity_pb2.LoginResponse(token=f"token-{self.logins}")
        reply.expire_time.FromSeconds(10_000)
        return reply

    def _unary(self, request: Message, context: grpc.ServicerContext) -> Message:
        self.requests.append(request)
        return _answer(self.script.pop(0), context)

    def _stream(self, request: Message, context: grpc.ServicerContext) -> Iterator[Message]:
        self.requests.append(request)
        for item in self.script.pop(0):
            yield _answer(item, context)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()
        self._server.stop(grace=None).wait()


def _parsed(kind: type[Message], data: bytes) -> Message:
    message = kind()
    message.ParseFromString(data)
    return message


def _answer(item: Message | int, context: grpc.ServicerContext) -> Message:
    """Return a scripted message, or fail with a scripted status."""
    if isinstance(item, int):
        item = status_pb2.Status(code=item, message="scripted")
    if isinstance(item, status_pb2.Status):
        code = next(code for code in grpc.StatusCode if code.value[0] == item.code)
        context.set_trailing_metadata((("grpc-status-details-bin", item.SerializeToString()),))
        context.abort(code, item.message)
    assert not isinstance(item, int)
    return item


def numbered(position: int) -> audit_pb2.EntryRecord:
    """Return an entry that says where it is, and nothing else."""
    return audit_pb2.EntryRecord(entry=ledger_pb2.LedgerEntry(seq=position).SerializeToString())


def failing(code: int, *details: Message) -> status_pb2.Status:
    """Return a status to fail with, with details."""
    status = status_pb2.Status(code=code, message="scripted")
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


UNAVAILABLE: Final = code_pb2.UNAVAILABLE
UNAUTHENTICATED: Final = code_pb2.UNAUTHENTICATED
