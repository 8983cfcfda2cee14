"""Periods of obligations as messages, judged at an instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.api.times import from_microseconds
from interlock.service.errors import NotFound
from interlock.statemachine import names
from interlock.statemachine.owed import period_of, span_of, spec_of
from interlock.v1 import accountability_pb2

if TYPE_CHECKING:
    from interlock.service.ledger.view import View
    from interlock.statemachine import resources as r


def _state(known: r.Period, instant: int) -> accountability_pb2.ObligationState.ValueType:
    if known.state == "fulfilled":
        return accountability_pb2.OBLIGATION_STATE_FULFILLED
    if known.state == "ended":
        return accountability_pb2.OBLIGATION_STATE_ENDED
    if known.waived_until is not None and instant < known.waived_until:
        return accountability_pb2.OBLIGATION_STATE_WAIVED
    return accountability_pb2.OBLIGATION_STATE_DUE


def obligation_message(view: View, name: str, instant: int) -> accountability_pb2.Obligation:
    """Return a period as it stands at ``instant`` (microseconds)."""
    of = names.obligation_of(name)
    spec, known = spec_of(view.policy, of), period_of(view.state, name)
    if spec is None:
        raise NotFound(name)
    start, due = span_of(view.state, name)
    overdue = known.overdue_from(due)
    message = accountability_pb2.Obligation(
        name=name,
        title=spec.title,
        state=_state(known, instant),
        overdue=overdue is not None and instant >= overdue,
        start_time=from_microseconds(start),
        due_time=from_microseconds(due),
        evidence_kind=spec.fulfilled_by.kind,
        evidence=known.evidence,
        fulfiller=known.fulfiller,
        jurisdiction=spec.jurisdiction or "",
        source=f"{spec.source.document}, {spec.source.section}" if spec.source is not None else "",
        instant=from_microseconds(instant),
        position=view.state.position(name),
        blocking=spec.blocking,
        cause=known.cause,
    )
    if known.waived_until is not None:
        message.waived_until_time.CopyFrom(from_microseconds(known.waived_until))
    if known.fulfilled_at is not None:
        message.fulfil_time.CopyFrom(from_microseconds(known.fulfilled_at))
    return message
