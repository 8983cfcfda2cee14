"""`interlock obligations`: what the policy obliges to, period by period, and what falls due."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli.arguments import AsOfOption, microseconds, moment_or_position
from interlock.cli.run import Run, command, group
from interlock.cli.views.change import show_proposed
from interlock.cli.views.common import to_json
from interlock.cli.views.obligation import obligation_row
from interlock.client import names
from interlock.v1 import trigger_pb2

if TYPE_CHECKING:
    from interlock.v1.accountability_pb2 import Obligation

app = group("Obligations: what the policy obliges to, and what falls due.")

PeriodArgument = Annotated[
    str, typer.Argument(metavar="PERIOD", help="`quarterly-report/1` or `obligations/quarterly-report/periods/1`.")
]
_DIGITS: Final = 5


@command(app, "list", example="interlock obligations list --due 30d")
def list_(
    run: Run,
    due: Annotated[
        str, typer.Option("--due", metavar="DAYS", help="Only what falls due within this time, such as 30d.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Those that are fulfilled or have ended, too.")] = False,
    as_of: AsOfOption = None,
) -> None:
    """List the periods that have begun and are due, the overdue ones among them."""
    within, at = _days(due), moment_or_position(as_of)
    with run.client() as client:
        rows = list(client.obligations.list(due_within=within, show_fulfilled=everything, as_of=at))
    if run.as_json:
        run.terminal.json({"obligations": [to_json(row) for row in rows]})
        return
    run.terminal.rows([obligation_row(row) for row in rows], empty="nothing is due")


@command(app, "show", example="interlock obligations show quarterly-report/1")
def show(run: Run, period: PeriodArgument, as_of: AsOfOption = None) -> None:
    """Show one period of an obligation."""
    with run.client() as client:
        found = client.obligations.get(period, as_of=moment_or_position(as_of))
    _show(run, found)


@command(app, "fulfil", example="interlock obligations fulfil quarterly-report/1 --evidence 7")
def fulfil(
    run: Run,
    period: PeriodArgument,
    evidence: Annotated[
        list[str], typer.Option("--evidence", "-e", metavar="EVIDENCE", help="A document; may be repeated.")
    ],
    propose: Annotated[
        bool, typer.Option("--propose", help="Propose the change that fulfils it, as one that blocks asks for.")
    ] = False,
    title: Annotated[str, typer.Option("--title", "-t", help="The change in a line; with --propose.")] = "",
) -> None:
    """Fulfil a period by documents that were made in it or later, and fulfil no other one."""
    with run.client() as client:
        if not propose:
            _show(run, client.obligations.fulfil(period, evidence))
            return
        documents = [names.evidence(document) for document in evidence]
        firing = trigger_pb2.ObligationFulfil(period=names.obligation(period), evidence=documents)
        change = client.changes.propose(
            [trigger_pb2.Trigger(obligation_fulfil=firing)],
            title=title or f"Fulfil {names.obligation(period)}",
            evidence=documents,
        )
    show_proposed(run, change)


@command(
    app,
    "waive",
    example="interlock obligations waive quarterly-report/1 --until 2026-06-01 --title 'The auditor is ill'",
)
def waive(
    run: Run,
    period: PeriodArgument,
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="Its end, such as 2026-06-01.")],
    title: Annotated[str, typer.Option("--title", "-t", help="Why, in a line.")],
    summary: Annotated[str, typer.Option("--summary", "-s", help="Why, in more words.")] = "",
    evidence: Annotated[
        list[str] | None, typer.Option("--evidence", "-e", metavar="EVIDENCE", help="A document; may be repeated.")
    ] = None,
) -> None:
    """Propose the change that waives a period until an instant; from then on it is owed again."""
    firing = trigger_pb2.ObligationWaive(period=names.obligation(period), until=microseconds(until))
    with run.client() as client:
        change = client.changes.propose(
            [trigger_pb2.Trigger(obligation_waive=firing)],
            title=title,
            summary=summary,
            evidence=[names.evidence(document) for document in evidence or ()],
        )
    show_proposed(run, change)


def _show(run: Run, period: Obligation) -> None:
    if run.as_json:
        run.terminal.json(to_json(period))
        return
    run.terminal.rows([obligation_row(period)])
    if period.source:
        run.terminal.line((f"source: {period.source}", "dim"), indent=2)


def _days(text: str) -> timedelta | None:
    """Read a number of days, `30d`. Raises BadParameter."""
    if not text:
        return None
    number = text.removesuffix("d")
    if not (number.isascii() and number.isdigit()) or len(number) > _DIGITS or number == text:
        raise typer.BadParameter(f"{text!r} is no number of days; write one such as 30d")
    return timedelta(days=min(int(number), 36_500))
