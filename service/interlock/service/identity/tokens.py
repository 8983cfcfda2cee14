"""Tokens of OpenID providers: what one must be, so that its bearer logs in as an account.

A numbered procedure (OpenID Connect Core 1.0 §3.1.3.7, RFC 8725). Every claim is in one place: it is checked, or it is
a claim that the binding names, or it is not looked at. The header chooses nothing: the algorithm is the log's record of
the issuer, the key is one that the issuer publishes. Failures are told to the log by a word, to the caller not at all.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any, Final

import jwt
from jwt.exceptions import PyJWTError
from jwt.utils import base64url_decode

from interlock.proofs.login_nonce import is_bound
from interlock.service.clock import MICROSECONDS
from interlock.service.identity.jwks import JwksError
from interlock.statemachine.resources import Credential, Issuer, Principal

if TYPE_CHECKING:
    from interlock.service.clock import Clock
    from interlock.service.identity.jwks import KeySets
    from interlock.service.ledger.view import View

LEEWAY_SECONDS: Final = 30
OLDEST_SECONDS: Final = 600
"""How long ago a token may have been issued, at most: it opens a session, which is renewed by itself."""

_REFUSED_HEADERS: Final = frozenset({"jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "zip", "cty"})
_TYPES: Final = frozenset({None, "JWT", "jwt", "at+jwt"})
_REQUIRED: Final = ("exp", "iat", "iss", "aud", "sub")


class TokenError(Exception):
    """The token is none that lets this account in; ``word`` says why, for the log."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class TokenGate:
    """Judges tokens against the log. ``clock`` must never go back."""

    def __init__(self, key_sets: KeySets, clock: Clock) -> None:
        self._key_sets = key_sets
        self._clock = clock
        self._used: dict[bytes, int] = {}

    async def judge(self, view: View, principal: str, token: str, nonce: str = "") -> Credential:
        """Return the credential that the token stands for, and use the token up. Raises TokenError.

        ``nonce`` is what a token says that is bound to this very server and login; empty where none is claimed.
        """
        # 1. The header asks for nothing that a verifier must not grant.
        header = _header(token)
        # 2. The account is bound to a trusted issuer, and the token says that it is of it; unverified until step 4.
        issuer, bound = _bound(view, principal, _unverified(token), self._clock.now_us())
        if header.get("alg") != issuer.algorithm:
            raise TokenError("algorithm")
        # 3. The key is one that this issuer publishes, and of this algorithm.
        try:
            key = await self._key_sets.find(issuer.url, str(header.get("kid") or ""))
        except JwksError as error:
            raise TokenError(f"keys: {error}") from error
        if key is None or key.algorithm_name != issuer.algorithm:
            raise TokenError("key")
        # 4. Signature, issuer, audience and times, all to the letter.
        now = self._clock.now_us() // MICROSECONDS
        claims = _verified(token, key.key, issuer)
        _check_times(claims, now)
        # 5. One that is bound to a login is of this one; else another server that was given it could use it here.
        said = claims.get("nonce")
        if said != nonce if nonce else is_bound(said):
            raise TokenError("nonce")
        # 6. It says what the binding asks for; the first binding that it fits.
        credential = next((one for one in bound if _fits(claims, one)), None)
        if credential is None:
            raise TokenError("subject or claims")
        # 7. Once: a token that was read off a wire or a log opens nothing a second time.
        self._use_up(token, min(int(claims["exp"]), now + OLDEST_SECONDS) + 3 * LEEWAY_SECONDS, now)
        return credential

    def _use_up(self, token: str, until: int, now: int) -> None:
        for old in [old for old, end in self._used.items() if end <= now]:
            del self._used[old]
        # Over header and claims alone: of one ECDSA signature anybody can make a second.
        digest = hashlib.sha256(token.rpartition(".")[0].encode()).digest()
        if digest in self._used:
            raise TokenError("used before")
        self._used[digest] = until


def _header(token: str) -> dict[str, Any]:
    try:
        jwt.get_unverified_header(token)
        header = _object(token.split(".", maxsplit=1)[0])
    except (PyJWTError, ValueError, RecursionError) as error:
        raise TokenError("form") from error
    kind = header.get("typ")
    if not _REFUSED_HEADERS.isdisjoint(header) or not (kind is None or isinstance(kind, str)) or kind not in _TYPES:
        raise TokenError("header")
    return header


def _unverified(token: str) -> dict[str, Any]:
    try:
        jwt.decode(token, options={"verify_signature": False})
        return _object(token.split(".")[1])
    except (PyJWTError, ValueError, RecursionError) as error:
        raise TokenError("form") from error


def _object(segment: str) -> dict[str, Any]:
    """Return what a part of a token says, which has one meaning: no name twice, no number that is none.

    Raises ValueError, RecursionError.
    """
    said = json.loads(base64url_decode(segment), object_pairs_hook=_each_once, parse_constant=_refuse)
    if not isinstance(said, dict):
        msg = "no object"
        raise ValueError(msg)  # noqa: TRY004  # as for any other text that is no token
    return said


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a name twice"
        raise ValueError(msg)
    return found


def _refuse(constant: str) -> Any:  # noqa: ANN401  # as json calls it
    raise ValueError(constant)


def _bound(view: View, principal: str, claims: dict[str, Any], instant: int) -> tuple[Issuer, tuple[Credential, ...]]:
    """Return the record of the issuer that a token says it is of, and what of the account is bound to it.

    One provider may have several records, each with its audience; which of these it is, is checked in step 4.
    """
    account = view.state.find(principal, Principal)
    found: dict[str, list[Credential]] = {}
    for key in account.credentials if account is not None and account.state == "active" else ():
        if key.issuer and key.active_at(instant):
            found.setdefault(key.issuer, []).append(key)
    records = [(view.state.need(name, Issuer), tuple(bound)) for name, bound in found.items()]
    said = [row for row in records if row[0].url == claims.get("iss") and row[0].state == "trusted"]
    if not said:
        raise TokenError("not bound to this issuer")
    return next((row for row in said if claims.get("aud") in (row[0].audience, [row[0].audience])), said[0])


def _verified(token: str, key: Any, issuer: Issuer) -> dict[str, Any]:  # noqa: ANN401  # a key of cryptography
    # Times are judged by our own clock below; PyJWT would ask the machine's.
    options: Any = {"require": list(_REQUIRED), "verify_exp": False, "verify_nbf": False, "verify_iat": False}
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key=key, algorithms=[issuer.algorithm], issuer=issuer.url, audience=issuer.audience, options=options
        )
    except (PyJWTError, ValueError, TypeError) as error:
        raise TokenError(type(error).__name__) from error
    if claims["aud"] not in (issuer.audience, [issuer.audience]):
        raise TokenError("audience")  # one audience: a token that others take too is theirs to replay
    return claims


def _check_times(claims: dict[str, Any], now: int) -> None:
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    if not all(type(at) is int or (type(at) is float and math.isfinite(at)) for at in times.values()):
        raise TokenError("times")
    if now >= times["exp"] + LEEWAY_SECONDS:
        raise TokenError("expired")
    if times["iat"] > now + LEEWAY_SECONDS or times.get("nbf", 0) > now + LEEWAY_SECONDS:
        raise TokenError("not yet valid")
    if times["iat"] < now - OLDEST_SECONDS - LEEWAY_SECONDS:
        raise TokenError("too old")


def _fits(claims: dict[str, Any], credential: Credential) -> bool:
    wanted = dict(row.split("=", 1) for row in credential.claims)
    if credential.subject:
        wanted["sub"] = credential.subject
    said = {name: claims.get(name) for name in wanted}
    return bool(wanted) and said == wanted
