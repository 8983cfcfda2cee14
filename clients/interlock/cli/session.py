"""`interlock login`, `logout`, `whoami`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli.arguments import duration_seconds
from interlock.cli.delegations import delegation_line
from interlock.cli.grants import grant_ends
from interlock.cli.provider_login import Way, token_from_provider
from interlock.cli.run import Run, command
from interlock.cli.views.common import short, to_json, when
from interlock.client import names
from interlock.client.errors import ProfileError

if TYPE_CHECKING:
    from interlock.cli.terminal import Terminal
    from interlock.client.session import ProviderToken
    from interlock.v1.identity_pb2 import Credential, Grant, WhoAmIResponse

_MAX_TOKEN: Final = 1 << 16


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    command(app, "login", example="interlock login --profile rso")(login)
    command(app, "logout", example="interlock logout")(logout)
    command(app, "whoami", example="interlock whoami --json")(whoami)


def login(
    run: Run,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="A token of an OpenID provider in place of a key; `-` for standard input.",
        ),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser", help="Log in at your OpenID provider, in a browser of this machine.")
    ] = False,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="The same, where you open the page that is printed yourself.")
    ] = False,
    device: Annotated[
        bool, typer.Option("--device", help="Log in at your OpenID provider on another device, by a code.")
    ] = False,
    issuer: Annotated[
        str,
        typer.Option(
            "--issuer", metavar="URL", help="The provider, to the letter, with --client-id; else the profile's."
        ),
    ] = "",
    client_id: Annotated[
        str,
        typer.Option("--client-id", metavar="ID", help="Which client of that provider this is; else the profile's."),
    ] = "",
    port: Annotated[
        int,
        typer.Option(
            "--port", min=0, max=65535, help="Port of 127.0.0.1 that the browser comes back to; 0 for any that is free."
        ),
    ] = 0,
    wait: Annotated[str, typer.Option("--wait", metavar="TIME", help="How long you may take at the provider.")] = "5m",
) -> None:
    """Open a session with your login key, or by your OpenID provider; with a key the others do so themselves.

    With --browser or --device you log in at your OpenID provider, which the log must trust; so you do without either
    where the profile names a provider and no key. With --token-file a token that something else got opens a session. A
    token opens one session, once.
    """
    by_provider = browser or no_browser or device or bool(issuer or client_id or port)
    if token_file is not None and by_provider:
        raise typer.BadParameter("--token-file brings a token; leave out what would ask a provider for one")
    if browser + no_browser + device > 1 or (device and port):
        raise typer.BadParameter("one of --browser, --no-browser and --device; --port is for a browser")
    way = Way(issuer, client_id, port, duration_seconds(wait), device=device, open_browser=not no_browser)
    token: str | ProviderToken | None = _read_token(token_file) if token_file is not None else None
    with run.client() as client:
        profile = client.profile
        by_key = profile.login_key_file is not None or profile.login_token_file is not None
        if by_provider or (token is None and not by_key):
            token = token_from_provider(run.terminal, profile, way)
        _show(run, client.identity.login(oidc_token=token))


def _read_token(file: Path) -> str:
    if file == Path("-"):
        return sys.stdin.read(_MAX_TOKEN)
    try:
        with file.open(encoding="ascii") as opened:
            return opened.read(_MAX_TOKEN)
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"the token {file} can't be read: {error}", reason="NO_TOKEN") from error


def logout(run: Run) -> None:
    """End your session, at the server and here."""
    with run.client() as client:
        client.identity.logout()
        if run.as_json:
            run.terminal.json({"principal": client.profile.principal, "logged_in": False})
        run.terminal.line(f"{client.profile.principal} is logged out")


def whoami(run: Run) -> None:
    """Show who you are: roles, delegations, keys, rights, and when the session ends."""
    with run.client() as client:
        _show(run, client.identity.whoami())


def _show(run: Run, me: WhoAmIResponse) -> None:
    if run.as_json:
        run.terminal.json(to_json(me))
        return
    terminal, principal = run.terminal, me.principal
    terminal.line((principal.name, "bold"), f"  {principal.kind}, {principal.state}")
    approving = [row.role for row in principal.grants if row.approves]
    terminal.rows(
        [
            *_labelled("roles", [_role(row) for row in principal.grants]),
            ["signs as", ", ".join(approving) or "nothing: no role of yours counts in sign-offs"],
            *(
                _labelled("delegations", [f"{delegation_line(row)} ({row.name})" for row in me.delegations])
                if me.delegations
                else ()
            ),
            *_labelled("keys", [_key(row) for row in principal.credentials]),
            ["rights", ", ".join(me.rights) or "none"],
            ["person", principal.person or "none: a service"],
            ["log", me.log_id],
            ["session", f"until {when(me.expire_time)}, {_opened_by(me)}"],
        ],
        indent=2,
    )
    show_unsatisfiable(terminal, me)
    if me.development:
        terminal.line(("development log: one person made everybody's keys", "yellow"), indent=2)


def show_unsatisfiable(terminal: Terminal, me: WhoAmIResponse) -> None:
    """Say which rules nobody could meet now; a tightening that leaves one so is accepted, and should not go unseen."""
    for row in me.unsatisfiable:
        terminal.line(("nobody can meet the rule for ", "bold red"), row.trigger, indent=2)
        terminal.line((f"it takes {row.requirement}; {row.actual}", "dim"), indent=4)


def _labelled(label: str, rows: list[str]) -> list[list[str]]:
    """Return rows of which the first says what they are."""
    return [[label if index == 0 else "", row] for index, row in enumerate(rows or ["none"])]


def _role(grant: Grant) -> str:
    ends = f", {grant_ends(grant)}" if grant_ends(grant) else ""
    return f"{grant.role} on {'everything' if grant.scope == '*' else grant.scope}{ends} ({grant.name})"


def _opened_by(me: WhoAmIResponse) -> str:
    """Say what opened the session: a key, or a token of an OpenID provider."""
    of = next((key.issuer for key in me.principal.credentials if names.leaf(key.name) == me.credential), "")
    return f"by {of}" if of else f"key {short(me.credential)}"


def _key(key: Credential) -> str:
    until = f", until {when(key.expire_time)}" if key.HasField("expire_time") else ""
    revoked = f" {when(key.revoke_time)}" if key.HasField("revoke_time") else until
    by = f" by {key.issuer}" if key.issuer else ""
    return f"{key.use}{by} {names.leaf(key.name)} {key.state}{revoked}"
