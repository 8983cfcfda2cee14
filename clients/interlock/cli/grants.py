"""`interlock grants`: who has which role; a change gives one, one administrator ends one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import ReasonOption, moment
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import to_json, when
from interlock.client import names

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


@command(app, "give", example="interlock grants give kim reviewer --scope 'aurora-*' --until 2027-01-01")
def give(
    run: Run,
    principal: Annotated[str, typer.Argument(metavar="PRINCIPAL", help="`rso` or `principals/rso`.")],
    role: Annotated[str, typer.Argument(metavar="ROLE", help="A role of the policy, or a built-in one.")],
    scope: Annotated[str, typer.Option("--scope", help="A pattern over ids of models; `*` for everything.")] = "*",
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="When it ends by itself.")] = None,
    title: Annotated[str, typer.Option("--title", "-t", help="Title of the change.")] = "",
) -> None:
    """Propose the change that gives an account a role; it counts for what is proposed after that is applied."""
    from interlock.cli.registering import propose
    from interlock.v1 import trigger_pb2

    who, end = names.principal(principal), moment(until)
    trigger = trigger_pb2.GrantGive(
        principal=who, role=role, scope=scope, until=int(end.timestamp()) * 1_000_000 if end is not None else 0
    )
    propose(run, [trigger_pb2.Trigger(grant_give=trigger)], title or f"Make {who} {role}")


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
