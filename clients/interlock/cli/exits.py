"""Exit codes: one table, so that a pipeline can tell a no from a failure. No failure of any kind ends in 0.

| code | meaning                                                                          |
|------|----------------------------------------------------------------------------------|
| 0    | yes, or done                                                                     |
| 1    | the answer is no: the gate denies, the log or a proof does not verify            |
| 2    | usage: a word on the command line, a file or a profile that can't be used        |
| 3    | refused: a requirement is unmet, the base has moved, it exists already or not    |
| 4    | not allowed: the right or the session is missing                                 |
| 5    | the server, the network or the log can't be relied on                            |
| 130  | interrupted by Ctrl-C, a watch too, whatever it had printed; not `serve`: 0      |
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from interlock.client import errors

if TYPE_CHECKING:
    from collections.abc import Mapping


class ExitCode(IntEnum):
    """How a command ends."""

    DONE = 0
    NO = 1
    USAGE = 2
    REFUSED = 3
    NOT_ALLOWED = 4
    UNAVAILABLE = 5
    INTERRUPTED = 130


EXIT_CODES: Final[Mapping[type[errors.InterlockError], ExitCode]] = MappingProxyType(
    {
        errors.InterlockError: ExitCode.UNAVAILABLE,
        errors.InvalidRequestError: ExitCode.USAGE,
        errors.ProfileError: ExitCode.USAGE,
        errors.RefusedError: ExitCode.REFUSED,
        errors.StaleError: ExitCode.REFUSED,
        errors.AlreadyExistsError: ExitCode.REFUSED,
        errors.NotFoundError: ExitCode.REFUSED,
        errors.NotAllowedError: ExitCode.NOT_ALLOWED,
        errors.UnauthenticatedError: ExitCode.NOT_ALLOWED,
        errors.LimitError: ExitCode.UNAVAILABLE,
        errors.UnavailableError: ExitCode.UNAVAILABLE,
        errors.DeadlineError: ExitCode.UNAVAILABLE,
        errors.ServerFaultError: ExitCode.UNAVAILABLE,
        errors.DataLossError: ExitCode.UNAVAILABLE,
        errors.PagesError: ExitCode.UNAVAILABLE,
        errors.ContentError: ExitCode.UNAVAILABLE,
        errors.RollbackError: ExitCode.UNAVAILABLE,
        errors.ForkError: ExitCode.NO,
        errors.UnprovenError: ExitCode.NO,
    }
)
"""Every error of the client; a test checks that none is missing."""


def exit_code_of(error: errors.InterlockError) -> ExitCode:
    """Return how a command ends that failed with ``error``."""
    return EXIT_CODES[type(error)]
