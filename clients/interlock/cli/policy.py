"""`interlock policy`: the versions that were ever adopted, to read, and packs to write; adopting one is a change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli.arguments import AsOfOption, moment_or_position
from interlock.cli.exits import ExitCode
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import to_json

if TYPE_CHECKING:
    from interlock.statemachine.policy.findings import Finding

app = group("Policies: the versions ever adopted, with their packs; and packs to write.")

IN_FORCE: Final = "policies/-"


@command(app, "list", example="interlock policy list")
def list_(run: Run) -> None:
    """List policy versions, oldest first."""
    with run.client() as client:
        rows = list(client.policy.list())
    if run.as_json:
        run.terminal.json({"policies": [to_json(row) for row in rows]})
        return
    run.terminal.rows(
        [
            [(row.name, "bold"), ("in force", "green") if row.in_force else "", (row.digest, "dim"), row.title]
            for row in rows
        ]
    )


@command(app, "show", example="interlock policy show --file policy.yaml")
def show(
    run: Run,
    policy: Annotated[
        str, typer.Argument(metavar="[POLICY]", help="`policies/ID/versions/V`; none: the one in force.")
    ] = IN_FORCE,
    file: Annotated[str, typer.Option("--file", "-f", help="Print this file of the pack, as it was adopted.")] = "",
    as_of: AsOfOption = None,
) -> None:
    """Show a policy version and the files of its pack."""
    with run.client() as client:
        found = client.policy.get(policy, as_of=moment_or_position(as_of))
    if run.as_json:
        run.terminal.json(to_json(found))
        return
    if file:
        content = next((row.content for row in found.pack.files if row.path == file), None)
        if content is None:
            paths = ", ".join(row.path for row in found.pack.files)
            raise typer.BadParameter(f"the pack has no {file}; it has {paths}", param_hint="--file")
        run.terminal.lines(content.decode(errors="backslashreplace").removesuffix("\n"))
        return
    run.terminal.line((found.name, "bold"), f"  {found.title}")
    run.terminal.line("in force" if found.in_force else "not in force", indent=2)
    run.terminal.line(f"sha256 {found.digest}", indent=2)
    for row in found.pack.files:
        run.terminal.line(f"{row.path}  {len(row.content)} bytes", indent=2)


@command(app, "init", example="interlock policy init minimal --out house-rules")
def init(
    run: Run,
    pack: Annotated[
        str, typer.Argument(metavar="PACK", help="A pack that ships: fsf, minimal, preparedness, rsp-2.2, rsp-3.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Folder to make. [default: ./PACK]")
    ] = None,
) -> None:
    """Write a shipped pack into a new folder, to edit: the start of an organisation's own."""
    from interlock.client.packs import shipped_pack

    files = shipped_pack(pack)
    folder = out or Path(pack)
    if folder.exists():
        raise typer.BadParameter(f"{folder} is there already; nothing was written", param_hint="--out")
    folder.mkdir(parents=True)
    for path, content in files.items():
        (folder / path).write_bytes(content)
    if run.as_json:
        run.terminal.json({"folder": str(folder), "files": sorted(files)})
        return
    for path in sorted(files):
        run.terminal.line((str(folder / path), "bold"))
    run.terminal.note("give it a name of its own under `policy:`, edit it, then: interlock policy lint ", str(folder))


@command(app, "lint", example="interlock policy lint house-rules")
def lint(
    run: Run,
    pack: Annotated[str, typer.Argument(metavar="PACK", help="A folder, or a pack that ships.")],
) -> int:
    """Say everything that is wrong in a pack, with line, column and what to write instead. Exit 1 unless it is clean.

    Errors keep a pack from being adopted, warnings are to be mended, notes are for the reviewer. Checked are text,
    YAML, keys and types, every name, and what no pack may say; machines and quorums are not yet proven.
    """
    from interlock.client.packs import read_pack
    from interlock.statemachine.policy import examine_pack, pack_digest

    files = read_pack(pack)
    examined = examine_pack(files)
    if run.as_json:
        digest = pack_digest(files).hex() if examined.policy is not None else ""
        rows = [_finding_json(finding) for finding in examined.findings]
        run.terminal.json({"clean": examined.clean, "digest": digest, "findings": rows})
        return ExitCode.DONE if examined.clean else ExitCode.NO
    for finding in examined.findings:
        run.terminal.line(str(finding))
    if examined.clean:
        run.terminal.line(("clean", "bold green"), f"  sha256 {pack_digest(files).hex()}")
        return ExitCode.DONE
    return ExitCode.NO


def _finding_json(finding: Finding) -> dict[str, object]:
    return {
        "severity": finding.severity.value,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "code": finding.code.value,
        "message": finding.message,
        "fix": finding.fix,
    }
