"""A verdict of the past drawn: each rule, each requirement under it, the entries, people and documents behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock.cli.views.common import ALLOW, DENY, short, when_micros
from interlock.cli.views.entry import command_words
from interlock.client import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.cli.terminal import Terminal
    from interlock.client.why import Why
    from interlock.statemachine.tree import Node
    from interlock.v1.ledger_pb2 import LedgerEntry

    Entries = Mapping[int, LedgerEntry]


def show_why(terminal: Terminal, found: Why, entries: Entries) -> None:
    """Draw why a verdict was what it was, or would have been."""
    at = f"at {when_micros(found.moment.instant)}, after entry {found.moment.position}"
    artifact = f" with {short(found.artifact)}" if found.artifact else ""
    terminal.line(ALLOW if found.allowed else DENY, f"  {found.model} to {found.context}{artifact}, {at}")
    force = "in force then" if found.adopted else "not in force then: what these rules would have said"
    terminal.line((f"by {found.policy.name}, {force}", "dim"), indent=2)
    for rule in found.tree.children:
        mark = ("ok", "green") if rule.met else ("no", "bold red") if rule.judged else ("not judged", "yellow")
        terminal.line(mark, f" {rule.rule}. {rule.requirement}", (f"  {rule.actual}" if rule.actual else "", "dim"))
        for leaf in rule.children:
            _show_leaf(terminal, found, leaf, entries)
    for own, sources in found.mapped.items():
        terminal.line((f"{own} stands for {', '.join(sources)}, as was said here", "yellow"))
    if found.lost:
        terminal.line(("this pack has no id for:", "yellow"))
        for row in found.lost:
            terminal.line(row, indent=2)


def _show_leaf(terminal: Terminal, found: Why, leaf: Node, entries: Entries) -> None:
    advisory = "" if leaf.blocking else " (recommended)"
    mark = ("ok", "green") if leaf.met else ("no", "bold red") if leaf.blocking else ("no", "yellow")
    code = (f"{leaf.code}  " if leaf.code else "", "yellow")
    terminal.line(mark, " ", code, f"{leaf.requirement}{advisory}: {leaf.actual or 'met'}", indent=3)
    for position in leaf.entries:
        terminal.line((_entry_line(position, entries), "dim"), indent=8)
    for name in leaf.evidence:
        terminal.line((f"{name}  {_document(found, name)}", "dim"), indent=8)
    if leaf.signers:
        terminal.line((f"signed by {', '.join(map(names.leaf, leaf.signers))}", "dim"), indent=8)


def _entry_line(position: int, entries: Entries) -> str:
    entry = entries.get(position)
    if entry is None:
        return f"entry {position}"
    return f"entry {position}  {when_micros(entry.time)}  {names.leaf(entry.actor.principal)}  {command_words(entry)}"


def _document(found: Why, name: str) -> str:
    from interlock.statemachine import resources as r

    known = found.moment.state.find(name, r.Evidence)
    return f"{known.kind}  sha256 {known.sha256}" if known is not None else "not on record"


def why_json(found: Why, entries: Entries) -> dict[str, Any]:
    """Return the same as JSON."""
    from interlock.client.why import walk
    from interlock.statemachine import resources as r

    documents = sorted({name for node in walk(found.tree) for name in node.evidence})
    known = [found.moment.state.find(name, r.Evidence) for name in documents]
    return {
        "model": found.model,
        "context": found.context,
        "artifact_digest": found.artifact,
        "position": found.moment.position,
        "instant": when_micros(found.moment.instant),
        "policy": found.policy.name,
        "policy_digest": found.policy.digest.hex(),
        "policy_was_in_force": found.adopted,
        "verdict": "ALLOW" if found.allowed else "DENY",
        "tree": _node_json(found.tree),
        "entries": {
            str(at): {
                "time": when_micros(entry.time),
                "actor": entry.actor.principal,
                "credential": entry.actor.credential,
                "command": command_words(entry),
            }
            for at, entry in entries.items()
        },
        "evidence": {
            item.name: {"kind": item.kind, "sha256": item.sha256, "uploader": item.uploader}
            for item in known
            if item is not None
        },
        "mapped": {own: list(sources) for own, sources in found.mapped.items()},
        "not_carried": list(found.lost),
    }


def _node_json(node: Node) -> dict[str, Any]:
    return {
        "rule": node.rule,
        "requirement": node.requirement,
        "met": node.met,
        "blocking": node.blocking,
        "not_judged": not node.judged,
        "code": node.code,
        "actual": node.actual,
        "resource": node.resource,
        "entries": list(node.entries),
        "evidence": list(node.evidence),
        "signers": list(node.signers),
        "until": when_micros(node.until) if node.until is not None else "",
        "children": [_node_json(child) for child in node.children],
    }
