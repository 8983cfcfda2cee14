"""`interlock status`: one screen that says how things stand."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from interlock.cli.run import Run, command
from interlock.cli.session import show_unsatisfiable
from interlock.cli.views.common import to_json, when
from interlock.cli.views.model import show_models
from interlock.cli.views.obligation import owed_for, short_period
from interlock.client import names
from interlock.client.errors import NotAllowedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import typer

    from interlock.cli.terminal import Piece
    from interlock.client.sdk import Interlock
    from interlock.v1.accountability_pb2 import Finding, Incident, Obligation
    from interlock.v1.gate_pb2 import BreakGlass, InterimMeasure
    from interlock.v1.hold_pb2 import Hold

Answer = TypeVar("Answer")
_SOON: Final = timedelta(days=30)
"""How far ahead obligations are shown."""


def add_to(app: typer.Typer) -> None:
    """Add the command to the root."""
    command(app, "status", example="interlock status")(status)


def status(run: Run) -> None:
    """Show on one screen: server, log, policy, models and the gate, holds, what waits for you, what falls due."""
    with run.client() as client:
        if run.as_json:
            run.terminal.json(_as_json(client))
        else:
            _show(run, client)


def _show(run: Run, client: Interlock) -> None:
    terminal = run.terminal
    me = client.identity.whoami()
    head = _allowed(client.audit.checkpoint)
    policy = _allowed(client.policy.get)
    holds = _allowed(lambda: list(client.holds.list(placed_only=True)))
    waiting = _allowed(lambda: list(client.changes.list(waiting_for_me=True)))
    due = _allowed(lambda: list(client.obligations.list(due_within=_SOON)))
    uses = _allowed(lambda: list(client.gate.break_glass(open_only=True)))
    incidents = _allowed(lambda: list(client.incidents.list()))
    findings = _allowed(lambda: list(client.findings.list()))
    measures = _allowed(lambda: list(client.measures.list()))
    models = _allowed(lambda: list(client.models.list()))
    unseen = ("not yours to see", "dim")
    terminal.rows(
        [
            ["server", f"{client.profile.address} as {client.profile.server_name}"],
            ["you", f"{me.principal.name}: {', '.join(row.role for row in me.principal.grants) or 'no role'}"],
            *([["missing", _missing(me.missing_parts)]] if me.missing_parts else []),
            ["log", f"{me.log_id}{', development' if me.development else ''}"],
            ["head", f"{head.size} entries, root {head.root.hex()}" if head else unseen],
            ["policy", f"{policy.name}  {policy.title}" if policy else unseen],
            [
                "holds",
                _holds(holds) if holds is not None else unseen,
            ],
            [
                "waiting",
                ", ".join(row.name for row in waiting) or "nothing for you" if waiting is not None else unseen,
            ],
            *([["break-glass", _uses(uses)]] if uses else []),
            ["incidents", _open(incidents) if incidents is not None else unseen],
            ["findings", _open(findings) if findings is not None else unseen],
            ["measures", _measures(measures) if measures is not None else unseen],
            ["due", _due(due) if due is not None else unseen],
        ]
    )
    show_unsatisfiable(terminal, me)
    if models:
        terminal.line()
        show_models(terminal, models)


def _as_json(client: Interlock) -> dict[str, object]:
    head = _allowed(client.audit.checkpoint)
    policy = _allowed(client.policy.get)
    if policy is not None:
        policy.ClearField("pack")
    models = _allowed(lambda: list(client.models.list()))
    holds = _allowed(lambda: list(client.holds.list(placed_only=True)))
    waiting = _allowed(lambda: list(client.changes.list(waiting_for_me=True)))
    due = _allowed(lambda: list(client.obligations.list(due_within=_SOON)))
    uses = _allowed(lambda: list(client.gate.break_glass(open_only=True)))
    incidents = _allowed(lambda: list(client.incidents.list()))
    findings = _allowed(lambda: list(client.findings.list()))
    measures = _allowed(lambda: list(client.measures.list()))
    return {
        "address": client.profile.address,
        "me": to_json(client.identity.whoami()),
        "checkpoint": {"size": head.size, "root": head.root.hex()} if head else None,
        "policy": to_json(policy) if policy is not None else None,
        "models": [to_json(row) for row in models] if models is not None else None,
        "holds": [to_json(row) for row in holds] if holds is not None else None,
        "waiting_for_me": [names.change(row.name) for row in waiting] if waiting is not None else None,
        "incidents": [to_json(row) for row in incidents] if incidents is not None else None,
        "findings": [to_json(row) for row in findings] if findings is not None else None,
        "measures": [to_json(row) for row in measures] if measures is not None else None,
        "due": [to_json(row) for row in due] if due is not None else None,
        "break_glass": [to_json(row) for row in uses] if uses is not None else None,
    }


def _missing(parts: Sequence[str]) -> Piece:
    """Return what the server needs beside its log and can't use."""
    return (f"{', '.join(parts)}: not there, or not to be used, at the server", "bold red")


def _holds(rows: Sequence[Hold]) -> str:
    """Return what is held, each hold with what it is on."""
    return ", ".join(f"{row.name} on {_on(row.target)}" for row in rows) or "none"


def _on(target: str) -> str:
    return "everything" if target == names.EVERYTHING else target


def _uses(uses: list[BreakGlass]) -> Piece:
    """Return what is excepted now, then what was and is not reviewed."""
    now = [f"{row.resource} until {when(row.until_time)} ({row.name})" for row in uses if row.in_force]
    late = [row.name for row in uses if not row.in_force]
    return (", ".join([*now, *([f"to be reviewed: {', '.join(late)}"] if late else [])]), "bold red")


def _open(rows: Sequence[Incident | Finding]) -> Piece:
    """Return what is open, each with what it is on; those that block first."""
    words = [
        f"{row.name} on {_on(names.leaf(row.target))}{' blocks' if row.blocking else ''}"
        for row in sorted(rows, key=lambda row: not row.blocking)
    ]
    return (", ".join(words), "bold red" if any(row.blocking for row in rows) else "") if words else "none"


def _measures(measures: list[InterimMeasure]) -> str:
    """Return what stands in for a safeguard, and until when."""
    rows = (f"{row.name} for {names.leaf(row.model)} until {when(row.until_time)}" for row in measures)
    return ", ".join(rows) or "none"


def _due(periods: list[Obligation]) -> Piece:
    """Return what is overdue, then what falls due soon."""
    late = [f"{short_period(row)}{owed_for(row)}" for row in periods if row.overdue]
    soon = [f"{short_period(row)}{owed_for(row)} by {when(row.due_time)}" for row in periods if not row.overdue]
    words = ", ".join([*([f"overdue: {', '.join(late)}"] if late else []), *soon])
    return (words, "bold red" if late else "") if words else f"nothing within {_SOON.days} days"


def _allowed(ask: Callable[[], Answer]) -> Answer | None:
    """Return an answer, None where the caller may not have it."""
    try:
        return ask()
    except NotAllowedError:
        return None
