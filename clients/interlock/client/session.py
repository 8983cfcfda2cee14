"""The session: a login by challenge, and its token kept in the profile folder until it ends.

Lives here: what is signed to log in, and `session.json` (0600). Not here: the sign-off key; it never logs anybody in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from interlock.client import files
from interlock.client.errors import ProfileError, UnauthenticatedError
from interlock.client.signers import open_signer
from interlock.proofs import signature_keys
from interlock.v1 import identity_pb2

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from interlock.client.keyfile import Passphrase
    from interlock.client.profile import Profile

_FILE: Final = "session.json"
_LOGIN_DOMAIN: Final = b"interlock-login-v1"
NONCE_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token. The text is a secret: no repr shows it. When it ends the server says, by refusing it."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProviderToken:
    """An ID token of an OpenID provider, and the secret that binds it to one login; both are secrets.

    ``nonce_secret`` is empty where nothing binds it: a token that a pipeline was given, or one by another device.
    """

    text: str = field(repr=False)
    nonce_secret: bytes = field(default=b"", repr=False)


class Sessions:
    """The sessions of a profile: the one that is kept, or a new one by its login key."""

    def __init__(self, profile: Profile, passphrase: Passphrase) -> None:
        """Use the profile's login key, opened with ``passphrase`` only when a login is needed."""
        self._profile = profile
        self._passphrase = passphrase
        self._file = profile.folder / _FILE

    def load(self) -> Token | None:
        """Return the kept token where it is for this very server, log and principal."""
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            if [kept[name] for name in self._scope()] != list(self._scope().values()):
                return None
            return Token(str(kept["token"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None  # a cache: whatever is wrong with it, a login mends it

    def keep(self, token: Token) -> None:
        """Keep a token for the next process; in a read-only folder that one logs in anew."""
        kept = {**self._scope(), "token": token.text}
        with files.unless_read_only():
            files.write_private(self._file, json.dumps(kept).encode() + b"\n")

    def forget(self) -> None:
        """Remove the kept token."""
        with files.unless_read_only():
            self._file.unlink(missing_ok=True)

    def login(
        self,
        challenge: Callable[[identity_pb2.ChallengeRequest], identity_pb2.ChallengeResponse],
        login: Callable[[identity_pb2.LoginRequest], identity_pb2.LoginResponse],
    ) -> Token:
        """Prove the login key to the server and keep the session that it gives. Raises as `answer` does."""
        return self.opened(login(self.answer(challenge(self.asking()))))

    def asking(self) -> identity_pb2.ChallengeRequest:
        """Return the first message of a login by key.

        Raises UnauthenticatedError where the profile logs in by a provider alone: that takes its person.
        """
        if self._profile.login_key_file is None and self._profile.oidc_issuer:
            raise UnauthenticatedError(
                f"no session; `interlock login` opens one, at {self._profile.oidc_issuer}", reason="LOGIN_NEEDED"
            )
        return identity_pb2.ChallengeRequest(principal=self._profile.principal)

    def answer(self, given: identity_pb2.ChallengeResponse) -> identity_pb2.LoginRequest:
        """Return the second message of a login: the challenge signed with the login key.

        Raises UnauthenticatedError where the server is not the one of the profile: a signature over its words could be
        used at the right one.
        """
        profile = self._profile
        if given.log_id != profile.log_id or given.server_name != profile.server_name:
            raise UnauthenticatedError(
                "the server says that it is another server, or of another log, than the profile names; not logging in",
                reason="OTHER_SERVER",
            )
        if len(given.nonce) != NONCE_BYTES:
            raise UnauthenticatedError("the server's challenge is malformed", reason="BAD_CHALLENGE")
        if profile.login_key_file is None:
            raise ProfileError(f"{profile.principal} has no login key in this profile", reason="NO_KEY")
        key = open_signer(profile.login_key_file, self._passphrase)
        message = login_message(profile.log_id, profile.server_name, given.nonce)
        return identity_pb2.LoginRequest(
            principal=profile.principal,
            nonce=given.nonce,
            credential=signature_keys.fingerprint(key.public),
            signature=key.sign(message),
        )

    def token_request(self, given: str | ProviderToken | None = None) -> identity_pb2.LoginWithTokenRequest | None:
        """Return the one message of a login by token: ``given``, else what the profile's file holds; None for a key.

        Raises ProfileError where the file can't be read, or has nothing in it.
        """
        file = self._profile.login_token_file
        if given is None and file is None:
            return None
        if given is None and file is not None:
            try:
                given = file.read_text("ascii")
            except (OSError, UnicodeDecodeError) as error:
                raise ProfileError(f"the token {file} can't be read: {error}", reason="NO_TOKEN") from error
        token = given if isinstance(given, ProviderToken) else ProviderToken((given or "").strip())
        if not token.text:
            raise ProfileError("the token is empty", reason="NO_TOKEN")
        return identity_pb2.LoginWithTokenRequest(
            principal=self._profile.principal, token=token.text, nonce_secret=token.nonce_secret
        )

    def opened(self, reply: identity_pb2.LoginResponse) -> Token:
        """Keep the session that the server gave."""
        token = Token(reply.token)
        self.keep(token)
        return token

    def _scope(self) -> dict[str, str]:
        profile = self._profile
        return {"principal": profile.principal, "address": profile.address, "log_id": profile.log_id.hex()}

    @property
    def file(self) -> Path:
        """Where the token is kept."""
        return self._file


def login_message(log_id: bytes, server_name: str, nonce: bytes) -> bytes:
    """Return what the login key signs; the length of log id and nonce is fixed, so the parts can't run together."""
    return b"\0".join((_LOGIN_DOMAIN, log_id, server_name.encode(), nonce))
