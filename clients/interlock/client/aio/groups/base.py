"""What all groups share: a transport, request ids, pages. With asyncio.

Made by ops/make_async.py from `interlock.client.groups.base`; not edited by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock.client.groups.base import PAGE, new_request_id
from interlock.client.paging import Paging

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from interlock.client.aio.transport import AsyncTransport


class AsyncGroup:
    """Methods of one service. A mutation's ``request_id`` is made here, unless the caller repeats a call of its own."""

    def __init__(self, transport: AsyncTransport, make_id: Callable[[], str] = new_request_id) -> None:
        """Call through ``transport``; ``make_id`` gives request ids."""
        self._transport = transport
        self._make_id = make_id

    def _id(self, given: str | None) -> str:
        if given:
            self._transport.repeated.add(given)
        return given or self._make_id()

    async def _pages(
        self,
        method: Callable[..., Any],
        request: Any,  # noqa: ANN401  # of any listing
        rows: str,
        *,
        remember: bool = True,
        streamed: bool = False,
    ) -> AsyncIterator[Any]:
        """Yield the rows of every page; ``remember`` False where their position says nothing about the log's head.

        ``streamed`` where there may be more of them than fit into memory. Raises PagesError for pages without an end.
        """
        request.page_size = request.page_size or PAGE
        paging = Paging(request.page_size, streamed=streamed)
        while True:
            page = await self._transport.call(method, request, remember=remember)
            found = getattr(page, rows)
            request.page_token = paging.next_token(page, found)
            for row in found:
                yield row
            if not request.page_token:
                return
