"""Keys of people: which bytes are a key, which kind it is, and what verifies under it."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from interlock.proofs import keys, signature_keys
from interlock.proofs.errors import KeyMaterialError, RefusedError, SignatureError

# RFC 6979 §A.2.5: the key pair of P-256, and its signature over "sample" with SHA-256.
SECRET = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
R = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
S = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PRIVATE = ec.derive_private_key(SECRET, ec.SECP256R1())
PUBLIC = signature_keys.from_public_key(PRIVATE.public_key())


def test_the_vector_of_rfc_6979() -> None:
    """The public key is the point of the text, and its signature verifies."""
    assert PUBLIC.hex() == "0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    signature_keys.verify(PUBLIC, b"sample", encode_dss_signature(R, S))


def test_which_kind_a_key_is_follows_from_its_length() -> None:
    """32 bytes are Ed25519, 33 are P-256; each is named by SHA-256 over its bytes."""
    other = keys.public_bytes(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))

    assert signature_keys.algorithm(PUBLIC) == signature_keys.ECDSA_P256
    assert signature_keys.algorithm(other) == signature_keys.ED25519
    assert signature_keys.fingerprint(PUBLIC) == hashlib.sha256(PUBLIC).hexdigest()
    assert signature_keys.fingerprint(other) == keys.fingerprint(other)


@pytest.mark.parametrize(
    "public",
    [
        b"",
        PUBLIC[:32] + b"",
        PUBLIC + b"\0",
        b"\x04" + PUBLIC[1:],
        b"\x00" * 33,
        b"\x02" + b"\xff" * 32,
        b"\x02" + (0).to_bytes(31) + b"\x01",
    ],
    ids=["empty", "cut", "long", "uncompressed", "infinity", "past the field", "off the curve"],
)
def test_what_is_no_key(public: bytes) -> None:
    """Nothing but a compressed point on the curve is a P-256 key."""
    with pytest.raises(KeyMaterialError):
        signature_keys.fingerprint(public if len(public) != 32 else b"\xff" * 32)


@pytest.mark.parametrize(
    "signature",
    [
        encode_dss_signature(R, S) + b"\0",
        encode_dss_signature(R, S)[:-1],
        encode_dss_signature(S, R),
        encode_dss_signature(0, S),
        encode_dss_signature(R, 0),
        encode_dss_signature(R + ORDER, S),
        b"\x30\x81" + encode_dss_signature(R, S)[1:],
        R.to_bytes(32) + S.to_bytes(32),
        b"",
    ],
    ids=["longer", "cut", "swapped", "r 0", "s 0", "r not reduced", "long form of the length", "raw", "empty"],
)
def test_what_is_no_signature(signature: bytes) -> None:
    """A signature has one spelling, and is of this key and message."""
    with pytest.raises(SignatureError):
        signature_keys.verify(PUBLIC, b"sample", signature)


def test_another_hash_or_key_or_message() -> None:
    """SHA-256 and nothing else; each kind of key refuses the other's signatures."""
    ed25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    good = PRIVATE.sign(b"m", ec.ECDSA(SHA256()))
    for public, message, signature in (
        (PUBLIC, b"m", PRIVATE.sign(b"m", ec.ECDSA(SHA384()))),
        (PUBLIC, b"n", good),
        (PUBLIC, b"m", ed25519.sign(b"m")),
        (keys.public_bytes(ed25519), b"m", good),
    ):
        with pytest.raises(RefusedError):
            signature_keys.verify(public, message, signature)


def test_a_key_on_another_curve() -> None:
    """P-384 is no key of a log."""
    with pytest.raises(KeyMaterialError):
        signature_keys.from_public_key(ec.derive_private_key(SECRET, ec.SECP384R1()).public_key())


def test_the_other_signature_of_ecdsa_verifies_too() -> None:
    """Said in the module: nothing may be named by a signature's bytes."""
    r, s = decode_dss_signature(PRIVATE.sign(b"m", ec.ECDSA(SHA256())))

    signature_keys.verify(PUBLIC, b"m", encode_dss_signature(r, ORDER - s))
