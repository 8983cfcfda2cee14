"""`interlock policy`: the versions that were ever adopted, to read, and packs to write. Adopting one: `adopting.py`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli import adopting, drawing, linting, reporting
from interlock.cli.arguments import AsOfOption, moment_or_position
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import to_json, when, word

if TYPE_CHECKING:
    from interlock.v1.policy_pb2 import Policy

app = group("Policies: the versions ever adopted, with their packs; packs to write, compare, try and adopt.")
adopting.add_to(app)
command(app, "report", example="interlock policy report > policy.md")(reporting.report)

IN_FORCE: Final = "policies/-"


@command(app, "list", example="interlock policy list")
def list_(run: Run) -> None:
    """List policy versions, oldest first."""
    with run.client() as client:
        rows = list(client.policy.list())
    if run.as_json:
        run.terminal.json({"policies": [to_json(row) for row in rows]})
        return
    run.terminal.rows([[(row.name, "bold"), _state(row), (row.digest, "dim"), row.title] for row in rows])


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
    run.terminal.line(_state(found), indent=2)
    if found.HasField("adopt_time"):
        run.terminal.line(f"adopted {when(found.adopt_time)} at position {found.adopted_position}", indent=2)
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


command(app, "lint", example="interlock policy lint house-rules --against ops")(linting.lint)
command(app, "diagram", example="interlock policy diagram rsp-2.2 --svg --out rsp.svg")(drawing.policy_diagram)


def _state(policy: Policy) -> tuple[str, str]:
    from interlock.v1 import policy_pb2

    if policy.in_force:
        return ("in force", "green")
    return (word(policy_pb2.PolicyState, policy.state), "yellow" if policy.adopted_position < 0 else "dim")
