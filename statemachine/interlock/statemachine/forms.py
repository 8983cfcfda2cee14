"""What names and arguments must look like: the part of a command that needs no state to be judged.

The wire has its own rules (``buf.validate`` in the .proto), but an auditor re-decides entries that may never have
passed it. A name that is not exactly of its kind could write over another resource, or hide from a change's base.
"""

from __future__ import annotations

import re
from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from interlock.proofs import signature_keys
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.statemachine import firings as f

_ID: Final = "[a-z][a-z0-9._-]{0,62}"
_NUMBER: Final = "(?:0|[1-9][0-9]{0,17})"
_DIGEST_BYTES: Final = 32

LAST_INSTANT: Final = 2**53 - 1 - 86_400_000_000
"""The latest instant of an entry, in microseconds, in the year 2255. A decision given then still ends, a day later at
most, within the integers that JSON can hold exactly (RFC 8259 §6)."""


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


ID: Final = _form(_ID)
MODEL: Final = _form(f"models/{_ID}")
LOG_ID: Final = _form("[0-9a-f]{32}")
SHA256: Final = _form("[0-9a-f]{64}")
EVIDENCE: Final = _form(f"evidence/{_NUMBER}")
PRINCIPAL: Final = _form(f"principals/{_ID}")
PERSON: Final = _form(r"(?!principals/)[a-z][a-z0-9._/-]{0,126}")
"""Not the name of an account: a service, which has no person, stands for itself in quorums."""
SCOPE: Final = _form(r"[a-z0-9._*?-]{1,64}")
COMPUTE: Final = _form(r"[0-9]{1,64}(?:\.[0-9]{1,64})?(?:[eE]\+?[0-9]{1,2})?")
"""A decimal number, such as 6.1e25; bounded, so that arithmetic on it is exact and small."""

LOCATION: Final = _form(r"[a-z0-9][a-z0-9._/:-]{0,126}")
"""Where a deployment runs, as the release tooling calls it: an id without blanks, so nobody's name and no free text."""

_ARGUMENTS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "model": MODEL,
        "artifact": SHA256,
        "artifacts": SHA256,
        "evidence": EVIDENCE,
        "determination": _form(f"models/{_ID}/determinations/{_ID}"),
        "conclusion": _form("ruled_out|cannot_rule_out|reached"),
        "assessment": _form(f"assessments/{_NUMBER}"),
        "thresholds": ID,
        "reports": _form(f"entries/{_NUMBER}"),
        "level": _form(f"models/{_ID}/levels/{_ID}"),
        "to": ID,
        "safeguard": _form(f"(?:models/{_ID}/)?safeguards/{_ID}"),
        "target": _form(f"-|models/{_ID}"),
        "hold": _form(f"holds/{_NUMBER}"),
        "context": ID,
        "location": LOCATION,
        "decision": _form(f"decisions/{_NUMBER}"),
        "deployment": _form(f"deployments/{_NUMBER}"),
        "principal": PRINCIPAL,
        "other": PRINCIPAL,
        "credential": _form(f"principals/{_ID}/credentials/[0-9a-f]{{64}}"),
        "grant": _form(f"grants/{_NUMBER}"),
        "resource": _form(f"holds/{_NUMBER}|(?:models/{_ID}/)?safeguards/{_ID}"),
        "delegator": PRINCIPAL,
        "delegate": PRINCIPAL,
        "delegation": _form(f"delegations/{_NUMBER}"),
        "kind": _form("human|service|external"),
        "change": _form(f"changes/{_NUMBER}"),
        "person": PERSON,
        "use": _form("login|signoff"),
        "held_in": _form("ssh-agent|signer"),
        "issuer": _form(f"issuers/{_ID}"),
        "url": _form(r"https://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]{1,200}){0,8}/?"),
        "audience": _form(r"[!-~]{1,255}"),
        "algorithm": _form("RS256|PS256|ES256|EdDSA"),
        "subject": _form(r"[!-?A-~]{1,255}"),  # no @: what looks like somebody's address is none of the log's business
        "claims": _form(r"[A-Za-z_][A-Za-z0-9_.:/-]{0,62}=[!-?A-~]{1,255}"),
        "replaces": SHA256,
        "role": ID,
        "scope": SCOPE,
        "safeguards": ID,
        "contexts": ID,
        "period": _form(f"obligations/{_ID}/periods/[1-9][0-9]{{0,17}}"),
        "incident": _form(f"incidents/{_NUMBER}"),
        "finding": _form(f"findings/{_NUMBER}"),
        "severity": ID,
        "category": ID,
        "interim_measure": _form(f"interimMeasures/{_NUMBER}"),
        "policy": _form(f"policies/{_ID}/versions/[a-z0-9][a-z0-9._-]{{0,62}}"),
    }
)
"""The form of each argument of a trigger, or of each item where it is a list."""

_MAY_BE_EMPTY: Final = frozenset(
    {
        ("determination.report", "assessment"),
        ("deployment.record", "artifact"),
        ("deployment.record", "decision"),
        ("principal.create", "person"),
        ("incident.report", "severity"),
        ("incident.triage", "category"),
        ("credential.register", "replaces"),
        ("credential.register", "held_in"),
        ("credential.bind", "subject"),
    }
)
_AT_LEAST_ONE: Final = frozenset(
    {
        ("assessment.open", "thresholds"),
        ("interim_measure.put_in_force", "safeguards"),
        ("interim_measure.put_in_force", "contexts"),
        ("obligation.fulfil", "evidence"),
    }
)


MAX_ENVELOPE: Final = 8192
"""How many bytes a signed statement in a trigger has at most: these say a few names and instants."""

_OF_DIGESTS: Final = frozenset({0, _DIGEST_BYTES})
_LENGTHS: Mapping[str, frozenset[int]] = MappingProxyType(
    {
        "public_key": signature_keys.PUBLIC_KEY_LENGTHS,
        "proof": signature_keys.SIGNATURE_LENGTHS,
        "replaces_proof": signature_keys.SIGNATURE_LENGTHS | {0},
        "pack_digest": frozenset({32}),
    }
)
"""How many bytes an argument has that is no digest of a text: keys and signatures, packs."""


def malformed(firing: f.Firing) -> tuple[Unmet, ...]:
    """Return one requirement for each argument of a trigger that is not of its form; a list names nothing twice."""
    return tuple(
        Unmet(Code.MALFORMED, f"a well-formed {item.name}", repr(value)[:200], "", firing.trigger.value)
        for item in fields(firing)
        if not _good(firing.trigger.value, item.name, value := getattr(firing, item.name))
    )


def _good(trigger: str, name: str, value: str | bytes | int | tuple[str, ...]) -> bool:
    if isinstance(value, int):  # instants, 0 for none
        return 0 <= value <= LAST_INSTANT
    if isinstance(value, bytes):
        if name == "envelope":
            return 0 < len(value) <= MAX_ENVELOPE
        return len(value) in _LENGTHS.get(name, _OF_DIGESTS)
    if isinstance(value, str):
        return bool(_ARGUMENTS[name].fullmatch(value)) or (not value and (trigger, name) in _MAY_BE_EMPTY)
    if not value:
        return (trigger, name) not in _AT_LEAST_ONE
    return len(set(value)) == len(value) and all(_ARGUMENTS[name].fullmatch(part) for part in value)


def is_digest(value: bytes) -> bool:
    """Say whether bytes can be a SHA-256 digest."""
    return len(value) == _DIGEST_BYTES
