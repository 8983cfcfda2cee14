"""`interlock issuers`: OpenID providers whose word counts on who logs in; trusted and bound by a change."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import ReasonOption, moment
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import to_json
from interlock.client import names

if TYPE_CHECKING:
    from interlock.v1.identity_pb2 import Issuer

app = group("Issuers: OpenID providers that log people and pipelines in.")

IssuerArgument = Annotated[str, typer.Argument(metavar="ISSUER", help="`ci` or `issuers/ci`.")]
TitleOption = Annotated[str, typer.Option("--title", "-t", help="Title of the change.")]


class Algorithm(StrEnum):
    """What an issuer can sign with."""

    RS256 = "RS256"
    PS256 = "PS256"
    ES256 = "ES256"
    EDDSA = "EdDSA"


@command(app, "list", example="interlock issuers list")
def list_(run: Run) -> None:
    """List issuers by name."""
    with run.client() as client:
        rows = list(client.identity.issuers())
    if run.as_json:
        run.terminal.json({"issuers": [to_json(row) for row in rows]})
        return
    run.terminal.rows([_row(row) for row in rows], empty="no issuer")


@command(app, "trust", example="interlock issuers trust ci https://token.actions.example --audience interlock-prod")
def trust(
    run: Run,
    issuer: IssuerArgument,
    url: Annotated[str, typer.Argument(metavar="URL", help="The `iss` of its tokens, to the letter.")],
    audience: Annotated[str, typer.Option("--audience", help="The `aud` that its tokens must have, and no other.")],
    algorithm: Annotated[Algorithm, typer.Option("--algorithm", help="The one that it signs with.")] = Algorithm.RS256,
    title: TitleOption = "",
) -> None:
    """Propose the change by which an OpenID provider may say who logs in; nobody is bound to it yet."""
    from interlock.cli.registering import propose
    from interlock.v1 import trigger_pb2

    name = names.issuer(issuer)
    trigger = trigger_pb2.IssuerTrust(issuer=name, url=url, audience=audience, algorithm=algorithm.value)
    propose(run, [trigger_pb2.Trigger(issuer_trust=trigger)], title or f"Trust {name}")


@command(
    app,
    "bind",
    example="interlock issuers bind ci release-bot --claim repository=acme/aurora --claim ref=refs/heads/main",
)
def bind(
    run: Run,
    issuer: IssuerArgument,
    principal: Annotated[str, typer.Argument(metavar="PRINCIPAL", help="`rso` or `principals/rso`.")],
    subject: Annotated[str, typer.Option("--subject", help="The `sub` of its tokens, to the letter.")] = "",
    claim: Annotated[
        list[str] | None,
        typer.Option("--claim", metavar="NAME=VALUE", help="What a token must say, for services alone; repeat it."),
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="When it ends by itself.")] = None,
    title: TitleOption = "",
) -> None:
    """Propose the change by which tokens of an issuer log in as an account."""
    from interlock.cli.registering import propose
    from interlock.v1 import trigger_pb2

    who, end = names.principal(principal), moment(until)
    trigger = trigger_pb2.CredentialBind(
        principal=who,
        issuer=names.issuer(issuer),
        subject=subject,
        claims=claim or (),
        until=int(end.timestamp()) * 1_000_000 if end is not None else 0,
    )
    propose(run, [trigger_pb2.Trigger(credential_bind=trigger)], title or f"Bind {who} to {names.issuer(issuer)}")


@command(app, "distrust", example="interlock issuers distrust ci --reason 'its signing key leaked'")
def distrust(run: Run, issuer: IssuerArgument, reason: ReasonOption = "") -> None:
    """Distrust an issuer at once: what was bound to it is revoked, and its sessions end; takes the role admin."""
    with run.client() as client:
        gone = client.identity.distrust(issuer, reason=reason)
    if run.as_json:
        run.terminal.json(to_json(gone))
        return
    run.terminal.line((gone.name, "bold"), f" is {gone.state}; what was bound to it is revoked")


def _row(issuer: Issuer) -> list[str | tuple[str, str]]:
    state = (issuer.state, "" if issuer.state == "trusted" else "red")
    return [(issuer.name, "bold"), issuer.url, f"for {issuer.audience}", issuer.algorithm, state]
