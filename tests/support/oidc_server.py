"""An OpenID provider: `python -m tests.support.oidc_server FOLDER`, which prints its url.

It is the package oidc-provider-mock, built on Authlib: discovery, key set, authorization code flow. Served over TLS,
with three doors more: ``/test/sign`` signs whatever header and claims one likes, as an issuer gone wrong
would, ``/test/public`` tells its public key, and ``/test/rotate`` gives it another one.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import flask
import jwt
import oidc_provider_mock
from cryptography.hazmat.primitives import serialization
from werkzeug.serving import make_server

from interlock.service.tls import certificate_pem, make_authority, make_server_certificate


def _certificate(folder: Path) -> tuple[str, str]:
    """Make an authority and a certificate for loopback; return the files of certificate and key."""
    now = datetime.now(UTC)
    authority = make_authority(now)
    key, certificate = make_server_certificate(authority, ["127.0.0.1"], now)
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    files = {"ca": certificate_pem(authority.certificate), "crt": certificate_pem(certificate), "key": pem}
    for name, data in files.items():
        (folder / f"{name}.pem").write_bytes(data)
    return str(folder / "crt.pem"), str(folder / "key.pem")


def main() -> None:
    """Serve until ended."""
    app = oidc_provider_mock.app()
    app.debug = False

    def jwk() -> Any:  # noqa: ANN401  # a key of joserfc or Authlib
        return flask.g.oidc_provider_mock_storage.jwk

    def sign() -> flask.Response:
        header = {"alg": "RS256", "kid": jwk().thumbprint()} | json.loads(flask.request.form["header"])
        pem = jwk().as_pem(is_private=True)
        token = jwt.encode(json.loads(flask.request.form["claims"]), pem, algorithm="RS256", headers=header)
        return flask.jsonify(token=token)

    def public() -> flask.Response:
        return flask.jsonify(pem=jwk().as_pem(is_private=False).decode())

    def rotate() -> flask.Response:
        flask.g.oidc_provider_mock_storage.jwk = type(jwk()).generate_key(is_private=True)
        return flask.jsonify()

    for door in (sign, public, rotate):
        app.add_url_rule(f"/test/{door.__name__}", view_func=door, methods=["POST"])
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=_certificate(Path(sys.argv[1])))
    print(f"https://127.0.0.1:{server.port}", flush=True)  # noqa: T201  # who started it reads this
    server.serve_forever()


if __name__ == "__main__":
    main()
