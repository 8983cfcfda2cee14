"""`interlock assessments`: open, report, conclude."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import AsOfOption, EvidenceOption, ModelArgument, ReasonOption, moment_or_position
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import to_json, when, word
from interlock.client import names

if TYPE_CHECKING:
    from interlock.v1.assessment_pb2 import Assessment
    from interlock.v1.model_pb2 import Determination

app = group("Assessments of models, and what they find at each threshold.")

AssessmentArgument = Annotated[str, typer.Argument(metavar="ASSESSMENT", help="`2` or `assessments/2`.")]


class Conclusion(StrEnum):
    """What can be reported; the order is that of strictness."""

    RULED_OUT = "ruled_out"
    CANNOT_RULE_OUT = "cannot_rule_out"
    REACHED = "reached"


@command(app, "open", example="interlock assessments open aurora-4 cbrn-3 cbrn-4 --reason 'first release'")
def open_(
    run: Run,
    model: ModelArgument,
    thresholds: Annotated[list[str], typer.Argument(metavar="THRESHOLD…", help="Which thresholds are looked at.")],
    reason: ReasonOption = "",
) -> None:
    """Open an assessment; fresh determinations stand meanwhile."""
    with run.client() as client:
        made = client.assessments.open(model, thresholds, reason=reason)
    _show(run, made)


@command(app, "conclude", example="interlock assessments conclude 2")
def conclude(
    run: Run,
    assessment: AssessmentArgument,
    report: Annotated[
        list[str] | None,
        typer.Option(
            "--report", metavar="ENTRY", help="A report's entry, such as `entries/17`; none: all made under it."
        ),
    ] = None,
) -> None:
    """Conclude an assessment with reports made under it."""
    with run.client() as client:
        done = client.assessments.conclude(assessment, reports=report or ())
    _show(run, done)


@command(app, "abandon", example="interlock assessments abandon 2 --reason 'wrong checkpoint'")
def abandon(run: Run, assessment: AssessmentArgument, reason: ReasonOption = "") -> None:
    """End an assessment without a result."""
    with run.client() as client:
        done = client.assessments.abandon(assessment, reason=reason)
    _show(run, done)


@command(app, "list", example="interlock assessments list --model aurora-4")
def list_(
    run: Run,
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="Only those of this model.")] = "",
) -> None:
    """List assessments, newest first."""
    from interlock.v1 import assessment_pb2

    with run.client() as client:
        rows = list(client.assessments.list(model=model))
    if run.as_json:
        run.terminal.json({"assessments": [to_json(row) for row in rows]})
        return
    run.terminal.rows(
        [
            [
                (row.name, "bold"),
                word(assessment_pb2.AssessmentState, row.state),
                row.model,
                ", ".join(row.thresholds),
                (f"{when(row.create_time)} by {names.leaf(row.opened_by)}", "dim"),
            ]
            for row in rows
        ],
        empty="no assessment",
    )


@command(app, "show", example="interlock assessments show 2")
def show(run: Run, assessment: AssessmentArgument, as_of: AsOfOption = None) -> None:
    """Show an assessment with the reports made under it."""
    with run.client() as client:
        found = client.assessments.get(assessment, as_of=moment_or_position(as_of))
    _show(run, found)


@command(app, "report", example="interlock assessments report aurora-4 cbrn-3 cannot_rule_out --assessment 2 -e 5")
def report_(
    run: Run,
    model: ModelArgument,
    threshold: Annotated[str, typer.Argument(metavar="THRESHOLD", help="Id of the threshold.")],
    conclusion: Annotated[Conclusion, typer.Argument(help="What was found.")],
    assessment: Annotated[
        str, typer.Option("--assessment", "-a", metavar="ASSESSMENT", help="The assessment that it belongs to.")
    ] = "",
    evidence: EvidenceOption = None,
) -> None:
    """Report what was found at a threshold. It can only tighten, and takes effect at once."""
    with run.client() as client:
        found = client.assessments.report(
            model, threshold, conclusion.value, assessment=assessment, evidence=evidence or ()
        )
    _show_determination(run, found)


@command(app, "determination", example="interlock assessments determination aurora-4 cbrn-3 --as-of 17")
def determination(
    run: Run,
    model: ModelArgument,
    threshold: Annotated[str, typer.Argument(metavar="THRESHOLD", help="Id of the threshold.")],
    as_of: AsOfOption = None,
) -> None:
    """Show what is known of a model at a threshold, or what was known."""
    with run.client() as client:
        found = client.assessments.get_determination(model, threshold, as_of=moment_or_position(as_of))
    _show_determination(run, found)


def _show_determination(run: Run, found: Determination) -> None:
    from interlock.v1 import trigger_pb2

    if run.as_json:
        run.terminal.json(to_json(found))
        return
    said = word(trigger_pb2.Conclusion, found.conclusion)
    if not found.conclusion:
        run.terminal.line((found.name, "bold"), "  undetermined")
        return
    firm = "confirmed" if found.confirmed else "unconfirmed: a change confirms it"
    end = when(found.lapse_time)
    lapse = f", {'lapsed' if found.lapsed else 'lapses'} at {end}" if end else ""
    run.terminal.line((found.name, "bold"), f"  {said}, {firm}{lapse}")


def _show(run: Run, assessment: Assessment) -> None:
    from interlock.v1 import assessment_pb2

    if run.as_json:
        run.terminal.json(to_json(assessment))
        return
    state = word(assessment_pb2.AssessmentState, assessment.state)
    run.terminal.line((assessment.name, "bold"), f"  {state}  {assessment.model}: {', '.join(assessment.thresholds)}")
    run.terminal.line((f"opened {when(assessment.create_time)} by {names.leaf(assessment.opened_by)}", "dim"), indent=2)
    if assessment.reason:
        run.terminal.line(f"“{assessment.reason}”", indent=2)
    for row in assessment.reports:
        run.terminal.line(f"report {row}", indent=2)
