"""Why a call did not give what was asked, as exceptions that name what is unmet.

Lives here: the hierarchy and its values; nothing here imports grpc, so that a program can catch these before it pays
for the wire. Not here: how a google.rpc.Status becomes one of them (`status.py`), exit codes (the command line).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unmet:
    """One requirement that is not met: what is asked, what is there, where to look.

    ``rule`` is the number of the ALLOW rule, 0 outside the gate; ``trigger`` is set inside a change.
    """

    code: str
    requirement: str = ""
    actual: str = ""
    resource: str = ""
    trigger: str = ""
    rule: int = 0


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request that is malformed."""

    field: str
    description: str


class InterlockError(Exception):
    """Base of every error of the client. ``reason`` is a stable word for programs, the message is for people."""

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        unmet: tuple[Unmet, ...] = (),
        fields: tuple[FieldViolation, ...] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        """Keep the sentence and what programs branch on."""
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.unmet = unmet
        self.fields = fields
        self.retry_after_seconds = retry_after_seconds

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of what is unmet, in the order given."""
        return tuple(row.code for row in self.unmet)


class InvalidRequestError(InterlockError):
    """A field is malformed; ``fields`` says which (INVALID_ARGUMENT, OUT_OF_RANGE)."""


class RefusedError(InterlockError):
    """The state does not permit it; ``unmet`` lists everything that is missing (FAILED_PRECONDITION)."""


class StaleError(RefusedError):
    """What it was written against has moved, or the etag names another revision (ABORTED)."""


class AlreadyExistsError(RefusedError):
    """The name is taken, now or before (ALREADY_EXISTS)."""


class NotFoundError(RefusedError):
    """There is no such resource that the caller may see (NOT_FOUND)."""


class NotAllowedError(InterlockError):
    """The principal lacks the right (PERMISSION_DENIED)."""


class UnauthenticatedError(InterlockError):
    """No valid session, and a new login did not help (UNAUTHENTICATED)."""


class LimitError(InterlockError):
    """A limit of the server was reached (RESOURCE_EXHAUSTED)."""


class UnavailableError(InterlockError):
    """The server can't be reached or can't write now (UNAVAILABLE, CANCELLED)."""


class DeadlineError(UnavailableError):
    """No answer within the time given (DEADLINE_EXCEEDED). A mutation may have happened all the same."""


class ServerFaultError(InterlockError):
    """The server is at fault, or speaks another contract (INTERNAL, UNKNOWN, UNIMPLEMENTED)."""


class DataLossError(InterlockError):
    """Bytes do not have the digest that they should have (DATA_LOSS, or found here)."""


class PagesError(DataLossError):
    """Pages of a listing that go round, bring nothing, or do not end: what came is not the whole."""


class ContentError(DataLossError):
    """What the server gave to be read or signed is not what its digests say, or can't be shown in full."""


class RollbackError(DataLossError):
    """The log is shorter than, or differs from, what this profile has seen before."""


class ForkError(RollbackError):
    """Two signed heads of one log that disagree; ``notes`` are both as received, ``kept`` is the file that has them."""

    def __init__(self, message: str, *, notes: tuple[str, str], kept: str = "") -> None:
        """Keep the proof with the sentence."""
        super().__init__(message, reason="LOG_FORKED")
        self.notes = notes
        self.kept = kept


class UnprovenError(DataLossError):
    """A proof does not lead to the root that the log signed, or none is given."""


class ProfileError(InterlockError):
    """The profile, its keys or their passphrase can't be used."""


def rolled_back(error: UnavailableError) -> InterlockError:
    """Return what is wrong with a stream: a server that has no longer what it has shown was rolled back."""
    if error.reason != "POSITION_NOT_REACHED":
        return error
    return RollbackError(
        f"the server's log is shorter than what it has shown: it was rolled back ({error.message})",
        reason="LOG_ROLLED_BACK",
    )
