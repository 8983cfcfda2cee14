"""One OpenID provider as a login meets it: what it says of itself, what is asked of it, and the token that it gives.

Sources: OpenID Connect Discovery 1.0 §4, RFC 6749 with PKCE (RFC 7636, S256 always), RFC 9207 (the issuer in the
answer), RFC 8628 (device authorization). Requests and the claims of the token are Authlib's business; which url may be
asked, and what an answer may look like, is ours. Whether a token counts says the server, which alone looks at its
signature and its times; here it is looked at whether it is the answer to this very question.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from interlock.client.errors import ProfileError, UnauthenticatedError
from interlock.client.oidc.idtoken import check_id_token
from interlock.client.oidc.wire import broken, https_url, spoken
from interlock.client.session import ProviderToken
from interlock.proofs.login_nonce import SECRET_BYTES, login_nonce

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authlib.oauth2.client import OAuth2Client

    from interlock.client.oidc.wire import Wire

_CONFIGURATION: Final = "/.well-known/openid-configuration"
_SCOPE: Final = "openid"
"""No more is asked for: no name, no address, and no right at any service."""

_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_MAX_TOKEN: Final = 16384
"""What the server takes."""

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_MAX_CODE: Final = 4096
_LONGEST_PAUSE: Final = 60
_LONGEST: Final = 1e6
"""Seconds that a provider may speak of; NaN is not below it."""

DEFAULT_PAUSE: Final = 5
"""RFC 8628 §3.5: between two questions, where the provider says nothing, and added where it is asked too fast."""


@dataclass(frozen=True, slots=True)
class LogServer:
    """Which server of which log a token is for."""

    log_id: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Question:
    """What the browser is sent to the provider with. Everything but ``url`` stays here until the answer comes."""

    url: str
    redirect_uri: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    nonce_secret: bytes = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Device:
    """What somebody has to type where (RFC 8628 §3.2); ``code`` is the provider's name for this login, a secret."""

    page: str
    user_code: str
    expires_seconds: float
    pause_seconds: float
    code: str = field(repr=False)


class NotYetError(Exception):
    """Nobody has answered yet; ask again, ``slower`` if so."""

    def __init__(self, *, slower: bool) -> None:
        super().__init__()
        self.slower = slower


class Provider:
    """A provider, asked over a wire. Each method blocks for one request, and raises InterlockError."""

    def __init__(self, issuer: str, client_id: str, server: LogServer, wire: Wire) -> None:
        """Find out where its endpoints are; they count only where it is the issuer that is meant, to the letter.

        Tokens are asked for that are bound to ``server``.
        """
        self.issuer = issuer
        self._client_id = client_id
        self._server = server
        self._wire = wire
        _need_extra()
        try:
            parts = https_url(issuer)
        except ValueError as error:
            raise ProfileError(f"{issuer!r} is no issuer: {error}", reason="BAD_ISSUER") from error
        if parts.query or issuer.endswith("?"):
            raise ProfileError(f"{issuer!r} is no issuer: it has a query", reason="BAD_ISSUER")
        said = wire.get(issuer.rstrip("/") + _CONFIGURATION).said
        if said.get("issuer") != issuer:
            raise broken("its configuration names another issuer")
        self._said = said

    @property
    def gives_devices(self) -> bool:
        """Whether it offers a login without a browser here."""
        return "device_authorization_endpoint" in self._said

    def ask(self, redirect_uri: str) -> Question:
        """Return what to open in a browser, bound to this login by state, nonce and PKCE."""
        methods = self._said.get("code_challenge_methods_supported")
        if methods is not None and not (isinstance(methods, list) and "S256" in methods):
            raise broken("it does not take part in PKCE with S256")
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        secret = secrets.token_bytes(SECRET_BYTES)
        nonce = login_nonce(self._server.log_id, self._server.name, secret)
        with_pkce = self._client(redirect_uri=redirect_uri, code_challenge_method="S256")
        url, _ = with_pkce.create_authorization_url(
            self._endpoint("authorization_endpoint"), state=state, nonce=nonce, code_verifier=verifier
        )
        return Question(url, redirect_uri, state, nonce, secret, verifier)

    def redeem(self, question: Question, answer: Mapping[str, str]) -> ProviderToken:
        """Turn what the browser brought back, whose state was right, into an ID token.

        Raises UnauthenticatedError where the person or the provider said no, or where it is no answer to this question.
        """
        given = answer.get("iss")
        wanted = self._said.get("authorization_response_iss_parameter_supported") is True
        if given != self.issuer and (wanted or given is not None):
            raise UnauthenticatedError("the answer is of another issuer than was asked", reason="OTHER_ISSUER")
        if "error" in answer:
            raise refusal(answer["error"], answer.get("error_description"))
        code = answer.get("code", "")
        if not code or len(code) > _MAX_CODE:
            raise broken("its answer has no code")
        said = self._fetch(
            "authorization_code", code=code, redirect_uri=question.redirect_uri, code_verifier=question.verifier
        )
        return ProviderToken(self._token_of(said, question.nonce), question.nonce_secret)

    def ask_device(self) -> Device:
        """Return where somebody may log in from another machine."""
        from authlib.oauth2.auth import ClientAuth  # noqa: PLC0415  # an extra, see `_client`

        auth = ClientAuth(self._client_id, None, "none")
        where = self._endpoint("device_authorization_endpoint")
        said = self._wire.post(where, data={"scope": _SCOPE}, headers=_FORM, auth=auth).said
        if "error" in said:
            raise refusal(said["error"], said.get("error_description"))
        page, user_code, code = (said.get(name) for name in ("verification_uri", "user_code", "device_code"))
        try:
            https_url(page)
        except ValueError as error:
            raise broken("it names no page to log in at") from error
        typed = spoken(user_code, 64)
        if not isinstance(code, str) or not 0 < len(code) <= _MAX_CODE or not typed or typed != user_code:
            raise broken("it gives no code to type")
        lasts, pause = said.get("expires_in"), said.get("interval", DEFAULT_PAUSE)
        if not _is_number(lasts) or not _is_number(pause) or lasts <= 0:
            raise broken("it does not say how long its code lasts")
        return Device(str(page), typed, float(lasts), float(min(max(pause, 1), _LONGEST_PAUSE)), code)

    def redeem_device(self, device: Device) -> ProviderToken:
        """Return the ID token of somebody who has logged in elsewhere. Raises NotYetError until they have.

        Nothing binds it to this login: the protocol has no nonce.
        """
        return ProviderToken(self._token_of(self._fetch(_DEVICE_GRANT, device_code=device.code), nonce=None))

    def _fetch(self, grant: str, **said: str) -> Mapping[str, Any]:
        from authlib.oauth2 import OAuth2Error  # noqa: PLC0415  # an extra, see `_client`

        try:
            token: Mapping[str, Any] = self._client().fetch_token(
                self._endpoint("token_endpoint"), grant_type=grant, **said
            )
        except OAuth2Error as error:
            if grant == _DEVICE_GRANT and error.error in {"authorization_pending", "slow_down"}:
                raise NotYetError(slower=error.error == "slow_down") from None
            # What it says beside may quote the code, which is nobody else's.
            about = "" if any(secret in (error.description or "") for secret in said.values()) else error.description
            raise refusal(error.error, about) from None
        return token

    def _token_of(self, said: Mapping[str, Any], nonce: str | None) -> str:
        token = said.get("id_token")
        if not isinstance(token, str) or not token.isascii() or not 0 < len(token) <= _MAX_TOKEN:
            raise broken("it gives no ID token")
        check_id_token(token, self.issuer, self._client_id, nonce)
        return token

    def _client(self, **more: str) -> OAuth2Client:
        from authlib.oauth2.client import OAuth2Client  # noqa: PLC0415  # an extra, and not needed for `--help`

        return OAuth2Client(self._wire, client_id=self._client_id, scope=_SCOPE, **more)

    def _endpoint(self, name: str) -> str:
        url = self._said.get(name)
        try:
            https_url(url)
        except ValueError as error:
            raise broken(f"it names no {name} that may be asked: {error}") from error
        return str(url)


def _need_extra() -> None:
    if find_spec("authlib") is None:
        raise ProfileError(
            "a login at an OpenID provider needs the extra `oidc`. In a clone of the repository: pip install '.[oidc]'",
            reason="NO_EXTRA",
        )


def refusal(word: object, about: object) -> UnauthenticatedError:
    """Return the error of a provider, or a person there, that said no."""
    code, more = spoken(word, 64), spoken(about)
    if code == "access_denied":
        return UnauthenticatedError("the login was refused at the OpenID provider", reason="ACCESS_DENIED")
    told = f"{code}: {more}" if more else code or "no reason"
    return UnauthenticatedError(f"the OpenID provider refuses: {told}", reason="PROVIDER_REFUSED")


def _is_number(value: object) -> TypeGuard[float]:
    return type(value) in {int, float} and 0 <= value < _LONGEST  # type: ignore[operator]  # a number by then
