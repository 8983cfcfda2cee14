"""Pages of a listing, held to an end: no server keeps a caller busy for ever, or fills its memory.

A page is no longer than was asked for, brings something unless it is the last, and no token comes twice. A server that
keeps to this and goes on all the same, with rows that it makes up, is left after a number of pages, or of bytes where
the rows are kept: far more than any log has, so what ends there is an error and never taken for the whole.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from interlock.client.errors import PagesError

if TYPE_CHECKING:
    from collections.abc import Sized

MOST_PAGES: Final = 100_000
"""How many pages are taken: with 200 rows each, twenty times the entries that this program is measured with."""

MOST_BYTES: Final = 1 << 30
"""How many bytes of pages, where the caller may keep them all; an answer that is streamed through has no such limit."""


class Paging:
    """One listing: `next_token` of each page that comes."""

    def __init__(self, page_size: int, *, streamed: bool = False) -> None:
        """Expect pages of so many rows at most; ``streamed``: they are used one by one, and not kept."""
        self._page_size = page_size
        self._streamed = streamed
        self._tokens: set[bytes] = set()
        self._bytes = 0

    def next_token(self, page: Any, rows: Sized) -> str:  # noqa: ANN401  # of any listing
        """Return the token of the page that follows, empty after the last one. Raises PagesError."""
        token: str = page.next_page_token
        self._bytes += page.ByteSize()
        if len(rows) > self._page_size:
            raise _wrong("PAGE_TOO_LONG", f"a page of {len(rows)} rows, where {self._page_size} were asked for")
        if not self._streamed and self._bytes > MOST_BYTES:
            raise _wrong("PAGES_WITHOUT_END", f"more than {MOST_BYTES} bytes of pages; ask for less at a time")
        if not token:
            return token
        if not len(rows):
            raise _wrong("PAGE_EMPTY", "an empty page that is not the last one")
        digest = hashlib.sha256(token.encode()).digest()
        if digest in self._tokens:
            raise _wrong("PAGES_REPEATED", "a page that it gave before: its pages go round")
        self._tokens.add(digest)
        if len(self._tokens) >= MOST_PAGES:
            raise _wrong("PAGES_WITHOUT_END", f"more than {MOST_PAGES} pages; ask for less at a time")
        return token


def _wrong(reason: str, what: str) -> PagesError:
    return PagesError(f"the server gives {what}", reason=reason)
