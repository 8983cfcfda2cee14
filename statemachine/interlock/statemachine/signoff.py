"""The sign-off statement: what exactly a person signs (identity design, "The statement").

DSSE payload type ``application/vnd.in-toto+json``; in-toto Statement v1; subject = change name with SHA-256 of its
content bytes, which bind log id, revision, policy, rules and base; predicate type ``urn:interlock:signoff:v1``. The
client builds it, ``decide`` parses it; both use this module. Payloads are parsed strictly: exactly these fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from interlock.proofs import dsse, json_text
from interlock.proofs.errors import RefusedError

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
SIGN_OFF_TYPE: Final = "urn:interlock:signoff:v1"
GENESIS_TYPE: Final = "urn:interlock:genesis:v1"
DECISIONS: Final = ("approve", "reject", "withdraw")
SEEN: Final = ("full", "redacted", "not_opened")
_NONCE_CHARS: Final = 32
_DIGEST_CHARS: Final = 64
_FEW: Final = 8
"""One entry's envelopes are looked at again and again while it is judged; no more than these are worth keeping."""


class StatementError(ValueError):
    """A payload that is not a statement of ours; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class SeenEvidence:
    """A document attached to the change, and what the signer saw of it."""

    evidence: str
    sha256: str
    seen: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A sign-off, as signed. Digests are lower-case hex, empty for none; ``not_after`` is microseconds, 0: no end."""

    change: str
    content_sha256: str
    decision: str
    signer: str
    roles: tuple[str, ...]
    checkpoint_size: int
    checkpoint_root: str
    nonce: str
    on_behalf_of: str = ""
    comment_digest: str = ""
    conditions_digest: str = ""
    evidence: tuple[SeenEvidence, ...] = ()
    not_after: int = 0


def build_statement(statement: Statement) -> bytes:
    """Return the payload to sign, in canonical JSON."""
    return json_text.canonical_json(
        _envelope_of(
            statement.change,
            statement.content_sha256,
            SIGN_OFF_TYPE,
            {
                "decision": statement.decision,
                "signer": statement.signer,
                "roles": list(statement.roles),
                "onBehalfOf": statement.on_behalf_of,
                "comment": statement.comment_digest,
                "conditions": statement.conditions_digest,
                "evidence": [
                    {"name": row.evidence, "sha256": row.sha256, "seen": row.seen} for row in statement.evidence
                ],
                "checkpoint": {"size": statement.checkpoint_size, "root": statement.checkpoint_root},
                "notAfter": statement.not_after,
                "nonce": statement.nonce,
            },
        )
    )


def build_countersignature(genesis_digest: bytes, signer: str) -> bytes:
    """Return the payload that an approver signs to countersign the genesis (SHA-256 of its document, 32 bytes)."""
    return json_text.canonical_json(_envelope_of("genesis", genesis_digest.hex(), GENESIS_TYPE, {"signer": signer}))


def parse_countersignature(payload: bytes, genesis_digest: bytes) -> str:
    """Return the signer of a countersignature over this genesis. Raises StatementError for anything else."""
    name, sha256, predicate = _open(payload, GENESIS_TYPE)
    _exactly(predicate, {"signer": str}, "the predicate")
    if name != "genesis" or sha256 != genesis_digest.hex():
        msg = "the countersignature is over another genesis"
        raise StatementError(msg)
    signer: str = predicate["signer"]
    return signer


@lru_cache(maxsize=_FEW)
def parse_statement(payload: bytes) -> Statement:
    """Return what a sign-off payload says. Raises StatementError unless it is exactly of the form built here."""
    name, sha256, predicate = _open(payload, SIGN_OFF_TYPE)
    shape = {
        "decision": str,
        "signer": str,
        "roles": list,
        "onBehalfOf": str,
        "comment": str,
        "conditions": str,
        "evidence": list,
        "checkpoint": dict,
        "notAfter": int,
        "nonce": str,
    }
    _exactly(predicate, shape, "the predicate")
    _exactly(predicate["checkpoint"], {"size": int, "root": str}, "the checkpoint")
    for row in predicate["evidence"]:
        _exactly(row, {"name": str, "sha256": str, "seen": str}, "an evidence row")
    statement = Statement(
        change=name,
        content_sha256=sha256,
        decision=predicate["decision"],
        signer=predicate["signer"],
        roles=tuple(predicate["roles"]),
        checkpoint_size=predicate["checkpoint"]["size"],
        checkpoint_root=predicate["checkpoint"]["root"],
        nonce=predicate["nonce"],
        on_behalf_of=predicate["onBehalfOf"],
        comment_digest=predicate["comment"],
        conditions_digest=predicate["conditions"],
        evidence=tuple(SeenEvidence(row["name"], row["sha256"], row["seen"]) for row in predicate["evidence"]),
        not_after=predicate["notAfter"],
    )
    _check_values(statement)
    return statement


def _check_values(statement: Statement) -> None:
    """Raise StatementError for a value outside its range."""
    if not all(isinstance(role, str) for role in statement.roles):  # first: what follows sorts them
        msg = "the statement's roles are not names"
        raise StatementError(msg)
    checks = (
        (statement.decision in DECISIONS, "decision"),
        (list(statement.roles) == sorted(set(statement.roles)), "roles (sorted, each once)"),
        (all(row.seen in SEEN for row in statement.evidence), "evidence seen"),
        (_is_hex(statement.content_sha256, _DIGEST_CHARS), "subject digest"),
        (_is_hex(statement.checkpoint_root, _DIGEST_CHARS), "checkpoint root"),
        (_is_hex(statement.nonce, _NONCE_CHARS), "nonce (32 hex characters)"),
        (not statement.comment_digest or _is_hex(statement.comment_digest, _DIGEST_CHARS), "comment"),
        (
            not statement.conditions_digest or _is_hex(statement.conditions_digest, _DIGEST_CHARS),
            "conditions",
        ),
        (statement.checkpoint_size >= 0, "checkpoint size"),
        (statement.not_after >= 0, "notAfter"),
    )
    for good, what in checks:
        if not good:
            msg = f"the statement's {what} is not as it must be"
            raise StatementError(msg)


def _is_hex(text: str, length: int) -> bool:
    return len(text) == length and all(char in "0123456789abcdef" for char in text)


def _envelope_of(name: str, sha256: str, kind: str, predicate: dict[str, object]) -> dict[str, object]:
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": sha256}}],
        "predicateType": kind,
        "predicate": predicate,
    }


def _open(payload: bytes, kind: str) -> tuple[str, str, dict[str, Any]]:
    """Return subject name, subject digest and predicate of a statement of one predicate type."""
    try:
        statement: Any = json_text.strict_json(payload)
    except RefusedError as error:
        msg = f"the payload is not strict JSON: {error}"
        raise StatementError(msg) from error
    _exactly(statement, {"_type": str, "subject": list, "predicateType": str, "predicate": dict}, "the statement")
    if statement["_type"] != STATEMENT_TYPE or statement["predicateType"] != kind:
        msg = f"the payload is not an in-toto Statement v1 with predicate type {kind}"
        raise StatementError(msg)
    if len(statement["subject"]) != 1:
        msg = "the statement must have exactly one subject"
        raise StatementError(msg)
    subject = statement["subject"][0]
    _exactly(subject, {"name": str, "digest": dict}, "the subject")
    _exactly(subject["digest"], {"sha256": str}, "the subject's digest")
    return subject["name"], subject["digest"]["sha256"], statement["predicate"]


def _exactly(value: Any, shape: dict[str, type], what: str) -> None:  # noqa: ANN401  # parsed JSON of any shape
    """Raise StatementError unless ``value`` is an object with exactly these fields of these types."""
    if not isinstance(value, dict) or value.keys() != shape.keys():
        msg = f"{what} must have exactly the fields {', '.join(sorted(shape))}"
        raise StatementError(msg)
    for name, kind in shape.items():
        if not isinstance(value[name], kind) or (kind is int and isinstance(value[name], bool)):
            msg = f"{what}: {name} must be a {kind.__name__}"
            raise StatementError(msg)


def open_envelope(data: bytes, public_key: bytes) -> dsse.VerifiedPayload:
    """Return the payload of an envelope that ``public_key`` signed. Raises RefusedError otherwise."""
    return dsse.verify(_raw(data), public_key, payload_type=dsse.IN_TOTO_TYPE)


def claimed_statement(data: bytes) -> Statement:
    """Return the statement in an envelope, whoever signed it. Raises RefusedError, StatementError."""
    return parse_statement(_raw(data).payload)


@lru_cache(maxsize=_FEW)
def _raw(data: bytes) -> dsse.RawEnvelope:
    return dsse.RawEnvelope.from_json(data)
