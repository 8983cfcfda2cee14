"""`client.identity`: who the caller is, and the accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.groups.base import AsOf, Group, put_as_of
from interlock.v1 import identity_pb2, identity_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.v1.identity_pb2 import Principal, WhoAmIResponse


class Identity(Group):
    """Sessions and accounts. A session opens by itself with the first call."""

    def whoami(self) -> WhoAmIResponse:
        """Return the caller's account, rights and session."""
        return self._transport.call(self._stub.WhoAmI, identity_pb2.WhoAmIRequest())

    def login(self) -> WhoAmIResponse:
        """Open a new session now, whatever session there is."""
        self._transport.login()
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

    @property
    def _stub(self) -> identity_pb2_grpc.IdentityServiceStub:
        return identity_pb2_grpc.IdentityServiceStub(self._transport.channel)
