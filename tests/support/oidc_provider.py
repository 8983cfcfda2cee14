"""A real OpenID provider for tests, in a process of its own (`oidc_server.py`), and how to get tokens of it."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLIENT: Final = "interlock-log"
_BACK: Final = "https://127.0.0.1/back"


class Provider:
    """A provider that runs, for a test: its url, its CA, and tokens of it."""

    def __init__(self, url: str, ca_file: Path) -> None:
        self.url = url
        self.ca_file = ca_file
        handlers = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(ca_file)))
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handlers, _Stay())

    def log_in(self, subject: str, audience: str = CLIENT) -> str:
        """Return the ID token of the authorization code flow (OpenID Connect Core §3.1)."""
        asked = {"client_id": audience, "redirect_uri": _BACK, "response_type": "code", "scope": "openid", "state": "s"}
        location = self._post(f"/oauth2/authorize?{urllib.parse.urlencode(asked)}", {"sub": subject}).headers[
            "location"
        ]
        [code] = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)["code"]
        exchange = {"grant_type": "authorization_code", "code": code, "redirect_uri": _BACK, "client_id": audience}
        return str(json.load(self._post("/oauth2/token", exchange | {"client_secret": "any"}))["id_token"])

    def sign(self, claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
        """Return a token with exactly these claims, signed with its own key."""
        said = {"claims": json.dumps(claims), "header": json.dumps(header or {})}
        return str(json.load(self._post("/test/sign", said))["token"])

    def spoil(self, claims: dict[str, Any] | None = None, header: dict[str, Any] | None = None) -> None:
        """Have the next ID token that it gives say this; None leaves a claim out, `alg` `none` the signature."""
        said = {"claims": json.dumps(claims or {}), "header": json.dumps(header or {})}
        self._post("/test/spoil", said).close()

    def type(self, user_code: str, subject: str, *, approved: bool = True) -> None:
        """Type the code of a device, as somebody who is logged in elsewhere."""
        said = {"user_code": user_code, "sub": subject, "approved": "yes" if approved else "no"}
        self._post("/test/type", said).close()

    def public_pem(self) -> str:
        """Return its public key as PEM: what an attacker makes an HMAC key of."""
        return str(json.load(self._post("/test/public", {}))["pem"])

    def rotate(self) -> None:
        """Give it another key; the old one is gone from its key set."""
        self._post("/test/rotate", {}).close()

    def _post(self, path: str, fields: dict[str, str]) -> Any:  # noqa: ANN401  # an answer of urllib
        return self._opener.open(self.url + path, urllib.parse.urlencode(fields).encode(), timeout=30)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Give the redirect itself, which has the code in it."""

    def http_error_302(self, _request: Any, answer: Any, *_more: Any) -> Any:  # noqa: ANN401  # as urllib calls it
        """Return the answer."""
        return answer


@contextmanager
def provider(folder: Path) -> Iterator[Provider]:
    """Run a provider on a free port of loopback."""
    words = [sys.executable, "-m", "tests.support.oidc_server", str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield Provider(process.stdout.readline().strip(), folder / "ca.pem")
        finally:
            process.terminate()
