"""The gate's requirement tree, drawn: each rule, under it what it asks for, what is there and where that comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.cli.views.common import left, when
from interlock.client import names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.timestamp_pb2 import Timestamp

    from interlock.cli.terminal import Piece, Terminal
    from interlock.v1.gate_pb2 import RequirementNode

_MET: Final = ("✓ met", "green")
_MET_ADVISED: Final = ("✓ advised, met", "green")
_UNMET: Final = ("✗ not met", "bold red")
_ADVISED: Final = ("– advised, not met", "yellow")
_NOT_JUDGED: Final = ("– not judged", "yellow")


def show_tree(terminal: Terminal, tree: RequirementNode, instant: Timestamp) -> None:
    """Print a tree that was judged at ``instant``; the root is the caller's own line."""
    for rule in tree.children:
        found = f": {rule.actual}" if rule.actual else ""
        terminal.line(_mark(rule), f"  rule {rule.rule}  {rule.requirement}{found}", indent=2)
        for node in rule.children:
            _show(terminal, node, instant, indent=6)


def _show(terminal: Terminal, node: RequirementNode, instant: Timestamp, indent: int) -> None:
    code: Piece = (f"  {node.code}", "bold yellow") if node.code else ""
    place = f"  {node.resource}:" if node.resource else " "
    found = f": {node.actual}" if node.actual else ""
    terminal.line(_mark(node), code, f"{place} {node.requirement}{found}", indent=indent)
    grounds = " · ".join(_grounds(node, instant))
    if grounds:
        terminal.line((grounds, "dim"), indent=indent + 6)
    for child in node.children:
        _show(terminal, child, instant, indent + 4)


def _mark(node: RequirementNode) -> Piece:
    if node.met:
        return _MET if node.blocking else _MET_ADVISED
    if node.not_judged:
        return _NOT_JUDGED
    return _UNMET if node.blocking else _ADVISED


def _grounds(node: RequirementNode, instant: Timestamp) -> Iterator[str]:
    """Yield by which entries, on what documents and over whose signatures it is so, and until when."""
    if node.entries:
        yield f"by {'entry' if len(node.entries) == 1 else 'entries'} {', '.join(map(str, node.entries))}"
    if node.signers:
        yield f"signed by {', '.join(map(names.leaf, node.signers))}"
    if node.evidence:
        yield f"on {', '.join(node.evidence)}"
    if when(node.until_time):
        yield f"until {when(node.until_time)} ({left(node.until_time, instant)[0]})"
