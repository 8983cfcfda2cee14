"""Public keys that people sign with: Ed25519 (RFC 8032), or ECDSA on P-256 with SHA-256 (FIPS 186-5) for hardware.

Lives here: telling the two apart, naming and verifying. Which one a key is follows from its own length, never from what
an envelope or a request says of it: there is nothing to downgrade. Not here: keys of logs and witnesses, which are
Ed25519 only (`keys`), whose key it is, and where its private half is.

An Ed25519 key is its 32 bytes. A P-256 key is its compressed point (SEC 1 §2.3.3), 33 bytes, and its signature DER
(RFC 3279 §2.2.3), at most 72 bytes. P-256 has prime order, so no key of small order has to be refused. With every
ECDSA signature (r, s) there is (r, -s): a signature names nothing, sign-offs are the same one by signer and payload.
"""

import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from interlock.proofs import keys
from interlock.proofs.errors import Fault, KeyMaterialError, SignatureError

P256_BYTES: Final = 33
"""Length of a compressed point of P-256."""

PUBLIC_KEY_LENGTHS: Final = frozenset({keys.PUBLIC_KEY_BYTES, P256_BYTES})
"""Every length that a public key can have."""

SIGNATURE_LENGTHS: Final = frozenset(range(8, 73))
"""Every length that a signature can have: 64 for Ed25519, else that of the DER."""

ED25519: Final = "ed25519"
ECDSA_P256: Final = "ecdsa-p256"


def algorithm(public: bytes) -> str:
    """Say which kind of key these bytes are: `ED25519` or `ECDSA_P256`. Raises KeyMaterialError for neither."""
    if len(public) == P256_BYTES:
        _point(public)
        return ECDSA_P256
    keys.load_public_key(public)
    return ED25519


def fingerprint(public: bytes) -> str:
    """Name a key: lower-case hex of SHA-256 over its bytes. Raises KeyMaterialError for an unacceptable one."""
    algorithm(public)
    return hashlib.sha256(public).hexdigest()


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Check that `signature` is one by this key over exactly these bytes. Raises KeyMaterialError, SignatureError."""
    if len(public) != P256_BYTES:
        keys.verify(public, message, signature)
        return
    point = _point(public)
    try:
        # Other spellings of the same two numbers are refused: OpenSSL takes no BER, and this takes nothing besides.
        if encode_dss_signature(*decode_dss_signature(signature)) != signature:
            raise SignatureError(Fault.SIGNATURE_INVALID, "the signature is not DER")
        point.verify(signature, message, ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        raise SignatureError(Fault.SIGNATURE_INVALID, f"not a signature by {fingerprint(public)}") from None


def from_public_key(public: EllipticCurvePublicKey) -> bytes:
    """Give the bytes of a P-256 key. Raises KeyMaterialError for another curve."""
    if not isinstance(public.curve, SECP256R1):
        raise KeyMaterialError(Fault.KEY_LENGTH, f"a key on {public.curve.name}, not on P-256")
    return public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def _point(public: bytes) -> EllipticCurvePublicKey:
    try:
        return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), public)
    except ValueError:
        raise KeyMaterialError(Fault.KEY_NOT_CANONICAL, "not a compressed point of P-256") from None
