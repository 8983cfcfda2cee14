"""Periods of obligations drawn: what is owed, for what, until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.cli.views.common import left, short, when

if TYPE_CHECKING:
    from interlock.cli.terminal import Piece
    from interlock.v1.accountability_pb2 import Obligation


def short_period(period: Obligation) -> str:
    """Return `quarterly-report/1`."""
    return period.name.removeprefix("obligations/").replace("/periods/", "/")


def owed_for(period: Obligation) -> str:
    """Return what a period is owed for, ` for incidents/1`; empty for one of the calendar."""
    subject, _, artifact = period.cause.partition("/artifacts/")
    return f" for {subject}{f', artifact {short(artifact)}' if artifact else ''}" if subject else ""


def obligation_row(period: Obligation) -> list[Piece]:
    """Return one line of a listing."""
    from interlock.v1 import accountability_pb2

    waived = period.state == accountability_pb2.OBLIGATION_STATE_WAIVED
    owed = waived or period.state == accountability_pb2.OBLIGATION_STATE_DUE
    until = period.waived_until_time if waived else period.due_time
    state: Piece = "waived" if waived else "due" if owed else ("fulfilled", "green")
    if period.state == accountability_pb2.OBLIGATION_STATE_ENDED:
        state = ("ended", "dim")
    if period.overdue:
        state = ("overdue: blocks every release" if period.blocking else "overdue", "bold red")
    return [
        (short_period(period), "bold"),
        state,
        f"{'until' if waived else 'by'} {when(until)}",
        left(until, period.instant) if owed and not period.overdue else "",
        "blocks" if period.blocking and owed and not period.overdue else "",
        ", ".join(period.evidence) or period.evidence_kind,
        (f"{period.title},{owed_for(period)}" if period.cause else period.title, "dim"),
    ]
