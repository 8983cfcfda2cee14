"""Sessions and accounts over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from interlock.proofs.errors import RefusedError
from interlock.service.api.calls import digest_of
from interlock.service.api.convert.identity import (
    credential_message,
    delegation_message,
    grant_message,
    holds,
    issuer_message,
    principal_message,
)
from interlock.service.api.pages import page_of
from interlock.service.api.reads import newest_first
from interlock.service.api.status import unmet_message
from interlock.service.api.times import to_positive_microseconds
from interlock.service.errors import NotFound, Refusal
from interlock.service.identity.caller import caller
from interlock.service.identity.login import Attempt
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.delegating import claimed_delegation, fault_of
from interlock.statemachine.names import leaf_of, owner_of
from interlock.statemachine.rights import READ
from interlock.statemachine.satisfiable import find_unsatisfiable
from interlock.statemachine.statements import StatementError
from interlock.statemachine.unmet import Code, RefusalKind, refused
from interlock.v1 import identity_pb2, identity_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.service.api.calls import Writer
    from interlock.service.api.reads import Reader
    from interlock.service.api.recovery import Recoveries
    from interlock.service.identity.admission import Admission
    from interlock.service.identity.login import SignIn
    from interlock.service.identity.sessions import Sessions
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.view import View
    from interlock.service.server import Context
    from interlock.statemachine.decide import Accepted


class IdentityService(identity_pb2_grpc.IdentityServiceServicer):
    """``interlock.v1.IdentityService``."""

    def __init__(  # each by name at its one call
        self,
        committer: Committer,
        reader: Reader,
        writer: Writer,
        sign_in: SignIn,
        sessions: Sessions,
        admission: Admission,
        recoveries: Recoveries,
        missing_parts: Callable[[], tuple[str, ...]],
    ) -> None:
        self._committer = committer
        self._reader = reader
        self._writer = writer
        self._sign_in = sign_in
        self._sessions = sessions
        self._admission = admission
        self._recoveries = recoveries
        self._missing_parts = missing_parts

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

    async def LoginWithToken(
        self, request: identity_pb2.LoginWithTokenRequest, context: Context
    ) -> identity_pb2.LoginResponse:
        """Turn a token of a trusted OpenID provider into a session."""
        token, session = await self._sign_in.login_with_token(
            request.principal, request.token, request.nonce_secret, host_of(context.peer())
        )
        return identity_pb2.LoginResponse(token=token, expire_time=_timestamp(session.expires_at))

    async def Logout(self, request: identity_pb2.LogoutRequest, context: Context) -> identity_pb2.LogoutResponse:
        """End the caller's session."""
        await self._sessions.close(caller())
        return identity_pb2.LogoutResponse()

    async def WhoAmI(self, request: identity_pb2.WhoAmIRequest, context: Context) -> identity_pb2.WhoAmIResponse:
        """Say who the caller is and what their roles allow."""
        session = caller()
        view, instant = self._reader.now()
        rights = self._admission.rights(session.principal)
        return identity_pb2.WhoAmIResponse(
            principal=principal_message(view, view.state.need(session.principal, r.Principal), instant),
            credential=session.credential,
            expire_time=_timestamp(session.expires_at),
            rights=sorted(rights),
            log_id=view.state.log.log_id.hex(),
            development=view.state.log.development,
            unsatisfiable=[
                unmet_message(unmet)
                for unmet in (find_unsatisfiable(view.policy, view.state, instant) if READ in rights else ())
            ],
            delegations=[
                delegation_message(view, row, instant)
                for row in view.state.delegations(session.principal)
                if row.state == "active" and instant < row.until
            ],
            missing_parts=self._missing_parts() if READ in rights else (),
        )

    async def GetPrincipal(self, request: identity_pb2.GetPrincipalRequest, context: Context) -> identity_pb2.Principal:
        """Return one account."""
        view, instant = await self._reader.as_of(request)
        account = view.state.find(request.name, r.Principal)
        if account is None:
            raise NotFound(request.name)
        return principal_message(view, account, instant)

    async def ListPrincipals(
        self, request: identity_pb2.ListPrincipalsRequest, context: Context
    ) -> identity_pb2.ListPrincipalsResponse:
        """Return accounts by name; a page starts after the last name of the page before, whatever was written since."""
        view, instant = self._reader.now()
        page = page_of(request)
        rest = sorted(account.name for account in view.state.all_of(r.Principal) if account.name > (page.after or ""))
        names, token = page.cut(rest, str)
        messages = [principal_message(view, view.state.need(name, r.Principal), instant) for name in names]
        messages, token = page.fit(messages, token, lambda message: message.name)
        return identity_pb2.ListPrincipalsResponse(principals=messages, next_page_token=token)

    async def ListGrants(
        self, request: identity_pb2.ListGrantsRequest, context: Context
    ) -> identity_pb2.ListGrantsResponse:
        """Return grants, newest first."""
        view, instant = self._reader.now()
        page = page_of(request)
        wanted = (
            grant
            for grant in newest_first(view.state, "grants", r.Grant, page.number_after())
            if request.principal in {"", grant.principal} and (holds(grant, instant) or not request.active_only)
        )
        chosen, token = page.cut(wanted, lambda grant: leaf_of(grant.name))
        messages = [grant_message(view, grant) for grant in chosen]
        messages, token = page.fit(messages, token, lambda message: leaf_of(message.name))
        return identity_pb2.ListGrantsResponse(grants=messages, next_page_token=token)

    async def SuspendPrincipal(
        self, request: identity_pb2.SuspendPrincipalRequest, context: Context
    ) -> identity_pb2.Principal:
        """Suspend an account; its next request is refused, and its streams end."""
        why = self._writer.salted("reason", request.reason)
        firing = f.PrincipalSuspend(request.name, digest_of(why))
        method = "interlock.v1.IdentityService/SuspendPrincipal"
        return await self._writer.fire(method, request, firing, _account(request.name), identity_pb2.Principal, why)

    async def RemovePrincipal(
        self, request: identity_pb2.RemovePrincipalRequest, context: Context
    ) -> identity_pb2.Principal:
        """Remove an account, with its keys and its grants."""
        why = self._writer.salted("reason", request.reason)
        firing = f.PrincipalRemove(request.name, digest_of(why))
        method = "interlock.v1.IdentityService/RemovePrincipal"
        return await self._writer.fire(method, request, firing, _account(request.name), identity_pb2.Principal, why)

    async def LinkPrincipal(
        self, request: identity_pb2.LinkPrincipalRequest, context: Context
    ) -> identity_pb2.Principal:
        """Say that two accounts are one person's, for all that they signed."""
        why = self._writer.salted("reason", request.reason)
        firing = f.PrincipalLink(request.name, request.other, digest_of(why))
        method = "interlock.v1.IdentityService/LinkPrincipal"
        return await self._writer.fire(method, request, firing, _account(request.other), identity_pb2.Principal, why)

    async def RevokeCredential(
        self, request: identity_pb2.RevokeCredentialRequest, context: Context
    ) -> identity_pb2.Credential:
        """Revoke a key; sessions that it opened end with this entry."""
        since = 0
        if request.HasField("compromised_since"):
            since = to_positive_microseconds(request.compromised_since, "compromised_since")
        why = self._writer.salted("reason", request.reason)
        firing = f.CredentialRevoke(request.name, since, digest_of(why))

        def render(view: View, _accepted: Accepted) -> identity_pb2.Credential:
            account = view.state.need(owner_of(request.name), r.Principal)
            return next(
                credential_message(account, key)
                for key in account.credentials
                if key.fingerprint == leaf_of(request.name)
            )

        method = "interlock.v1.IdentityService/RevokeCredential"
        return await self._writer.fire(method, request, firing, render, identity_pb2.Credential, why)

    async def EndGrant(self, request: identity_pb2.EndGrantRequest, context: Context) -> identity_pb2.Grant:
        """End a grant, for the very next request."""
        why = self._writer.salted("reason", request.reason)
        firing = f.GrantEnd(request.name, digest_of(why))

        def render(view: View, _accepted: Accepted) -> identity_pb2.Grant:
            return grant_message(view, view.state.need(request.name, r.Grant))

        method = "interlock.v1.IdentityService/EndGrant"
        return await self._writer.fire(method, request, firing, render, identity_pb2.Grant, why)

    async def ListIssuers(
        self, request: identity_pb2.ListIssuersRequest, context: Context
    ) -> identity_pb2.ListIssuersResponse:
        """Return issuers by name; a page starts after the last name of the page before."""
        view, _ = self._reader.now()
        page = page_of(request)
        rest = sorted(issuer.name for issuer in view.state.all_of(r.Issuer) if issuer.name > (page.after or ""))
        chosen, token = page.cut(rest, str)
        messages = [issuer_message(view, view.state.need(name, r.Issuer)) for name in chosen]
        return identity_pb2.ListIssuersResponse(issuers=messages, next_page_token=token)

    async def DistrustIssuer(
        self, request: identity_pb2.DistrustIssuerRequest, context: Context
    ) -> identity_pb2.Issuer:
        """Distrust an issuer; sessions that it opened end with this entry."""
        why = self._writer.salted("reason", request.reason)
        firing = f.IssuerDistrust(request.name, digest_of(why))

        def render(view: View, _accepted: Accepted) -> identity_pb2.Issuer:
            return issuer_message(view, view.state.need(request.name, r.Issuer))

        method = "interlock.v1.IdentityService/DistrustIssuer"
        return await self._writer.fire(method, request, firing, render, identity_pb2.Issuer, why)

    async def Recover(self, request: identity_pb2.RecoverRequest, context: Context) -> identity_pb2.RecoverResponse:
        """Do what the recovery quorum signed offline, whoever hands it in."""
        self._sign_in.limit("recovery", host_of(context.peer()))  # up to 16 signatures for who has no session
        return await self._recoveries.recover(request)

    async def GiveDelegation(
        self, request: identity_pb2.GiveDelegationRequest, context: Context
    ) -> identity_pb2.Delegation:
        """Delegate a role of the caller's, as they signed it."""
        method = "interlock.v1.IdentityService/GiveDelegation"
        return await self._writer.fire(method, request, _given(request), _delegation, identity_pb2.Delegation)

    async def EndDelegation(
        self, request: identity_pb2.EndDelegationRequest, context: Context
    ) -> identity_pb2.Delegation:
        """End a delegation, for the very next request."""
        why = self._writer.salted("reason", request.reason)
        firing = f.DelegationEnd(request.name, digest_of(why))

        def render(view: View, accepted: Accepted) -> identity_pb2.Delegation:
            return delegation_message(view, view.state.need(request.name, r.Delegation), accepted.entry.time)

        method = "interlock.v1.IdentityService/EndDelegation"
        return await self._writer.fire(method, request, firing, render, identity_pb2.Delegation, why)

    async def ListDelegations(
        self, request: identity_pb2.ListDelegationsRequest, context: Context
    ) -> identity_pb2.ListDelegationsResponse:
        """Return delegations, newest first."""
        view, instant = self._reader.now()
        page = page_of(request)
        wanted = (
            row
            for row in newest_first(view.state, "delegations", r.Delegation, page.number_after())
            if request.principal in {"", row.delegator, row.delegate}
            and (not request.active_only or fault_of(view.state, row, instant) is None)
        )
        chosen, token = page.cut(wanted, lambda row: leaf_of(row.name))
        messages = [delegation_message(view, row, instant) for row in chosen]
        messages, token = page.fit(messages, token, lambda message: leaf_of(message.name))
        return identity_pb2.ListDelegationsResponse(delegations=messages, next_page_token=token)


def _given(request: identity_pb2.GiveDelegationRequest) -> f.DelegationGive:
    """Return the trigger that a signed delegation stands for. Raises Refusal where it is none of ours."""
    try:
        said = claimed_delegation(request.envelope)
    except (RefusedError, StatementError) as error:
        wish = "a delegation that its delegator signed"
        raise Refusal(
            refused(RefusalKind.SIGN_OFF_INVALID, Code.SIGN_OFF_FORMAT, wish, str(error), caller().principal)
        ) from error
    return f.DelegationGive(said.delegator, said.delegate, said.role, said.start, said.until, request.envelope)


def _delegation(view: View, accepted: Accepted) -> identity_pb2.Delegation:
    """Render the delegation that an entry gave."""
    name = accepted.entry.transitions[0].resource
    return delegation_message(view, view.state.need(name, r.Delegation), accepted.entry.time)


def _account(name: str) -> Callable[[View, Accepted], identity_pb2.Principal]:
    """Return what renders an account as an entry left it."""

    def render(view: View, accepted: Accepted) -> identity_pb2.Principal:
        return principal_message(view, view.state.need(name, r.Principal), accepted.entry.time)

    return render


def host_of(peer: str) -> str:
    """Return where a call comes from without its port: ``ipv4:127.0.0.1:5050`` is ``ipv4:127.0.0.1``."""
    return peer.rpartition(":")[0] if peer.startswith(("ipv4:", "ipv6:")) else peer


def _timestamp(microseconds: int) -> Timestamp:
    message = Timestamp()
    message.FromMicroseconds(microseconds)
    return message
