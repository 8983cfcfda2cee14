"""Deployments drawn: what runs where, since when, and what the gate says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.cli.views.common import ALLOW, DENY, when, word
from interlock.cli.views.obligation import obligation_row
from interlock.cli.views.unmet import unmet_lines
from interlock.client import names

if TYPE_CHECKING:
    from interlock.cli.terminal import Piece, Terminal
    from interlock.v1.gate_pb2 import Deployment, WatchDeploymentsResponse


def standing(deployment: Deployment) -> Piece:
    """Return how a deployment stands, in words."""
    from interlock.v1 import gate_pb2

    if deployment.out_of_compliance:
        return ("out of compliance", "bold red")
    state = word(gate_pb2.DeploymentState, deployment.state)
    return (state, "green" if deployment.state == gate_pb2.DEPLOYMENT_STATE_LIVE else "dim")


def deployment_row(deployment: Deployment) -> list[Piece]:
    """Return one line of a listing; where it is out of compliance, with the codes of what fails."""
    return [
        (deployment.name, "bold"),
        standing(deployment),
        f"{names.leaf(deployment.model)} {deployment.context}",
        deployment.location,
        (f"{when(deployment.record_time)} by {names.leaf(deployment.recorder)}", "dim"),
        ", ".join(dict.fromkeys(reason.code for reason in deployment.reasons)),
    ]


def show_deployment(terminal: Terminal, deployment: Deployment) -> None:
    """Draw a deployment whole."""
    from interlock.client.status import unmet_of
    from interlock.v1 import gate_pb2

    release = f"  {names.leaf(deployment.model)} {deployment.context} at {deployment.location}"
    terminal.line((deployment.name, "bold"), release, "  ", standing(deployment))
    said = ALLOW if deployment.verdict_at_record == gate_pb2.VERDICT_ALLOW else DENY
    terminal.line(
        (f"recorded {when(deployment.record_time)} by {names.leaf(deployment.recorder)}; the gate said ", "dim"),
        said,
        indent=2,
    )
    if deployment.artifact_digest:
        terminal.line("artifact ", (deployment.artifact_digest, "dim"), indent=2)
    if deployment.decision:
        terminal.line("relied on ", deployment.decision, indent=2)
    if when(deployment.end_time):
        terminal.line((f"ended {when(deployment.end_time)} by {names.leaf(deployment.ender)}", "dim"), indent=2)
    for line in unmet_lines(unmet_of(row) for row in deployment.reasons):
        terminal.line(*line)
    if deployment.obligations:
        terminal.rows([obligation_row(row) for row in deployment.obligations], indent=2)


def show_turn(terminal: Terminal, turn: WatchDeploymentsResponse) -> None:
    """Print how a deployment stands from a position and an instant on, in one line."""
    from interlock.v1 import gate_pb2

    at = (f"at position {turn.log_position}, {when(turn.instant)}  ", "dim")
    if not turn.HasField("deployment"):
        terminal.line(at, "no deployment is out of compliance")
        return
    row = deployment_row(turn.deployment)
    live = turn.deployment.state == gate_pb2.DEPLOYMENT_STATE_LIVE
    if live and not turn.deployment.out_of_compliance:
        row[1] = ("compliant again", "green")
    terminal.line(at, row[0], "  ", row[1], f"  {row[2]}  {row[3]}  {row[5]}".rstrip())
