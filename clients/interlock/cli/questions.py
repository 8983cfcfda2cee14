"""`interlock gate explain` and `interlock gate batch`: why, and many questions at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from interlock.cli.arguments import AsOfOption, ModelArgument, moment_or_position
from interlock.cli.exits import ExitCode
from interlock.cli.run import Run  # noqa: TC001  # typer evaluates it
from interlock.cli.views.common import ALLOW, DENY, to_json, when
from interlock.client import names

if TYPE_CHECKING:
    from interlock.cli.terminal import Piece
    from interlock.v1.gate_pb2 import CheckReleaseResponse

MOST_QUESTIONS: Final = 1000
MOST_BYTES: Final = 1 << 20
"""A question has some 300 bytes at most."""

_STDIN: Final = "-"
_FIELDS: Final = {"model", "context", "artifact"}


def explain(
    run: Run,
    model: ModelArgument,
    context: Annotated[str, typer.Option("--context", "-c", help="Where it would go, such as `api`.")],
    artifact: Annotated[
        str, typer.Option("--artifact", "-a", metavar="SHA256", help="The weights manifest that is released.")
    ] = "",
    as_of: AsOfOption = None,
) -> int:
    """Draw all that a release asks for: what is met, by which entry, by whom signed, until when. Exits as `gate check`.

    Every rule is shown, also those that are met. About the past it asks for the right to read.
    """
    from interlock.cli.views.tree import show_tree
    from interlock.client.groups.gate import is_allowed

    moment = moment_or_position(as_of)
    with run.client() as client:
        explained = client.gate.explain(model, context, artifact=artifact, as_of=moment)
    answer, allowed = explained.answer, is_allowed(explained.answer)
    if run.as_json:
        run.terminal.json(to_json(explained))
    else:
        run.terminal.line(*_headline(model, context, allowed=allowed), _judged_at(answer, allowed=allowed))
        show_tree(run.terminal, explained.tree, answer.instant)
    return ExitCode.DONE if allowed else ExitCode.NO


def batch(
    run: Run,
    file: Annotated[
        str, typer.Option("--file", "-f", metavar="FILE", help="The questions, a JSON object a line; `-` for stdin.")
    ],
    min_position: Annotated[
        int | None,
        typer.Option("--min-position", min=0, metavar="N", help="The answers have to include the entry at N."),
    ] = None,
) -> int:
    """Ask many questions at one position and instant: exit 0 where every answer is ALLOW, 1 where any is DENY.

    A line is such as {"model": "aurora-4", "context": "api", "artifact": "9f86d08…"}, artifact optional; 1,000 at most.
    With --json an answer a line, in the same order.
    """
    from interlock.client.groups.gate import is_allowed

    questions = _read_questions(file)
    with run.client() as client:
        answers = client.gate.check_many(questions, min_position=min_position)
    allowed = [is_allowed(answer) for answer in answers]
    for (model, context, artifact), answer, good in zip(questions, answers, allowed, strict=True):
        if run.as_json:
            asked = {"model": names.model(model), "context": context, "artifact_digest": artifact}
            run.terminal.json_line({"question": asked, "answer": to_json(answer)})
            continue
        codes = ", ".join(dict.fromkeys(reason.code for reason in answer.reasons))
        run.terminal.line(*_headline(model, context, allowed=good), (f"  {codes}" if codes else "", "yellow"))
    run.terminal.line((f"{sum(allowed)} of {len(allowed)} may go", "bold"), _judged_at(answers[0], allowed=False))
    return ExitCode.DONE if all(allowed) else ExitCode.NO


def _headline(model: str, context: str, *, allowed: bool) -> tuple[Piece, ...]:
    return (ALLOW if allowed else DENY, f" {names.leaf(model)} {context}")


def _judged_at(answer: CheckReleaseResponse, *, allowed: bool) -> Piece:
    end = f", valid until {when(answer.valid_until_time)}" if allowed and when(answer.valid_until_time) else ""
    return (f"  at position {answer.log_position}, {when(answer.instant)}{end}", "dim")


def _read_questions(file: str) -> list[tuple[str, str, str]]:
    """Return (model, context, artifact) of every line. Raises BadParameter, naming the line."""
    where = "standard input" if file == _STDIN else file
    try:
        if file == _STDIN:
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(file).open("rb") as source:
                data = source.read(MOST_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise typer.BadParameter(f"{where} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{where} is not UTF-8") from error
    if len(data) > MOST_BYTES:
        raise typer.BadParameter(f"{where} is longer than {MOST_QUESTIONS:,} questions can be")
    # By line feeds alone: JSON text may hold what else Unicode takes for the end of a line.
    questions = [_question(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not 1 <= len(questions) <= MOST_QUESTIONS:
        raise typer.BadParameter(f"{where} holds {len(questions)} questions; from 1 to {MOST_QUESTIONS:,} can be asked")
    return questions


def _question(number: int, line: str) -> tuple[str, str, str]:
    from interlock.proofs import json_text
    from interlock.proofs.errors import RefusedError

    try:
        value: Any = json_text.strict_json(line.encode())
    except RefusedError as error:
        raise typer.BadParameter(f"line {number} is not JSON: {error}") from error
    if (
        not isinstance(value, dict)
        or not {"model", "context"} <= value.keys() <= _FIELDS
        or not all(isinstance(word, str) for word in value.values())
    ):
        raise typer.BadParameter(f"line {number}: write an object with the words model, context and perhaps artifact")
    return value["model"], value["context"], value.get("artifact", "")
