"""Signing in: a nonce, signed by a login key that the fold knows, for a session.

Every failure gives the same answer, and an unknown account or key costs the same signature check as a known one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.proofs import signature_keys
from interlock.proofs.errors import KeyMaterialError, SignatureError
from interlock.proofs.login_nonce import login_nonce
from interlock.service.errors import LimitExceeded, Unauthenticated
from interlock.service.identity.admission import stands
from interlock.service.identity.challenges import signed_bytes
from interlock.service.identity.limits import Rate, RateLimiter
from interlock.service.identity.tokens import TokenError
from interlock.statemachine.resources import Credential, Principal

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from interlock.service.clock import Clock
    from interlock.service.identity.caller import Caller
    from interlock.service.identity.challenges import Challenges
    from interlock.service.identity.sessions import Sessions
    from interlock.service.identity.tokens import TokenGate
    from interlock.service.ledger.view import View

LOGIN: Final = "login"
DEFAULT_RATE: Final = Rate(per_second=20.0, burst=100)

# The public key of RFC 8032 §7.1, test 1: its secret is known to everybody, so nothing trusts it.
_NOBODY: Final = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a caller sends to sign in; ``host`` is where it comes from, for the rate limit alone."""

    principal: str
    nonce: bytes
    credential: str
    signature: bytes
    host: str


class SignIn:
    """Hands out nonces and turns signed ones into sessions."""

    def __init__(
        self,
        *,
        challenges: Challenges,
        sessions: Sessions,
        view: Callable[[], View],
        tokens: TokenGate,
        clock: Clock,
        server_name: str,
        log: FilteringBoundLogger,
        rate: Rate = DEFAULT_RATE,
    ) -> None:
        self._challenges = challenges
        self._sessions = sessions
        self._view = view
        self._tokens = tokens
        self._server_name = server_name
        self._log = log
        self._clock = clock
        self._limiter = RateLimiter(rate, clock)

    @property
    def server_name(self) -> str:
        """The name that signers bind their signature to."""
        return self._server_name

    def challenge(self, principal: str, host: str) -> bytes:
        """Return a nonce to sign, whether or not there is such an account. Raises LimitExceeded."""
        self.limit(principal, host)
        return self._challenges.issue(principal)

    async def login(self, attempt: Attempt) -> tuple[str, Caller]:
        """Return token and session. Raises Unauthenticated without saying why, and LimitExceeded."""
        # 1. Nobody may keep the server busy with signatures.
        self.limit(attempt.principal, attempt.host)
        # 2. The nonce is one of ours, for this principal, in time, and unused.
        is_open = self._challenges.is_open(attempt.principal, attempt.nonce)
        # 3. The key is an active login key of an active account, as the newest state has it.
        view = self._view()
        key = _login_key(view, attempt.principal, attempt.credential, self._clock.now_us())
        # 4. The signature is over this log, this server and this nonce; checked for unknown keys too.
        message = signed_bytes(view.state.log.log_id, self._server_name, attempt.nonce)
        signed = _is_signed(key.public_key if key else _NOBODY, message, attempt.signature)
        if not is_open or key is None or not signed:
            self._log.warning(
                "login_refused",
                principal=attempt.principal,
                nonce_open=is_open,
                key_known=key is not None,
                signature_good=signed and key is not None,
            )
            raise Unauthenticated(at_login=True)
        # 5. Only now is the nonce used up and anything written.
        self._challenges.redeem(attempt.nonce)
        return await self._open(attempt.principal, attempt.credential)

    async def login_with_token(self, principal: str, token: str, secret: bytes, host: str) -> tuple[str, Caller]:
        """Return token and session for a token of an OpenID provider, and the secret that its nonce was made from.

        ``secret`` is empty for a token that is bound to no login. Raises Unauthenticated, and LimitExceeded.
        """
        self.limit(principal, host)
        view = self._view()
        nonce = login_nonce(view.state.log.log_id, self._server_name, secret) if secret else ""
        try:
            credential = await self._tokens.judge(view, principal, token, nonce)
        except TokenError as error:
            self._log.warning("login_refused", principal=principal, token=error.word)
            raise Unauthenticated(at_login=True) from None
        return await self._open(principal, credential.fingerprint)

    async def _open(self, principal: str, credential: str) -> tuple[str, Caller]:
        """Start the session of somebody who has proven who they are."""
        token, session = await self._sessions.open(principal, credential)
        # Account or credential may have been taken meanwhile, with an entry that found no session to end yet.
        if _login_key(self._view(), principal, credential, self._clock.now_us()) is None:
            await self._sessions.close(session)
            raise Unauthenticated(at_login=True)
        self._log.info("login", principal=session.principal, credential=session.credential)
        return token, session

    def limit(self, principal: str, host: str) -> None:
        """Count an attempt by somebody without a session. Raises LimitExceeded."""
        # By host and account: from elsewhere nobody can lock the account's owner out.
        if not self._limiter.allow(f"{host} {principal}"):
            raise LimitExceeded("sign-in attempts for this principal")


def _login_key(view: View, principal: str, credential: str, instant: int) -> Credential | None:
    if not stands(view, principal, credential, instant):
        return None
    key = view.state.need(principal, Principal).credential(credential)
    return key if key is not None and key.use == LOGIN else None


def _is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        signature_keys.verify(public_key, message, signature)
    except (SignatureError, KeyMaterialError):
        return False
    return True
