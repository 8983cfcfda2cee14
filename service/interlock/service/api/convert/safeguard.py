"""Safeguards as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.service.api.convert.excepted import put_exception
from interlock.service.api.times import from_microseconds
from interlock.statemachine import names
from interlock.statemachine.levels import attestation_end, leaning_models
from interlock.v1 import safeguard_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.service.ledger.view import View

_STATES: Final[Mapping[str, safeguard_pb2.SafeguardState.ValueType]] = {
    "": safeguard_pb2.SAFEGUARD_STATE_UNSPECIFIED,
    "planned": safeguard_pb2.SAFEGUARD_STATE_PLANNED,
    "implementing": safeguard_pb2.SAFEGUARD_STATE_IMPLEMENTING,
    "verified": safeguard_pb2.SAFEGUARD_STATE_VERIFIED,
    "active": safeguard_pb2.SAFEGUARD_STATE_ACTIVE,
    "degraded": safeguard_pb2.SAFEGUARD_STATE_DEGRADED,
    "suspended": safeguard_pb2.SAFEGUARD_STATE_SUSPENDED,
    "retired": safeguard_pb2.SAFEGUARD_STATE_RETIRED,
}


def safeguard_message(view: View, name: str, instant: int) -> safeguard_pb2.Safeguard:
    """Return a safeguard as it stands at ``instant`` (microseconds); one that no entry wrote is planned.

    Its reason is a text, so left out.
    """
    known = view.state.safeguard(name)
    message = safeguard_pb2.Safeguard(
        name=name,
        state=_STATES[known.stage],
        remembered_state=_STATES[known.remembers],
        evidence=known.evidence,
        since_by=known.since_actor,
        position=view.state.position(name),
    )
    end = attestation_end(view.policy, known)
    if end is not None:
        message.attested_until_time.CopyFrom(from_microseconds(end))
    if known.since:
        message.since_time.CopyFrom(from_microseconds(known.since))
    put_exception(view, message, instant)
    spec = view.policy.safeguards.get(names.leaf_of(name))
    if spec is not None:
        message.title = spec.title
        message.standard = spec.standard
        message.level = spec.level
        message.commitment = spec.track == "commitment"
        message.contexts.extend(place.id for place in view.policy.contexts if place.id in spec.covers)
        message.leaning_models.extend(leaning_models(view.policy, view.state, name))
    return message


def safeguards_of(view: View, model: str) -> list[str]:
    """Return the names of a model's safeguards, shared ones too, in the policy's order."""
    return [names.safeguard_name(model, spec.id, shared=spec.shared) for spec in view.policy.safeguards.values()]


def shared_safeguards(view: View) -> list[str]:
    """Return the names of the shared safeguards, in the policy's order."""
    return [f"safeguards/{spec.id}" for spec in view.policy.safeguards.values() if spec.shared]
