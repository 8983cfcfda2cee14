"""`verify_decision`: is this file the gate's ALLOW for what is released here? Pure: no server, no clock, no files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from interlock.statemachine import decision

if TYPE_CHECKING:
    from interlock.statemachine.decision import Checked

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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
