"""`interlock principals`: the accounts, their keys and roles; a change makes one, an admin takes it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003  # typer evaluates it
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import AsOfOption, ReasonOption, moment_or_position
from interlock.cli.grants import grant_ends
from interlock.cli.keys import key_row
from interlock.cli.run import Run, command, group
from interlock.cli.session import show_unsatisfiable
from interlock.cli.views.common import to_json
from interlock.client import names

if TYPE_CHECKING:
    from interlock.v1.identity_pb2 import Principal, WhoAmIResponse

app = group("Principals: accounts, their keys and roles; add, suspend, remove or restore one.")


class Kind(StrEnum):
    """What kind of account."""

    HUMAN = "human"
    SERVICE = "service"
    EXTERNAL = "external"


PrincipalArgument = Annotated[str, typer.Argument(metavar="PRINCIPAL", help="`rso` or `principals/rso`.")]


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
    principal: PrincipalArgument,
    as_of: AsOfOption = None,
) -> None:
    """Show an account with its keys and roles."""
    with run.client() as client:
        found = client.identity.get(principal, as_of=moment_or_position(as_of))
    if run.as_json:
        run.terminal.json(to_json(found))
        return
    behind = f", the person {found.person}" if found.person else ""
    run.terminal.line((found.name, "bold"), f"  {found.kind}, {found.state}{behind}")
    run.terminal.rows(
        [
            [row.name, f"{row.role} on {row.scope}", "signs" if row.approves else "", (grant_ends(row), "dim")]
            for row in found.grants
        ],
        indent=2,
    )
    run.terminal.rows([key_row(row) for row in found.credentials], indent=2)


@command(
    app, "add", example="interlock principals add kim --kind human --person persons/p17 --keys kim.yaml --role reviewer"
)
def add(
    run: Run,
    principal: PrincipalArgument,
    kind: Annotated[Kind, typer.Option("--kind", help="What kind of account.")] = Kind.HUMAN,
    person: Annotated[
        str,
        typer.Option("--person", metavar="ID", help="Id of the person behind it, never a name; none for a service."),
    ] = "",
    keys: Annotated[
        Path | None,
        typer.Option("--keys", exists=True, dir_okay=False, help="What `keys prove` printed for this account."),
    ] = None,
    role: Annotated[list[str] | None, typer.Option("--role", help="A role to give it; may be repeated.")] = None,
    scope: Annotated[str, typer.Option("--scope", help="Of its roles: a pattern over ids of models.")] = "*",
    title: Annotated[str, typer.Option("--title", "-t", help="Title of the change.")] = "",
) -> None:
    """Propose the change that makes an account, with its keys and roles where they are given."""
    from interlock.cli.registering import load_registrations, propose
    from interlock.v1 import trigger_pb2

    who = names.principal(principal)
    made = trigger_pb2.PrincipalCreate(principal=who, kind=kind.value, person=person)
    triggers = [trigger_pb2.Trigger(principal_create=made)]
    triggers += load_registrations(keys).triggers if keys is not None else ()
    for one in role or ():
        given = trigger_pb2.GrantGive(principal=who, role=one, scope=scope)
        triggers.append(trigger_pb2.Trigger(grant_give=given))
    propose(run, triggers, title or f"Add {who}")


@command(app, "restore", example="interlock principals restore rso --title 'the laptop was found'")
def restore(
    run: Run,
    principal: PrincipalArgument,
    title: Annotated[str, typer.Option("--title", "-t", help="Title of the change.")] = "",
) -> None:
    """Propose the change that brings a suspended account back; a removed one comes back without keys and roles."""
    from interlock.cli.registering import propose
    from interlock.v1 import trigger_pb2

    who = names.principal(principal)
    trigger = trigger_pb2.Trigger(principal_restore=trigger_pb2.PrincipalRestore(principal=who))
    propose(run, [trigger], title or f"Restore {who}")


@command(app, "suspend", example="interlock principals suspend rso --reason 'laptop stolen'")
def suspend(run: Run, principal: PrincipalArgument, reason: ReasonOption = "") -> None:
    """Suspend an account at once: sessions and streams end, approvals under review are void; takes the role admin.

    A reject of theirs stands. Restoring the account takes a change.
    """
    with run.client() as client:
        account, me = client.identity.suspend(principal, reason=reason), client.identity.whoami()
    _tell(run, account, me)


@command(app, "link", example="interlock principals link kim kim-private --reason 'HR: one employee'")
def link(
    run: Run,
    principal: PrincipalArgument,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The account that is the same person's.")],
    reason: ReasonOption = "",
) -> None:
    """Say that two accounts are one person's, at once; takes the role admin. Lists the changes that are tainted now.

    Approvals under review that leaned on both are void, and so are the rules that both filled of applied changes.
    """
    with run.client() as client:
        account = client.identity.link(principal, other, reason=reason)
        tainted, me = list(client.changes.list(tainted=True)), client.identity.whoami()
    if run.as_json:
        run.terminal.json({"principal": to_json(account), "tainted": [to_json(change) for change in tainted]})
        return
    run.terminal.line((account.name, "bold"), f" and {names.principal(principal)} are one person, {account.person}")
    for change in tainted:
        run.terminal.line((change.name, "bold"), (" is tainted", "red"), indent=2)
        run.terminal.rows([[(row.code, "yellow"), row.actual] for row in change.doubts], indent=4)
    show_unsatisfiable(run.terminal, me)


@command(app, "unlink", example="interlock principals unlink kim-private --person persons/p18")
def unlink(
    run: Run,
    principal: PrincipalArgument,
    person: Annotated[
        str, typer.Option("--person", metavar="ID", help="Id of a person who has no account; never a name.")
    ],
    title: Annotated[str, typer.Option("--title", "-t", help="Title of the change.")] = "",
) -> None:
    """Propose the change by which one account of several is a person's of its own again."""
    from interlock.cli.registering import propose
    from interlock.v1 import trigger_pb2

    who = names.principal(principal)
    parted = trigger_pb2.PrincipalUnlink(principal=who, person=person)
    propose(run, [trigger_pb2.Trigger(principal_unlink=parted)], title or f"{who} is another person's")


@command(app, "remove", example="interlock principals remove rso --reason 'left the company'")
def remove(run: Run, principal: PrincipalArgument, reason: ReasonOption = "") -> None:
    """Remove an account at once, its keys revoked and its grants ended with it; takes the role admin."""
    with run.client() as client:
        account, me = client.identity.remove(principal, reason=reason), client.identity.whoami()
    _tell(run, account, me)


def _tell(run: Run, account: Principal, me: WhoAmIResponse) -> None:
    if run.as_json:
        run.terminal.json(to_json(account))
        return
    run.terminal.line((account.name, "bold"), f" is {account.state}; everything back takes a change")
    show_unsatisfiable(run.terminal, me)


def _roles(row: Principal) -> str:
    return "recovery quorum" if row.recovery else ", ".join(grant.role for grant in row.grants)
