"""Resources as the log had left them, drawn: a name, what it was, and its last entry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from interlock.cli.views.common import when_micros

if TYPE_CHECKING:
    from interlock.cli.terminal import Terminal
    from interlock.client.groups.audit import PastState
    from interlock.v1.audit_pb2 import ResourceState


def state_json(found: PastState) -> dict[str, Any]:
    """Return the past as JSON shows it: each resource with its canonical form decoded."""
    return {
        "position": found.position,
        "instant": when_micros(found.instant),
        "policy": found.policy,
        "resources": [
            {"name": row.name, "position": row.position, "kind": kind, "state": fields}
            for row in found.resources
            for kind, fields in [_decoded(row)]
        ],
    }


def show_state(terminal: Terminal, found: PastState) -> None:
    """Draw the past: one line a resource."""
    terminal.line((f"at position {found.position}, judged at {when_micros(found.instant)}, {found.policy}", "dim"))
    terminal.rows(
        [[(row.name, "bold"), _words(*_decoded(row)), (f"entry {row.position}", "dim")] for row in found.resources],
        empty="nothing by that name",
    )


def _decoded(row: ResourceState) -> tuple[str, dict[str, Any]]:
    """Return kind and fields of a canonical form. Raises DataLossError for bytes that are none."""
    from interlock.client.errors import DataLossError

    try:
        ((kind, fields),) = json.loads(row.state).items()
    except (ValueError, AttributeError) as error:
        raise DataLossError(f"the server gave bytes that are no state of {row.name}", reason="STATE") from error
    return kind, fields


def _words(kind: str, fields: dict[str, Any]) -> str:
    """Say what a resource was in few words: those of its fields that people ask for."""
    told = ("state", "stage", "conclusion", "kind", "assigned", "confirmed", "target", "role", "principal")
    words = [str(fields[key]) for key in told if isinstance(fields.get(key), str) and fields[key]]
    if fields.get("confirmed"):
        words.append("confirmed")
    return ", ".join(words) or kind.lower()
