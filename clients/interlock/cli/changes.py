"""`interlock changes`: propose from a file, look at, revise, apply."""

from __future__ import annotations

from pathlib import Path  # typer evaluates it
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import AsOfOption, ChangeArgument, moment, moment_or_position
from interlock.cli.run import Run, command, group
from interlock.cli.views.change import change_row, show_change, show_outcome, title_of
from interlock.cli.views.common import ALLOW, DENY, short, to_json
from interlock.cli.views.entry import gone_words
from interlock.client import names
from interlock.client.errors import ContentError, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.client.review import OpenedChange
    from interlock.client.sdk import Interlock
    from interlock.v1.change_pb2 import Change

app = group("Changes: ordered triggers that need consent. `interlock sign` signs one.")

FileOption = Annotated[
    Path, typer.Option("--file", "-f", exists=True, dir_okay=False, readable=True, help="The change, in YAML.")
]
EtagOption = Annotated[str, typer.Option("--etag", help="Only if it still has this etag.")]
DocumentsArgument = Annotated[
    list[str], typer.Argument(metavar="EVIDENCE…", help="`3` or `evidence/3`; several at once.")
]


@command(app, "propose", example="interlock changes propose -f change.yaml")
def propose(
    run: Run,
    file: FileOption,
    draft: Annotated[
        bool, typer.Option("--draft", help="Keep it a draft; `changes submit` puts it to review.")
    ] = False,
) -> None:
    """Propose a change from a file: title, summary, evidence and triggers (docs/reference/change-file.md).

    A trigger is written `level.assign: {level: models/wren-1/levels/deployment, to: basic}`.
    """
    from interlock.cli.change_file import load_change_file

    wanted = load_change_file(file)
    with run.client() as client:
        made = client.changes.propose(
            wanted.triggers,
            title=wanted.title,
            summary=wanted.summary,
            evidence=wanted.evidence,
            not_before=wanted.not_before,
            apply_separately=wanted.apply_separately,
            draft=draft,
        )
    _tell(run, made)


@command(app, "amend", example="interlock changes amend 3 --summary 'as a precaution'")
def amend(
    run: Run,
    change: ChangeArgument,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", exists=True, dir_okay=False, readable=True, help="The whole change.")
    ] = None,
    title: Annotated[str, typer.Option("--title", "-t", help="Another title.")] = "",
    summary: Annotated[str, typer.Option("--summary", "-s", help="Another summary.")] = "",
    not_before: Annotated[
        str | None, typer.Option("--not-before", metavar="TIME", help="Another earliest time.")
    ] = None,
    etag: EtagOption = "",
) -> None:
    """Make a new revision, from a file or with other texts; earlier approvals are void.

    Evidence is changed by `attach` and `detach`: a file that lists other evidence than the change has is refused.
    """
    from interlock.cli.change_file import load_change_file

    wanted = load_change_file(file) if file is not None else None
    if wanted is None and not (title or summary or not_before):
        raise typer.BadParameter("nothing to amend: give --file, --title, --summary or --not-before")
    with run.client() as client:
        opened = client.open_change(change)
        if wanted is not None:
            _check_evidence(wanted.evidence, opened)
        made = client.changes.amend(
            change,
            triggers=wanted.triggers if wanted else (),
            title=title or (wanted.title if wanted else ""),
            summary=summary or (wanted.summary if wanted else ""),
            not_before=moment(not_before) or (wanted.not_before if wanted else None),
            etag=etag or opened.change.etag,
        )
    _tell(run, made)


@command(app, "list", example="interlock changes list --model aurora-4 --state in_review")
def list_(
    run: Run,
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="Only those that name this model.")] = "",
    state: Annotated[str, typer.Option("--state", help="draft, in_review, applied, rejected or withdrawn.")] = "",
    tainted: Annotated[bool, typer.Option("--tainted", help="Only those whose sign-offs count no more.")] = False,
) -> None:
    """List changes, newest first."""
    if state not in {"", "draft", "in_review", "applied", "rejected", "withdrawn"}:
        raise typer.BadParameter(f"{state!r} is no state of a change", param_hint="--state")
    with run.client() as client:
        show_rows(run, client, client.changes.list(model=model, state=state, tainted=tainted))


@command(app, "show", example="interlock changes show 3")
def show(run: Run, change: ChangeArgument, as_of: AsOfOption = None) -> None:
    """Show a change: what it would do, who signed, and everything that is unmet, by trigger."""
    with run.client() as client:
        opened = client.open_change(change, as_of=moment_or_position(as_of))
        digests = dict(opened.content.texts)
        gone = {field: gone_words(client.audit.erasure(digests[field])) for field in opened.erased}
    if run.as_json:
        run.terminal.json(change_json(opened.change))
        return
    show_change(run.terminal, opened, gone)


@command(app, "ratify", example="interlock changes ratify 3 --title 'looked at again: the weights are right'")
def ratify(
    run: Run,
    change: ChangeArgument,
    title: Annotated[str, typer.Option("--title", "-t", help="Title of the change that ratifies it.")] = "",
    summary: Annotated[str, typer.Option("--summary", "-s", help="Why, in words.")] = "",
    evidence: Annotated[list[str] | None, typer.Option("--evidence", "-e", help="Attach it; may be repeated.")] = None,
) -> None:
    """Propose the change that makes a tainted one count again, by the rules that it was judged by."""
    from interlock.v1 import trigger_pb2

    name = names.change(change)
    trigger = trigger_pb2.Trigger(change_ratify=trigger_pb2.ChangeRatify(change=name))
    with run.client() as client:
        proposed = client.changes.propose(
            [trigger], title=title or f"Ratify {name}", summary=summary, evidence=evidence or ()
        )
    if run.as_json:
        run.terminal.json(change_json(proposed))
        return
    show_outcome(run.terminal, proposed)


@command(app, "preview", example="interlock changes preview 3")
def preview(run: Run, change: ChangeArgument) -> None:
    """Say what applying a change now would do, which verdicts would turn, and what is unmet; nothing is written."""
    from interlock.v1 import gate_pb2

    with run.client() as client:
        would = client.changes.preview(change)
    if run.as_json:
        run.terminal.json(to_json(would))
        return
    run.terminal.line((f"at position {would.log_position}", "dim"))
    rows = [(row.trigger, row.resource, f"{getattr(row, 'from')} → {row.to}") for row in would.transitions]
    run.terminal.rows(rows, indent=2)
    for flip in would.flips:
        artifact = f" with {short(flip.artifact_digest)}…" if flip.artifact_digest else ""
        says = ALLOW if flip.verdict == gate_pb2.VERDICT_ALLOW else DENY
        run.terminal.line("the gate would say ", says, f" {names.leaf(flip.model)} {flip.context}{artifact}", indent=2)
    for row in would.unmet:
        where = " ".join(part for part in (row.trigger, row.resource) if part)
        run.terminal.line((row.code, "yellow"), f"  {where}: {row.requirement}; is {row.actual}", indent=2)
    if not would.unmet:
        run.terminal.line(("nothing is unmet", "green"), indent=2)


@command(app, "attach", example="interlock changes attach 3 evidence/7")
def attach(run: Run, change: ChangeArgument, evidence: DocumentsArgument, etag: EtagOption = "") -> None:
    """Attach evidence in a new revision; earlier approvals are void."""
    with run.client() as client:
        made = client.changes.attach(change, evidence, etag=etag)
    _tell(run, made)


@command(app, "detach", example="interlock changes detach 3 evidence/7")
def detach(run: Run, change: ChangeArgument, evidence: DocumentsArgument, etag: EtagOption = "") -> None:
    """Detach evidence in a new revision; earlier approvals are void."""
    with run.client() as client:
        made = client.changes.detach(change, evidence, etag=etag)
    _tell(run, made)


@command(app, "rebase", example="interlock changes rebase 3")
def rebase(run: Run, change: ChangeArgument, etag: EtagOption = "") -> None:
    """Write a stale change anew against what holds now; earlier approvals are void."""
    with run.client() as client:
        made = client.changes.rebase(change, etag=etag)
    _tell(run, made)


@command(app, "submit", example="interlock changes submit 3")
def submit(run: Run, change: ChangeArgument, etag: EtagOption = "") -> None:
    """Put a draft to review."""
    with run.client() as client:
        made = client.changes.submit(change, etag=etag)
    _tell(run, made)


@command(app, "apply", example="interlock changes apply 3")
def apply(run: Run, change: ChangeArgument, etag: EtagOption = "") -> None:
    """Apply an approved change that waits for this."""
    with run.client() as client:
        made = client.changes.apply(change, etag=etag)
    _tell(run, made)


@command(app, "withdraw", example="interlock changes withdraw 3")
def withdraw(run: Run, change: ChangeArgument, etag: EtagOption = "") -> None:
    """Take a change back."""
    with run.client() as client:
        made = client.changes.withdraw(change, etag=etag)
    _tell(run, made)


def change_json(change: Change) -> dict[str, object]:
    """Return a change as JSON shows it, with its content decoded beside the very bytes."""
    from interlock.v1.change_pb2 import ChangeContent

    return {**to_json(change), "decoded_content": to_json(ChangeContent.FromString(change.content))}


def show_rows(run: Run, client: Interlock, changes: Iterable[Change]) -> None:
    """List changes, each by its own title, whose digest is checked."""
    from interlock.client.review import open_change

    rows = list(changes)
    if run.as_json:
        run.terminal.json({"changes": [change_json(row) for row in rows]})
        return
    lines = []
    for row in rows:
        try:
            title = title_of(open_change(row, client.profile.log_id))
        except ContentError as error:
            title = f"CONTENT NOT TO BE TRUSTED: {error.message}"
        broken = any(slot.trigger == "break_glass.open" for slot in row.slots)
        lines.append([*change_row(row, title), ("BREAK-GLASS" if broken else "", "bold red"), (_waits(row), "dim")])
    run.terminal.rows(lines, empty="no change")


def _waits(change: Change) -> str:
    """Say on whose behalf a change waits for the caller, where the server was asked for what waits."""
    behalf = ", ".join(names.leaf(name) for name in change.waits_on_behalf_of)
    own = "you, or " if change.waits_in_own_name else ""
    return f"waits for {own}you on behalf of {behalf}" if behalf else ""


def _check_evidence(listed: Iterable[str], opened: OpenedChange) -> None:
    """Raise InvalidRequestError where a file lists other evidence than the change has."""
    attached = {name for name, _ in opened.content.evidence}
    if set(listed) not in (set(), attached):
        raise InvalidRequestError(
            f"the file lists other evidence than {opened.name} has ({', '.join(sorted(attached)) or 'none'}): "
            "use `changes attach` or `changes detach`",
            reason="CHANGE_FILE",
        )


def _tell(run: Run, change: Change) -> None:
    if run.as_json:
        run.terminal.json(change_json(change))
        return
    show_outcome(run.terminal, change)
