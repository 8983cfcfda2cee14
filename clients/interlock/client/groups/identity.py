"""`client.identity`: who the caller is, and the accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.groups.base import AsOf, Group, put_as_of, put_time
from interlock.v1 import identity_pb2, identity_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from interlock.client.session import ProviderToken
    from interlock.v1.identity_pb2 import (
        Credential,
        Delegation,
        Grant,
        Issuer,
        Principal,
        RecoverResponse,
        WhoAmIResponse,
    )


class Identity(Group):
    """Sessions and accounts. A session opens by itself with the first call."""

    def whoami(self) -> WhoAmIResponse:
        """Return the caller's account, rights and session."""
        return self._transport.call(self._stub.WhoAmI, identity_pb2.WhoAmIRequest())

    def login(self, *, oidc_token: str | ProviderToken | None = None) -> WhoAmIResponse:
        """Open a new session now, whatever session there is; with a token of an OpenID provider, by that."""
        self._transport.login(oidc_token=oidc_token)
        return self.whoami()

    def logout(self) -> None:
        """End the session at the server and forget it here."""
        try:
            self._transport.call(self._stub.Logout, identity_pb2.LogoutRequest())
        finally:
            self._transport.forget_session()

    def get(self, principal: str, *, as_of: AsOf = None) -> Principal:
        """Return an account with its keys and grants as they are, or as they were."""
        request = identity_pb2.GetPrincipalRequest(name=names.principal(principal))
        put_as_of(request, as_of)
        return self._transport.call(self._stub.GetPrincipal, request, remember=as_of is None)

    def list(self) -> Iterator[Principal]:
        """Yield every account, by name."""
        return self._pages(self._stub.ListPrincipals, identity_pb2.ListPrincipalsRequest(), "principals")

    def grants(self, *, principal: str = "", active_only: bool = False) -> Iterator[Grant]:
        """Yield the roles ever given, newest first."""
        request = identity_pb2.ListGrantsRequest(
            principal=names.principal(principal) if principal else "", active_only=active_only
        )
        return self._pages(self._stub.ListGrants, request, "grants")

    def suspend(self, principal: str, *, reason: str = "", request_id: str | None = None) -> Principal:
        """Suspend an account; its next request is refused, and its open streams end."""
        request = identity_pb2.SuspendPrincipalRequest(
            name=names.principal(principal), reason=reason, request_id=self._id(request_id)
        )
        return self._transport.call(self._stub.SuspendPrincipal, request)

    def link(self, principal: str, other: str, *, reason: str = "", request_id: str | None = None) -> Principal:
        """Say that two accounts are one person's; returns the second. Parting them again takes a change."""
        request = identity_pb2.LinkPrincipalRequest(
            name=names.principal(principal),
            other=names.principal(other),
            reason=reason,
            request_id=self._id(request_id),
        )
        return self._transport.call(self._stub.LinkPrincipal, request)

    def remove(self, principal: str, *, reason: str = "", request_id: str | None = None) -> Principal:
        """Remove an account: its keys are revoked and its grants ended with it."""
        request = identity_pb2.RemovePrincipalRequest(
            name=names.principal(principal), reason=reason, request_id=self._id(request_id)
        )
        return self._transport.call(self._stub.RemovePrincipal, request)

    def revoke(
        self,
        principal: str,
        fingerprint: str,
        *,
        compromised_since: datetime | None = None,
        reason: str = "",
        request_id: str | None = None,
    ) -> Credential:
        """Revoke a key; approvals under review that it signed at or after ``compromised_since`` are void."""
        request = identity_pb2.RevokeCredentialRequest(
            name=names.credential(principal, fingerprint), reason=reason, request_id=self._id(request_id)
        )
        if compromised_since is not None:
            put_time(request.compromised_since, compromised_since)
        return self._transport.call(self._stub.RevokeCredential, request)

    def end_grant(self, grant: str, *, reason: str = "", request_id: str | None = None) -> Grant:
        """End a role of an account, for the very next request."""
        request = identity_pb2.EndGrantRequest(name=names.grant(grant), reason=reason, request_id=self._id(request_id))
        return self._transport.call(self._stub.EndGrant, request)

    def recover(self, document: bytes, envelopes: Iterable[bytes], *, request_id: str | None = None) -> RecoverResponse:
        """Hand in what the recovery quorum signed offline; no session is opened. Everything is held with it."""
        request = identity_pb2.RecoverRequest(document=document, envelopes=envelopes, request_id=self._id(request_id))
        return self._transport.call_unnamed(self._stub.Recover, request)

    def delegations(self, *, principal: str = "", active_only: bool = False) -> Iterator[Delegation]:
        """Yield the delegations ever given, newest first; only those that an account gave or was given, if named."""
        request = identity_pb2.ListDelegationsRequest(
            principal=names.principal(principal) if principal else "", active_only=active_only
        )
        return self._pages(self._stub.ListDelegations, request, "delegations")

    def send_delegation(self, envelope: bytes, *, request_id: str | None = None) -> Delegation:
        """Hand in a delegation that the caller signed; `client.delegate` signs one and hands it in."""
        request = identity_pb2.GiveDelegationRequest(envelope=envelope, request_id=self._id(request_id))
        return self._transport.call(self._stub.GiveDelegation, request)

    def end_delegation(self, delegation: str, *, reason: str = "", request_id: str | None = None) -> Delegation:
        """End a delegation at once: what was signed by it and is not applied yet is void."""
        request = identity_pb2.EndDelegationRequest(
            name=names.delegation(delegation), reason=reason, request_id=self._id(request_id)
        )
        return self._transport.call(self._stub.EndDelegation, request)

    def issuers(self) -> Iterator[Issuer]:
        """Yield every OpenID provider whose word counts or counted, by name."""
        return self._pages(self._stub.ListIssuers, identity_pb2.ListIssuersRequest(), "issuers")

    def distrust(self, issuer: str, *, reason: str = "", request_id: str | None = None) -> Issuer:
        """Distrust an OpenID provider: what was bound to it is revoked, and its sessions end."""
        request = identity_pb2.DistrustIssuerRequest(
            name=names.issuer(issuer), reason=reason, request_id=self._id(request_id)
        )
        return self._transport.call(self._stub.DistrustIssuer, request)

    @property
    def _stub(self) -> identity_pb2_grpc.IdentityServiceStub:
        return identity_pb2_grpc.IdentityServiceStub(self._transport.channel)
