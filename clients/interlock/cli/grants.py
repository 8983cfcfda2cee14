"""`interlock grants`: who has which role; one administrator ends one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import ReasonOption  # noqa: TC001  # typer evaluates it
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import to_json, when

if TYPE_CHECKING:
    from interlock.v1.identity_pb2 import Grant

app = group("Grants: who has which role, on which models, until when.")


@command(app, "list", example="interlock grants list --principal rso")
def list_(
    run: Run,
    principal: Annotated[
        str, typer.Option("--principal", metavar="PRINCIPAL", help="Only those of this account.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Those that ended, too.")] = False,
) -> None:
    """List grants, newest first."""
    with run.client() as client:
        rows = list(client.identity.grants(principal=principal, active_only=not everything))
    if run.as_json:
        run.terminal.json({"grants": [to_json(row) for row in rows]})
        return
    run.terminal.rows([_row(row) for row in rows], empty="no grant")


@command(app, "end", example="interlock grants end 7 --reason 'left the review board'")
def end(
    run: Run,
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="`7` or `grants/7`.")],
    reason: ReasonOption = "",
) -> None:
    """End a grant, for the very next request; takes the role admin."""
    with run.client() as client:
        ended = client.identity.end_grant(grant, reason=reason)
    if run.as_json:
        run.terminal.json(to_json(ended))
        return
    run.terminal.line((ended.name, "bold"), f" has ended: {ended.principal} is no longer {ended.role} on {ended.scope}")


def grant_ends(grant: Grant) -> str:
    """Say when a grant ended or will end; empty for never."""
    if grant.HasField("end_time"):
        return f"ended {when(grant.end_time)}"
    return f"until {when(grant.expire_time)}" if grant.HasField("expire_time") else ""


def _row(grant: Grant) -> list[str | tuple[str, str]]:
    return [
        (grant.name, "bold"),
        grant.principal,
        f"{grant.role} on {grant.scope}",
        "signs" if grant.approves else "",
        (grant_ends(grant), "dim"),
    ]
