"""DSSE envelopes: published vectors, a second implementation both ways, and everything malformed."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError

# Its documented names, which 1.6 re-exports without saying so.
from securesystemslib.signer import CryptoSigner, SSlibKey

from interlock.proofs import keys
from interlock.proofs.dsse import IN_TOTO_TYPE, MAX_ENVELOPE_BYTES, RawEnvelope, pae, sign, verify
from interlock.proofs.errors import EnvelopeError, Fault, JsonError, KeyMaterialError

# secure-systems-lab/dsse, testvectors/vectors.json; key A is RFC 8032 §7.1, TEST 1.
KEY_A = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
KEY_B = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
)
PUBLIC_A, PUBLIC_B = keys.public_bytes(KEY_A), keys.public_bytes(KEY_B)
STATEMENT = "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ=="
SIG = "2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA=="
NON_ASCII_SIG = "xmSk/ug66ysT7ayhkCIjhAq42zgZXSsEWuzUaNL7w2eGAdF/NU6/fRXPtmfN+5DNSAs5/i2lUnHjbbjPsu0tAw=="
EMPTY_SIG = "gSggCAaTLTYyRH6FIDBem6meyIynsYy8RTHVzwx9tnTb7Bg/1jMWnuVgI/gffqmbsC2VX5/jHfkkDqsj7CDbDg=="
EMPTY_TYPE_SIG = "iC3q/+3Rm0+lpAJRueDmDh15PnwCfxKmS0NAfKsbv+zgulXQC/WM9trc+j1XEqlwDIg/vf/uNfebeD6sxInrDg=="
URL_SAFE_SIG = "P-_KHICeR7tI6S_YyejJTRtrXhcQyQ2LYPaL8h90KjC9qN8HU_svOQ6TuDOT1HIrsGW886DbWNWcCmX5twLrAw=="


def envelope_json(payload: str = STATEMENT, payload_type: str = IN_TOTO_TYPE, sig: str = SIG) -> bytes:
    """Write an envelope as another implementation would."""
    signature = {"sig": sig, "keyid": "A"}
    return json.dumps({"payload": payload, "payloadType": payload_type, "signatures": [signature]}).encode()


def fault_of(envelope: RawEnvelope, public_key: bytes = PUBLIC_A, payload_type: str = IN_TOTO_TYPE) -> Fault:
    """Verify an envelope that must be refused, and tell why it was."""
    with pytest.raises(EnvelopeError) as refused:
        verify(envelope, public_key, payload_type=payload_type)
    return refused.value.fault


def test_the_encoding_is_the_published_one() -> None:
    """The protocol's example is encoded as the protocol says."""
    encoded = pae("http://example.com/HelloWorld", b"hello world")

    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@pytest.mark.parametrize(
    ("payload_type", "payload", "expected"),
    [
        ("", b"", b"DSSEv1 0  0 "),
        (IN_TOTO_TYPE, b"", b"DSSEv1 28 application/vnd.in-toto+json 0 "),
        ("ä", b"\x00 1", b"DSSEv1 2 \xc3\xa4 3 \x00 1"),
    ],
)
def test_lengths_are_in_bytes(payload_type: str, payload: bytes, expected: bytes) -> None:
    """Type and payload are encoded with their lengths in bytes, in decimal, without zeros in front."""
    assert pae(payload_type, payload) == expected


@settings(deadline=None)
@given(one=st.tuples(st.text("a 1"), st.binary()), other=st.tuples(st.text("a 1"), st.binary()))
def test_no_two_payloads_are_encoded_alike(one: tuple[str, bytes], other: tuple[str, bytes]) -> None:
    """The encoding is injective: nothing can move from the type to the payload."""
    assert (pae(*one) == pae(*other)) == (one == other)


@pytest.mark.parametrize(
    ("payload", "payload_type", "sig"),
    [
        pytest.param(STATEMENT, IN_TOTO_TYPE, SIG, id="single-signature"),
        pytest.param("-_-_Pj8=", IN_TOTO_TYPE, URL_SAFE_SIG, id="url-safe-base64"),
        pytest.param(STATEMENT, "application/vnd.exämple+json", NON_ASCII_SIG, id="non-ascii-payload-type"),
        pytest.param("", IN_TOTO_TYPE, EMPTY_SIG, id="empty-payload"),
    ],
)
def test_published_envelopes_verify(payload: str, payload_type: str, sig: str) -> None:
    """What the protocol's vectors accept verifies here, and we sign exactly the same."""
    envelope = RawEnvelope.from_json(envelope_json(payload, payload_type, sig))

    verified = verify(envelope, PUBLIC_A, payload_type=payload_type)

    assert verified.payload == base64.urlsafe_b64decode(payload)
    assert (verified.payload_type, verified.public_key) == (payload_type, PUBLIC_A)
    assert sign(payload_type, verified.payload, KEY_A, keyid="A") == envelope


def test_a_published_envelope_with_its_type_swapped_is_refused() -> None:
    """The payload type is signed: claiming another one breaks the signature."""
    other = "application/vnd.example.other+json"

    envelope = RawEnvelope.from_json(envelope_json(payload_type=other))

    assert fault_of(envelope, payload_type=other) is Fault.SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("payload_type", "sig"), [("", EMPTY_TYPE_SIG), ("application/vnd.exämple+json", NON_ASCII_SIG)]
)
def test_a_signed_payload_of_another_type_is_refused(payload_type: str, sig: str) -> None:
    """A good signature over a payload of another kind is not what was asked for."""
    envelope = RawEnvelope.from_json(envelope_json(payload_type=payload_type, sig=sig))

    assert fault_of(envelope) is Fault.PAYLOAD_TYPE


def test_another_keys_signature_is_refused_whatever_the_key_id_says() -> None:
    """The key id is a hint: an envelope that names the right key needs its signature too."""
    envelope = sign(IN_TOTO_TYPE, b"{}", KEY_B, keyid=keys.fingerprint(PUBLIC_A))

    assert fault_of(envelope) is Fault.SIGNATURE_INVALID
    assert verify(envelope, PUBLIC_B, payload_type=IN_TOTO_TYPE).public_key == PUBLIC_B


def test_signing_names_the_key_by_its_fingerprint() -> None:
    """Unless told otherwise the key id is the credential's resource name."""
    assert sign(IN_TOTO_TYPE, b"{}", KEY_A).keyid == keys.fingerprint(PUBLIC_A)


@settings(deadline=None)
@given(payload=st.binary(max_size=200), payload_type=st.text(st.characters(exclude_categories=["Cs"])))
def test_an_envelope_survives_its_json(payload: bytes, payload_type: str) -> None:
    """Writing and reading gives the same envelope, which still verifies."""
    envelope = sign(payload_type, payload, KEY_A)

    read = RawEnvelope.from_json(envelope.to_json())

    assert read == envelope
    assert verify(read, PUBLIC_A, payload_type=payload_type).payload == payload


@settings(deadline=None)
@given(data=st.data())
def test_any_flipped_bit_in_payload_or_signature_is_refused(data: st.DataObject) -> None:
    """No single bit of what was signed, or of the signature, can change."""
    good = sign(IN_TOTO_TYPE, b'{"decision":"approve"}', KEY_A)
    parts = bytearray(good.payload + good.signature)
    bit = data.draw(st.integers(0, len(parts) * 8 - 1))
    parts[bit // 8] ^= 1 << bit % 8
    cut = len(good.payload)

    envelope = RawEnvelope(IN_TOTO_TYPE, bytes(parts[:cut]), bytes(parts[cut:]))

    assert fault_of(envelope) is Fault.SIGNATURE_INVALID


def test_securesystemslib_verifies_our_envelopes() -> None:
    """An envelope made here is accepted by another implementation, under the key id we gave it."""
    ours = sign(IN_TOTO_TYPE, b'{"a":"\xc3\xa9"}', KEY_A)
    key = SSlibKey.from_crypto(KEY_A.public_key(), keyid=keys.fingerprint(PUBLIC_A))
    stranger = SSlibKey.from_crypto(KEY_B.public_key(), keyid=keys.fingerprint(PUBLIC_A))

    theirs = Envelope.from_dict(json.loads(ours.to_json()))

    assert theirs.pae() == pae(ours.payload_type, ours.payload)
    assert list(theirs.verify([key], 1)) == [keys.fingerprint(PUBLIC_A)]
    with pytest.raises(VerificationError):
        theirs.verify([stranger], 1)


def test_we_verify_securesystemslibs_envelopes() -> None:
    """An envelope made by another implementation is accepted here, and becomes the same bytes."""
    theirs = Envelope(b'{"a":1}', IN_TOTO_TYPE, {})
    theirs.sign(CryptoSigner(KEY_A))

    ours = RawEnvelope.from_json(json.dumps(theirs.to_dict()).encode())

    assert verify(ours, PUBLIC_A, payload_type=IN_TOTO_TYPE).payload == b'{"a":1}'
    assert json.loads(ours.to_json()) == theirs.to_dict()


def test_the_digest_does_not_depend_on_the_wrapping() -> None:
    """Key id, alphabet and spacing are anybody's to change; what was signed stays the same."""
    one = RawEnvelope.from_json(envelope_json())
    other = RawEnvelope.from_json(
        envelope_json(sig=SIG.replace("+", "-").replace("/", "_")).replace(b'"A"', b'"B"').replace(b" ", b"\n")
    )

    digests = {verify(raw, PUBLIC_A, payload_type=IN_TOTO_TYPE).digest for raw in (one, other)}

    assert one != other
    assert digests == {hashlib.sha256(pae(one.payload_type, one.payload)).digest()}


def test_a_key_id_may_be_left_out() -> None:
    """The key id is optional in the protocol."""
    envelope = RawEnvelope.from_json(envelope_json().replace(b', "keyid": "A"', b""))

    assert envelope.keyid == ""
    assert verify(envelope, PUBLIC_A, payload_type=IN_TOTO_TYPE).public_key == PUBLIC_A


@pytest.mark.parametrize("count", [0, 2])
def test_an_envelope_has_one_signature(count: int) -> None:
    """None is no signature, and two are two statements."""
    data = json.loads(envelope_json())
    data["signatures"] *= count

    with pytest.raises(EnvelopeError) as refused:
        RawEnvelope.from_json(json.dumps(data).encode())

    assert refused.value.fault is Fault.ENVELOPE_SIGNATURE_COUNT


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"[]", id="array"),
        pytest.param(b"{}", id="nothing in it"),
        pytest.param(envelope_json().replace(b'"payload"', b'"Payload"'), id="other case"),
        pytest.param(envelope_json()[:-1] + b', "x": 1}', id="unknown field"),
        pytest.param(envelope_json().replace(b'"keyid"', b'"cert"'), id="unknown field of signature"),
        pytest.param(envelope_json().replace(b'"sig"', b'"keyId"'), id="no sig"),
        pytest.param(envelope_json().replace(b'"A"', b"1"), id="key id no string"),
        pytest.param(envelope_json().replace(b'"A"', b"null"), id="key id null"),
        pytest.param(envelope_json().replace(f'"{IN_TOTO_TYPE}"'.encode(), b"null"), id="type null"),
        pytest.param(envelope_json().replace(f'"{STATEMENT}"'.encode(), b"{}"), id="payload object"),
        pytest.param(b'{"payload":"","payloadType":"","signatures":{"sig":""}}', id="signatures object"),
        pytest.param(b'{"payload":"","payloadType":"","signatures":[[]]}', id="signature array"),
        pytest.param(b'{"payload":"","payloadType":""}', id="no signatures"),
    ],
)
def test_envelopes_of_another_form_are_refused(data: bytes) -> None:
    """An envelope has its three fields, a signature its one or two, and all are strings."""
    with pytest.raises(EnvelopeError) as refused:
        RawEnvelope.from_json(data)

    assert refused.value.fault is Fault.ENVELOPE_FORMAT


@pytest.mark.parametrize(
    "text",
    ["e", "e30", "e30==", "e31=", "e3 0=", "e30=\\n", "é30=", "____////", "e30=e30=", "="],
)
def test_base64_has_one_spelling_in_each_alphabet(text: str) -> None:
    """Missing padding, stray bits, spaces and mixed alphabets are refused, in payload and signature."""
    for data in (envelope_json(payload="?"), envelope_json(sig="?")):
        with pytest.raises(EnvelopeError) as refused:
            RawEnvelope.from_json(data.replace(b"?", text.encode()))
        assert refused.value.fault is Fault.ENVELOPE_BASE64


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        pytest.param(b'{"payload":"",' + envelope_json()[1:], Fault.JSON_DUPLICATE_KEY, id="field twice"),
        pytest.param(
            envelope_json().replace(b'"keyid"', b'"sig": "", "keyid"'),
            Fault.JSON_DUPLICATE_KEY,
            id="sig twice",
        ),
        pytest.param(envelope_json() + b"{}", Fault.JSON_SYNTAX, id="trailing data"),
        pytest.param(envelope_json() + b" " * MAX_ENVELOPE_BYTES, Fault.JSON_TOO_LARGE, id="too large"),
    ],
)
def test_envelopes_are_strict_json(data: bytes, fault: Fault) -> None:
    """An envelope that readers could read differently is refused before anything is looked at."""
    with pytest.raises(JsonError) as refused:
        RawEnvelope.from_json(data)

    assert refused.value.fault is fault


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    """An Ed25519 signature has 64 bytes."""
    envelope = RawEnvelope(IN_TOTO_TYPE, b"{}", bytes(length))

    assert fault_of(envelope) is Fault.SIGNATURE_LENGTH


def test_an_impossible_key_is_refused_as_such() -> None:
    """A wrong key on record is a fault of the record, and says so."""
    with pytest.raises(KeyMaterialError) as refused:
        verify(sign(IN_TOTO_TYPE, b"{}", KEY_A), PUBLIC_A[:31], payload_type=IN_TOTO_TYPE)

    assert refused.value.fault is Fault.KEY_LENGTH
