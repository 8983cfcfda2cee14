"""`interlock inbox`, `sign`, `reject`, `withdraw`: what you see is what you sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import ChangeArgument  # noqa: TC001  # typer evaluates it
from interlock.cli.changes import change_json, show_rows
from interlock.cli.run import Run, command
from interlock.cli.views.change import show_for_signing, show_outcome
from interlock.client.errors import ProfileError

if TYPE_CHECKING:
    from interlock.client.review import ReviewedChange
    from interlock.v1.change_pb2 import Change

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Sign without being asked once more.")]
BehalfOption = Annotated[
    str,
    typer.Option(
        "--on-behalf-of", metavar="PRINCIPAL", help="Sign in roles that this account delegated to you, not your own."
    ),
]
RoleOption = Annotated[
    list[str] | None,
    typer.Option("--role", metavar="ROLE", help="A role to act in; else all of yours that it asks for."),
]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What somebody wants to say of a change."""

    decision: str
    roles: tuple[str, ...]
    comment: str
    on_behalf_of: str


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    command(app, "inbox", example="interlock inbox")(inbox)
    command(app, "sign", example="interlock sign 3 --comment 'read the report, agree'")(sign)
    command(app, "reject", example="interlock reject 3 --comment 'the report misses cyber'")(reject)
    command(app, "withdraw", example="interlock withdraw 3")(withdraw)
    command(app, "withdraw-sign-off", example="interlock withdraw-sign-off 3")(withdraw_sign_off)


def inbox(run: Run) -> None:
    """List the changes that wait for your sign-off."""
    with run.client() as client:
        show_rows(run, client, client.changes.list(waiting_for_me=True))


def sign(
    run: Run,
    change: ChangeArgument,
    yes: YesOption = False,
    comment: Annotated[str, typer.Option("--comment", "-m", help="Goes with your sign-off, by digest.")] = "",
    role: RoleOption = None,
    on_behalf_of: BehalfOption = "",
) -> None:
    """Show everything that a change binds, then approve it with your sign-off key."""
    _decide(run, change, _Wish("approve", tuple(role or ()), comment, on_behalf_of), yes=yes)


def reject(
    run: Run,
    change: ChangeArgument,
    comment: Annotated[str, typer.Option("--comment", "-m", help="Why; goes with your sign-off, by digest.")],
    yes: YesOption = False,
    role: RoleOption = None,
    on_behalf_of: BehalfOption = "",
) -> None:
    """Reject a change with your sign-off key; nothing of it is approved while that stands."""
    _decide(run, change, _Wish("reject", tuple(role or ()), comment, on_behalf_of), yes=yes)


def withdraw(run: Run, change: ChangeArgument, yes: YesOption = False) -> None:
    """Take your own sign-off back, signed as well; `changes withdraw` takes the whole change back."""
    withdraw_sign_off(run, change, yes)


def withdraw_sign_off(run: Run, change: ChangeArgument, yes: YesOption = False) -> None:
    """Take your own sign-off back, signed as well."""
    with run.client() as client:
        _confirm(run, f"Withdraw your sign-off on {change}?", yes=yes)
        outcome = client.withdraw_sign_off(change)
    _tell(run, outcome, "withdrawn")


def _decide(run: Run, change: str, wish: _Wish, *, yes: bool) -> None:
    with run.client() as client:
        reviewed = client.review(change)
        show_for_signing(run.terminal if yes else run.terminal.for_asking(), reviewed)
        _confirm(run, _question(reviewed, wish), yes=yes)
        outcome = client.sign(
            reviewed,
            decision=wish.decision,
            roles=wish.roles,
            comment=wish.comment,
            on_behalf_of=wish.on_behalf_of,
        )
    _tell(run, outcome, "signed" if wish.decision == "approve" else "rejected")


def _question(reviewed: ReviewedChange, wish: _Wish) -> str:
    verb = "Approve" if wish.decision == "approve" else "Reject"
    behalf = f" on behalf of {wish.on_behalf_of}" if wish.on_behalf_of else ""
    which = f"{reviewed.opened.name} revision {reviewed.content.revision}, {reviewed.opened.content_sha256[:12]}…"
    return f"{verb} {which}{behalf}?"


def _confirm(run: Run, question: str, *, yes: bool) -> None:
    """Ask once more. Raises Abort on a no, ProfileError where nobody can be asked."""
    if yes:
        return
    if not run.terminal.interactive:
        raise ProfileError("nobody can be asked here; use --yes to sign all the same", reason="NOT_INTERACTIVE")
    typer.confirm(question, abort=True, err=True)


def _tell(run: Run, outcome: Change, what: str) -> None:
    if run.as_json:
        run.terminal.json(change_json(outcome))
        return
    run.terminal.line()
    run.terminal.line((what, "bold green"))
    show_outcome(run.terminal, outcome)
