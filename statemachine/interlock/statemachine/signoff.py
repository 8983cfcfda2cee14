"""The sign-off statement: what exactly a person signs (identity design, "The statement").

DSSE payload type ``application/vnd.in-toto+json``; in-toto Statement v1; subject = change name with SHA-256 of its
content bytes, which bind log id, revision, policy, rules and base; predicate type ``urn:interlock:signoff:v1``. The
client builds it, ``decide`` parses it; both use this module. Payloads are parsed strictly: exactly these fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from interlock.statemachine.statements import (
    DIGEST_CHARS,
    NONCE_CHARS,
    StatementError,
    check_values,
    envelope_of,
    exactly,
    is_hex,
    open_payload,
    raw_envelope,
)

SIGN_OFF_TYPE: Final = "urn:interlock:signoff:v1"
GENESIS_TYPE: Final = "urn:interlock:genesis:v1"
DECISIONS: Final = ("approve", "reject", "withdraw")
SEEN: Final = ("full", "redacted", "not_opened")
_FEW: Final = 8
"""One entry's envelopes are looked at again and again while it is judged; no more than these are worth keeping."""


@dataclass(frozen=True, slots=True)
class SeenEvidence:
    """A document that the change binds, attached or named by a trigger, and what the signer saw of it."""

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
    predicate: dict[str, object] = {
        "decision": statement.decision,
        "signer": statement.signer,
        "roles": list(statement.roles),
        "onBehalfOf": statement.on_behalf_of,
        "comment": statement.comment_digest,
        "conditions": statement.conditions_digest,
        "evidence": [{"name": row.evidence, "sha256": row.sha256, "seen": row.seen} for row in statement.evidence],
        "checkpoint": {"size": statement.checkpoint_size, "root": statement.checkpoint_root},
        "notAfter": statement.not_after,
        "nonce": statement.nonce,
    }
    return envelope_of(statement.change, statement.content_sha256, SIGN_OFF_TYPE, predicate)


def build_countersignature(genesis_digest: bytes, signer: str) -> bytes:
    """Return the payload that an approver signs to countersign the genesis (SHA-256 of its document, 32 bytes)."""
    return envelope_of("genesis", genesis_digest.hex(), GENESIS_TYPE, {"signer": signer})


def parse_countersignature(payload: bytes, genesis_digest: bytes) -> str:
    """Return the signer of a countersignature over this genesis. Raises StatementError for anything else."""
    name, sha256, predicate = open_payload(payload, GENESIS_TYPE)
    exactly(predicate, {"signer": str}, "the predicate")
    if name != "genesis" or sha256 != genesis_digest.hex():
        msg = "the countersignature is over another genesis"
        raise StatementError(msg)
    signer: str = predicate["signer"]
    return signer


@lru_cache(maxsize=_FEW)
def parse_statement(payload: bytes) -> Statement:
    """Return what a sign-off payload says. Raises StatementError unless it is exactly of the form built here."""
    name, sha256, predicate = open_payload(payload, SIGN_OFF_TYPE)
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
    exactly(predicate, shape, "the predicate")
    exactly(predicate["checkpoint"], {"size": int, "root": str}, "the checkpoint")
    for row in predicate["evidence"]:
        exactly(row, {"name": str, "sha256": str, "seen": str}, "an evidence row")
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
    check_values(
        (
            (statement.decision in DECISIONS, "decision"),
            (list(statement.roles) == sorted(set(statement.roles)), "roles (sorted, each once)"),
            (all(row.seen in SEEN for row in statement.evidence), "evidence seen"),
            (is_hex(statement.content_sha256, DIGEST_CHARS), "subject digest"),
            (is_hex(statement.checkpoint_root, DIGEST_CHARS), "checkpoint root"),
            (is_hex(statement.nonce, NONCE_CHARS), "nonce (32 hex characters)"),
            (not statement.comment_digest or is_hex(statement.comment_digest, DIGEST_CHARS), "comment"),
            (
                not statement.conditions_digest or is_hex(statement.conditions_digest, DIGEST_CHARS),
                "conditions",
            ),
            (statement.checkpoint_size >= 0, "checkpoint size"),
            (statement.not_after >= 0, "notAfter"),
        )
    )


def claimed_statement(data: bytes) -> Statement:
    """Return the statement in an envelope, whoever signed it. Raises RefusedError, StatementError."""
    return parse_statement(raw_envelope(data).payload)
