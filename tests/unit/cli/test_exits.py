"""Exit codes: one table, complete, and no failure in it ends in 0."""

from __future__ import annotations

import pytest

from interlock.cli.exits import EXIT_CODES, ExitCode, exit_code_of
from interlock.client import errors


def _classes(kind: type[errors.InterlockError]) -> set[type[errors.InterlockError]]:
    return {kind}.union(*(_classes(child) for child in kind.__subclasses__()))


def test_every_error_of_the_client_has_an_exit_code() -> None:
    """No error class is missing from the table."""
    assert set(EXIT_CODES) == _classes(errors.InterlockError)


def test_no_error_ends_in_done_or_in_an_answer() -> None:
    """A failure is neither a yes nor a no; that a log does not prove what it says is a no."""
    assert ExitCode.DONE not in EXIT_CODES.values()
    assert {kind for kind, code in EXIT_CODES.items() if code is ExitCode.NO} == {
        errors.ForkError,
        errors.UnprovenError,
    }


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.RefusedError, 3),
        (errors.StaleError, 3),
        (errors.NotFoundError, 3),
        (errors.AlreadyExistsError, 3),
        (errors.NotAllowedError, 4),
        (errors.UnauthenticatedError, 4),
        (errors.UnavailableError, 5),
        (errors.RollbackError, 5),
        (errors.InvalidRequestError, 2),
        (errors.ProfileError, 2),
    ],
)
def test_the_codes_are_those_of_the_contract(kind: type[errors.InterlockError], code: int) -> None:
    """Pipelines rely on these numbers."""
    assert exit_code_of(kind("no")) == code
