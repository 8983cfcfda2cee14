"""The nonce that binds an OpenID token to one log, one server and one login.

A person's client draws a secret and asks the provider for a token with this nonce; the server takes the token with the
secret alone. So a server that was given a token can't use it at another one that takes the same audience, and neither
can whoever reads a token off somewhere. Tokens whose nonce has another form are bound to nothing: pipelines bring them.

Lives here: the form, which client and server both make. Pure.
"""

import base64
import hashlib
from typing import Final

SECRET_BYTES: Final = 32
_PREFIX: Final = "interlock-1."
_DOMAIN: Final = b"interlock-login-nonce-v1\0"


def login_nonce(log_id: bytes, server_name: str, secret: bytes) -> str:
    """Return the nonce for a secret; log id and secret are of fixed length, so the parts can't run together."""
    digest = hashlib.sha256(_DOMAIN + log_id + secret + server_name.encode()).digest()
    return _PREFIX + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_bound(nonce: object) -> bool:
    """Say whether a token's nonce says that it is bound."""
    return isinstance(nonce, str) and nonce.startswith(_PREFIX)
