"""DSSE v1 envelopes with exactly one signature, Ed25519 or ECDSA P-256 as the key is.

Lives here: envelope bytes ↔ values, signing, verifying. Not here: what a payload says (the codec
decodes statements), whose key it is and whether the envelope was used before (identity).

An envelope has two types. `RawEnvelope` is anybody's claim; only `verify` makes a
`VerifiedPayload`, and code that acts on a payload asks for that, so that skipping the check does
not type-check. `strict_json` reads a payload, `canonical_json` writes one.

Sources: DSSE v1.0 protocol.md ("Signature Definition", "Protocol") and envelope.md. Stricter than
these: one signature an envelope, no unknown or missing fields.
"""

import hashlib
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.proofs import _base64, keys, signature_keys
from interlock.proofs.errors import EnvelopeError, Fault, SignatureError
from interlock.proofs.json_text import JsonValue, canonical_json, strict_json

__all__ = [
    "IN_TOTO_TYPE",
    "MAX_ENVELOPE_BYTES",
    "RawEnvelope",
    "VerifiedPayload",
    "canonical_json",
    "pae",
    "sign",
    "strict_json",
    "verify",
]

IN_TOTO_TYPE: Final = "application/vnd.in-toto+json"
"""Payload type of in-toto statements."""

MAX_ENVELOPE_BYTES: Final = 1 << 20
"""Greatest length of an envelope, in bytes."""

_PAE_PREFIX: Final = b"DSSEv1"
_ENVELOPE_FIELDS: Final = frozenset({"payload", "payloadType", "signatures"})
_SIGNATURE_FIELDS: Final = frozenset({"keyid", "sig"})


@dataclass(frozen=True, slots=True)
class RawEnvelope:
    """An envelope that was read, not checked. `keyid` is an unsigned hint and proves nothing."""

    payload_type: str
    payload: bytes
    signature: bytes
    keyid: str = ""

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read the JSON envelope (envelope.md, "Standard JSON envelope").

        Raises `EnvelopeError`: ENVELOPE_FORMAT, ENVELOPE_SIGNATURE_COUNT or ENVELOPE_BASE64; and
        `JsonError` for what is not strict JSON of at most `MAX_ENVELOPE_BYTES`.
        """
        # 1. Strict JSON, with these fields and no others.
        fields = _fields(strict_json(data, max_bytes=MAX_ENVELOPE_BYTES), "the envelope")
        if fields.keys() != _ENVELOPE_FIELDS:
            raise EnvelopeError(Fault.ENVELOPE_FORMAT, f"fields of envelope: {sorted(fields)}")
        # 2. Exactly one signature, whose key id may be left out.
        signatures = fields["signatures"]
        if not isinstance(signatures, list):
            raise EnvelopeError(Fault.ENVELOPE_FORMAT, "the signatures are not an array")
        if len(signatures) != 1:
            raise EnvelopeError(Fault.ENVELOPE_SIGNATURE_COUNT, f"one signature is wanted, not {len(signatures)}")
        signature = _fields(signatures[0], "the signature")
        if not {"sig"} <= signature.keys() <= _SIGNATURE_FIELDS:
            raise EnvelopeError(Fault.ENVELOPE_FORMAT, f"fields of signature: {sorted(signature)}")
        # 3. Strings throughout; either base64 alphabet, as the protocol requires of verifiers.
        return cls(
            payload_type=_string(fields["payloadType"], "payloadType"),
            payload=_decoded(fields["payload"], "payload"),
            signature=_decoded(signature["sig"], "sig"),
            keyid=_string(signature.get("keyid", ""), "keyid"),
        )

    def to_json(self) -> bytes:
        """Write the JSON envelope, canonically; not a byte string to identify envelopes by.

        Key id and base64 alphabet are anybody's to change: identify by `VerifiedPayload.digest`.
        """
        signature = {"keyid": self.keyid, "sig": _base64.encode(self.signature)}
        return canonical_json(
            {
                "payload": _base64.encode(self.payload),
                "payloadType": self.payload_type,
                "signatures": [signature],
            }
        )


@dataclass(frozen=True, slots=True)
class VerifiedPayload:
    """A payload that this public key signed as this payload type: made by `verify` alone."""

    payload_type: str
    payload: bytes
    public_key: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of what was signed (type and payload): the same for every re-wrapping."""
        return hashlib.sha256(pae(self.payload_type, self.payload)).digest()


def pae(payload_type: str, payload: bytes) -> bytes:
    """Give the bytes that are signed (protocol.md, `PAE`); lengths are in bytes of UTF-8."""
    encoded = payload_type.encode()
    return b" ".join(
        (_PAE_PREFIX, b"%d" % len(encoded), encoded, b"%d" % len(payload), payload),
    )


def sign(payload_type: str, payload: bytes, private_key: Ed25519PrivateKey, *, keyid: str | None = None) -> RawEnvelope:
    """Sign a payload; `keyid` is the key's fingerprint unless another is given."""
    if keyid is None:
        keyid = keys.fingerprint(keys.public_bytes(private_key))
    return RawEnvelope(payload_type, payload, private_key.sign(pae(payload_type, payload)), keyid)


def verify(envelope: RawEnvelope, public_key: bytes, *, payload_type: str) -> VerifiedPayload:
    """Check an envelope against the one key (its bytes, see `signature_keys`) and the one type the caller expects.

    The key is found by the caller from its own records; the envelope's `keyid` may be used to look
    for it and for nothing else. Raises `EnvelopeError`: PAYLOAD_TYPE, SIGNATURE_LENGTH or
    SIGNATURE_INVALID; and `KeyMaterialError` for an impossible key.
    """
    # The order of protocol.md, "Protocol": first the signature, then what it is over.
    try:
        signature_keys.verify(public_key, pae(envelope.payload_type, envelope.payload), envelope.signature)
    except SignatureError as error:
        raise EnvelopeError(error.fault, error.detail) from error
    if envelope.payload_type != payload_type:
        raise EnvelopeError(Fault.PAYLOAD_TYPE, f"signed as {envelope.payload_type!r}, not {payload_type!r}")
    return VerifiedPayload(envelope.payload_type, envelope.payload, public_key)


def _fields(value: JsonValue, what: str) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise EnvelopeError(Fault.ENVELOPE_FORMAT, f"{what} is not an object")
    return value


def _string(value: JsonValue, what: str) -> str:
    if not isinstance(value, str):
        raise EnvelopeError(Fault.ENVELOPE_FORMAT, f"{what} is not a string")
    return value


def _decoded(value: JsonValue, what: str) -> bytes:
    try:
        return _base64.decode_either(_string(value, what))
    except ValueError:
        raise EnvelopeError(Fault.ENVELOPE_BASE64, f"{what} is not base64") from None
