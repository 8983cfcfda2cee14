"""`interlock deployments`: what runs where, and which of it the gate denies by now."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli import watching
from interlock.cli.arguments import AsOfOption, ModelArgument, moment_or_position
from interlock.cli.decisions import read_decision
from interlock.cli.exits import ExitCode
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import to_json
from interlock.cli.views.deployment import deployment_row, show_deployment

if TYPE_CHECKING:
    from interlock.v1.gate_pb2 import Deployment

app = group("Deployments: what runs where, and which of it the gate denies by now.")

DeploymentArgument = Annotated[str, typer.Argument(metavar="DEPLOYMENT", help="`1` or `deployments/1`.")]
_IN_THE_LOG: Final = re.compile(r"(decisions|entries)/[0-9]{1,18}")


@command(
    app,
    "record",
    example="interlock deployments record aurora-4 --context api --location cluster-a/eu-west --artifact 9f86d08…",
)
def record(
    run: Run,
    model: ModelArgument,
    context: Annotated[str, typer.Option("--context", "-c", help="Where it went, such as `api`.")],
    location: Annotated[
        str,
        typer.Option("--location", "-l", metavar="ID", help="What your tooling calls the place; nobody's name."),
    ],
    artifact: Annotated[
        str, typer.Option("--artifact", "-a", metavar="SHA256", help="The weights manifest that runs there.")
    ] = "",
    decision: Annotated[
        str,
        typer.Option(
            "--decision", "-d", metavar="FILE|NAME", help="The decision relied on: its file, or `decisions/3`."
        ),
    ] = "",
) -> None:
    """Record that a model runs somewhere. The gate is asked again; the record is made whatever it says.

    Exit 0 says that it is recorded, also where the gate denies: then it is out of compliance, and the output says why.
    Of a decision's file only its signature and what it is about are checked: one that has ended is recorded as well.
    """
    if decision and not artifact:
        raise typer.BadParameter("--decision needs --artifact: a decision is about one artifact, and so is the record")
    with run.client() as client:
        relied = decision if not decision or _IN_THE_LOG.fullmatch(decision) else read_decision(Path(decision))
        made = client.deployments.record(model, context, location, artifact=artifact, decision=relied)
    _show(run, made)


@command(app, "end", example="interlock deployments end 1")
def end(run: Run, deployment: DeploymentArgument) -> None:
    """Record that a deployment runs no more."""
    with run.client() as client:
        ended = client.deployments.end(deployment)
    _show(run, ended)


@command(app, "list", example="interlock deployments list --out-of-compliance")
def list_(
    run: Run,
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="Only of this model.")] = "",
    context: Annotated[str, typer.Option("--context", "-c", help="Only in this context.")] = "",
    out_of_compliance: Annotated[
        bool, typer.Option("--out-of-compliance", help="Only those that the gate denies now; exit 1 if there is one.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
    as_of: AsOfOption = None,
) -> int:
    """List what runs, newest first; with --out-of-compliance, exit 0 says that there is none and 1 that there is.

    About the past it asks for the right to read.
    """
    at = moment_or_position(as_of)
    with run.client() as client:
        rows = list(
            client.deployments.list(
                model=model, context=context, out_of_compliance=out_of_compliance, show_ended=everything, as_of=at
            )
        )
    if run.as_json:
        run.terminal.json({"deployments": [to_json(row) for row in rows]})
    else:
        empty = "no deployment is out of compliance" if out_of_compliance else "no deployment"
        run.terminal.rows([deployment_row(row) for row in rows], empty=empty)
    return ExitCode.NO if out_of_compliance and rows else ExitCode.DONE


@command(app, "show", example="interlock deployments show 1 --as-of 2026-05-22T10:00:00Z")
def show(run: Run, deployment: DeploymentArgument, as_of: AsOfOption = None) -> None:
    """Show a deployment, with everything that the gate has against it. About the past it asks for the right to read."""
    with run.client() as client:
        found = client.deployments.get(deployment, as_of=moment_or_position(as_of))
    _show(run, found)


command(app, "watch", example="interlock deployments watch --json")(watching.watch_deployments)


def _show(run: Run, deployment: Deployment) -> None:
    if run.as_json:
        run.terminal.json(to_json(deployment))
    else:
        show_deployment(run.terminal, deployment)
