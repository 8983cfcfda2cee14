"""`client.identity`: who the caller is, and the accounts. With asyncio.

Made by ops/make_async.py from `interlock.client.groups.identity`; not edited by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.aio.groups.base import AsyncGroup
from interlock.client.groups.base import AsOf, put_as_of
from interlock.v1 import identity_pb2, identity_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from interlock.v1.identity_pb2 import Principal, WhoAmIResponse


class AsyncIdentity(AsyncGroup):
    """Sessions and accounts. A session opens by itself with the first call."""

    async def whoami(self) -> WhoAmIResponse:
        """Return the caller's account, rights and session."""
        return await self._transport.call(self._stub.WhoAmI, identity_pb2.WhoAmIRequest())

    async def login(self) -> WhoAmIResponse:
        """Open a new session now, whatever session there is."""
        await self._transport.login()
        return await self.whoami()

    async def logout(self) -> None:
        """End the session at the server and forget it here."""
        try:
            await self._transport.call(self._stub.Logout, identity_pb2.LogoutRequest())
        finally:
            self._transport.forget_session()

    async def get(self, principal: str, *, as_of: AsOf = None) -> Principal:
        """Return an account with its keys and grants as they are, or as they were."""
        request = identity_pb2.GetPrincipalRequest(name=names.principal(principal))
        put_as_of(request, as_of)
        return await self._transport.call(self._stub.GetPrincipal, request, remember=as_of is None)

    def list(self) -> AsyncIterator[Principal]:
        """Yield every account, by name."""
        return self._pages(self._stub.ListPrincipals, identity_pb2.ListPrincipalsRequest(), "principals")

    @property
    def _stub(self) -> identity_pb2_grpc.IdentityServiceAsyncStub:
        return identity_pb2_grpc.IdentityServiceStub(self._transport.channel)
