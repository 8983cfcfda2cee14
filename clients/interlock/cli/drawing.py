"""`interlock policy diagram` and `models diagram`: machines drawn, with who signs, and where a model stands now.

Not here: what is drawn and how, which is the SDK's (``client/diagrams/``).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli.arguments import ModelArgument  # noqa: TC001  # typer evaluates it
from interlock.cli.linting import complete_pack
from interlock.cli.run import Run  # noqa: TC001  # typer evaluates it

if TYPE_CHECKING:
    from interlock.client.diagrams import Figure, Machine
    from interlock.statemachine.policy.model import Policy
    from interlock.v1.model_pb2 import Model

_IN_FORCE: Final = "policies/-"
_KINDS: Final = "model, determination, level, safeguard, interim_measure, hold, obligation"

PngOption = Annotated[bool, typer.Option("--png", help="A PNG file, for --out; needs the extra `diagrams`.")]
SvgOption = Annotated[bool, typer.Option("--svg", help="An SVG document.")]
MermaidOption = Annotated[bool, typer.Option("--mermaid", help="Markdown with Mermaid diagrams: the default.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write it here; else to stdout, but for PNG.")
]
MachineOption = Annotated[
    list[str] | None,
    typer.Option(
        "--machine",
        metavar="MACHINE",
        help=f"Only this one; may be repeated: {_KINDS}.",
        autocompletion=lambda incomplete: [kind for kind in _KINDS.split(", ") if kind.startswith(incomplete)],
    ),
]


def policy_diagram(
    run: Run,
    pack: Annotated[
        str,
        typer.Argument(
            metavar="[PACK]",
            help="A folder, or a pack that ships; none: the policy in force.",
            autocompletion=complete_pack,
        ),
    ] = "",
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="Light the states of this one.")] = "",
    machine: MachineOption = None,
    png: PngOption = False,
    svg: SvgOption = False,
    mermaid: MermaidOption = False,
    out: OutOption = None,
) -> None:
    """Draw the machines of a policy: every edge with its direction, who signs it and which evidence it takes."""
    from interlock.client.packs import read_pack
    from interlock.statemachine.policy.loader import load_pack

    policy = load_pack(read_pack(pack)) if pack else None
    found = None
    if model or policy is None:
        with run.client() as client:
            found = client.models.get(model) if model else None
            rows = () if policy is not None else client.policy.get(_IN_FORCE).pack.files
        policy = policy or load_pack({row.path: row.content for row in rows})
    _give(run, policy, found, machine, (png, svg, mermaid), out)


def model_diagram(
    run: Run,
    model: ModelArgument,
    machine: MachineOption = None,
    png: PngOption = False,
    svg: SvgOption = False,
    mermaid: MermaidOption = False,
    out: OutOption = None,
) -> None:
    """Draw the machines of the policy in force with the present states of a model lit."""
    policy_diagram(run, "", model, machine, png, svg, mermaid, out)


def _give(
    run: Run,
    policy: Policy,
    model: Model | None,
    machines: list[str] | None,
    forms: tuple[bool, bool, bool],
    out: Path | None,
) -> None:
    """Write the figure as asked for."""
    from interlock.client.diagrams import MACHINES, figure_of, to_mermaid, to_png, to_svg

    png, svg, _ = forms
    if sum(forms) > 1:
        raise typer.BadParameter("give one of --png, --svg and --mermaid")
    if png and out is None:
        raise typer.BadParameter("a PNG is no text: say where with --out FILE", param_hint="--png")
    for kind in machines or ():
        if kind not in MACHINES:
            raise typer.BadParameter(f"there is no machine {kind}; there are {_KINDS}", param_hint="--machine")
    figure = figure_of(policy, tuple(machines or MACHINES), model)
    data = to_png(figure) if png else (to_svg(figure) if svg else to_mermaid(figure)).encode()
    if out is not None:
        out.write_bytes(data)
    if run.as_json:
        run.terminal.json(_figure_json(figure, data, out))
    elif out is not None:
        run.terminal.line((str(out), "bold"), f"  {len(data)} bytes")
    else:
        run.terminal.exact(data.decode())


def _figure_json(figure: Figure, data: bytes, out: Path | None) -> dict[str, object]:
    return {
        "title": figure.title,
        "file": str(out) if out is not None else "",
        "sha256": hashlib.sha256(data).hexdigest(),
        "machines": [_machine_json(machine) for machine in figure.machines],
    }


def _machine_json(machine: Machine) -> dict[str, object]:
    return {
        "machine": machine.kind,
        "states": list(machine.states),
        "lit": {state: list(who) for state, who in machine.lit.items()},
        "edges": [
            {
                "trigger": edges.trigger,
                "direction": edges.direction.value if edges.direction is not None else "",
                "ways": [{"from": source, "to": target} for source, target in edges.ways],
                "takes": list(edges.takes),
            }
            for edges in machine.edges
        ],
    }
