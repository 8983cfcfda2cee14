"""`gate watch`, `models watch` and `deployments watch`: print what a stream tells, as it comes, until told to stop.

A watch that is interrupted ends as every command does then, in 130: Ctrl-C is no answer, whatever was printed before.
What ends by itself, `gate watch --until-deny` and `--until-allow`, ends with the verdict that it waited for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import ModelArgument  # noqa: TC001  # typer evaluates it
from interlock.cli.exits import ExitCode
from interlock.cli.run import Run  # noqa: TC001  # typer evaluates it
from interlock.cli.views.common import to_json, word
from interlock.client import names

if TYPE_CHECKING:
    from interlock.client.errors import InterlockError
    from interlock.v1.model_pb2 import Model


@dataclass(frozen=True, slots=True)
class _Connection:
    """Says when the stream breaks, and when it goes on."""

    run: Run

    def broke(self, error: InterlockError) -> None:
        """Note a break."""
        self.run.terminal.note(f"disconnected ({error.reason}); going on as soon as the server is back")

    def resumed(self) -> None:
        """Note that it goes on."""
        self.run.terminal.note("connected again; what happened meanwhile comes next")


def watch_release(
    run: Run,
    model: ModelArgument,
    context: Annotated[str, typer.Option("--context", "-c", help="Where it would go, such as `api`.")],
    artifact: Annotated[
        str, typer.Option("--artifact", "-a", metavar="SHA256", help="The weights manifest that is released.")
    ] = "",
    until_deny: Annotated[bool, typer.Option("--until-deny", help="End with the first DENY.")] = False,  # a flag
    until_allow: Annotated[bool, typer.Option("--until-allow", help="End with the first ALLOW.")] = False,  # a flag
) -> int:
    """Print the verdict now and at every flip, those by time alone too; with --json, one document a line.

    Ends as the options say, 0 with ALLOW and 1 with DENY, or by Ctrl-C: 130, as every command that is interrupted. A
    connection that breaks is taken up behind the last verdict printed: no flip comes twice, none is left out.
    """
    from interlock.cli.gate import show_answer
    from interlock.client.groups.gate import is_allowed

    connection = _Connection(run)
    with run.client() as client:
        for message in client.gate.watch(
            names.model(model), context, artifact=artifact, on_break=connection.broke, on_resume=connection.resumed
        ):
            allowed = is_allowed(message.answer)
            if run.as_json:
                typer.echo(json.dumps(to_json(message.answer)))
            else:
                show_answer(run, message.answer, model, context, allowed=allowed)
            if until_allow if allowed else until_deny:
                return ExitCode.DONE if allowed else ExitCode.NO
    return ExitCode.UNAVAILABLE


def watch_models(
    run: Run,
    after: Annotated[
        int | None,
        typer.Option("--after", min=0, metavar="POSITION", help="Only what was touched after this position."),
    ] = None,
) -> None:
    """Print every model as it is, then each that an entry touches; with --json, one document a line. Ctrl-C: 130.

    A connection that breaks is taken up where it was.
    """
    connection = _Connection(run)
    with run.client() as client:
        for message in client.models.watch(after, on_break=connection.broke, on_resume=connection.resumed):
            if run.as_json:
                typer.echo(json.dumps(to_json(message)))
            elif message.HasField("model"):
                _show_model(run, message.model, message.log_position)


def watch_deployments(
    run: Run,
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="Only of this model.")] = "",
) -> None:
    """Print every deployment that is out of compliance, then each as it turns either way or ends. Ctrl-C: 130.

    With --json, one document a line. A connection that breaks is taken up behind the last line printed: nothing comes
    twice, nothing is left out.
    """
    from interlock.cli.views.deployment import show_turn

    connection = _Connection(run)
    with run.client() as client:
        for turn in client.deployments.watch(model, on_break=connection.broke, on_resume=connection.resumed):
            if run.as_json:
                typer.echo(json.dumps(to_json(turn)))
            else:
                show_turn(run.terminal, turn)


def _show_model(run: Run, model: Model, position: int) -> None:
    from interlock.v1 import model_pb2

    words = [row.context if row.allowed else f"not {row.context} ({', '.join(row.codes)})" for row in model.verdicts]
    run.terminal.line(
        (f"{position:>6}  ", "dim"),
        (names.leaf(model.name), "bold"),
        f"  {word(model_pb2.ModelState, model.state)}  {model.asl or 'no level'}  may go: {'; '.join(words)}",
    )
