"""An OpenID provider: `python -m tests.support.oidc_server FOLDER`, which prints its url.

It is the package oidc-provider-mock, built on Authlib: discovery, key set, authorization code flow. Served over TLS,
with what Authlib has beside that and the package does not use: PKCE (required of public clients), device authorization,
and the issuer in the answer. Doors for tests: ``/test/sign`` signs whatever header and claims one likes, as an issuer
gone wrong would, ``/test/spoil`` has the next ID token made so, ``/test/public`` tells its public key, ``/test/rotate``
gives it another one, ``/test/type`` types a device's code for somebody.
"""

from __future__ import annotations

import json
import sys
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import flask
import jwt
import oidc_provider_mock
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint, DeviceCodeGrant, DeviceCredentialDict
from cryptography.hazmat.primitives import serialization
from oidc_provider_mock import _app, _storage
from werkzeug.serving import make_server

from interlock.service.tls import certificate_pem, make_authority, make_server_certificate

_NAME = "oidc-provider-mock"
_challenges: dict[str, tuple[str | None, str | None]] = {}
_devices: dict[str, Any] = {}
_typed: dict[str, tuple[Any, bool]] = {}
_spoilt: list[dict[str, Any]] = []


class _CodeGrant(_app.AuthorizationCodeGrant):  # type: ignore[misc]  # the package has no types
    """Keeps the challenge of PKCE beside the code, for which the package has no place."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("none", "client_secret_basic", "client_secret_post")

    def save_authorization_code(self, code: str, request: Any) -> None:  # noqa: ANN401  # a request of Authlib
        said = request.payload.data
        _challenges[code] = (said.get("code_challenge"), said.get("code_challenge_method"))
        super().save_authorization_code(code, request)


class _Challenge(CodeChallenge):  # type: ignore[misc]  # as above
    def get_authorization_code_challenge(self, code: Any) -> str | None:  # noqa: ANN401  # a code of the package
        return _challenges[code.code][0]

    def get_authorization_code_challenge_method(self, code: Any) -> str | None:  # noqa: ANN401  # same
        return _challenges[code.code][1]


class _OpenIdCode(_app.OpenIDCode):  # type: ignore[misc]  # as above
    def __call__(self, grant: Any) -> None:  # noqa: ANN401  # a grant of Authlib
        super().__call__(grant)
        if isinstance(grant, _CodeGrant):
            _Challenge(required=True)(grant)


class _DeviceEndpoint(DeviceAuthorizationEndpoint):  # type: ignore[misc]  # as above
    INTERVAL = 1
    EXPIRES_IN = 60

    def get_verification_uri(self) -> str:
        return flask.request.host_url + "device"

    def save_device_credential(self, client_id: str, scope: str, data: dict[str, Any]) -> None:
        about = {"client_id": client_id, "scope": scope, "expires_at": time.time() + data["expires_in"]}
        _devices[data["device_code"]] = DeviceCredentialDict(data | about)


class _DeviceGrant(DeviceCodeGrant):  # type: ignore[misc]  # as above
    def query_device_credential(self, device_code: str) -> Any:  # noqa: ANN401  # a credential of Authlib
        return _devices.get(device_code)

    def query_user_grant(self, user_code: str) -> tuple[Any, bool] | None:
        return _typed.get(user_code)

    def should_slow_down(self, _credential: object) -> bool:
        return False


def _server() -> Any:  # noqa: ANN401  # a server of Authlib
    """Return what answers by the protocols, with what it lacked of them."""
    server = flask.g._authlib_authorization_server  # noqa: SLF001  # where the package has it
    if not getattr(server, "knows_devices", False):
        server.register_grant(_DeviceGrant, [_app.OpenIDCode(False, _app.Config().access_token_max_age)])  # noqa: FBT003  # as the package calls it
        server.register_endpoint(_DeviceEndpoint(server))
        server.knows_devices = True
    return server


def _jwk() -> Any:  # noqa: ANN401  # a key of joserfc or Authlib
    return flask.g.oidc_provider_mock_storage.jwk


def _signed(claims: dict[str, Any], header: dict[str, Any]) -> str:
    header = {"alg": "RS256", "kid": _jwk().thumbprint()} | header
    if header["alg"] == "none":
        parts = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
        return ".".join(parts) + "."
    return jwt.encode(claims, _jwk().as_pem(is_private=True), algorithm="RS256", headers=header)


def _configuration(original: Any) -> flask.Response:  # noqa: ANN401  # a view of Flask
    """Say what the package says, and what was added."""
    said = flask.make_response(original()).get_json()
    return flask.jsonify(
        said
        | {
            "device_authorization_endpoint": flask.request.host_url + "oauth2/device",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
    )


def _authorize(original: Any) -> flask.Response:  # noqa: ANN401  # as above
    """Answer as the package does, with the issuer (RFC 9207), and with the state of a refusal, which it forgets."""
    answer = flask.make_response(original())
    where = answer.headers.get("Location")
    if where:
        more = [("iss", flask.request.host_url.rstrip("/"))]
        if "state=" not in where and "state" in flask.request.args:
            more.append(("state", flask.request.args["state"]))
        answer.headers["Location"] = add_params_to_uri(where, more)
    return answer


def _token(_original: object) -> flask.Response:
    """Give a token by any of the grants; the ID token in it as a test wants it spoilt."""
    answer: flask.Response = _server().create_token_response()
    said = answer.get_json()
    if _spoilt and "id_token" in said:
        how = _spoilt.pop()
        claims = jwt.decode(said["id_token"], options={"verify_signature": False}) | how["claims"]
        said["id_token"] = _signed({name: one for name, one in claims.items() if one is not None}, how["header"])
        answer = flask.jsonify(said)
    return answer


def _device() -> flask.Response:
    answer: flask.Response = _server().create_endpoint_response(_DeviceEndpoint.ENDPOINT_NAME)
    return answer


def _sign() -> flask.Response:
    form = flask.request.form
    return flask.jsonify(token=_signed(json.loads(form["claims"]), json.loads(form["header"])))


def _spoil() -> flask.Response:
    form = flask.request.form
    _spoilt.append({name: json.loads(form[name]) for name in ("claims", "header")})
    return flask.jsonify()


def _public() -> flask.Response:
    return flask.jsonify(pem=_jwk().as_pem(is_private=False).decode())


def _rotate() -> flask.Response:
    flask.g.oidc_provider_mock_storage.jwk = type(_jwk()).generate_key(is_private=True)
    return flask.jsonify()


def _type() -> flask.Response:
    form = flask.request.form
    _typed[form["user_code"]] = (_storage.User(sub=form["sub"]), form["approved"] == "yes")
    return flask.jsonify()


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


def _application() -> flask.Flask:
    # The package takes its grants from the module's own names, and what a client may ask for from its class.
    _app.AuthorizationCodeGrant, _app.OpenIDCode = _CodeGrant, _OpenIdCode
    _storage.Client.GRANT_TYPES_SUPPORTED += (_DeviceGrant.GRANT_TYPE,)
    app: flask.Flask = oidc_provider_mock.app()
    app.debug = False
    views = app.view_functions
    for name, view in (("openid_config", _configuration), ("authorize", _authorize), ("issue_token", _token)):
        original = views[f"{_NAME}.{name}"]
        views[f"{_NAME}.{name}"] = lambda view=view, original=original: view(original)
    app.add_url_rule("/oauth2/device", view_func=_device, methods=["POST"])
    for door in (_sign, _spoil, _public, _rotate, _type):
        app.add_url_rule(f"/test/{door.__name__.strip('_')}", view_func=door, methods=["POST"])
    return app


def main() -> None:
    """Serve until ended."""
    server = make_server("127.0.0.1", 0, _application(), threaded=True, ssl_context=_certificate(Path(sys.argv[1])))
    print(f"https://127.0.0.1:{server.port}", flush=True)  # noqa: T201  # who started it reads this
    server.serve_forever()


if __name__ == "__main__":
    main()
