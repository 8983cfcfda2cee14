"""Sessions and accounts over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from interlock.service.api.pages import page_of
from interlock.service.errors import NotFound
from interlock.service.identity.caller import caller
from interlock.service.identity.login import Attempt
from interlock.statemachine import resources as r
from interlock.v1 import identity_pb2, identity_pb2_grpc

if TYPE_CHECKING:
    from interlock.service.api.reads import Reader
    from interlock.service.identity.admission import Admission
    from interlock.service.identity.login import SignIn
    from interlock.service.identity.sessions import Sessions
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.view import View
    from interlock.service.server import Context


class IdentityService(identity_pb2_grpc.IdentityServiceServicer):
    """``interlock.v1.IdentityService``."""

    def __init__(
        self, committer: Committer, reader: Reader, sign_in: SignIn, sessions: Sessions, admission: Admission
    ) -> None:
        self._committer = committer
        self._reader = reader
        self._sign_in = sign_in
        self._sessions = sessions
        self._admission = admission

    async def Challenge(
        self, request: identity_pb2.ChallengeRequest, context: Context
    ) -> identity_pb2.ChallengeResponse:
        """Give a nonce to sign, whoever asks."""
        return identity_pb2.ChallengeResponse(
            nonce=self._sign_in.challenge(request.principal, host_of(context.peer())),
            log_id=self._committer.view.state.log.log_id,
            server_name=self._sign_in.server_name,
        )

    async def Login(self, request: identity_pb2.LoginRequest, context: Context) -> identity_pb2.LoginResponse:
        """Turn a signed nonce into a session."""
        attempt = Attempt(
            request.principal, request.nonce, request.credential, request.signature, host_of(context.peer())
        )
        token, session = await self._sign_in.login(attempt)
        return identity_pb2.LoginResponse(token=token, expire_time=_timestamp(session.expires_at))

    async def Logout(self, request: identity_pb2.LogoutRequest, context: Context) -> identity_pb2.LogoutResponse:
        """End the caller's session."""
        await self._sessions.close(caller())
        return identity_pb2.LogoutResponse()

    async def WhoAmI(self, request: identity_pb2.WhoAmIRequest, context: Context) -> identity_pb2.WhoAmIResponse:
        """Say who the caller is and what their roles allow."""
        session = caller()
        view = self._committer.view
        return identity_pb2.WhoAmIResponse(
            principal=_principal(view, view.state.need(session.principal, r.Principal)),
            credential=session.credential,
            expire_time=_timestamp(session.expires_at),
            rights=sorted(self._admission.rights(session.principal)),
            log_id=view.state.log.log_id.hex(),
            development=view.state.log.development,
        )

    async def GetPrincipal(self, request: identity_pb2.GetPrincipalRequest, context: Context) -> identity_pb2.Principal:
        """Return one account."""
        view, _ = await self._reader.as_of(request)
        account = view.state.find(request.name, r.Principal)
        if account is None:
            raise NotFound(request.name)
        return _principal(view, account)

    async def ListPrincipals(
        self, request: identity_pb2.ListPrincipalsRequest, context: Context
    ) -> identity_pb2.ListPrincipalsResponse:
        """Return accounts by name; a page starts after the last name of the page before, whatever was written since."""
        view = self._committer.view
        page = page_of(request)
        rest = sorted(account.name for account in view.state.all_of(r.Principal) if account.name > (page.after or ""))
        names, token = page.cut(rest, str)
        messages = [_principal(view, view.state.need(name, r.Principal)) for name in names]
        messages, token = page.fit(messages, token, lambda message: message.name)
        return identity_pb2.ListPrincipalsResponse(principals=messages, next_page_token=token)


def host_of(peer: str) -> str:
    """Return where a call comes from without its port: ``ipv4:127.0.0.1:5050`` is ``ipv4:127.0.0.1``."""
    return peer.rpartition(":")[0] if peer.startswith(("ipv4:", "ipv6:")) else peer


def _principal(view: View, account: r.Principal) -> identity_pb2.Principal:
    message = identity_pb2.Principal(
        name=account.name, kind=account.kind, state=account.state, recovery=account.recovery
    )
    for key in account.credentials:
        message.credentials.add(
            name=f"{account.name}/credentials/{key.fingerprint}",
            use=key.use,
            public_key=key.public_key,
            state=key.state,
        )
    for grant in view.state.grants(account.name):
        role = view.policy.roles.get(grant.role)
        if grant.state == "active":
            message.grants.add(
                name=grant.name,
                principal=grant.principal,
                role=grant.role,
                scope=grant.scope,
                approves=role is not None and role.approves,
            )
    return message


def _timestamp(microseconds: int) -> Timestamp:
    message = Timestamp()
    message.FromMicroseconds(microseconds)
    return message
