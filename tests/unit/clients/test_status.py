"""google.rpc.Status becomes exceptions that name what is unmet."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from interlock.client import errors
from interlock.client.status import _KINDS, error_from
from interlock.service.api.status import status_of
from interlock.service.errors import Refusal
from interlock.statemachine.unmet import Code, RefusalKind, Refused
from interlock.statemachine.unmet import Unmet as ServerUnmet
from interlock.v1 import requirement_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

CODES = MappingProxyType({code.value[0]: code for code in grpc.StatusCode})


class Failed(grpc.RpcError, grpc.Call):
    """A failed call, as grpc raises it."""

    def __init__(self, status: status_pb2.Status, *, details: bytes | None = None) -> None:
        super().__init__()
        self._status = status
        self._details = status.SerializeToString() if details is None else details

    def code(self) -> grpc.StatusCode:
        """Return the status code."""
        return CODES[self._status.code]

    def details(self) -> str:
        """Return the message."""
        return self._status.message

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...]:  # type: ignore[override]  # the stubs disagree
        """Return the trailers, the details among others."""
        return (("x-other", "1"), ("grpc-status-details-bin", self._details))

    def initial_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Return no metadata."""
        return ()

    def is_active(self) -> bool:
        """Say that the call has ended."""
        return False

    def time_remaining(self) -> float:
        """Return that no time is left."""
        return 0.0

    def cancel(self) -> bool:
        """Say that there is nothing to cancel."""
        return False

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Say that the callback will not be called."""
        return callback is None


def _status(code: int, *details: Message) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message="no")
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def test_every_status_code_but_ok_has_an_exception() -> None:
    """No code of grpc falls through to a default."""
    assert set(_KINDS) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (code_pb2.FAILED_PRECONDITION, errors.RefusedError),
        (code_pb2.ABORTED, errors.StaleError),
        (code_pb2.ALREADY_EXISTS, errors.AlreadyExistsError),
        (code_pb2.NOT_FOUND, errors.NotFoundError),
        (code_pb2.PERMISSION_DENIED, errors.NotAllowedError),
        (code_pb2.UNAUTHENTICATED, errors.UnauthenticatedError),
        (code_pb2.INVALID_ARGUMENT, errors.InvalidRequestError),
        (code_pb2.RESOURCE_EXHAUSTED, errors.LimitError),
        (code_pb2.UNAVAILABLE, errors.UnavailableError),
        (code_pb2.DEADLINE_EXCEEDED, errors.DeadlineError),
        (code_pb2.DATA_LOSS, errors.DataLossError),
        (code_pb2.INTERNAL, errors.ServerFaultError),
    ],
)
def test_a_code_gives_its_exception(code: int, kind: type[errors.InterlockError]) -> None:
    """Each status code becomes the exception class that callers branch on."""
    error = error_from(Failed(_status(code)))

    assert type(error) is kind
    assert error.reason == CODES[code].name


def test_what_the_server_lists_arrives_whole() -> None:
    """The server's own refusal comes out with every part of every requirement, once."""
    rows = (
        ServerUnmet(Code.EVIDENCE_MISSING, "a report", "none", "models/a/levels/d", "level.raise", 0),
        ServerUnmet(Code.SIGN_OFF_MISSING, "rso", "not signed", "models/a/levels/d", "level.raise", 0),
        ServerUnmet(Code.SIGN_OFF_MISSING, "ceo", "not signed", "models/a/levels/d", "level.raise", 5),
    )

    error = error_from(Failed(status_of(Refusal(Refused(RefusalKind.UNMET, rows)))))

    assert isinstance(error, errors.RefusedError)
    assert error.reason == "REQUIREMENTS_UNMET"
    assert [(u.code, u.requirement, u.actual, u.resource, u.trigger, u.rule) for u in error.unmet] == [
        (r.code, r.requirement, r.actual, r.resource, r.trigger, r.rule) for r in rows
    ]


def test_the_standard_form_alone_is_read_as_well() -> None:
    """Where only google.rpc.PreconditionFailure comes, its violations are what is unmet."""
    failure = error_details_pb2.PreconditionFailure()
    failure.violations.add(type="HOLD_PLACED", subject="holds/1", description="a hold is placed")

    error = error_from(Failed(_status(code_pb2.FAILED_PRECONDITION, failure)))

    assert [(row.code, row.resource, row.requirement) for row in error.unmet] == [
        ("HOLD_PLACED", "holds/1", "a hold is placed")
    ]


def test_a_list_that_was_cut_says_so() -> None:
    """A server that could not send every requirement adds a violation of its own, which is kept."""
    failure = error_details_pb2.PreconditionFailure()
    failure.violations.add(type="HOLD_PLACED", subject="holds/1", description="a hold is placed")
    failure.violations.add(type="CUT", description="7 more")
    row = requirement_pb2.UnmetRequirement(code="HOLD_PLACED", resource="holds/1")

    error = error_from(Failed(_status(code_pb2.FAILED_PRECONDITION, failure, row)))

    assert error.codes == ("HOLD_PLACED", "CUT")


def test_fields_and_the_wish_to_wait_are_read() -> None:
    """Field violations and the pause that the server asks for come out as values."""
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="name", description="no such form")
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(1500)

    error = error_from(Failed(_status(code_pb2.INVALID_ARGUMENT, bad, retry)))

    assert error.fields == (errors.FieldViolation("name", "no such form"),)
    assert error.retry_after_seconds == 1.5


def test_a_reason_of_another_domain_is_not_ours() -> None:
    """ErrorInfo of somebody else, such as a proxy, does not set our reason."""
    info = error_details_pb2.ErrorInfo(reason="HOLD_PLACED", domain="example.com")

    assert error_from(Failed(_status(code_pb2.UNAVAILABLE, info))).reason == "UNAVAILABLE"


def test_details_that_are_no_status_are_left_out() -> None:
    """Random bytes where the details should be leave code and message."""
    error = error_from(Failed(_status(code_pb2.NOT_FOUND), details=b"\xff\xff\xff"))

    assert isinstance(error, errors.NotFoundError)
    assert error.message == "no"


def test_an_error_without_a_call_is_a_fault() -> None:
    """Something that grpc raises without a status says nothing about the state: a fault."""
    assert isinstance(error_from(grpc.RpcError("?")), errors.ServerFaultError)


@pytest.mark.parametrize(
    ("code", "text", "told"),
    [
        (
            grpc.StatusCode.UNAVAILABLE,
            (
                "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to connect to "
                "remote host: Connection refused"
            ),
            "the server can't be reached at 127.0.0.1:1: nothing listens there",
        ),
        (
            grpc.StatusCode.UNAVAILABLE,
            (
                "errors resolving gate.invalid:7443: [field:hostname lookup error:address lookup failed for "
                "gate.invalid:7443: Domain name not found]"
            ),
            "the server can't be reached at gate.invalid:7443: nobody knows this name",
        ),
        (
            grpc.StatusCode.UNAVAILABLE,
            (
                "failed to connect to all addresses; last error: UNKNOWN: ipv6:%5B::1%5D:7443: Tls handshake failed "
                "(TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:100000f7"
            ),
            "the server can't be reached at [::1]:7443: what listens there does not speak the server's TLS",
        ),
        (grpc.StatusCode.UNAVAILABLE, "a proxy's own words", "the server can't be reached: a proxy's own words"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", "no answer came within the time given"),
        (
            grpc.StatusCode.UNIMPLEMENTED,
            "Method not found!",
            "the server does not know this call: it is of another version",
        ),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "quota", "quota"),
    ],
)
def test_what_grpc_says_by_itself_is_told_in_words(code: grpc.StatusCode, text: str, told: str) -> None:
    """Whoever typed the command need not know gRPC; what it says and nobody foresaw is kept."""
    status = status_pb2.Status(code=code.value[0], message=text)

    assert error_from(Failed(status, details=b"")).message == told


def test_the_words_of_our_server_stay() -> None:
    """A status with details is told as it is."""
    error = error_from(
        Failed(_status(code_pb2.UNAVAILABLE, error_details_pb2.ErrorInfo(domain="interlock", reason="CLOCK")))
    )

    assert (error.reason, error.message) == ("CLOCK", "no")
