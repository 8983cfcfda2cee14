"""From a typed error to ``google.rpc.Status`` (AIP-193): the one table of codes, reasons and details.

A status never says more than its error does, and no error carries a stack or a resource that the caller may
not see. Each unmet requirement goes out twice: as a violation that any client can show, and as
``UnmetRequirement``, from which our clients rebuild it exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, assert_never, cast

from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from interlock.service.errors import (
    ClockBehind,
    DigestMismatch,
    EtagMismatch,
    FieldViolation,
    Invalid,
    InvalidRequest,
    Known,
    LedgerUnhealthy,
    LimitExceeded,
    NotAllowed,
    NotFound,
    PositionNotReached,
    Refusal,
    RequestIdReused,
    ServiceError,
    ShuttingDown,
    SlowConsumer,
    StoreUnavailable,
    Unauthenticated,
)
from interlock.statemachine.unmet import RefusalKind, Refused, Unmet
from interlock.v1 import requirement_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

DOMAIN: Final = "interlock"
_REASON_PREFIX: Final = "ERROR_REASON_"
_RETRY_SECONDS: Final = 1

# Details travel in HTTP/2 trailers. Our clients take 1 MiB of them; this leaves room for base64 and the rest.
MAX_DETAIL_BYTES: Final = 512 * 1024


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one error becomes; ``retry_seconds`` is None where a retry can't help."""

    code: int
    reason: requirement_pb2.ErrorReason.ValueType
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[tuple[str, str], ...] = ()
    unmet: tuple[Unmet, ...] = ()
    retry_seconds: int | None = None


def status_of(error: ServiceError) -> status_pb2.Status:
    """Return the status that a caller gets for an error."""
    return _built(_answer_to(cast("Known", error)))


def internal() -> status_pb2.Status:
    """Return the status for a fault of ours: no detail, the log has it."""
    answer = _Answer(
        code_pb2.INTERNAL, requirement_pb2.ERROR_REASON_INTERNAL, "a fault of the server; its log says more"
    )
    return _built(answer)


def codes_of(error: ServiceError) -> tuple[str, ...]:
    """Return what was unmet as codes, sorted: what a refused attempt is recorded with."""
    answer = _answer_to(cast("Known", error))
    if answer.unmet:
        return tuple(sorted({unmet.code for unmet in answer.unmet}))
    return (_reason_name(answer.reason),)


def unmet_message(unmet: Unmet) -> requirement_pb2.UnmetRequirement:
    """Return the message of one unmet requirement."""
    return requirement_pb2.UnmetRequirement(
        rule=unmet.rule,
        code=unmet.code,
        requirement=unmet.requirement,
        actual=unmet.actual,
        resource=unmet.resource,
        trigger=unmet.trigger,
    )


def _answer_to(error: Known) -> _Answer:
    match error:
        case Refusal():
            return _refusal(error.refused)
        case InvalidRequest():
            return _invalid(error.violations)
        case Invalid():
            return _invalid((FieldViolation(error.field, error.message),))
        case NotFound() | EtagMismatch() | NotAllowed():
            return _about_a_resource(error)
        case RequestIdReused():
            return _Answer(
                code_pb2.INVALID_ARGUMENT,
                requirement_pb2.ERROR_REASON_REQUEST_ID_REUSED,
                "the request id was used for another request",
                violations=(("request_id", "was used for another request"),),
            )
        case Unauthenticated():
            return _Answer(
                code_pb2.UNAUTHENTICATED,
                requirement_pb2.ERROR_REASON_UNAUTHENTICATED,
                "this login opens no session; only the server's log says why"
                if error.at_login
                else "a valid session is needed",
            )
        case LimitExceeded():
            return _Answer(
                code_pb2.RESOURCE_EXHAUSTED,
                requirement_pb2.ERROR_REASON_LIMIT_EXCEEDED,
                f"a limit was reached: {error.limit}",
            )
        case SlowConsumer():
            return _Answer(
                code_pb2.RESOURCE_EXHAUSTED,
                requirement_pb2.ERROR_REASON_SLOW_CONSUMER,
                "the stream was read too slowly; go on after the last message received",
            )
        case DigestMismatch():
            return _Answer(
                code_pb2.DATA_LOSS,
                requirement_pb2.ERROR_REASON_DIGEST_MISMATCH,
                f"{error.what}: the bytes do not have the digest or the size that they should have",
            )
        case StoreUnavailable() | ClockBehind() | LedgerUnhealthy() | PositionNotReached() | ShuttingDown():
            return _unavailable(error)
        case _:
            assert_never(error)


def _invalid(violations: tuple[FieldViolation, ...]) -> _Answer:
    first = violations[0]
    more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
    return _Answer(
        code_pb2.INVALID_ARGUMENT,
        requirement_pb2.ERROR_REASON_INVALID_FIELD,
        (f"{first.field}: {first.message}" if first.field else first.message) + more,
        violations=tuple((row.field, row.message) for row in violations),
    )


def _about_a_resource(error: NotFound | EtagMismatch | NotAllowed) -> _Answer:
    match error:
        case NotFound():
            return _Answer(
                code_pb2.NOT_FOUND,
                requirement_pb2.ERROR_REASON_NOT_FOUND,
                f"{error.resource} does not exist",
                {"resource": error.resource},
            )
        case EtagMismatch():
            return _Answer(
                code_pb2.ABORTED,
                requirement_pb2.ERROR_REASON_ETAG_MISMATCH,
                f"{error.resource} has changed since that etag was read",
                {"resource": error.resource, "etag": error.current},
                retry_seconds=0,
            )
        case NotAllowed():
            return _Answer(
                code_pb2.PERMISSION_DENIED,
                requirement_pb2.ERROR_REASON_NOT_ALLOWED,
                f"this takes the right {error.right}"
                + (f" on {error.resource}" if error.resource else "")
                + ", which no role of the caller gives",
                {"right": error.right} | ({"resource": error.resource} if error.resource else {}),
            )
        case _:
            assert_never(error)


def _unavailable(
    error: StoreUnavailable | ClockBehind | LedgerUnhealthy | PositionNotReached | ShuttingDown,
) -> _Answer:
    """Whatever a later try, or another server, may answer."""
    metadata: dict[str, str] = {}
    match error:
        case StoreUnavailable():
            reason, message = (
                requirement_pb2.ERROR_REASON_STORE_UNAVAILABLE,
                "the store can't be reached or written",
            )
        case ClockBehind():
            reason = requirement_pb2.ERROR_REASON_CLOCK
            message = "the server's clock is behind its log or has jumped; only tightening is accepted"
        case LedgerUnhealthy():
            reason, metadata = requirement_pb2.ERROR_REASON_LEDGER, {"code": error.code}
            what = (
                "the log is behind what it was" if error.code == "LOG_ROLLED_BACK" else "the log is at odds with itself"
            )
            message = f"{what} ({error.code}); the gate denies, and nothing is accepted"
        case PositionNotReached():
            reason = requirement_pb2.ERROR_REASON_POSITION_NOT_REACHED
            metadata = {"position": str(error.position), "head": str(error.head)}
            message = f"position {error.position} is not reached; the log's head is {error.head}"
        case ShuttingDown():
            reason, message = requirement_pb2.ERROR_REASON_SHUTTING_DOWN, "the server stops"
        case _:
            assert_never(error)
    return _Answer(code_pb2.UNAVAILABLE, reason, message, metadata, retry_seconds=_RETRY_SECONDS)


def _refusal(refused: Refused) -> _Answer:
    retry: int | None = None
    match refused.kind:
        case RefusalKind.INVALID:
            code, reason = code_pb2.INVALID_ARGUMENT, requirement_pb2.ERROR_REASON_INVALID_FIELD
        case RefusalKind.NOT_FOUND:
            code, reason = code_pb2.NOT_FOUND, requirement_pb2.ERROR_REASON_NOT_FOUND
        case RefusalKind.ALREADY_EXISTS:
            code, reason = code_pb2.ALREADY_EXISTS, requirement_pb2.ERROR_REASON_ALREADY_EXISTS
        case RefusalKind.UNMET:
            code, reason = code_pb2.FAILED_PRECONDITION, requirement_pb2.ERROR_REASON_REQUIREMENTS_UNMET
        case RefusalKind.STALE:
            code, reason, retry = code_pb2.ABORTED, requirement_pb2.ERROR_REASON_STALE_BASE, 0
        case RefusalKind.NOT_ALLOWED:
            code, reason = code_pb2.PERMISSION_DENIED, requirement_pb2.ERROR_REASON_NOT_ALLOWED
        case RefusalKind.SIGN_OFF_INVALID:
            code, reason = code_pb2.FAILED_PRECONDITION, requirement_pb2.ERROR_REASON_SIGN_OFF_INVALID
        case _:
            assert_never(refused.kind)
    first = refused.unmet[0]
    more = f" (and {len(refused.unmet) - 1} more)" if len(refused.unmet) > 1 else ""
    violations = tuple((u.resource, _sentence(u)) for u in refused.unmet) if code == code_pb2.INVALID_ARGUMENT else ()
    metadata = {"resource": first.resource} if first.resource else {}
    return _Answer(code, reason, f"{first.code}: {_sentence(first)}{more}", metadata, violations, refused.unmet, retry)


def _sentence(unmet: Unmet) -> str:
    """A requirement as one line: what is asked, what is there, for which trigger."""
    where = f" [{unmet.trigger}]" if unmet.trigger else ""
    return f"needs {unmet.requirement}; is: {unmet.actual}{where}"


def _reason_name(reason: requirement_pb2.ErrorReason.ValueType) -> str:
    return requirement_pb2.ErrorReason.Name(reason).removeprefix(_REASON_PREFIX)


def _built(answer: _Answer) -> status_pb2.Status:
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=_reason_name(answer.reason), domain=DOMAIN, metadata=dict(answer.metadata))
    ]
    if answer.violations:
        bad_request = error_details_pb2.BadRequest()
        for name, description in answer.violations:
            bad_request.field_violations.add(field=name, description=description)
        details.append(bad_request)
    if answer.retry_seconds is not None:
        delay = duration_pb2.Duration(seconds=answer.retry_seconds)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    details += _requirements(answer.unmet)
    status = status_pb2.Status(code=answer.code, message=answer.message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _requirements(unmet: tuple[Unmet, ...]) -> list[Message]:
    """Both forms of what is unmet, as many as fit; a cut list says at its end how many are missing."""
    if not unmet:
        return []
    failure = error_details_pb2.PreconditionFailure()
    rows: list[Message] = []
    room = MAX_DETAIL_BYTES
    for index, requirement in enumerate(unmet):
        row = unmet_message(requirement)
        description = _sentence(requirement)
        # Each text goes out twice, with a few dozen bytes of framing.
        room -= 2 * row.ByteSize() + 128
        if room < 0:
            missing = len(unmet) - index
            failure.violations.add(type="CUT", description=f"{missing} more do not fit; ask for a preview")
            break
        failure.violations.add(type=requirement.code, subject=requirement.resource, description=description)
        rows.append(row)
    return [failure, *rows]
