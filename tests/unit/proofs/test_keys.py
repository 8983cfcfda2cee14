"""Ed25519 keys: which are accepted, how they are named, what verifies under them."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.proofs import keys
from interlock.proofs.errors import Fault, KeyMaterialError, SignatureError

FIELD_PRIME = 2**255 - 19
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE_D = -121665 * pow(121666, -1, FIELD_PRIME) % FIELD_PRIME

# RFC 8032 §7.1, TEST 1 to 3: seed, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
            "4a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]


def signed(message: bytes = b"message") -> tuple[bytes, bytes]:
    """Give a public key and its signature over the message."""
    private_key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    return keys.public_bytes(private_key), private_key.sign(message)


def square_root(value: int) -> int | None:
    """Find a square root modulo the field prime, if there is one (RFC 8032 §5.1.3)."""
    root = pow(value, (FIELD_PRIME + 3) // 8, FIELD_PRIME)
    for candidate in (root, root * pow(2, (FIELD_PRIME - 1) // 4, FIELD_PRIME) % FIELD_PRIME):
        if candidate * candidate % FIELD_PRIME == value % FIELD_PRIME:
            return candidate
    return None


def small_order_ys() -> list[int]:
    """Derive from -x² + y² = 1 + d·x²·y² the y of every point whose order divides 8.

    Orders 1 and 2: x = 0. Order 4: doubling gives x = 0, so y = 0. Order 8: doubling gives y = 0, so
    x² = -y², and the curve leaves d·y⁴ + 2y² - 1 = 0.
    """
    ys = [1, FIELD_PRIME - 1, 0]
    discriminant = square_root(1 + CURVE_D)
    assert discriminant is not None
    for sign in (1, -1):
        y = square_root((sign * discriminant - 1) * pow(CURVE_D, -1, FIELD_PRIME) % FIELD_PRIME)
        if y is not None:
            ys += [y, FIELD_PRIME - y]
    assert len(ys) == 5
    return ys


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_the_rfcs_signatures_verify(seed: str, public: str, message: str, signature: str) -> None:
    """RFC 8032's own keys and signatures are accepted, and the keys are those of their seeds."""
    private_key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))

    assert keys.public_bytes(private_key).hex() == public
    keys.verify(bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature))


def test_a_fingerprint_is_the_hex_sha256_of_the_raw_key() -> None:
    """A key's name is 64 lower-case hexadecimal characters over its 32 bytes."""
    public = bytes.fromhex(RFC_8032[0][1])

    name = keys.fingerprint(public)

    assert name == hashlib.sha256(public).hexdigest()
    assert name == "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9"
    assert len(name) == keys.FINGERPRINT_CHARS


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_has_32_bytes(length: int) -> None:
    """Keys of another length are refused wherever one is taken."""
    for use in (keys.fingerprint, keys.load_public_key, lambda key: keys.verify(key, b"", bytes(64))):
        with pytest.raises(KeyMaterialError) as refused:
            use(b"\x02" * length)
        assert refused.value.fault is Fault.KEY_LENGTH


@pytest.mark.parametrize("length", [0, 63, 65, 128])
def test_a_signature_has_64_bytes(length: int) -> None:
    """Signatures of another length are refused as such, also when they start with a good one."""
    public, signature = signed()

    with pytest.raises(SignatureError) as refused:
        keys.verify(public, b"message", (signature * 2)[:length])

    assert refused.value.fault is Fault.SIGNATURE_LENGTH


@settings(deadline=None)
@given(bit=st.integers(0, 511))
def test_a_flipped_bit_breaks_a_signature(bit: int) -> None:
    """No single bit of a signature can change."""
    public, signature = signed()
    broken = bytearray(signature)
    broken[bit // 8] ^= 1 << bit % 8

    with pytest.raises(SignatureError) as refused:
        keys.verify(public, b"message", bytes(broken))

    assert refused.value.fault is Fault.SIGNATURE_INVALID


def test_another_message_or_key_does_not_verify() -> None:
    """A signature is over one message by one key."""
    public, signature = signed()
    other = bytes.fromhex(RFC_8032[0][1])

    for key, message in ((public, b"Message"), (public, b""), (other, b"message")):
        with pytest.raises(SignatureError) as refused:
            keys.verify(key, message, signature)
        assert refused.value.fault is Fault.SIGNATURE_INVALID


def test_a_second_spelling_of_a_signature_does_not_verify() -> None:
    """S + L signs the same message in the same group, and is refused (RFC 8032 §5.1.7)."""
    public, signature = signed()
    scalar = int.from_bytes(signature[32:], "little") + GROUP_ORDER

    with pytest.raises(SignatureError) as refused:
        keys.verify(public, b"message", signature[:32] + scalar.to_bytes(32, "little"))

    assert refused.value.fault is Fault.SIGNATURE_INVALID


@pytest.mark.parametrize("y", small_order_ys())
@pytest.mark.parametrize("sign", [0, 1])
def test_keys_of_small_order_are_refused(y: int, sign: int) -> None:
    """A key under which one signature fits many messages binds nobody, and is no key here."""
    public = (y | sign << 255).to_bytes(32, "little")

    with pytest.raises(KeyMaterialError) as refused:
        keys.load_public_key(public)

    assert refused.value.fault is Fault.KEY_SMALL_ORDER


def test_without_that_rule_anybody_could_sign_for_such_a_key() -> None:
    """The library alone takes one constant signature under the neutral key for every message."""
    neutral = (1).to_bytes(32, "little")
    forged = neutral + bytes(32)

    for message in (b"approve", b"reject"):
        Ed25519PublicKey.from_public_bytes(neutral).verify(forged, message)
        with pytest.raises(KeyMaterialError):
            keys.verify(neutral, message, forged)


@pytest.mark.parametrize("y", [FIELD_PRIME, FIELD_PRIME + 1, FIELD_PRIME + 9, 2**255 - 1])
@pytest.mark.parametrize("sign", [0, 1])
def test_second_spellings_of_a_key_are_refused(y: int, sign: int) -> None:
    """A key has one encoding, so that it has one fingerprint: y is reduced (RFC 8032 §5.1.3)."""
    public = (y | sign << 255).to_bytes(32, "little")

    with pytest.raises(KeyMaterialError) as refused:
        keys.load_public_key(public)

    assert refused.value.fault is Fault.KEY_NOT_CANONICAL


def test_nothing_verifies_under_a_point_off_the_curve() -> None:
    """Bytes that are no point load, and stay without signatures."""
    y = next(y for y in range(2, 99) if square_root((y * y - 1) * pow(CURVE_D * y * y + 1, -1, FIELD_PRIME)) is None)

    with pytest.raises(SignatureError) as refused:
        keys.verify(y.to_bytes(32, "little"), b"message", signed()[1])

    assert refused.value.fault is Fault.SIGNATURE_INVALID
