"""Draw the machines as Mermaid, from the tables that decide: a short form in README.md, every edge in docs/machines.md.

The pictures stand between two marks and are never edited by hand. ``--check`` writes nothing and fails on drift; a
test runs it.
"""

from __future__ import annotations

import argparse
import re
import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from interlock.statemachine.machines import tables
from interlock.statemachine.policy.loader import load_pack
from interlock.statemachine.triggers import Direction, can_loosen, direction_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = Path(__file__).resolve().parents[1]
README: Final = ROOT / "README.md"
MACHINES: Final = ROOT / "docs" / "machines.md"
BEGIN: Final = "<!-- diagrams: begin (made by ops/make_diagrams.py) -->"
END: Final = "<!-- diagrams: end -->"

_ARROWS: Final = {Direction.LOOSENS: "↑", Direction.TIGHTENS: "↓", Direction.NEUTRAL: "="}


def _level_table() -> tables.Table:
    """Return the level machine of the shipped pack ``minimal``: two levels show its shape."""
    pack = resources.files("interlock.statemachine.policy") / "packs" / "minimal" / "policy.yaml"
    return tables.level_table(load_pack({"policy.yaml": pack.read_bytes()}))


def _name_of(trigger: str, *, argument: bool) -> str:
    """Return a trigger without its machine's name, with its direction where it has one."""
    plain, _, rest = trigger.partition("[")
    name = plain.partition(".")[2]
    if argument and rest:
        name += f"({rest[:-1]})"
    direction = direction_of(plain)
    if direction is None:
        return name
    if not can_loosen(plain) or direction is Direction.LOOSENS:
        return f"{name} {_ARROWS[direction]}"
    if argument and rest:  # the argument says which of the two
        return f"{name} {_ARROWS[Direction.LOOSENS if rest == 'lower]' else direction]}"
    return f"{name} {_ARROWS[direction]} or {_ARROWS[Direction.LOOSENS]}"


def _edges(table: tables.Table, view: Callable[[str], str], *, argument: bool) -> Iterator[tuple[str, str, str]]:
    """Yield (source, label, target), each pair of states once with all its triggers."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for (source, trigger), target in table.edges.items():
        label = _name_of(trigger, argument=argument)
        labels = grouped.setdefault((view(source), view(target)), [])
        if label not in labels:
            labels.append(label)
    for (source, target), labels in grouped.items():
        yield source, ", ".join(labels), target


def _node(state: str) -> str:
    """Return a state as a Mermaid id."""
    return re.sub(r"[^a-z0-9]+", "_", state.lower()).strip("_")


def draw(table: tables.Table, view: Callable[[str], str] = str, *, argument: bool = True) -> str:
    """Return a machine as a Mermaid state diagram; ``view`` may fold several states into one."""
    states = dict.fromkeys(view(state) for state in table.states if state != tables.ABSENT)
    lines = ["stateDiagram-v2", "    direction LR"]
    lines += [f'    state "{state}" as {_node(state)}' for state in states if _node(state) != state]
    edges = tuple(_edges(table, view, argument=argument))
    if tables.ABSENT not in table.states:
        lines.append(f"    [*] --> {_node(view(_first(table)))}")
    for source, label, target in edges:
        start = "[*]" if source == tables.ABSENT else _node(source)
        lines.append(f"    {start} --> {_node(target)} : {label}")
    return "\n".join(("```mermaid", *lines, "```"))


def _first(table: tables.Table) -> str:
    """Return the state in which a machine is before anything was written."""
    return next(
        state
        for state in ("undetermined", "unassigned", "planned", "drafted", "active", "due", "closed")
        if state in table.states
    )


def _without_argument(state: str) -> str:
    return state.partition("(")[0]


def _shade(state: str) -> str:
    return state.rpartition("/")[2]


def short_form() -> str:
    """Return the pictures of README.md: the machines that a release waits for, with like states folded."""
    parts = [
        ("A **safeguard** of a model.", draw(tables.SAFEGUARD, _without_argument, argument=False)),
        ("A **level** of a model, per standard.", draw(_level_table(), _without_argument, argument=False)),
        (
            "A **determination** of a model at a capability threshold.",
            draw(tables.DETERMINATION, _shade, argument=False),
        ),
        ("A **change**, the one way to loosen anything.", draw(tables.CHANGE, argument=False)),
    ]
    return "\n\n".join(f"{title}\n\n{picture}" for title, picture in parts)


def all_edges() -> str:
    """Return the pictures of docs/machines.md: every state and every edge."""
    titles = {
        "model": "Model",
        "determination": "Determination",
        "assessment": "Assessment",
        "level": "Level, over a pack's levels `basic` and `guarded`",
        "safeguard": "Safeguard",
        "hold": "Hold",
        "deployment": "Deployment",
        "change": "Change",
        "principal": "Principal: an account",
        "credential": "Credential: a key of an account",
        "grant": "Grant: a role of an account",
        "delegation": "Delegation: a role that somebody acts in for another",
        "issuer": "Issuer: an OpenID provider",
        "exception": "Exception: a hold or a safeguard that break-glass excepts for a while",
        "interim_measure": "Interim measure",
        "obligation": "Obligation: one of its periods",
        "incident": "Incident",
        "finding": "Finding",
        "policy_version": "Policy version",
        "log": "Log: what a change does to it",
    }
    found = {table.kind: table for table in (*tables.FIXED, _level_table())}
    return "\n\n".join(f"## {titles[kind]}\n\n{draw(found[kind])}" for kind in (titles | found))


def refreshed(text: str, pictures: str) -> str:
    """Return a page with what is between the marks replaced."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        msg = "the page has no marks for its diagrams"
        raise ValueError(msg)
    return f"{before}{BEGIN}\n{pictures}\n{END}{after}"


def stale_pages() -> dict[Path, str]:
    """Return the pages that are not as the tables say, with what they should hold."""
    wanted = {README: short_form(), MACHINES: all_edges()}
    pages = {page: refreshed(page.read_text("utf-8"), pictures) for page, pictures in wanted.items()}
    return {page: text for page, text in pages.items() if page.read_text("utf-8") != text}


def main() -> int:
    """Write the pictures, or with ``--check`` say which page has drifted."""
    parser = argparse.ArgumentParser(description="Draw the machines into README.md and docs/machines.md.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on drift")
    check: bool = parser.parse_args().check
    stale = stale_pages()
    for page, text in stale.items():
        if check:
            print(f"{page.relative_to(ROOT)}: not as the tables say; run ops/make_diagrams.py", file=sys.stderr)
        else:
            page.write_text(text, "utf-8")
            print(f"{page.relative_to(ROOT)}: drawn")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
