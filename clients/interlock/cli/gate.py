"""`interlock gate`: may this model go to this context, now? Made for pipelines: one line, one exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import ModelArgument  # noqa: TC001  # typer evaluates it
from interlock.cli.exits import ExitCode
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import ALLOW, DENY, to_json, when
from interlock.cli.views.unmet import unmet_lines
from interlock.client import names

if TYPE_CHECKING:
    from interlock.v1.gate_pb2 import CheckReleaseResponse

app = group("The gate: may this model go to this context, now?")


@command(app, "check", example="interlock gate check aurora-4 --context api --artifact 9f86d08… || exit 1")
def check(
    run: Run,
    model: ModelArgument,
    context: Annotated[str, typer.Option("--context", "-c", help="Where it would go, such as `api`.")],
    artifact: Annotated[
        str, typer.Option("--artifact", "-a", metavar="SHA256", help="The weights manifest that is released.")
    ] = "",
    min_position: Annotated[
        int | None,
        typer.Option("--min-position", min=0, metavar="N", help="The answer has to include the entry at N."),
    ] = None,
) -> int:
    """Ask the gate: exit 0 for ALLOW, 1 for DENY with every reason, another code where nobody knows."""
    from interlock.client.groups.gate import is_allowed

    with run.client() as client:
        answer = client.gate.check(model, context, artifact=artifact, min_position=min_position)
    allowed = is_allowed(answer)
    if run.as_json:
        run.terminal.json(to_json(answer))
    else:
        _show(run, answer, model, context, allowed=allowed)
    return ExitCode.DONE if allowed else ExitCode.NO


def _show(run: Run, answer: CheckReleaseResponse, model: str, context: str, *, allowed: bool) -> None:
    from interlock.client.status import unmet_of

    end = f", valid until {when(answer.valid_until_time)}" if allowed and when(answer.valid_until_time) else ""
    run.terminal.line(
        ALLOW if allowed else DENY,
        f" {names.leaf(model)} {context}",
        (f"  at position {answer.log_position}, {when(answer.instant)}{end}", "dim"),
    )
    for line in unmet_lines(unmet_of(row) for row in answer.reasons):
        run.terminal.line(*line)
    for row in answer.advisories:
        run.terminal.line(f"  advisory  {row.code}  {row.resource}: {row.requirement}")
