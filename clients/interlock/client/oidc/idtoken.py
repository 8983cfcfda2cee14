"""Whether an ID token is the answer to this login (OpenID Connect Core 1.0 §3.1.3.7): issuer, audience, nonce.

Lives here: what a client must look at before it hands the token on. Not here: signature and times. The token came from
the provider itself over TLS, and the server, which alone decides whether it counts, looks at both.
"""

from __future__ import annotations

import json
from typing import Any

from interlock.client.errors import UnauthenticatedError


def check_id_token(token: str, issuer: str, client_id: str, nonce: str | None) -> None:
    """Check that a token answers this login; ``nonce`` None where the protocol has none (RFC 8628).

    A token for somebody else could be used there by whoever it is handed to, and one with another nonce was made for
    another login. Raises UnauthenticatedError.
    """
    from authlib.oidc.core import CodeIDToken  # noqa: PLC0415  # an extra, and not needed for `--help`
    from joserfc.errors import JoseError  # noqa: PLC0415  # same
    from joserfc.jws import extract_compact  # noqa: PLC0415  # same

    try:
        taken = extract_compact(token.encode("ascii"))
        header, claims = _object(taken.headers()), _object(json.loads(taken.payload))
        # The provider's own clock at that moment: this machine's may be wrong by hours, and the server judges times.
        now = claims.get("iat")
        options = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}}
        CodeIDToken(claims, header, options, {"nonce": nonce, "client_id": client_id}).validate(now)
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise _other() from error
    # One audience, as the server wants it: whom else it is for, it could be used at.
    if str(header.get("alg")).lower() in {"none", ""} or claims["aud"] not in (client_id, [client_id]):
        raise _other()


def _other() -> UnauthenticatedError:
    return UnauthenticatedError(
        "the OpenID provider's token is not for this login: another issuer, audience or nonce, or unsigned",
        reason="OTHER_TOKEN",
    )


def _object(said: object) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise TypeError("no object")
    return said
