"""Public keys of OpenID providers: discovered, fetched over HTTPS, kept for a while, fetched anew for an unknown key.

Sources: OpenID Connect Discovery 1.0 §4 (the configuration's issuer is the url to the letter), RFC 7517 (key sets).
Whoever has no session can make the server fetch, so an issuer is asked at most once in ten seconds, each of its two
answers has five seconds and 256 KiB, and nothing that it answers is a fault of ours. Keys that can't be renewed count
for an hour, then nobody logs in by that issuer: closed when in doubt.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from jwt import PyJWKSet
from jwt.exceptions import PyJWTError

from interlock.service.clock import MICROSECONDS
from interlock.service.identity.fetching import FetchError, fetch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jwt import PyJWK

WAIT_SECONDS: Final = 5.0
FRESH_US: Final = 300 * MICROSECONDS
STALE_US: Final = 3600 * MICROSECONDS
AGAIN_US: Final = 10 * MICROSECONDS
MAX_BYTES: Final = 1 << 18
_CONFIGURATION: Final = "/.well-known/openid-configuration"


class JwksError(Exception):
    """The keys of an issuer can't be had; the message is for the log."""


@dataclass(slots=True)
class _Known:
    """What is known of an issuer: its keys by id, when they came, and when they were asked for last."""

    keys: dict[str, PyJWK] = field(default_factory=dict)
    fetched_us: int = -STALE_US
    asked_us: int = -AGAIN_US
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class KeySets:
    """Keys of issuers by their url. ``ticks_us`` is a clock that nobody sets; ``ca_file`` trusts more authorities."""

    def __init__(
        self, ticks_us: Callable[[], int], ca_file: Path | None = None, *, wait_seconds: float = WAIT_SECONDS
    ) -> None:
        self._context = ssl.create_default_context()
        if ca_file is not None:
            self._context.load_verify_locations(cafile=str(ca_file))
        self._ticks_us = ticks_us
        self._wait_seconds = wait_seconds
        self._known: dict[str, _Known] = {}

    async def find(self, url: str, key_id: str) -> PyJWK | None:
        """Return an issuer's key, or None where it has no such key. Raises JwksError where its keys can't be had."""
        known = self._known.setdefault(url, _Known())
        async with known.lock:
            now = self._ticks_us()
            wanted = now - known.fetched_us >= FRESH_US or not self._has(known, key_id)
            if wanted and now - known.asked_us >= AGAIN_US:
                known.asked_us = now
                try:
                    known.keys = await asyncio.to_thread(self._fetch, url)
                    known.fetched_us = now
                except JwksError:
                    if now - known.fetched_us >= STALE_US:
                        raise
            if now - known.fetched_us >= STALE_US:
                raise JwksError(f"{url}: asked a moment ago, and it did not answer")
            if not key_id and len(known.keys) == 1:  # Core §10.1: a token may leave out the name of an only key
                return next(iter(known.keys.values()))
            return known.keys.get(key_id)

    @staticmethod
    def _has(known: _Known, key_id: str) -> bool:
        return key_id in known.keys if key_id else bool(known.keys)

    def _fetch(self, url: str) -> dict[str, PyJWK]:
        said = self._read(url.rstrip("/") + _CONFIGURATION)
        if not isinstance(said, dict) or said.get("issuer") != url:
            raise JwksError(f"{url}: its configuration names another issuer")
        where = said.get("jwks_uri")
        if not isinstance(where, str):
            raise JwksError(f"{url}: its configuration names no keys")
        try:
            listed = PyJWKSet.from_dict(self._read(where)).keys
        except (PyJWTError, AttributeError, TypeError, ValueError) as error:
            raise JwksError(f"{url}: {type(error).__name__} in its key set") from error
        return {key.key_id or "": key for key in listed if key.public_key_use in {None, "sig"}}

    def _read(self, url: str) -> Any:  # noqa: ANN401  # any JSON
        try:
            data = fetch(url, self._context, self._wait_seconds, MAX_BYTES)
        except FetchError as error:
            raise JwksError(str(error)) from error
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise JwksError(f"{url}: no JSON") from error
