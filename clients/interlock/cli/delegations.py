"""`interlock delegate` and `interlock delegations`: letting somebody sign in one's role for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import ReasonOption, moment
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import to_json, when
from interlock.client import names

if TYPE_CHECKING:
    from interlock.v1.identity_pb2 import Delegation

app = group("Delegations: who may sign in whose role, until when; end one.")


def add_to(root: typer.Typer) -> None:
    """Add the command of one word to the root."""
    command(root, "delegate", example="interlock delegate owner --to kim --until 2027-01-07T09:00:00Z")(delegate)


def delegate(
    run: Run,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="An approving role that you were granted.")],
    to: Annotated[str, typer.Option("--to", metavar="PRINCIPAL", help="Who may sign in it for you.")],
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="When it ends by itself.")],
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="When it begins. [default: now]")] = None,
) -> None:
    """Let somebody sign in one of your roles for a while; signed with your sign-off key.

    On a change where they do, the two of you count as one person, and every rule must hold for both.
    """
    end, begin = moment(until), moment(start)
    if end is None:
        raise typer.BadParameter("an instant such as 2027-01-07T09:00:00Z", param_hint="--until")
    with run.client() as client:
        given = client.delegate(role, to=to, until=end, start=begin)
    if run.as_json:
        run.terminal.json(to_json(given))
        return
    run.terminal.line((given.name, "bold"), f" {delegation_line(given)}")


@command(app, "list", example="interlock delegations list --principal rso")
def list_(
    run: Run,
    principal: Annotated[
        str, typer.Option("--principal", metavar="PRINCIPAL", help="Only those that this account gave or was given.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Those that stand no more, too.")] = False,
) -> None:
    """List delegations, newest first."""
    with run.client() as client:
        rows = list(client.identity.delegations(principal=principal, active_only=not everything))
    if run.as_json:
        run.terminal.json({"delegations": [to_json(row) for row in rows]})
        return
    run.terminal.rows([[(row.name, "bold"), delegation_line(row)] for row in rows], empty="no delegation")


@command(app, "end", example="interlock delegations end 3 --reason 'back from leave'")
def end(
    run: Run,
    delegation: Annotated[str, typer.Argument(metavar="DELEGATION", help="`3` or `delegations/3`.")],
    reason: ReasonOption = "",
) -> None:
    """End a delegation at once: yours, or as an admin anybody's. What was signed by it and waits is void."""
    with run.client() as client:
        ended = client.identity.end_delegation(delegation, reason=reason)
    if run.as_json:
        run.terminal.json(to_json(ended))
        return
    run.terminal.line((ended.name, "bold"), f" {delegation_line(ended)}")


def delegation_line(row: Delegation) -> str:
    """Return who may sign for whom in which role, and how that stands."""
    who = f"{names.leaf(row.delegate)} may sign as {row.role} for {names.leaf(row.delegator)}"
    window = f"{when(row.start_time)} to {when(row.expire_time)}"
    if row.HasField("end_time"):
        return f"{who}: ended {when(row.end_time)} by {names.leaf(row.ender)}"
    return f"{who}, {window}" + ("" if row.in_force else ": not in force")
