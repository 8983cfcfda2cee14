"""Delegation: what a delegator signs, and when a delegation stands (identity design, "Authority").

A delegation hands no power on that its delegator can't use alone: on a change where it is used, delegator and delegate
are one person. Lives here: the statement, and whether one counts at an instant. Giving and ending one is
``machines/delegation.py``'s business, counting sign-offs ``signing.py``'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from interlock.statemachine import resources as r
from interlock.statemachine.statements import (
    DIGEST_CHARS,
    NONCE_CHARS,
    StatementError,
    check_values,
    envelope_of,
    exactly,
    is_hex,
    open_payload,
    raw_envelope,
)
from interlock.statemachine.unmet import Code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.state import State

DELEGATION_TYPE: Final = "urn:interlock:delegation:v1"
_SUBJECT: Final = "log"
_FEW: Final = 8


@dataclass(frozen=True, slots=True)
class DelegationStatement:
    """What a delegator signs. ``genesis_sha256`` says in which log; instants are microseconds, ``start`` 0: at once."""

    genesis_sha256: str
    delegator: str
    delegate: str
    role: str
    start: int
    until: int
    nonce: str


def build_delegation(statement: DelegationStatement) -> bytes:
    """Return the payload to sign, in canonical JSON."""
    predicate: dict[str, object] = {
        "delegator": statement.delegator,
        "delegate": statement.delegate,
        "role": statement.role,
        "notBefore": statement.start,
        "notAfter": statement.until,
        "nonce": statement.nonce,
    }
    return envelope_of(_SUBJECT, statement.genesis_sha256, DELEGATION_TYPE, predicate)


@lru_cache(maxsize=_FEW)
def parse_delegation(payload: bytes) -> DelegationStatement:
    """Return what a delegation says. Raises StatementError unless it is exactly of the form built here."""
    name, sha256, predicate = open_payload(payload, DELEGATION_TYPE)
    shape = {"delegator": str, "delegate": str, "role": str, "notBefore": int, "notAfter": int, "nonce": str}
    exactly(predicate, shape, "the predicate")
    if name != _SUBJECT:
        msg = f"the statement's subject is {name!r} and not the log"
        raise StatementError(msg)
    statement = DelegationStatement(
        sha256,
        predicate["delegator"],
        predicate["delegate"],
        predicate["role"],
        predicate["notBefore"],
        predicate["notAfter"],
        predicate["nonce"],
    )
    check_values(
        (
            (is_hex(sha256, DIGEST_CHARS), "subject digest"),
            (statement.start >= 0, "notBefore"),
            (statement.until > statement.start, "notAfter (after notBefore)"),
            (is_hex(statement.nonce, NONCE_CHARS), "nonce (32 hex characters)"),
        )
    )
    return statement


def claimed_delegation(envelope: bytes) -> DelegationStatement:
    """Return the delegation in an envelope, whoever signed it. Raises RefusedError, StatementError."""
    return parse_delegation(raw_envelope(envelope).payload)


def fault_of(state: State, delegation: r.Delegation, instant: int) -> Code | None:
    """Return why a delegation does not stand at ``instant`` (microseconds), or None where it does.

    Whether its delegator still holds the role is asked where the role is used, for that depends on the model.
    """
    if not delegation.holds_at(instant):
        return Code.DELEGATION_ENDED
    delegator = state.find(delegation.delegator, r.Principal)
    if delegator is None or delegator.state != "active":
        return Code.PRINCIPAL_INACTIVE
    key = delegator.credential(delegation.credential)
    if key is None or (key.compromised_since is not None and key.compromised_since <= delegation.given_at):
        return Code.CREDENTIAL_COMPROMISED
    return None


def standing(
    state: State, delegate: str, delegator: str, instant: int, before: int | None = None
) -> Iterator[r.Delegation]:
    """Yield the delegations by which ``delegate`` acts for ``delegator`` at ``instant``.

    ``before`` leaves out those that were given at that position or later: a new one revives no old sign-off.
    """
    for delegation in state.delegations_to(delegate):
        early = before is None or delegation.given_position < before
        if delegation.delegator == delegator and early and fault_of(state, delegation, instant) is None:
            yield delegation


def delegators_of(state: State, delegate: str, instant: int) -> tuple[str, ...]:
    """Return everybody for whom ``delegate`` may act in some role at ``instant``, sorted."""
    rows = state.delegations_to(delegate)
    return tuple(sorted({row.delegator for row in rows if fault_of(state, row, instant) is None}))
