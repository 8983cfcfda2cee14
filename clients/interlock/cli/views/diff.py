"""What changed between two moments, drawn by model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock.cli.views.common import when_micros
from interlock.client import names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interlock.cli.terminal import Terminal
    from interlock.statemachine.compare import Difference, Moment


def show_diff(terminal: Terminal, before: Moment, after: Moment, found: Sequence[Difference]) -> None:
    """Draw the differences: verdicts first, then what moved, then who signed."""
    terminal.line((f"from {_moment(before)} to {_moment(after)}", "dim"))
    if not found:
        terminal.line("nothing changed")
    for row in found:
        terminal.line((row.subject or "the whole log", "bold"))
        for turned in row.turned:
            terminal.line(
                (f"gate, {turned.context}: ", "bold"), f"{_verdict(turned.before)} → {_verdict(turned.after)}", indent=2
            )
        terminal.rows(
            [
                [moved.resource, f"{moved.before} → {moved.after}", (f"entry {moved.position}", "dim")]
                for moved in row.moved
            ],
            indent=2,
        )
        for signed in row.signed:
            roles = f" as {', '.join(signed.roles)}" if signed.roles else ""
            who = f"{signed.change}: {signed.decision} by {names.leaf(signed.signer)}{roles}"
            terminal.line(who, (f"  entry {signed.position}", "dim"), indent=2)


def diff_json(before: Moment, after: Moment, found: Sequence[Difference]) -> dict[str, Any]:
    """Return the same as JSON."""
    return {
        "from": {"position": before.position, "instant": when_micros(before.instant)},
        "to": {"position": after.position, "instant": when_micros(after.instant)},
        "differences": [
            {
                "subject": row.subject,
                "verdicts": [
                    {"context": turned.context, "before": _codes(turned.before), "after": _codes(turned.after)}
                    for turned in row.turned
                ],
                "moved": [
                    {
                        "kind": moved.kind,
                        "resource": moved.resource,
                        "before": moved.before,
                        "after": moved.after,
                        "position": moved.position,
                    }
                    for moved in row.moved
                ],
                "sign_offs": [
                    {
                        "change": signed.change,
                        "signer": signed.signer,
                        "decision": signed.decision,
                        "roles": list(signed.roles),
                        "position": signed.position,
                    }
                    for signed in row.signed
                ],
            }
            for row in found
        ],
    }


def _moment(moment: Moment) -> str:
    where = f"entry {moment.position}" if moment.position >= 0 else "before the founding"
    return f"{when_micros(moment.instant)} ({where})"


def _verdict(codes: tuple[str, ...] | None) -> str:
    if codes is None:
        return "no such question"
    return f"DENY ({', '.join(codes)})" if codes else "ALLOW"


def _codes(codes: tuple[str, ...] | None) -> dict[str, Any] | None:
    return None if codes is None else {"verdict": "DENY" if codes else "ALLOW", "codes": list(codes)}
