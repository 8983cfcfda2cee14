"""An OpenID provider gone wrong: TLS on loopback, and whatever bytes a test wants for each path, at its own pace.

with hostile_issuer(tmp_path) as issuer:
    issuer.says = lambda path: [b"garbage"]
    KeySets(clock.ticks_us, issuer.ca_file)
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization

from interlock.service.tls import certificate_pem, make_authority, make_server_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

CONFIGURATION = "/.well-known/openid-configuration"
KEYS = "/keys"
OTHER_NAME = "id.example"
"""What its certificate is for as well; no name server knows it."""


class HostileIssuer:
    """A provider that runs. ``says`` gives the bytes of an answer by path; ``asked`` is what was asked for."""

    def __init__(self, folder: Path) -> None:
        now = datetime.now(UTC)
        authority = make_authority(now)
        key, certificate = make_server_certificate(authority, ["127.0.0.1", OTHER_NAME], now)
        plain = serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(certificate_pem(authority.certificate))
        (folder / "both.pem").write_bytes(certificate_pem(certificate) + pem)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(folder / "both.pem")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.says: Callable[[str], Iterable[bytes]] = self.good({"keys": []})
        self.asked: list[str] = []
        self.over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def good(self, keys: object, **configuration: object) -> Callable[[str], Iterable[bytes]]:
        """Return what says its configuration, with these parts of it other, and these keys."""
        said = {"issuer": self.url, "jwks_uri": self.url + KEYS} | configuration

        def answer(path: str) -> Iterable[bytes]:
            return [http(json.dumps(keys if path == KEYS else said).encode())]

        return answer

    def close(self) -> None:
        """End it, and whatever it is still saying."""
        self.over.set()
        self._listener.close()

    def drip(self) -> Iterator[bytes]:
        """Yield a byte every tenth of a second, until it is closed."""
        while not self.over.wait(0.1):
            yield b" "

    def _serve(self) -> None:
        while not self.over.is_set():
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(raw,), daemon=True).start()

    def _answer(self, raw: socket.socket) -> None:
        with suppress(OSError), self._context.wrap_socket(raw, server_side=True) as connection:
            head, _, body = connection.recv(1 << 16).partition(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
            )
            while len(body) < length:
                body += connection.recv(1 << 16)
            path = head.split(b" ")[1].decode()
            self.asked.append(path)
            for part in self.says(path):
                connection.sendall(part)


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """Return an answer of HTTP."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


@contextmanager
def hostile_issuer(folder: Path) -> Iterator[HostileIssuer]:
    """Run one on a free port of loopback."""
    issuer = HostileIssuer(folder)
    try:
        yield issuer
    finally:
        issuer.close()


def jwk_of(public: Any, **rest: str) -> dict[str, Any]:  # noqa: ANN401  # a key of cryptography
    """Return an RSA public key as a JSON web key, under the id `k`."""
    import jwt  # noqa: PLC0415  # beside its one use

    return {**jwt.algorithms.RSAAlgorithm.to_jwk(public, as_dict=True), "kid": "k", "use": "sig", **rest}
