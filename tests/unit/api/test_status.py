"""Every typed error has its status: code, reason and details (API design, "Errors")."""

from __future__ import annotations

from typing import TypeVar, get_args

import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from interlock.service import errors
from interlock.service.api import status
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet
from interlock.v1 import requirement_pb2

M = TypeVar("M", bound=Message)

UNMET = Unmet(Code.SIGN_OFF_MISSING, "a sign-off by rso", "none", "models/aurora", "safeguard.activate", 0)


def details(answer: status_pb2.Status, kind: type[M]) -> list[M]:
    """Return the details of one type, in order."""
    found = []
    for packed in answer.details:
        message = kind()
        if packed.Unpack(message):
            found.append(message)
    return found


def reason(answer: status_pb2.Status) -> str:
    """Return the reason of the one ErrorInfo."""
    (info,) = details(answer, error_details_pb2.ErrorInfo)
    assert info.domain == "interlock"
    return info.reason


EVERY_ERROR = [
    (errors.Refusal(Refused(RefusalKind.UNMET, (UNMET,))), code_pb2.FAILED_PRECONDITION, "REQUIREMENTS_UNMET"),
    (errors.InvalidRequest((errors.FieldViolation("a", "no"),)), code_pb2.INVALID_ARGUMENT, "INVALID_FIELD"),
    (errors.Invalid("name", "is no name"), code_pb2.INVALID_ARGUMENT, "INVALID_FIELD"),
    (errors.NotFound("models/x"), code_pb2.NOT_FOUND, "NOT_FOUND"),
    (errors.EtagMismatch("changes/1", "2-ab"), code_pb2.ABORTED, "ETAG_MISMATCH"),
    (errors.RequestIdReused(), code_pb2.INVALID_ARGUMENT, "REQUEST_ID_REUSED"),
    (errors.Unauthenticated(), code_pb2.UNAUTHENTICATED, "UNAUTHENTICATED"),
    (errors.NotAllowed("hold.place", "models/x"), code_pb2.PERMISSION_DENIED, "NOT_ALLOWED"),
    (errors.LimitExceeded("200 attachments a change"), code_pb2.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"),
    (errors.DigestMismatch("the upload"), code_pb2.DATA_LOSS, "DIGEST_MISMATCH"),
    (errors.StoreUnavailable("disk full"), code_pb2.UNAVAILABLE, "STORE_UNAVAILABLE"),
    (errors.ClockBehind(), code_pb2.UNAVAILABLE, "CLOCK"),
    (errors.LedgerUnhealthy("LOG_ROLLED_BACK"), code_pb2.UNAVAILABLE, "LEDGER"),
    (errors.PositionNotReached(9, 7), code_pb2.UNAVAILABLE, "POSITION_NOT_REACHED"),
    (errors.SlowConsumer(), code_pb2.RESOURCE_EXHAUSTED, "SLOW_CONSUMER"),
    (errors.ShuttingDown(), code_pb2.UNAVAILABLE, "SHUTTING_DOWN"),
]

EVERY_KIND = [
    (RefusalKind.INVALID, code_pb2.INVALID_ARGUMENT, "INVALID_FIELD"),
    (RefusalKind.NOT_FOUND, code_pb2.NOT_FOUND, "NOT_FOUND"),
    (RefusalKind.ALREADY_EXISTS, code_pb2.ALREADY_EXISTS, "ALREADY_EXISTS"),
    (RefusalKind.UNMET, code_pb2.FAILED_PRECONDITION, "REQUIREMENTS_UNMET"),
    (RefusalKind.STALE, code_pb2.ABORTED, "STALE_BASE"),
    (RefusalKind.NOT_ALLOWED, code_pb2.PERMISSION_DENIED, "NOT_ALLOWED"),
    (RefusalKind.SIGN_OFF_INVALID, code_pb2.FAILED_PRECONDITION, "SIGN_OFF_INVALID"),
]


@pytest.mark.parametrize(("error", "code", "word"), EVERY_ERROR, ids=lambda value: type(value).__name__)
def test_each_error_has_its_code_and_reason(error: errors.ServiceError, code: int, word: str) -> None:
    """Each typed error becomes one status code with one reason."""
    answer = status.status_of(error)

    assert (answer.code, reason(answer)) == (code, word)


def test_no_error_was_forgotten() -> None:
    """The union that is matched exhaustively holds every subclass, and this file plays every one."""
    kinds = set(errors.ServiceError.__subclasses__())

    assert set(get_args(errors.Known)) == kinds
    assert {type(error) for error, _, _ in EVERY_ERROR} == kinds


@pytest.mark.parametrize(("kind", "code", "word"), EVERY_KIND)
def test_each_kind_of_refusal_has_its_code_and_reason(kind: RefusalKind, code: int, word: str) -> None:
    """Each kind of refusal becomes one status code with one reason."""
    answer = status.status_of(errors.Refusal(Refused(kind, (UNMET,))))

    assert (answer.code, reason(answer)) == (code, word)


def test_every_kind_of_refusal_is_played() -> None:
    """No kind of refusal is left out above."""
    assert {kind for kind, _, _ in EVERY_KIND} == set(RefusalKind)


def test_reasons_are_those_of_the_contract() -> None:
    """Every reason but the one never sent and INTERNAL stands for some error or kind."""
    words = {word for _, _, word in EVERY_ERROR} | {word for _, _, word in EVERY_KIND}

    declared = {name.removeprefix("ERROR_REASON_") for name in requirement_pb2.ErrorReason.keys()}  # noqa: SIM118
    assert words == declared - {"UNSPECIFIED", "INTERNAL"}


def test_unmet_requirements_can_be_rebuilt() -> None:
    """A client gets every unmet requirement back as it was, in order."""
    other = Unmet(Code.LEVEL_TOO_LOW, "deployment 3", "2", "models/aurora/levels/deployment", rule=5)

    answer = status.status_of(errors.Refusal(Refused(RefusalKind.UNMET, (UNMET, other))))

    rows = details(answer, requirement_pb2.UnmetRequirement)
    assert rows == [status.unmet_message(UNMET), status.unmet_message(other)]


def test_each_unmet_requirement_is_a_violation() -> None:
    """A client that knows no Interlock still gets code, subject and both sides of each requirement."""
    answer = status.status_of(errors.Refusal(Refused(RefusalKind.UNMET, (UNMET,))))

    (failure,) = details(answer, error_details_pb2.PreconditionFailure)
    (violation,) = failure.violations
    assert (violation.type, violation.subject) == ("SIGN_OFF_MISSING", "models/aurora")
    for part in ("a sign-off by rso", "none", "safeguard.activate"):
        assert part in violation.description


def test_field_violations_are_listed() -> None:
    """Every malformed field is named at once."""
    answer = status.status_of(errors.InvalidRequest((errors.FieldViolation("a", "no"), errors.FieldViolation("b", ""))))

    (bad,) = details(answer, error_details_pb2.BadRequest)
    assert [row.field for row in bad.field_violations] == ["a", "b"]


@pytest.mark.parametrize(("error", "code", "word"), EVERY_ERROR, ids=lambda value: type(value).__name__)
def test_only_what_a_retry_may_help_says_so(error: errors.ServiceError, code: int, word: str) -> None:
    """RetryInfo goes with UNAVAILABLE and ABORTED and with nothing else."""
    answer = status.status_of(error)

    assert bool(details(answer, error_details_pb2.RetryInfo)) == (code in {code_pb2.UNAVAILABLE, code_pb2.ABORTED})


def test_what_is_for_the_log_stays_in_the_log() -> None:
    """The detail of a store's fault is in no part of the answer."""
    answer = status.status_of(errors.StoreUnavailable("/var/lib/secret.db is full"))

    assert b"secret" not in answer.SerializeToString()


def test_an_endless_refusal_is_cut_and_says_so() -> None:
    """More requirements than fit into trailers are cut, with a violation that counts the rest."""
    many = (Unmet(Code.SIGN_OFF_MISSING, "x" * 1000, "none"),) * 2000

    answer = status.status_of(errors.Refusal(Refused(RefusalKind.UNMET, many)))

    (failure,) = details(answer, error_details_pb2.PreconditionFailure)
    assert answer.ByteSize() < status.MAX_DETAIL_BYTES + 4096
    assert failure.violations[-1].type == "CUT"


def test_codes_of_a_refusal_are_sorted_and_unique() -> None:
    """What a refused attempt is recorded with does not depend on the order of requirements."""
    other = Unmet(Code.LEVEL_TOO_LOW, "", "")

    codes = status.codes_of(errors.Refusal(Refused(RefusalKind.UNMET, (UNMET, other, UNMET))))

    assert codes == ("LEVEL_TOO_LOW", "SIGN_OFF_MISSING")


def test_codes_of_any_other_error_are_its_reason() -> None:
    """An error without requirements is recorded by its reason."""
    assert status.codes_of(errors.NotAllowed("hold.place")) == ("NOT_ALLOWED",)


def test_a_fault_of_ours_says_nothing() -> None:
    """INTERNAL carries its reason and no detail of the fault."""
    answer = status.internal()

    assert (answer.code, reason(answer)) == (code_pb2.INTERNAL, "INTERNAL")
    assert len(answer.details) == 1
