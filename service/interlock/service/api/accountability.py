"""AccountabilityService: obligations, period by period, judged at the instant of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.api.pages import page_of
from interlock.service.api.times import from_microseconds
from interlock.service.errors import Invalid, NotFound
from interlock.statemachine import firings as f
from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.statemachine.owed import obligations_of, overdue_from, period_of, span_of, spec_of
from interlock.v1 import accountability_pb2, accountability_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.service.api.calls import Writer
    from interlock.service.api.reads import Reader
    from interlock.service.ledger.view import View
    from interlock.service.server import Context
    from interlock.statemachine.decide import Accepted


class AccountabilityService(accountability_pb2_grpc.AccountabilityServiceServicer):
    """What the policy in force obliges to."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    async def FulfilObligation(
        self, request: accountability_pb2.FulfilObligationRequest, context: Context
    ) -> accountability_pb2.Obligation:
        """Fulfil a period."""

        def render(view: View, accepted: Accepted) -> accountability_pb2.Obligation:
            return _message(view, request.name, accepted.entry.time)

        firing = f.ObligationFulfil(request.name, tuple(request.evidence))
        method = "interlock.v1.AccountabilityService/FulfilObligation"
        return await self._writer.fire(method, request, firing, render, accountability_pb2.Obligation)

    async def GetObligation(
        self, request: accountability_pb2.GetObligationRequest, context: Context
    ) -> accountability_pb2.Obligation:
        """Return one period that has begun. Raises NotFound."""
        view, instant = await self._reader.as_of(request)
        name = names.obligation_of(request.name)
        grid = view.state.find(name, r.Obligation)
        if grid is None or spec_of(view.policy, name) is None or names.number_of(request.name) > grid.running(instant):
            raise NotFound(request.name)
        return _message(view, request.name, instant)

    async def ListObligations(
        self, request: accountability_pb2.ListObligationsRequest, context: Context
    ) -> accountability_pb2.ListObligationsResponse:
        """Return a page of periods that have begun."""
        page = page_of(request)
        view, instant = await self._reader.as_of(request)
        latest = None
        if request.HasField("due_within"):
            latest = instant + request.due_within.ToMicroseconds()
        wanted = (
            name
            for name in _names(view, instant, page.after)
            if (request.show_fulfilled or period_of(view.state, name).state != "fulfilled")
            and (latest is None or _due(view, name) <= latest)
        )
        chosen, token = page.cut(wanted, lambda name: name)
        messages = [_message(view, name, instant) for name in chosen]
        messages, token = page.fit(messages, token, lambda message: message.name)
        return accountability_pb2.ListObligationsResponse(obligations=messages, next_page_token=token)


def _names(view: View, instant: int, after: str | None) -> Iterator[str]:
    """Yield the periods that have begun, past ``after``. Raises Invalid where that is none."""
    ids = [spec.id for spec in obligations_of(view.policy)]
    number = 0
    if after is not None:
        of, _, word = after.removeprefix("obligations/").partition("/periods/")
        if of not in ids or not word.isdecimal():
            raise Invalid("page_token", "the listing has changed; begin again")
        ids, number = ids[ids.index(of) :], int(word)
    for obligation in ids:
        grid = view.state.find(f"obligations/{obligation}", r.Obligation)
        last = grid.running(instant) if grid is not None else 0
        yield from (f"obligations/{obligation}/periods/{at}" for at in range(number + 1, last + 1))
        number = 0


def _due(view: View, name: str) -> int:
    """Return from when on a period is overdue, or was due where it is fulfilled (microseconds)."""
    return overdue_from(view.state, name) or span_of(view.state, name)[1]


def _state(known: r.Period, instant: int) -> accountability_pb2.ObligationState.ValueType:
    if known.state == "fulfilled":
        return accountability_pb2.OBLIGATION_STATE_FULFILLED
    if known.waived_until is not None and instant < known.waived_until:
        return accountability_pb2.OBLIGATION_STATE_WAIVED
    return accountability_pb2.OBLIGATION_STATE_DUE


def _message(view: View, name: str, instant: int) -> accountability_pb2.Obligation:
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
