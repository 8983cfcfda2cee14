"""`interlock incidents`: what went wrong, how grave it is, and what that obliges to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import (
    AsOfOption,
    ProposeOption,
    ReasonOption,
    TargetArgument,
    TitleOption,
    moment,
    moment_or_position,
)
from interlock.cli.run import Run, command, group
from interlock.cli.views.change import show_proposed
from interlock.cli.views.common import to_json, when, word
from interlock.cli.views.obligation import obligation_row
from interlock.client import names

if TYPE_CHECKING:
    from interlock.cli.terminal import Piece
    from interlock.v1.accountability_pb2 import Incident

app = group("Incidents: what went wrong, how grave it is, and what that obliges to.")

IncidentArgument = Annotated[str, typer.Argument(metavar="INCIDENT", help="`1` or `incidents/1`.")]
SeverityArgument = Annotated[str, typer.Argument(metavar="SEVERITY", help="From the policy, such as serious.")]
CategoryOption = Annotated[str, typer.Option("--category", metavar="CATEGORY", help="From the policy, or `other`.")]


@command(app, "list", example="interlock incidents list --model aurora-4")
def list_(
    run: Run,
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="Only on this model, or everything.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
    as_of: AsOfOption = None,
) -> None:
    """List incidents, newest first: those that are open."""
    with run.client() as client:
        rows = list(client.incidents.list(model=model, show_closed=everything, as_of=moment_or_position(as_of)))
    if run.as_json:
        run.terminal.json({"incidents": [to_json(row) for row in rows]})
        return
    run.terminal.rows([incident_row(row) for row in rows], empty="no incident")


@command(app, "show", example="interlock incidents show 1")
def show(run: Run, incident: IncidentArgument, as_of: AsOfOption = None) -> None:
    """Show an incident, and how much time is left for what it obliges to."""
    with run.client() as client:
        found = client.incidents.get(incident, as_of=moment_or_position(as_of))
    _show(run, found)


@command(app, "report", example="interlock incidents report aurora-4 --severity serious --title 'The filter was off'")
def report(  # one option for each argument of the trigger
    run: Run,
    target: TargetArgument,
    title: TitleOption,
    category: CategoryOption = "other",
    severity: Annotated[
        str, typer.Option("--severity", "-s", metavar="SEVERITY", help="From the policy; else others judge it.")
    ] = "",
    discovered: Annotated[
        str | None, typer.Option("--discovered", metavar="TIME", help="When it was discovered; now without it.")
    ] = None,
    anonymously: Annotated[
        bool, typer.Option("--anonymously", help="Without logging in: the log names nobody. Takes no severity.")
    ] = False,
) -> None:
    """Report an incident; where its severity blocks, the next check sees it."""
    if anonymously and severity:
        raise typer.BadParameter("a named person judges how grave an anonymous report is; leave out --severity")
    at = moment(discovered)
    with run.client() as client:
        if anonymously:
            made = client.incidents.report_anonymously(target, title, category=category, discovered=at)
        else:
            made = client.incidents.report(target, title, category=category, severity=severity, discovered=at)
    _show(run, made)


@command(app, "triage", example="interlock incidents triage 1 serious --reason 'users were reached'")
def triage(  # one option for each argument of the trigger
    run: Run,
    incident: IncidentArgument,
    severity: SeverityArgument,
    category: Annotated[
        str, typer.Option("--category", metavar="CATEGORY", help="From the policy; without it, kept.")
    ] = "",
    reason: ReasonOption = "",
    propose: Annotated[bool, typer.Option("--propose", help="Propose the change that lowering takes.")] = False,
) -> None:
    """Judge how grave an incident is. Raising is one person's at once; lowering takes a change."""
    from interlock.v1 import trigger_pb2

    with run.client() as client:
        if not propose:
            _show(run, client.incidents.triage(incident, severity, category=category, reason=reason))
            return
        name = names.incident(incident)
        firing = trigger_pb2.IncidentTriage(incident=name, severity=severity, category=category)
        title = f"Judge {name} as {severity}"
        change = client.changes.propose([trigger_pb2.Trigger(incident_triage=firing)], title=title, summary=reason)
    show_proposed(run, change)


@command(app, "mitigate", example="interlock incidents mitigate 1 --reason 'the filter is on again'")
def mitigate(run: Run, incident: IncidentArgument, reason: ReasonOption = "") -> None:
    """Say that the harm is stopped. The incident stays open, and blocks if it did."""
    with run.client() as client:
        moved = client.incidents.mitigate(incident, reason=reason)
    _show(run, moved)


@command(app, "close", example="interlock incidents close 1 --propose --reason 'mended and reviewed'")
def close(run: Run, incident: IncidentArgument, reason: ReasonOption = "", propose: ProposeOption = False) -> None:
    """Close an incident; one that blocks is closed by a change, which `--propose` proposes."""
    from interlock.v1 import trigger_pb2

    with run.client() as client:
        if not propose:
            _show(run, client.incidents.close(incident, reason=reason))
            return
        name = names.incident(incident)
        trigger = trigger_pb2.Trigger(incident_close=trigger_pb2.IncidentClose(incident=name))
        change = client.changes.propose([trigger], title=f"Close {name}", summary=reason)
    show_proposed(run, change)


def incident_row(incident: Incident) -> list[Piece]:
    """Return one line of a listing."""
    from interlock.v1 import accountability_pb2

    state = word(accountability_pb2.IncidentState, incident.state)
    severity: Piece = incident.severity or ("not judged yet", "yellow")
    if incident.blocking:
        severity = (f"{incident.severity}: blocks", "bold red")
    return [
        (incident.name, "bold"),
        (state, "green" if state == "closed" else ""),
        severity,
        "everything" if incident.target == "-" else names.leaf(incident.target),
        incident.category,
        (f"{when(incident.report_time)} by {names.leaf(incident.reporter) or 'nobody named'}", "dim"),
        f"“{incident.title}”" if incident.title else "",
    ]


def _show(run: Run, incident: Incident) -> None:
    if run.as_json:
        run.terminal.json(to_json(incident))
        return
    run.terminal.rows([incident_row(incident)])
    if incident.mover:
        why = f": “{incident.reason}”" if incident.reason else ""
        run.terminal.line((f"{when(incident.update_time)} by {names.leaf(incident.mover)}{why}", "dim"), indent=2)
    if incident.obligations:
        run.terminal.rows([obligation_row(row) for row in incident.obligations])
