"""`interlock evidence`: documents up and down, every byte under its digest."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003  # typer evaluates it
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import AsOfOption, moment, moment_or_position
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import short, to_json, when, word
from interlock.client import names

if TYPE_CHECKING:
    from interlock.v1.evidence_pb2 import Evidence

app = group("Evidence: documents by digest, which changes rely on.")

EvidenceArgument = Annotated[str, typer.Argument(metavar="EVIDENCE", help="`3` or `evidence/3`.")]


class Classification(StrEnum):
    """Who may read a document."""

    PUBLIC = "public"
    INTERNAL = "internal"
    RESTRICTED = "restricted"


@command(app, "upload", example="interlock evidence upload report.pdf --kind safeguards_report --title 'ASL-3 report'")
def upload(
    run: Run,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The document.")],
    kind: Annotated[str, typer.Option("--kind", "-k", help="Kind, from the policy, such as safeguards_report.")],
    title: Annotated[
        str, typer.Option("--title", "-t", help="One line that says what it is; else the file's name.")
    ] = "",
    author: Annotated[
        list[str] | None,
        typer.Option("--author", metavar="PRINCIPAL", help="Who made it, besides you; may be repeated."),
    ] = None,
    made: Annotated[str | None, typer.Option("--made", metavar="TIME", help="When it was made; else now.")] = None,
    valid_until: Annotated[
        str | None, typer.Option("--valid-until", metavar="TIME", help="Until when it may be relied on.")
    ] = None,
    classification: Annotated[Classification, typer.Option(help="Who may read it.")] = Classification.INTERNAL,
    redacts: Annotated[
        str, typer.Option("--redacts", metavar="EVIDENCE", help="The original, where this is a redacted version.")
    ] = "",
    media_type: Annotated[str, typer.Option("--media-type", help="Such as application/pdf; else by the name.")] = "",
) -> None:
    """Upload a document; the server checks its SHA-256 before it is recorded."""
    with run.client() as client, run.terminal.progress(f"uploading {file.name}") as progress:
        record = client.evidence.upload(
            file,
            kind=kind,
            title=title,
            media_type=media_type,
            authors=author or (),
            made=moment(made),
            valid_until=moment(valid_until),
            classification=classification.value,
            redacts=redacts,
            progress=progress,
        )
    if run.as_json:
        run.terminal.json(to_json(record))
    run.terminal.line((record.name, "bold"), f"  {record.kind}  {record.size_bytes} bytes  sha256 {record.sha256}")


@command(app, "list", example="interlock evidence list --kind safeguards_report")
def list_(run: Run, kind: Annotated[str, typer.Option("--kind", "-k", help="Only of this kind.")] = "") -> None:
    """List documents, newest first."""
    with run.client() as client:
        rows = list(client.evidence.list(kind=kind))
    if run.as_json:
        run.terminal.json({"evidence": [to_json(row) for row in rows]})
        return
    run.terminal.rows(
        [
            [
                (row.name, "bold"),
                row.kind,
                (f"{short(row.sha256)}…", "dim"),
                f"{row.size_bytes} bytes",
                (f"{when(row.create_time)} by {names.leaf(row.uploader)}", "dim"),
                row.title,
            ]
            for row in rows
        ],
        empty="no document",
    )


@command(app, "show", example="interlock evidence show 3")
def show(run: Run, evidence: EvidenceArgument, as_of: AsOfOption = None) -> None:
    """Show a document's record."""
    with run.client() as client:
        record = client.evidence.get(evidence, as_of=moment_or_position(as_of))
    if run.as_json:
        run.terminal.json(to_json(record))
        return
    _show(run, record)


@command(app, "download", example="interlock evidence download 3 --output report.pdf")
def download(
    run: Run,
    evidence: EvidenceArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", dir_okay=False, help="Where to; the file must not exist yet.")
    ],
) -> None:
    """Download a document; the file appears only once its SHA-256 was checked here."""
    if output.exists():
        raise typer.BadParameter(f"{output} is there already", param_hint="--output")
    with run.client() as client, run.terminal.progress(f"downloading {evidence}") as progress:
        record = client.evidence.download(evidence, output, progress=progress)
    if run.as_json:
        run.terminal.json(to_json(record))
    run.terminal.line((str(output), "bold"), f"  {record.size_bytes} bytes  sha256 {record.sha256}, checked")


@command(app, "grant-access", example="interlock evidence grant-access 3 external-reviewer")
def grant_access(
    run: Run,
    evidence: EvidenceArgument,
    principal: Annotated[str, typer.Argument(metavar="PRINCIPAL", help="Who may read it.")],
) -> None:
    """Let somebody read a restricted document."""
    with run.client() as client:
        record = client.evidence.grant_access(evidence, principal)
    if run.as_json:
        run.terminal.json(to_json(record))
    run.terminal.line(f"{names.principal(principal)} may read {record.name}")


def _show(run: Run, record: Evidence) -> None:
    from interlock.v1 import evidence_pb2

    run.terminal.line((record.name, "bold"), f"  {record.title}")
    end = when(record.valid_until_time)
    run.terminal.rows(
        [
            ["kind", record.kind],
            ["sha256", record.sha256],
            ["size", f"{record.size_bytes} bytes, {record.media_type}"],
            ["made", f"{when(record.made_time)} by {', '.join(map(names.leaf, record.authors)) or 'its uploader'}"],
            ["uploaded", f"{when(record.create_time)} by {names.leaf(record.uploader)}, entry {record.position}"],
            ["valid", f"until {end}" if end else "without end"],
            ["who may read", word(evidence_pb2.Classification, record.classification)],
            *([["redacts", record.redacts]] if record.redacts else []),
            *([["compute", f"{record.effective_compute} FLOP"]] if record.effective_compute else []),
        ],
        indent=2,
    )
