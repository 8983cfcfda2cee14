"""What is unmet, drawn: grouped by trigger where there is one, resources folded, each wish in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.cli.terminal import Piece
    from interlock.client.errors import Unmet


def unmet_lines(rows: Iterable[Unmet], indent: int = 2) -> list[tuple[Piece, ...]]:
    """Return the lines for requirements: first those of no trigger, then trigger by trigger with its resources."""
    margin = " " * indent
    groups: dict[str, list[Unmet]] = {}
    for row in rows:
        groups.setdefault(row.trigger, []).append(row)
    lines: list[tuple[Piece, ...]] = [_line(margin, row, where=row.resource) for row in groups.pop("", [])]
    for trigger, members in groups.items():
        shared = {row.resource for row in members}
        common = shared.pop() if len(shared) == 1 else ""
        lines.append((margin, (trigger, "bold"), (f"  {folded(common)}" if common else "", "dim")))
        lines += [_line(margin + "  ", row, where="" if common else row.resource) for row in members]
    return lines


def folded(resources: str) -> str:
    """Return comma-joined resource names with what they share written once: `models/a/safeguards/{x, y}`."""
    names = resources.split(", ")
    parents = {name.rpartition("/")[0] for name in names}
    if len(names) == 1 or len(parents) != 1:
        return resources
    return f"{parents.pop()}/{{{', '.join(name.rpartition('/')[2] for name in names)}}}"


def _line(margin: str, row: Unmet, *, where: str) -> tuple[Piece, ...]:
    head = f"rule {row.rule}  " if row.rule else ""
    needs = f"needs {row.requirement}" if row.actual else row.requirement
    found = f"; found: {row.actual}" if row.actual else ""
    place = f"  {folded(where)}:" if where else ""
    return (margin, (head, "dim"), (row.code, "bold yellow"), f"{place} {needs}{found}")
