"""In-toto Statements v1 as people here sign them: one subject, one predicate, exactly these fields and no others.

Lives here: the form that sign-offs, countersignatures, delegations and recoveries share, and opening a signed one. Not
here: what each of them says (`signoff.py`, `delegating.py`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from interlock.proofs import dsse, json_text
from interlock.proofs.errors import RefusedError
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.statemachine import resources as r

S = TypeVar("S")

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
DIGEST_CHARS: Final = 64
NONCE_CHARS: Final = 32
_FEW: Final = 8
"""One entry's envelopes are looked at again and again while it is judged; no more than these are worth keeping."""


class StatementError(ValueError):
    """A payload that is not a statement of ours; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Opened(Generic[S]):
    """A statement whose signature was checked, the key that made it, and what stands for the envelope for ever.

    ``digest`` is over signer and signed payload: the envelope's own bytes (key id, base64, white space) are nobody's
    signature and could be changed to have the same statement accepted twice.
    """

    statement: S
    key: r.Credential
    digest: bytes


def envelope_of(name: str, sha256: str, kind: str, predicate: dict[str, object]) -> bytes:
    """Return the payload to sign, in canonical JSON: a statement of predicate type ``kind`` about one subject."""
    return json_text.canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": sha256}}],
            "predicateType": kind,
            "predicate": predicate,
        }
    )


def open_payload(payload: bytes, kind: str) -> tuple[str, str, dict[str, Any]]:
    """Return subject name, subject digest and predicate of a statement of one predicate type. Raises StatementError."""
    try:
        statement: Any = json_text.strict_json(payload)
    except RefusedError as error:
        msg = f"the payload is not strict JSON: {error}"
        raise StatementError(msg) from error
    exactly(statement, {"_type": str, "subject": list, "predicateType": str, "predicate": dict}, "the statement")
    if statement["_type"] != STATEMENT_TYPE or statement["predicateType"] != kind:
        msg = f"the payload is not an in-toto Statement v1 with predicate type {kind}"
        raise StatementError(msg)
    if len(statement["subject"]) != 1:
        msg = "the statement must have exactly one subject"
        raise StatementError(msg)
    subject = statement["subject"][0]
    exactly(subject, {"name": str, "digest": dict}, "the subject")
    exactly(subject["digest"], {"sha256": str}, "the subject's digest")
    return subject["name"], subject["digest"]["sha256"], statement["predicate"]


def exactly(value: Any, shape: dict[str, type], what: str) -> None:  # noqa: ANN401  # parsed JSON of any shape
    """Raise StatementError unless ``value`` is an object with exactly these fields of these types."""
    if not isinstance(value, dict) or value.keys() != shape.keys():
        msg = f"{what} must have exactly the fields {', '.join(sorted(shape))}"
        raise StatementError(msg)
    for name, kind in shape.items():
        if not isinstance(value[name], kind) or (kind is int and isinstance(value[name], bool)):
            msg = f"{what}: {name} must be a {kind.__name__}"
            raise StatementError(msg)


def check_values(checks: tuple[tuple[bool, str], ...]) -> None:
    """Raise StatementError for the first value that is not good, by what it is called."""
    for good, what in checks:
        if not good:
            msg = f"the statement's {what} is not as it must be"
            raise StatementError(msg)


def is_hex(text: str, length: int) -> bool:
    """Say whether a text is lower-case hex of a length."""
    return len(text) == length and all(char in "0123456789abcdef" for char in text)


def open_envelope(data: bytes, public_key: bytes) -> dsse.VerifiedPayload:
    """Return the payload of an envelope signed by ``public_key`` (raw Ed25519). Raises RefusedError otherwise."""
    return dsse.verify(raw_envelope(data), public_key, payload_type=dsse.IN_TOTO_TYPE)


@lru_cache(maxsize=_FEW)
def raw_envelope(data: bytes) -> dsse.RawEnvelope:
    """Return an envelope whose signature nobody has checked. Raises RefusedError."""
    return dsse.RawEnvelope.from_json(data)


def open_signed(
    account: r.Principal | None, name: str, use: str, envelope: bytes, instant: int, parse: Callable[[bytes], S]
) -> Opened[S] | Refused:
    """Return the statement of an envelope once its signature is checked against an account's own keys of a use."""
    keys = [key for key in account.credentials if key.use == use] if account is not None else []
    wish = f"an active {_WORDS.get(use, use)} key of the signer"
    if not any(key.active_at(instant) for key in keys):
        return refused(RefusalKind.SIGN_OFF_INVALID, Code.SIGN_OFF_KEY, wish, "none registered", name)
    reason = ""
    for key in keys:
        try:
            payload = open_envelope(envelope, key.public_key)
            statement = parse(payload.payload)
        except RefusedError as error:
            reason = str(error)
        except StatementError as error:
            wish = "a statement of its form"
            return refused(RefusalKind.SIGN_OFF_INVALID, Code.SIGN_OFF_FORMAT, wish, str(error), name)
        else:
            if not key.active_at(instant):
                actual = "this one was revoked or has ended"
                return refused(RefusalKind.SIGN_OFF_INVALID, Code.SIGN_OFF_KEY, wish, actual, name)
            digest = hashlib.sha256(name.encode() + b"\0" + payload.payload).digest()
            return Opened(statement, key, digest)
    wish = f"a signature by the signer's own {_WORDS.get(use, use)} key"
    return refused(RefusalKind.SIGN_OFF_INVALID, Code.SIGN_OFF_SIGNATURE, wish, reason, name)


_WORDS: Final = {"signoff": "sign-off"}
