"""`interlock gate`: may this model go to this context, now? Made for pipelines: one line, one exit code."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003  # typer evaluates it
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli import decisions, questions, watching
from interlock.cli.arguments import ModelArgument, duration_seconds
from interlock.cli.exits import ExitCode
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import ALLOW, DENY, to_json, when
from interlock.cli.views.unmet import unmet_lines
from interlock.client import names

if TYPE_CHECKING:
    from interlock.client.groups import Gate
    from interlock.v1.gate_pb2 import CheckReleaseResponse

app = group("The gate: may this model go to this context, now?")
command(app, "watch", example="interlock gate watch aurora-4 --context api --until-deny")(watching.watch_release)
command(app, "verify", example="interlock gate verify aurora-4.decision --context api --artifact 9f86d08…")(
    decisions.verify
)
command(app, "explain", example="interlock gate explain aurora-4 --context api --as-of 2026-05-22T10:00:00Z")(
    questions.explain
)
command(app, "batch", example="interlock gate batch --file questions.jsonl")(questions.batch)


@command(
    app, "check", example="interlock gate check aurora-4 --context api --artifact 9f86d08… --decision aurora-4.decision"
)
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
    decision: Annotated[
        Path | None,
        typer.Option("--decision", "-d", metavar="FILE", help="Write a signed decision there, for `gate verify`."),
    ] = None,
    wait: Annotated[
        str, typer.Option("--wait", metavar="TIME", help="Ask until it allows, for as long as `90s`, `10m` or `2h`.")
    ] = "",
) -> int:
    """Ask the gate: exit 0 for ALLOW, 1 for DENY with every reason, another code where nobody knows.

    FILE is removed first and written whole, for ALLOW and for DENY; where there was no answer there is no file.
    """
    from interlock.client.files import write_private
    from interlock.client.groups.gate import is_allowed

    seconds = duration_seconds(wait) if wait else 0.0
    if decision is not None:
        if not artifact:
            raise typer.BadParameter("--decision needs --artifact: it is what a decision is about")
        decisions.make_way(decision)
    question = _Question(names.model(model), context, artifact, min_position, in_writing=decision is not None)
    waiting = run.terminal.spinner(f"waiting until {names.leaf(model)} may go to {context}") if wait else nullcontext()
    with run.client() as client, waiting:
        answer = question.answer(client.gate, seconds)
    allowed = is_allowed(answer)
    if decision is not None and answer.decision:
        write_private(decision, answer.decision)
    if run.as_json:
        run.terminal.json(to_json(answer))
    else:
        show_answer(run, answer, model, context, allowed=allowed)
    return ExitCode.DONE if allowed else ExitCode.NO


@dataclass(frozen=True, slots=True)
class _Question:
    """What the gate is asked; ``in_writing`` for a signed decision."""

    model: str
    context: str
    artifact: str
    min_position: int | None
    in_writing: bool

    def answer(self, gate: Gate, seconds: float) -> CheckReleaseResponse:
        """Return the answer now, or where it is no, the first ALLOW within ``seconds``."""
        if not seconds:
            return self._decide(gate) if self.in_writing else self._check(gate)
        answer = decisions.ask_until_allowed(lambda: self._ask(gate), seconds)
        return self._decide(gate) if self.in_writing and not answer.decision else answer

    def _ask(self, gate: Gate) -> CheckReleaseResponse:
        """Ask; every decision is an entry of the log, so while there is no ALLOW none is asked for."""
        from interlock.client.groups.gate import is_allowed

        answer = self._check(gate)
        return self._decide(gate) if self.in_writing and is_allowed(answer) else answer

    def _check(self, gate: Gate) -> CheckReleaseResponse:
        return gate.check(self.model, self.context, artifact=self.artifact, min_position=self.min_position)

    def _decide(self, gate: Gate) -> CheckReleaseResponse:
        return gate.decide(self.model, self.context, self.artifact, min_position=self.min_position)


def show_answer(run: Run, answer: CheckReleaseResponse, model: str, context: str, *, allowed: bool) -> None:
    """Print a verdict, with every reason under it."""
    from interlock.client.status import unmet_of

    end = f", valid until {when(answer.valid_until_time)}" if allowed and when(answer.valid_until_time) else ""
    run.terminal.line(
        ALLOW if allowed else DENY,
        f" {names.leaf(model)} {context}",
        (f"  at position {answer.log_position}, {when(answer.instant)}{end}", "dim"),
    )
    if answer.decision_name:
        run.terminal.line(f"  recorded as {answer.decision_name}")
    for line in unmet_lines(unmet_of(row) for row in answer.reasons):
        run.terminal.line(*line)
    for row in answer.advisories:
        run.terminal.line(f"  advisory  {row.code}  {row.resource}: {row.requirement}; found: {row.actual}")
