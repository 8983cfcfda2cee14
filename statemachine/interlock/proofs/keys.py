"""Ed25519 public keys and signatures as raw bytes (RFC 8032).

Lives here: loading, naming and verifying. Not here: whose key it is, when it was valid and what it
may sign (identity), key files and hardware (the client and the service).

A key that can sign is one thing, a key that *binds* its signer another: with a public key of small
order one signature fits many messages, so its owner could later deny what was signed. Such keys,
and second spellings of a key, are refused wherever a key is used (Chalkias, Garillot, Nikolaenko,
"Taming the many EdDSAs", §2 and appendix). Verification is OpenSSL's: without cofactor, S < L.
"""

import hashlib
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from interlock.proofs.errors import Fault, KeyMaterialError, SignatureError

PUBLIC_KEY_BYTES: Final = 32
"""Length of an encoded public key (RFC 8032 §5.1.5)."""

SIGNATURE_BYTES: Final = 64
"""Length of a signature (RFC 8032 §5.1.6)."""

FINGERPRINT_CHARS: Final = 64
"""Length of a fingerprint, in characters."""

_FIELD_PRIME: Final = 2**255 - 19
_SIGN_BIT: Final = 1 << 255

# y of the two pairs of points of order 8; those of order 1, 2 and 4 have y = 1, -1 and 0. The
# test derives all of them from the curve equation.
_ORDER_8_Y: Final = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_SMALL_ORDER_Y: Final = frozenset(
    {0, 1, _FIELD_PRIME - 1, _ORDER_8_Y, _FIELD_PRIME - _ORDER_8_Y},
)


def fingerprint(public_raw: bytes) -> str:
    """Name a key: lower-case hex of SHA-256 over its 32 bytes, as in resource names.

    Raises `KeyMaterialError` for bytes that are no acceptable key.
    """
    _check_public(public_raw)
    return hashlib.sha256(public_raw).hexdigest()


@lru_cache(maxsize=1024)  # a log has few keys, and each signs many times
def load_public_key(public_raw: bytes) -> Ed25519PublicKey:
    """Build a key from its 32 bytes.

    Raises `KeyMaterialError`: KEY_LENGTH, KEY_NOT_CANONICAL or KEY_SMALL_ORDER. A point that is
    not on the curve passes here, and no signature ever verifies under it.
    """
    _check_public(public_raw)
    return Ed25519PublicKey.from_public_bytes(public_raw)


def public_bytes(private_key: Ed25519PrivateKey) -> bytes:
    """Give the raw 32 bytes of a private key's public key."""
    return private_key.public_key().public_bytes_raw()


def verify(public_raw: bytes, message: bytes, signature: bytes) -> None:
    """Check that `signature` is one by this key over exactly these bytes.

    Raises `KeyMaterialError` (see `load_public_key`) or `SignatureError`: SIGNATURE_LENGTH or
    SIGNATURE_INVALID.
    """
    public_key = load_public_key(public_raw)
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureError(Fault.SIGNATURE_LENGTH, f"an Ed25519 signature has 64 bytes, not {len(signature)}")
    try:
        public_key.verify(signature, message)
    except InvalidSignature:
        raise SignatureError(Fault.SIGNATURE_INVALID, f"not a signature by {fingerprint(public_raw)}") from None


def _check_public(public_raw: bytes) -> None:
    if len(public_raw) != PUBLIC_KEY_BYTES:
        raise KeyMaterialError(Fault.KEY_LENGTH, f"an Ed25519 public key has 32 bytes, not {len(public_raw)}")
    # The top bit is the sign of x, the rest is y (RFC 8032 §5.1.2).
    y = int.from_bytes(public_raw, "little") & (_SIGN_BIT - 1)
    if y >= _FIELD_PRIME:
        raise KeyMaterialError(Fault.KEY_NOT_CANONICAL, "y is not reduced modulo 2^255 - 19")
    if y in _SMALL_ORDER_Y:
        raise KeyMaterialError(Fault.KEY_SMALL_ORDER, "the key is a point of small order")
