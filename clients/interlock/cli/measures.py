"""`interlock measures`: what stands in for a safeguard for a while. Putting a measure in force is a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import AsOfOption, ModelArgument, ReasonOption, microseconds, moment_or_position
from interlock.cli.run import Run, command, group
from interlock.cli.views.change import show_proposed
from interlock.cli.views.common import left, to_json, when, word
from interlock.client import names

if TYPE_CHECKING:
    from interlock.cli.terminal import Piece
    from interlock.v1.gate_pb2 import InterimMeasure

app = group("Interim measures: what stands in for a safeguard, where, until when.")

MeasureArgument = Annotated[str, typer.Argument(metavar="MEASURE", help="`1` or `interimMeasures/1`.")]


@command(app, "list", example="interlock measures list --model aurora-4")
def list_(
    run: Run,
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="Only of this model.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Those that have ended or run out, too.")] = False,
    as_of: AsOfOption = None,
) -> None:
    """List interim measures, newest first: those in force."""
    with run.client() as client:
        rows = list(client.measures.list(model=model, show_ended=everything, as_of=moment_or_position(as_of)))
    if run.as_json:
        run.terminal.json({"interim_measures": [to_json(row) for row in rows]})
        return
    run.terminal.rows([_row(row) for row in rows], empty="no interim measure")


@command(app, "show", example="interlock measures show 1 --as-of 2026-05-22T10:00:00Z")
def show(run: Run, measure: MeasureArgument, as_of: AsOfOption = None) -> None:
    """Show an interim measure."""
    with run.client() as client:
        found = client.measures.get(measure, as_of=moment_or_position(as_of))
    _show(run, found)


@command(app, "end", example="interlock measures end 1 --reason 'the filter is back'")
def end(run: Run, measure: MeasureArgument, reason: ReasonOption = "") -> None:
    """End an interim measure at once; the next check sees it."""
    with run.client() as client:
        ended = client.measures.end(measure, reason=reason)
    _show(run, ended)


@command(
    app,
    "propose",
    example="interlock measures propose aurora-4 --for input-filter --context api --until 2026-06-01 --title 'Filter'",
)
def propose(  # one option for each argument of the trigger
    run: Run,
    model: ModelArgument,
    safeguards: Annotated[
        list[str], typer.Option("--for", metavar="SAFEGUARD", help="Id of a safeguard; may be repeated.")
    ],
    contexts: Annotated[
        list[str], typer.Option("--context", "-c", metavar="CONTEXT", help="Where it stands in; may be repeated.")
    ],
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="Its end, such as 2026-06-01.")],
    title: Annotated[str, typer.Option("--title", "-t", help="What the measure is, in a line.")],
    summary: Annotated[str, typer.Option("--summary", "-s", help="What it does instead, and why, in words.")] = "",
    evidence: Annotated[
        list[str] | None, typer.Option("--evidence", "-e", metavar="EVIDENCE", help="A document; may be repeated.")
    ] = None,
) -> None:
    """Propose the change that puts an interim measure in force."""
    from interlock.v1 import trigger_pb2

    firing = trigger_pb2.InterimMeasurePutInForce(
        model=names.model(model),
        safeguards=[names.leaf(word) for word in safeguards],
        contexts=contexts,
        until=microseconds(until),
    )
    trigger = trigger_pb2.Trigger(interim_measure_put_in_force=firing)
    with run.client() as client:
        attached = [names.evidence(document) for document in evidence or ()]
        change = client.changes.propose([trigger], title=title, summary=summary, evidence=attached)
    show_proposed(run, change)


def _row(measure: InterimMeasure) -> list[Piece]:
    from interlock.v1 import gate_pb2

    runs = measure.state == gate_pb2.INTERIM_MEASURE_STATE_IN_FORCE
    state = word(gate_pb2.InterimMeasureState, measure.state).replace("_", " ")
    return [
        (measure.name, "bold"),
        (state, "green" if runs else "dim"),
        f"{names.leaf(measure.model)}: {', '.join(measure.safeguards)} in {', '.join(measure.contexts)}",
        f"until {when(measure.until_time)}",
        left(measure.until_time, measure.instant) if runs else "",
        (measure.change, "dim"),
    ]


def _show(run: Run, measure: InterimMeasure) -> None:
    if run.as_json:
        run.terminal.json(to_json(measure))
        return
    run.terminal.rows([_row(measure)])
    if when(measure.end_time):
        why = f": “{measure.reason}”" if measure.reason else ""
        run.terminal.line((f"ended {when(measure.end_time)} by {names.leaf(measure.ender)}{why}", "dim"), indent=2)
