"""The rules version: which decide, evolve, explain and loader these are, and the manifest that names them.

The manifest is a text made from the code's own tables; its SHA-256 stands in every entry and in every change's content
bytes. ``rules-1.txt`` beside this module is its committed form and a test fails on drift (ledger design).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from interlock.statemachine import commands, snapshot
from interlock.statemachine.machines import tables
from interlock.statemachine.triggers import DIRECTIONS, LOOSENS_WHERE, RESERVED, Direction
from interlock.statemachine.unmet import Code

VERSION = 1

ALLOW_RULE = (
    "1 the policy in force knows the context",
    "2 the model is registered; the artifact is one of its own, where one is asked for or named",
    "3 no hold is placed on it or on everything",
    "4 every threshold that the context needs is determined, confirmed and not lapsed",
    "5 for every standard that applies in the context: assigned level >= required level",
    "6 every commitment safeguard that the assigned levels list for the context is active and attested or stood in for",
    "7 no blocking incident, finding or overdue obligation",
    "8 no fact that rules 2-7 read, nor the log's key, comes from a tainted change",
)
"""The ALLOW rule in short (domain design); ``leaves.py`` holds it whole."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A rules version and the digest of its manifest (32 bytes)."""

    version: int
    digest: bytes


def manifest() -> str:
    """Return the manifest of these rules: machines, edges, directions, ALLOW rule, reason codes.

    The shapes of resources belong to it: a state digest is over their canonical form.
    """
    lines = [f"interlock rules {VERSION}", "", "[directions]"]
    lines += [f"{trigger.value} {direction.value}" for trigger, direction in DIRECTIONS.items()]
    lines += [f"{trigger.value} {Direction.LOOSENS.value} where {where}" for trigger, where in LOOSENS_WHERE.items()]
    lines += ["", "[reserved]"]
    lines += [f"{reserved.name} {reserved.direction.value}" for reserved in RESERVED.values()]
    for table in tables.FIXED:
        lines += ["", f"[machine {table.kind}]"]
        lines += [f"{source} -- {trigger} -> {target}" for (source, trigger), target in table.edges.items()]
        settled = tables.SETTLED.get(table.kind, frozenset())
        lines += [f"{state} -- {trigger} -> (already there)" for state, trigger in sorted(settled)]
    lines += [
        "",
        "[machine level]",
        "unassigned -- level.assign[K(n)] -> K(n)",
        "J(m) -- level.raise[K(n)] -> K(n)  where n > m",
        "J(m) -- level.lower[K(n)] -> K(n)  where n < m",
        "provisional(n) -- level.confirm -> confirmed(n)",
        "",
        "[state]",
        *snapshot.SHAPES,
        "",
        "[uncommanded]",
        *(kind.__name__ for kind in commands.UNCOMMANDED),
        "",
        "[allow]",
        *ALLOW_RULE,
        "",
        "[codes]",
        *(code.value for code in Code),
    ]
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=1)
def current() -> Rules:
    """Return the rules that this code is."""
    return Rules(VERSION, hashlib.sha256(manifest().encode()).digest())


def rules_for(version: int) -> Rules | None:
    """Return the rules of a version that this code can execute, or None."""
    return current() if version == VERSION else None


def unknown(version: int, digest: bytes) -> str:
    """Return the words for rules that this program does not have."""
    own = current()
    known = f"this program has version {own.version}, {own.digest.hex()[:16]}…"
    return f"rules version {version}, {digest.hex()[:16]}…: cannot judge, {known}. The interlock that has them can"
