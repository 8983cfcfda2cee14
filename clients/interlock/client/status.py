"""From google.rpc.Status to the client's exceptions: one table of codes, details read by type.

Lives here: reading what the server said. Not here: deciding whether to try again (`transport.py`). A status without
details, as proxies and grpc itself give, becomes the same exception with less in it.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from interlock.client import errors
from interlock.v1 import requirement_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.protobuf.any_pb2 import Any as PackedAny

DOMAIN: Final = "interlock"
_DETAILS_KEY: Final = "grpc-status-details-bin"

OTHER_CERTIFICATE: Final = "OTHER_CERTIFICATE"
"""Reason of a failed handshake. Asking again can't help."""

_OTHER_CERTIFICATE: Final = ("CERTIFICATE_VERIFY_FAILED", "Hostname Verification Check failed")
"""How gRPC tells that in words; there is no code for it."""

_PEER: Final = re.compile(r"(?:ipv[46]:|resolving |(?=unix:))(\S+?):? ")
"""How gRPC names where it went."""

_UNREACHABLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Connection refused": "nothing listens there",
        "No such file or directory": "there is no such socket",
        "lookup failed": "nobody knows this name",
        "Network is unreachable": "no network leads there",
        "No route to host": "no network leads there",
        "Tls handshake failed": "what listens there does not speak the server's TLS",
        "Socket closed": "the connection broke off",
        "Connection reset": "the connection broke off",
        "recvmsg": "the connection broke off",
        "GOAWAY": "the connection broke off",
        "keepalive": "it answers no more",
    }
)
"""Signs in gRPC's own texts, and what they come to; there are no codes for these."""

_KINDS: Final[Mapping[grpc.StatusCode, type[errors.InterlockError]]] = MappingProxyType(
    {
        grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequestError,
        grpc.StatusCode.OUT_OF_RANGE: errors.InvalidRequestError,
        grpc.StatusCode.FAILED_PRECONDITION: errors.RefusedError,
        grpc.StatusCode.ABORTED: errors.StaleError,
        grpc.StatusCode.ALREADY_EXISTS: errors.AlreadyExistsError,
        grpc.StatusCode.NOT_FOUND: errors.NotFoundError,
        grpc.StatusCode.PERMISSION_DENIED: errors.NotAllowedError,
        grpc.StatusCode.UNAUTHENTICATED: errors.UnauthenticatedError,
        grpc.StatusCode.RESOURCE_EXHAUSTED: errors.LimitError,
        grpc.StatusCode.UNAVAILABLE: errors.UnavailableError,
        grpc.StatusCode.CANCELLED: errors.UnavailableError,
        grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineError,
        grpc.StatusCode.DATA_LOSS: errors.DataLossError,
        grpc.StatusCode.INTERNAL: errors.ServerFaultError,
        grpc.StatusCode.UNKNOWN: errors.ServerFaultError,
        grpc.StatusCode.UNIMPLEMENTED: errors.ServerFaultError,
    }
)
"""Every code that can fail a call; a test checks that none is missing."""


def error_from(failed: object) -> errors.InterlockError:
    """Return the exception that a failed call stands for: a `grpc.RpcError` of either kind of channel."""
    if not isinstance(failed, grpc.Call | grpc.aio.AioRpcError):
        return errors.ServerFaultError(str(failed), reason=grpc.StatusCode.UNKNOWN.name)
    code = failed.code()
    kind = _KINDS.get(code, errors.ServerFaultError)
    if code is grpc.StatusCode.UNAVAILABLE and any(sign in (failed.details() or "") for sign in _OTHER_CERTIFICATE):
        return errors.UnavailableError(
            "the server's certificate is not one that the profile trusts: its CA is another one, or it is for another "
            "name. Either the profile is of another server, or somebody stands between; nothing was sent",
            reason=OTHER_CERTIFICATE,
        )
    details = _details(failed.trailing_metadata() or ())
    words = failed.details() or ""
    return _build(kind, code.name, words if details else plain_words(code, words), details)


def plain_words(code: grpc.StatusCode, words: str) -> str:
    """Return what gRPC, not our server, says of a failed call, in words for whoever typed the command."""
    match code:
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return "no answer came within the time given"
        case grpc.StatusCode.CANCELLED:
            return "the call was broken off"
        case grpc.StatusCode.UNIMPLEMENTED:
            return "the server does not know this call: it is of another version"
        case grpc.StatusCode.RESOURCE_EXHAUSTED if "larger than max" in words:
            return "a message is larger than what is taken"
        case grpc.StatusCode.UNAVAILABLE:
            peer = _PEER.search(words)
            where = f" at {unquote(peer[1])}" if peer else ""
            why = next((told for sign, told in _UNREACHABLE.items() if sign in words), "")
            return f"the server can't be reached{where}: {why or words}"
        case _:
            return words


def _build(
    kind: type[errors.InterlockError], code: str, words: str, details: Iterable[PackedAny]
) -> errors.InterlockError:
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    failure = error_details_pb2.PreconditionFailure()
    retry = error_details_pb2.RetryInfo()
    row = requirement_pb2.UnmetRequirement()
    reason, wait = code, None
    fields: list[errors.FieldViolation] = []
    unmet: list[errors.Unmet] = []
    violations: list[errors.Unmet] = []
    for detail in details:
        if detail.Unpack(info) and info.domain == DOMAIN:
            reason = info.reason
        elif detail.Unpack(bad):
            fields += [errors.FieldViolation(item.field, item.description) for item in bad.field_violations]
        elif detail.Unpack(row):
            unmet.append(unmet_of(row))
        elif detail.Unpack(failure):
            violations += [
                errors.Unmet(code=item.type, requirement=item.description, resource=item.subject)
                for item in failure.violations
            ]
        elif detail.Unpack(retry):
            wait = retry.retry_delay.ToTimedelta().total_seconds()
    # The standard form says the same in one sentence each: of use only where our own messages are not there, or cut.
    known = {item.code for item in unmet}
    unmet += [item for item in violations if not unmet or item.code not in known]
    return kind(words, reason=reason, unmet=tuple(unmet), fields=tuple(fields), retry_after_seconds=wait)


def unmet_of(row: requirement_pb2.UnmetRequirement) -> errors.Unmet:
    """Return the value that a message of one unmet requirement stands for."""
    return errors.Unmet(row.code, row.requirement, row.actual, row.resource, row.trigger, row.rule)


def _details(metadata: Iterable[tuple[str, str | bytes]]) -> tuple[PackedAny, ...]:
    for key, value in metadata:
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return tuple(status_pb2.Status.FromString(value).details)
            except DecodeError:
                return ()
    return ()
