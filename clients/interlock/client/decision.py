"""Signed decisions, read here: is this file the gate's ALLOW for what is released, and where is it in the log?

Pure: no server, no clock, no files.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from interlock.client.errors import InvalidRequestError
from interlock.statemachine import decision

if TYPE_CHECKING:
    from interlock.statemachine.decision import Checked

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_MATTER: Final = frozenset({"DECISION_FAILED", "DECISION_EXPIRED", "DECISION_NOT_YET"})
"""Faults that keep a decision from allowing, and not from having been relied on."""


def verify_decision(
    data: bytes,
    *,
    key: bytes,
    log_id: str,
    context: str,
    artifact: str,
    now: datetime,
    model: str = "",
    policy_digest: str = "",
) -> Checked:
    """Judge a signed decision at ``now``; only ``.allowed`` of what comes back says yes.

    ``key`` is the log's decision key (raw Ed25519, 32 bytes), ``log_id``, ``artifact``, ``policy_digest`` lower-case
    hex; an empty ``model`` or ``policy_digest`` stands for any. Bad data gives faults and raises nothing; a ``now``
    without a time zone is a ValueError. What was tightened after ``.decision.position`` can't be known here.
    """
    if now.tzinfo is None:
        raise ValueError("a time without a time zone")
    expected = decision.Expected(key, log_id, context, artifact, model, policy_digest)
    return decision.check_decision(data, expected, (now - _EPOCH) // timedelta(microseconds=1))


def entry_of_decision(data: bytes, *, key: bytes, log_id: str, model: str, context: str, artifact: str) -> str:
    """Return the entry that records a signed decision, `entries/{seq}`, as its statement names it.

    That it is a DENY or has ended is no matter here. Raises InvalidRequestError for what is not signed by ``key``, and
    for what is about another log or release.
    """
    expected = decision.Expected(key, log_id, context, artifact, model)
    checked = decision.check_decision(data, expected, 0)
    faults = [fault for fault in checked.faults if fault.code not in _NO_MATTER]
    if checked.decision is None or faults:
        said = "; ".join(fault.detail for fault in faults)
        raise InvalidRequestError(f"the decision can't be what this relies on: {said}", reason=faults[0].code)
    return f"entries/{checked.decision.entry}"
