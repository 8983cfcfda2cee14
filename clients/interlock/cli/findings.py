"""`interlock findings`: what analysers of activity records saw, and what people say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import (
    AsOfOption,
    ProposeOption,
    ReasonOption,
    TargetArgument,
    TitleOption,
    moment_or_position,
)
from interlock.cli.run import Run, command, group
from interlock.cli.views.change import show_proposed
from interlock.cli.views.common import to_json, when, word
from interlock.client import names

if TYPE_CHECKING:
    from interlock.cli.terminal import Piece
    from interlock.v1.accountability_pb2 import Finding

app = group("Findings: what analysers of activity records saw.")

FindingArgument = Annotated[str, typer.Argument(metavar="FINDING", help="`1` or `findings/1`.")]


@command(app, "list", example="interlock findings list --model aurora-4")
def list_(
    run: Run,
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="Only on this model, or everything.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Dismissed ones, too.")] = False,
    as_of: AsOfOption = None,
) -> None:
    """List findings, newest first: those that nobody dismissed."""
    with run.client() as client:
        rows = list(client.findings.list(model=model, show_dismissed=everything, as_of=moment_or_position(as_of)))
    if run.as_json:
        run.terminal.json({"findings": [to_json(row) for row in rows]})
        return
    run.terminal.rows([finding_row(row) for row in rows], empty="no finding")


@command(app, "show", example="interlock findings show 1")
def show(run: Run, finding: FindingArgument, as_of: AsOfOption = None) -> None:
    """Show a finding."""
    with run.client() as client:
        found = client.findings.get(finding, as_of=moment_or_position(as_of))
    _show(run, found)


@command(app, "raise", example="interlock findings raise aurora-4 --severity serious --title 'Odd copies at night'")
def raise_(
    run: Run,
    target: TargetArgument,
    title: TitleOption,
    severity: Annotated[str, typer.Option("--severity", "-s", metavar="SEVERITY", help="From the policy.")],
    evidence: Annotated[
        list[str] | None, typer.Option("--evidence", "-e", metavar="EVIDENCE", help="A document; may be repeated.")
    ] = None,
) -> None:
    """Record what was found; it blocks nothing before a person confirms it."""
    with run.client() as client:
        made = client.findings.raise_(target, title, severity=severity, evidence=evidence or ())
    _show(run, made)


@command(app, "confirm", example="interlock findings confirm 1 --reason 'seen in the access log'")
def confirm(run: Run, finding: FindingArgument, reason: ReasonOption = "") -> None:
    """Say that it is so; where its severity blocks, the next check sees it."""
    with run.client() as client:
        judged = client.findings.confirm(finding, reason=reason)
    _show(run, judged)


@command(app, "dismiss", example="interlock findings dismiss 1 --reason 'a backup job'")
def dismiss(run: Run, finding: FindingArgument, reason: ReasonOption = "", propose: ProposeOption = False) -> None:
    """Dismiss a finding; one that is confirmed and blocks takes a change, which `--propose` proposes."""
    from interlock.v1 import trigger_pb2

    with run.client() as client:
        if not propose:
            _show(run, client.findings.dismiss(finding, reason=reason))
            return
        name = names.finding(finding)
        trigger = trigger_pb2.Trigger(finding_dismiss=trigger_pb2.FindingDismiss(finding=name))
        change = client.changes.propose([trigger], title=f"Dismiss {name}", summary=reason)
    show_proposed(run, change)


def finding_row(finding: Finding) -> list[Piece]:
    """Return one line of a listing."""
    from interlock.v1 import accountability_pb2

    severity: Piece = (f"{finding.severity}: blocks", "bold red") if finding.blocking else finding.severity
    return [
        (finding.name, "bold"),
        word(accountability_pb2.FindingState, finding.state),
        severity,
        "everything" if finding.target == "-" else names.leaf(finding.target),
        (f"{when(finding.raise_time)} by {names.leaf(finding.raiser)}", "dim"),
        f"“{finding.title}”" if finding.title else "",
    ]


def _show(run: Run, finding: Finding) -> None:
    if run.as_json:
        run.terminal.json(to_json(finding))
        return
    run.terminal.rows([finding_row(finding)])
    if finding.mover:
        why = f": “{finding.reason}”" if finding.reason else ""
        run.terminal.line((f"{when(finding.update_time)} by {names.leaf(finding.mover)}{why}", "dim"), indent=2)
