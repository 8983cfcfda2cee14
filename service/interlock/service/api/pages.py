"""Pages of a listing (AIP-158): opaque tokens that stay good while others write.

A token is where the next page begins, by key and not by count, with a check over the key and the question asked: what
was not given out for this very listing is INVALID_ARGUMENT. It carries no authority, so it needs no secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from google.protobuf.message import Message

from interlock.service.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
M = TypeVar("M", bound=Message)

DEFAULT_SIZE: Final = 100
MAX_SIZE: Final = 1_000
MAX_BYTES: Final = 3 * 1024 * 1024
"""A page ends before the greatest message that a client takes (4 MiB), however much was asked for."""

_FIELD: Final = "page_token"
_CHECK_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Page:
    """How much is asked for, and past which key (None: from the start)."""

    size: int
    after: str | None
    scope: bytes

    def cut(self, items: Iterable[T], key: Callable[[T], str]) -> tuple[list[T], str]:
        """Return the page's items and the token of the next page; ``items`` begin past ``after``."""
        found: list[T] = []
        for item in items:
            if len(found) == self.size:
                return found, self.token(key(found[-1]))
            found.append(item)
        return found, ""

    def fit(self, messages: list[M], token: str, key: Callable[[M], str]) -> tuple[list[M], str]:
        """Return as many messages as one answer can carry, at least one, and the token of what follows them."""
        size = 0
        for index, message in enumerate(messages):
            size += message.ByteSize()
            if index and size > MAX_BYTES:
                return messages[:index], self.token(key(messages[index - 1]))
        return messages, token

    def token(self, key: str) -> str:
        """Return the token of the page that begins past ``key``."""
        data = key.encode()
        return base64.urlsafe_b64encode(_check(self.scope, data) + data).decode()

    def number_after(self) -> int | None:
        """Return ``after`` as a number. Raises Invalid for what is none."""
        if self.after is None:
            return None
        if not self.after.isdecimal():
            raise Invalid(_FIELD, "was not given out for this listing")
        return int(self.after)


def page_of(request: Any) -> Page:  # noqa: ANN401  # any request with ``page_size`` and ``page_token``
    """Return what a listing's request asks for. Raises Invalid for a token that was not given out for it."""
    scope = _scope(request)
    after = _key(scope, request.page_token) if request.page_token else None
    return Page(min(request.page_size or DEFAULT_SIZE, MAX_SIZE), after, scope)


def past(names: Iterable[str], after: str | None) -> list[str]:
    """Return what comes past ``after`` in the policy's order. Raises Invalid where it is gone."""
    ordered = list(names)
    if after is None:
        return ordered
    if after not in ordered:
        raise Invalid(_FIELD, "the listing has changed; begin again")
    return ordered[ordered.index(after) + 1 :]


def _scope(request: Message) -> bytes:
    """Stand for the question without its page: the filters and their values."""
    question = type(request)()
    question.CopyFrom(request)
    question.ClearField("page_size")
    question.ClearField(_FIELD)
    name = request.DESCRIPTOR.full_name.encode()
    return hashlib.sha256(name + b"\0" + question.SerializeToString(deterministic=True)).digest()


def _check(scope: bytes, key: bytes) -> bytes:
    return hashlib.sha256(b"interlock-page-v1\0" + scope + key).digest()[:_CHECK_BYTES]


def _key(scope: bytes, token: str) -> str:
    try:
        data = base64.b64decode(token, altchars=b"-_", validate=True)
        check, key = data[:_CHECK_BYTES], data[_CHECK_BYTES:]
        if check == _check(scope, key):
            return key.decode()
    except (binascii.Error, ValueError):
        pass
    raise Invalid(_FIELD, "was not given out for this listing")
