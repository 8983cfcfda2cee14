"""What all groups share: a transport, request ids, pages."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from interlock.client.paging import Paging
from interlock.v1 import policy_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from google.protobuf.timestamp_pb2 import Timestamp

    from interlock.client.transport import Transport

PAGE: Final = 200

AsOf: TypeAlias = "int | datetime | None"
"""When a question is about: after the entry at a position (int), at a time (aware datetime), or now (None)."""


def new_request_id() -> str:
    """Return the id of one logical mutation; every attempt at it carries the same."""
    return str(uuid.uuid4())


class Group:
    """Methods of one service. A mutation's ``request_id`` is made here, unless the caller repeats a call of its own."""

    def __init__(self, transport: Transport, make_id: Callable[[], str] = new_request_id) -> None:
        """Call through ``transport``; ``make_id`` gives request ids."""
        self._transport = transport
        self._make_id = make_id

    def _id(self, given: str | None) -> str:
        if given:
            self._transport.repeated.add(given)
        return given or self._make_id()

    def _pages(
        self,
        method: Callable[..., Any],
        request: Any,  # noqa: ANN401  # of any listing
        rows: str,
        *,
        remember: bool = True,
        streamed: bool = False,
    ) -> Iterator[Any]:
        """Yield the rows of every page; ``remember`` False where their position says nothing about the log's head.

        ``streamed`` where there may be more of them than fit into memory. Raises PagesError for pages without an end.
        """
        request.page_size = request.page_size or PAGE
        paging = Paging(request.page_size, streamed=streamed)
        while True:
            page = self._transport.call(method, request, remember=remember)
            found = getattr(page, rows)
            request.page_token = paging.next_token(page, found)
            yield from found
            if not request.page_token:
                return


def pack_message(files: Mapping[str, bytes]) -> policy_pb2.PolicyPack:
    """Return a policy pack's files as a message, sorted by path."""
    return policy_pb2.PolicyPack(files=[policy_pb2.PolicyFile(path=at, content=files[at]) for at in sorted(files)])


def put_time(field: Timestamp, moment: datetime) -> None:
    """Write an aware ``datetime`` into a timestamp. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone")
    field.FromDatetime(moment)


def put_as_of(request: Any, as_of: AsOf) -> None:  # noqa: ANN401  # any request with ``as_of``
    """Write when a request asks about: a log position, an aware time, or now (None)."""
    if isinstance(as_of, int):
        request.position = as_of
    elif as_of is not None:
        put_time(request.time, as_of)


def put_end(request: Any, end: str, when: AsOf) -> None:  # noqa: ANN401  # any request with such an end
    """Write one end of a range, ``from`` or ``to``: a log position, an aware time, or none (None)."""
    if isinstance(when, int):
        setattr(request, f"{end}_position", when)
    elif when is not None:
        put_time(getattr(request, f"{end}_time"), when)
