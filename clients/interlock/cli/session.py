"""`interlock login`, `logout`, `whoami`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.cli.run import Run, command
from interlock.cli.views.common import short, to_json, when
from interlock.client import names

if TYPE_CHECKING:
    import typer

    from interlock.v1.identity_pb2 import WhoAmIResponse


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    command(app, "login", example="interlock login --profile rso")(login)
    command(app, "logout", example="interlock logout")(logout)
    command(app, "whoami", example="interlock whoami --json")(whoami)


def login(run: Run) -> None:
    """Open a session with your login key; other commands do so by themselves."""
    with run.client() as client:
        _show(run, client.identity.login())


def logout(run: Run) -> None:
    """End your session, at the server and here."""
    with run.client() as client:
        client.identity.logout()
        if run.as_json:
            run.terminal.json({"principal": client.profile.principal, "logged_in": False})
        run.terminal.line(f"{client.profile.principal} is logged out")


def whoami(run: Run) -> None:
    """Show who you are, your roles and rights, and when the session ends."""
    with run.client() as client:
        _show(run, client.identity.whoami())


def _show(run: Run, me: WhoAmIResponse) -> None:
    if run.as_json:
        run.terminal.json(to_json(me))
        return
    terminal, principal = run.terminal, me.principal
    terminal.line((principal.name, "bold"), f"  {principal.kind}, {principal.state}")
    roles = [f"{row.role} on {'everything' if row.scope == '*' else row.scope}" for row in principal.grants]
    approving = [row.role for row in principal.grants if row.approves]
    keys = [f"{row.use} {short(names.leaf(row.name))} {row.state}" for row in principal.credentials]
    terminal.rows(
        [
            ["roles", ", ".join(roles) or "none"],
            ["signs as", ", ".join(approving) or "nothing: no role of yours counts in sign-offs"],
            ["keys", ", ".join(keys) or "none"],
            ["rights", ", ".join(me.rights) or "none"],
            ["log", me.log_id],
            ["session", f"until {when(me.expire_time)}, key {short(me.credential)}"],
        ],
        indent=2,
    )
    if me.development:
        terminal.line(("development log: one person made everybody's keys", "yellow"), indent=2)
