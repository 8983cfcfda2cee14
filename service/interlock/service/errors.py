"""Why the service says no: every fault that a method may raise, typed, with what the caller is told.

What lives here: the types. Which status each becomes is ``api/status.py``; what is logged besides is up to who
raises. They are never changed once made, yet no frozen dataclasses: a frozen exception breaks in
``contextlib``, which writes ``__traceback__`` by assignment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interlock.statemachine.unmet import Refused


class ServiceError(Exception):
    """Anything that a method may raise on purpose. What is none of these is a bug: INTERNAL."""


@dataclass(eq=False)
class Refusal(ServiceError):  # noqa: N818  # a refusal is an answer, not an error of anybody
    """The state machine said no; everything unmet is in ``refused``."""

    refused: Refused


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field of a request, as a path, and what is wrong with it."""

    field: str
    message: str


@dataclass(eq=False)
class InvalidRequest(ServiceError):  # noqa: N818  # same
    """Fields of the request break the contract's own rules; all of them are listed."""

    violations: tuple[FieldViolation, ...]


@dataclass(eq=False)
class Invalid(ServiceError):  # noqa: N818  # same
    """A field of the request is malformed in a way that only its method knows."""

    field: str
    message: str


@dataclass(eq=False)
class NotFound(ServiceError):  # noqa: N818  # same
    """There is no such resource, or none that the caller may see."""

    resource: str


@dataclass(eq=False)
class EtagMismatch(ServiceError):  # noqa: N818  # same
    """The etag sent names another revision than ``current``."""

    resource: str
    current: str


@dataclass(eq=False)
class RequestIdReused(ServiceError):  # noqa: N818  # same
    """The request id was used for another request."""


@dataclass(eq=False)
class Unauthenticated(ServiceError):  # noqa: N818  # same
    """No valid session, or a login that opens none. It never says which part was wrong."""

    at_login: bool = False


@dataclass(eq=False)
class NotAllowed(ServiceError):  # noqa: N818  # same
    """The caller lacks a right (on ``resource``, where that says more)."""

    right: str
    resource: str = ""


@dataclass(eq=False)
class LimitExceeded(ServiceError):  # noqa: N818  # same
    """A limit was reached; ``limit`` says which, in words."""

    limit: str


@dataclass(eq=False)
class DigestMismatch(ServiceError):  # noqa: N818  # same
    """Bytes do not have the digest or the size that they should have; ``what`` says which bytes."""

    what: str


@dataclass(eq=False)
class StoreUnavailable(ServiceError):  # noqa: N818  # same
    """The store can't be reached or written; nothing was acknowledged. ``detail`` is for the log only."""

    detail: str = ""


@dataclass(eq=False)
class ClockBehind(ServiceError):  # noqa: N818  # same
    """The clock is behind the log, or jumped: only tightening is written until that is settled."""


@dataclass(eq=False)
class LedgerUnhealthy(ServiceError):  # noqa: N818  # same
    """The ledger does not agree with itself or with its high-water mark; ``code`` says which."""

    code: str = "LEDGER"
    """``LEDGER`` or ``LOG_ROLLED_BACK``."""


@dataclass(eq=False)
class PositionNotReached(ServiceError):  # noqa: N818  # same
    """The caller asked for an answer that includes an entry which this server does not have yet."""

    position: int
    head: int


@dataclass(eq=False)
class SlowConsumer(ServiceError):  # noqa: N818  # same
    """A stream's reader did not take a message in time. Nothing is lost: it goes on after the last one it has."""


@dataclass(eq=False)
class ShuttingDown(ServiceError):  # noqa: N818  # same
    """The server stops and takes no new work."""


Known = (
    Refusal
    | InvalidRequest
    | Invalid
    | NotFound
    | EtagMismatch
    | RequestIdReused
    | Unauthenticated
    | NotAllowed
    | LimitExceeded
    | DigestMismatch
    | StoreUnavailable
    | ClockBehind
    | LedgerUnhealthy
    | PositionNotReached
    | SlowConsumer
    | ShuttingDown
)
"""Every kind, for exhaustive matching; a test compares it with the subclasses of ServiceError."""
