"""A figure as Mermaid state diagrams, one a machine, for pages that draw these (GitHub and others do)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from interlock.statemachine.machines import tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.client.diagrams.figure import Figure, Machine


def to_mermaid(figure: Figure) -> str:
    """Return Markdown: a heading and a fenced Mermaid diagram for each machine."""
    parts = [f"# {_safe(figure.title)}"]
    for machine in figure.machines:
        body = "\n".join(_lines(machine))
        parts.append(f"## {machine.kind.replace('_', ' ')}\n\n```mermaid\n{body}\n```")
    return "\n\n".join(parts) + "\n"


def _lines(machine: Machine) -> Iterator[str]:
    yield "stateDiagram-v2"
    for state in machine.states:
        if state != tables.ABSENT:
            caption = f" — {', '.join(machine.lit[state])}" if state in machine.lit else ""
            yield f'    state "{_safe(state + caption)}" as {_node(state)}'
    for edges in machine.edges:
        label = f"{edges.trigger.partition('.')[2]} {edges.mark}".strip()
        takes = "<br>".join(map(_safe, edges.takes))
        for source, target in edges.ways:
            start = "[*]" if source == tables.ABSENT else _node(source)
            yield f"    {start} --> {_node(target)} : {label}<br>{takes}"
    lit = [_node(state) for state in machine.states if state in machine.lit]
    if lit:
        yield "    classDef lit fill:#ffd54a,stroke:#b26a00,stroke-width:3px,color:#000"
        yield from (f"    class {node} lit" for node in lit)


def _node(state: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", state.lower()).strip("_")


def _safe(text: str) -> str:
    """Return text without what Mermaid or Markdown would obey."""
    return re.sub(r"[\"<>`;#{}\[\]|\\\x00-\x1f]", " ", text.replace("< ", "under "))
