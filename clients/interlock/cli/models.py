"""`interlock models`: register, read, retire, confirm a level."""

from __future__ import annotations

from typing import Annotated

import typer

from interlock.cli import drawing, watching
from interlock.cli.arguments import AsOfOption, ModelArgument, ReasonOption, moment_or_position
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import to_json
from interlock.cli.views.model import show_model, show_models

app = group("Models: what is released, with levels, determinations, safeguards and the gate's word.")


@command(app, "create", example="interlock models create aurora-4 --artifact 9f86d08…")
def create(
    run: Run,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Its id; it is never used again.")],
    artifact: Annotated[
        list[str] | None,
        typer.Option("--artifact", "-a", metavar="SHA256", help="A weights manifest's SHA-256; may be repeated."),
    ] = None,
) -> None:
    """Register a model, perhaps with its first weights manifests."""
    with run.client() as client:
        made = client.models.create(model, artifacts=artifact or ())
    if run.as_json:
        run.terminal.json(to_json(made))
    run.terminal.line(("registered ", "green"), made.name)
    for row in made.artifacts:
        run.terminal.line(row.name, indent=2)


@command(app, "list", example="interlock models list")
def list_(run: Run) -> None:
    """List models with their levels and where the gate lets them go."""
    with run.client() as client:
        rows = list(client.models.list())
    if run.as_json:
        run.terminal.json({"models": [to_json(row) for row in rows]})
        return
    show_models(run.terminal, rows)


@command(app, "show", example="interlock models show aurora-4 --as-of 2026-05-22T10:00:00Z")
def show(
    run: Run,
    model: ModelArgument,
    as_of: AsOfOption = None,
) -> None:
    """Draw a model: levels, determinations, safeguards and what is left of them, the gate's word by context."""
    with run.client() as client:
        found = client.models.get(model, as_of=moment_or_position(as_of))
    if run.as_json:
        run.terminal.json(to_json(found))
        return
    show_model(run.terminal, found)


command(app, "diagram", example="interlock models diagram aurora-4 --png --out aurora-4.png")(drawing.model_diagram)
command(app, "watch", example="interlock models watch --json")(watching.watch_models)


@command(app, "retire", example="interlock models retire aurora-2 --reason 'superseded'")
def retire(run: Run, model: ModelArgument, reason: ReasonOption = "") -> None:
    """Withdraw a model for good; takes effect at once."""
    with run.client() as client:
        gone = client.models.retire(model, reason=reason)
    if run.as_json:
        run.terminal.json(to_json(gone))
    run.terminal.line(("retired ", "green"), gone.name)


@command(app, "confirm-level", example="interlock models confirm-level aurora-4 deployment")
def confirm_level(
    run: Run,
    model: ModelArgument,
    standard: Annotated[str, typer.Argument(metavar="STANDARD", help="Such as `deployment` or `security`.")],
) -> None:
    """Make a provisional level a confirmed one."""
    with run.client() as client:
        found = client.models.confirm_level(model, standard)
    if run.as_json:
        run.terminal.json(to_json(found))
        return
    show_model(run.terminal, found)
