"""Keys that sign, wherever their private half is: an encrypted file, an SSH agent, an HSM or a KMS.

A profile names a file for each use. `login.key` is an encrypted key; `login.signer` says where the key is instead, as
JSON: ``{"uri": "ssh-agent:", "public_key": "<hex>"}``. URIs but `ssh-agent:` are those of securesystemslib, such as
`hsm:2?label=token`. Every signature is verified here before anybody sees it, so a wrong token is found at once.

Lives here: opening either, and finding the public half of a key held elsewhere. Not here: what is signed.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from interlock.client.errors import ProfileError
from interlock.client.keyfile import load_key
from interlock.proofs import keys, signature_keys
from interlock.proofs.errors import RefusedError
from interlock.proofs.json_text import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from interlock.client.keyfile import Passphrase

SIGNER_SUFFIX: Final = ".signer"
AGENT: Final = "ssh-agent"
SIGNER: Final = "signer"
_AGENT_KEY: Final = "ssh-ed25519"
_UNENCRYPTED: Final = frozenset({"file", "file2", "gnupg"})
"""Schemes of securesystemslib whose keys lie open in a file, or are of a kind that no log takes."""
_MOST_BYTES: Final = 65536


class SigningKey(Protocol):
    """A key that can sign. ``held_in`` is empty for a file, else `ssh-agent` or `signer`."""

    @property
    def public(self) -> bytes:
        """The public key, as in `interlock.proofs.signature_keys`."""
        ...

    @property
    def held_in(self) -> str:
        """Where the private half is."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return a signature over exactly these bytes. Raises ProfileError where the key can't be reached."""
        ...


@dataclass(frozen=True, slots=True)
class FileKey:
    """A key out of an encrypted file, in memory for as long as this value."""

    key: Ed25519PrivateKey
    held_in: str = ""

    @property
    def public(self) -> bytes:
        """The raw Ed25519 key."""
        return keys.public_bytes(self.key)

    def sign(self, message: bytes) -> bytes:
        """Sign with the key."""
        return self.key.sign(message)


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key that is used where it is; ``use`` asks there for a signature."""

    uri: str
    public: bytes
    held_in: str
    use: Callable[[bytes], bytes]

    def sign(self, message: bytes) -> bytes:
        """Ask for a signature, and look whether it is this key's."""
        signature = self.use(message)
        try:
            signature_keys.verify(self.public, message, signature)
        except RefusedError as error:
            raise ProfileError(f"{self.uri} signed with another key than {self._name}", reason="OTHER_KEY") from error
        return signature

    @property
    def _name(self) -> str:
        return signature_keys.fingerprint(self.public)


def open_signer(path: Path, passphrase: Passphrase) -> SigningKey:
    """Open what a profile names: an encrypted key, or a `.signer` file. The passphrase of an HSM is its PIN.

    Raises ProfileError where there is none, where it does not open, or where what it needs is not installed.
    """
    if path.suffix != SIGNER_SUFFIX:
        return FileKey(load_key(path, passphrase))
    uri, public = _read(path)
    if _scheme(uri) == AGENT:
        return HeldKey(uri, public, AGENT, _agent_use(public))
    return HeldKey(uri, public, SIGNER, _uri_use(uri, public, lambda: passphrase(path)))


def find_public(uri: str, pin: Callable[[], bytes]) -> bytes:
    """Return the public half of a key in an SSH agent or an HSM. Raises ProfileError where there is no such key."""
    scheme = _scheme(uri)
    if scheme == AGENT:
        return _agent_public(uri.partition(":")[2])
    if scheme == "hsm":
        return _hsm_public(uri, pin)
    raise ProfileError(f"{uri}: say its public key, as PEM, with --public-key", reason="NO_KEY")


def public_from_pem(data: bytes) -> bytes:
    """Return the public key in a PEM file: Ed25519 or P-256. Raises ProfileError for anything else."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey  # noqa: PLC0415  # only keys need it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415  # same
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415  # same

    try:
        key = load_pem_public_key(data)
        if isinstance(key, EllipticCurvePublicKey):
            return signature_keys.from_public_key(key)
    except (ValueError, RefusedError) as error:
        raise ProfileError(f"no public key of a kind that a log takes: {error}", reason="BAD_KEY") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ProfileError("no public key of a kind that a log takes: Ed25519 or ECDSA P-256", reason="BAD_KEY")
    return key.public_bytes_raw()


def signer_file(uri: str, public: bytes) -> bytes:
    """Return what a `.signer` file says. It holds no secret. Raises ProfileError for keys that lie open."""
    if _scheme(uri) in _UNENCRYPTED:
        raise ProfileError(
            f"{uri}: a key in a file is kept encrypted: `interlock keys create` makes one", reason="BAD_KEY"
        )
    return json.dumps({"uri": uri, "public_key": public.hex()}, indent=2).encode() + b"\n"


def _scheme(uri: str) -> str:
    return uri.partition(":")[0]


def _read(path: Path) -> tuple[str, bytes]:
    try:
        said = strict_json(path.read_bytes()[:_MOST_BYTES], max_bytes=_MOST_BYTES)
    except OSError as error:
        raise ProfileError(f"the key {path} can't be read: {error.strerror}", reason="NO_KEY") from error
    except RefusedError as error:
        raise ProfileError(f"{path} does not say where a key is: {error}", reason="BAD_KEY") from error
    uri, text = (said.get("uri"), said.get("public_key")) if isinstance(said, dict) and len(said) == 2 else (None, None)  # noqa: PLR2004  # its two fields
    if not isinstance(uri, str) or not isinstance(text, str) or ":" not in uri or _scheme(uri) in _UNENCRYPTED:
        raise ProfileError(f"{path} does not say where a key is: it wants uri and public_key", reason="BAD_KEY")
    try:
        public = bytes.fromhex(text)
        signature_keys.algorithm(public)
    except (ValueError, RefusedError) as error:
        raise ProfileError(f"{path}: public_key is no key: {error}", reason="BAD_KEY") from error
    return uri, public


# An SSH agent ----------------------------------------------------------------------------------------------------


@contextmanager
def _agent_keys() -> Iterator[tuple[Any, ...]]:
    """Give the agent's Ed25519 keys, for as long as it is asked."""
    try:
        from paramiko import Agent, SSHException  # noqa: PLC0415  # an extra, and slow to import
    except ModuleNotFoundError as error:
        wish = "keys in an SSH agent need the extra: pip install 'interlock[ssh]'"
        raise ProfileError(wish, reason="NO_EXTRA") from error
    agent = None
    try:
        agent = Agent()
        yield tuple(key for key in agent.get_keys() if key.name == _AGENT_KEY)
    except SSHException as error:
        raise ProfileError(f"the SSH agent does not answer: {error}", reason="NO_AGENT") from error
    finally:
        if agent is not None:
            agent.close()


def _raw(key: Any) -> bytes:  # noqa: ANN401  # a key of paramiko, which is an extra
    """Return the 32 bytes of an agent's Ed25519 key (RFC 8709 §4)."""
    from paramiko import Message  # noqa: PLC0415  # see `_agent_keys`

    message = Message(key.blob)
    message.get_string()
    return message.get_string()


def _agent_public(which: str) -> bytes:
    """Return the key of the agent with this comment or fingerprint; ``which`` is empty for the only one."""
    with _agent_keys() as held:
        found = [_raw(key) for key in held if which in {"", key.comment, key.fingerprint}]
        names = ", ".join(f"{key.fingerprint} {key.comment}".strip() for key in held) or "none"
    if len(found) != 1:
        held_now = f"the agent holds, of Ed25519: {names}"
        raise ProfileError(f"ssh-agent:{which} names {len(found)} keys; {held_now}", reason="NO_KEY")
    return found[0]


def _agent_use(public: bytes) -> Callable[[bytes], bytes]:
    def use(message: bytes) -> bytes:
        from paramiko import Message  # noqa: PLC0415  # see `_agent_keys`

        with _agent_keys() as held:
            key = next((one for one in held if _raw(one) == public), None)
            if key is None:
                fingerprint = signature_keys.fingerprint(public)
                raise ProfileError(f"the SSH agent does not hold the key {fingerprint}: ssh-add it", reason="NO_KEY")
            answer = Message(key.sign_ssh_data(message))
        answer.get_string()  # the algorithm; the signature is verified whatever it says
        return answer.get_string()

    return use


# HSM and KMS ------------------------------------------------------------------------------------------------------


def _hsm_public(uri: str, pin: Callable[[], bytes]) -> bytes:
    from urllib.parse import parse_qs, urlsplit  # noqa: PLC0415  # only here

    from securesystemslib.exceptions import UnsupportedLibraryError  # noqa: PLC0415  # slow to import
    from securesystemslib.signer import HSMSigner  # noqa: PLC0415  # same

    parts = urlsplit(uri)
    label = parse_qs(parts.query).get("label", [None])[0]
    try:
        number = int(parts.path) if parts.path else None
        _, key = HSMSigner.import_(number, label, lambda _what: pin().decode())
    except UnsupportedLibraryError as error:
        raise ProfileError("keys in an HSM need the extra: pip install 'interlock[hsm]'", reason="NO_EXTRA") from error
    except (ValueError, _hsm_fault()) as error:
        raise ProfileError(f"{uri}: {type(error).__name__}: {error}", reason="NO_KEY") from error
    return public_from_pem(str(key.keyval["public"]).encode())


def _hsm_fault() -> type[Exception]:
    """Return what an HSM raises, for an `except`. A KMS's own errors are left as they are."""
    try:
        from pkcs11.exceptions import PKCS11Error  # noqa: PLC0415  # an extra
    except ModuleNotFoundError:
        return ValueError
    return PKCS11Error


def _uri_use(uri: str, public: bytes, pin: Callable[[], bytes]) -> Callable[[bytes], bytes]:
    def use(message: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ec import (  # noqa: PLC0415  # only held keys need it
            SECP256R1,
            EllipticCurvePublicKey,
        )
        from securesystemslib.exceptions import UnsupportedLibraryError  # noqa: PLC0415  # slow to import
        from securesystemslib.signer import Signer, SSlibKey  # noqa: PLC0415  # same

        if signature_keys.algorithm(public) == signature_keys.ED25519:
            key = SSlibKey.from_crypto(keys.load_public_key(public))
        else:
            key = SSlibKey.from_crypto(EllipticCurvePublicKey.from_encoded_point(SECP256R1(), public))
        try:
            signer = Signer.from_priv_key_uri(uri, key, lambda _what: pin().decode())
            return bytes.fromhex(signer.sign(message).signature)
        except UnsupportedLibraryError as error:
            raise ProfileError(f"{uri} needs what is not installed: {error}", reason="NO_EXTRA") from error
        except (ValueError, OSError, _hsm_fault()) as error:
            raise ProfileError(f"{uri} did not sign: {type(error).__name__}: {error}", reason="NO_SIGNER") from error

    return use
