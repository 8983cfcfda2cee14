"""`interlock break-glass`: a hold or a safeguard excepted for a while, by a change, and reviewed afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import moment
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import to_json, when
from interlock.client import names

if TYPE_CHECKING:
    from interlock.cli.terminal import Piece
    from interlock.v1.gate_pb2 import BreakGlass

app = group("Break-glass: except a hold or a safeguard for a while; the review afterwards blocks if it is late.")


@command(app, "open", example="interlock break-glass open holds/3 --until 2026-05-22T10:00:00Z --reason 'false alarm'")
def open_(
    run: Run,
    resource: Annotated[
        str, typer.Argument(metavar="RESOURCE", help="`holds/3`, or a safeguard by its whole resource name.")
    ],
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="Its end; the policy says how long at most.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why it can't wait; the summary of the change.")],
    title: Annotated[str, typer.Option("--title", "-t", help="Title of the change.")] = "",
) -> None:
    """Propose the change that excepts a hold or a safeguard until a time; those whom the policy names sign it.

    Nothing is lifted or restored; whoever tightens it again ends the exception, and others have to review it in time.
    """
    from interlock.cli.registering import propose
    from interlock.v1 import trigger_pb2

    end = moment(until)
    if end is None:
        raise typer.BadParameter("an instant such as 2026-05-22T10:00:00Z", param_hint="--until")
    firing = trigger_pb2.BreakGlassOpen(resource=resource, until=round(end.timestamp() * 1_000_000))
    trigger = trigger_pb2.Trigger(break_glass_open=firing)
    propose(run, [trigger], title or f"Break-glass: except {resource} until {until}", reason)


@command(app, "list", example="interlock break-glass list")
def list_(
    run: Run,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over and reviewed, too.")] = False,
) -> None:
    """List uses of break-glass, newest first: what they except, who signed, and how the review stands."""
    with run.client() as client:
        rows = list(client.gate.break_glass(open_only=not everything))
    if run.as_json:
        run.terminal.json({"uses": [to_json(row) for row in rows]})
        return
    run.terminal.rows([_row(row) for row in rows], empty="no use of break-glass")


def _row(row: BreakGlass) -> list[Piece]:
    state = ("IN FORCE", "bold red") if row.in_force else ("over", "dim")
    review = "reviewed" if row.reviewed else f"{row.review} due {when(row.review_due_time)}"
    ended = f", ended {when(row.end_time)} by {names.leaf(row.ender)}" if row.HasField("end_time") else ""
    return [
        (row.name, "bold"),
        state,
        f"{row.resource} for {row.trigger}",
        f"until {when(row.until_time)}{ended}",
        f"by {', '.join(names.leaf(who) for who in row.signers)}, {row.change}",
        (review, "dim" if row.reviewed else "yellow"),
    ]
