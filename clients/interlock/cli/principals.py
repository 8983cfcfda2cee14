"""`interlock principals`: the accounts, their keys and roles, to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import AsOfOption, moment_or_position
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import short, to_json
from interlock.client import names

if TYPE_CHECKING:
    from interlock.v1.identity_pb2 import Principal

app = group("Principals: accounts, their keys and roles.")


@command(app, "list", example="interlock principals list")
def list_(run: Run) -> None:
    """List accounts, by name."""
    with run.client() as client:
        rows = list(client.identity.list())
    if run.as_json:
        run.terminal.json({"principals": [to_json(row) for row in rows]})
        return
    run.terminal.rows([[(row.name, "bold"), row.kind, row.state, _roles(row)] for row in rows])


@command(app, "show", example="interlock principals show rso")
def show(
    run: Run,
    principal: Annotated[str, typer.Argument(metavar="PRINCIPAL", help="`rso` or `principals/rso`.")],
    as_of: AsOfOption = None,
) -> None:
    """Show an account with its keys and roles."""
    with run.client() as client:
        found = client.identity.get(principal, as_of=moment_or_position(as_of))
    if run.as_json:
        run.terminal.json(to_json(found))
        return
    run.terminal.line((found.name, "bold"), f"  {found.kind}, {found.state}")
    run.terminal.rows(
        [[row.name, f"{row.role} on {row.scope}", "signs" if row.approves else ""] for row in found.grants], indent=2
    )
    run.terminal.rows(
        [[f"{row.use} key", short(names.leaf(row.name)), row.state] for row in found.credentials], indent=2
    )


def _roles(row: Principal) -> str:
    return "recovery quorum" if row.recovery else ", ".join(grant.role for grant in row.grants)
