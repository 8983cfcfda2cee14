"""The signed decision: what the gate says, in a form that needs no server to be read (api design, "CheckRelease").

DSSE payload type ``application/vnd.in-toto+json``; in-toto Statement v1; predicate: a SLSA Verification Summary, with
what SLSA has no field for under one key, ``urn:interlock:decision:v1``. The statement follows from the log before it,
the question and the instant alone, so `decide` makes it again and holds the recorded digest against it.

Lives here: building, reading and judging a statement. Not here: who may have one and how it enters the log
(``verdicts.py``), the signing key (the server's).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from interlock.proofs import dsse, json_text
from interlock.proofs.errors import RefusedError
from interlock.statemachine import forms, moments

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
SUMMARY_TYPE: Final = "https://slsa.dev/verification_summary/v1"
EXTENSION: Final = "urn:interlock:decision:v1"
SLSA_VERSION: Final = "1.0"
PASSED: Final = "PASSED"
FAILED: Final = "FAILED"
CLOCK_SLACK_US: Final = 60_000_000
"""How far in the future a decision may have been made: beyond it the reader's own clock can't be relied on."""


class DecisionError(ValueError):
    """A payload that is no decision of ours; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a decision says.

    ``position`` is the last entry that it counts, ``entry`` the one that records it, right after. ``instant`` and
    ``expires`` are microseconds; it holds in [instant, expires). ``reasons`` are the codes of a DENY, in their order.
    """

    log_id: str
    model: str
    context: str
    artifact: str
    allowed: bool
    policy: str
    policy_digest: str
    position: int
    entry: int
    instant: int
    expires: int
    levels: tuple[tuple[str, str], ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Expected:
    """What a decision has to be about, and whose word it has to be. An empty ``model`` or ``policy_digest``: any."""

    key: bytes
    log_id: str
    context: str
    artifact: str
    model: str = ""
    policy_digest: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a decision is not to be relied on: a stable code, and what differs."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a decision: it allows only when it is there and there is no fault."""

    decision: Decision | None
    faults: tuple[Fault, ...] = field(default=())

    @property
    def allowed(self) -> bool:
        """Whether the decision is an ALLOW that holds."""
        return self.decision is not None and self.decision.allowed and not self.faults


# The statement ---------------------------------------------------------------------------------------------------


def build_decision(decision: Decision) -> bytes:
    """Return the payload to sign, in canonical JSON."""
    return json_text.canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [
                {
                    "name": f"{decision.model}/artifacts/{decision.artifact}",
                    "digest": {"sha256": decision.artifact},
                }
            ],
            "predicateType": SUMMARY_TYPE,
            "predicate": _predicate(decision),
        }
    )


def _predicate(decision: Decision) -> dict[str, object]:
    levels = [f"interlock:{decision.context}/{standard}/{level}" for standard, level in decision.levels]
    return {
        "verifier": {"id": f"interlock:logs/{decision.log_id}"},
        "timeVerified": moments.to_text(decision.instant),
        "resourceUri": f"interlock:{decision.model}?context={decision.context}",
        "policy": {"uri": f"interlock:{decision.policy}", "digest": {"sha256": decision.policy_digest}},
        "verificationResult": PASSED if decision.allowed else FAILED,
        "verifiedLevels": levels if decision.allowed else [FAILED],
        "slsaVersion": SLSA_VERSION,
        EXTENSION: {
            "logId": decision.log_id,
            "model": decision.model,
            "context": decision.context,
            "policy": decision.policy,
            "position": decision.position,
            "entry": decision.entry,
            "instant": decision.instant,
            "expires": decision.expires,
            "levels": [{"standard": standard, "level": level} for standard, level in decision.levels],
            "reasons": list(decision.reasons),
        },
    }


def parse_decision(payload: bytes) -> Decision:
    """Return what a payload says. Raises DecisionError unless it is, byte for byte, what this module builds."""
    try:
        value: Any = json_text.strict_json(payload)
    except RefusedError as error:
        msg = f"the payload is not strict JSON: {error}"
        raise DecisionError(msg) from error
    if not isinstance(value, dict) or (value.get("_type"), value.get("predicateType")) != (
        STATEMENT_TYPE,
        SUMMARY_TYPE,
    ):
        msg = f"the payload is not an in-toto Statement v1 with predicate type {SUMMARY_TYPE}"
        raise DecisionError(msg)
    try:
        decision = _read(value)
    except (KeyError, TypeError, IndexError) as error:
        msg = f"the statement lacks a field, or has another in its place: {error}"
        raise DecisionError(msg) from error
    _check_forms(decision)
    # Whatever the fields above leave open, a second subject or a word that contradicts another, differs here.
    if build_decision(decision) != payload:
        msg = "the statement is not in its one form"
        raise DecisionError(msg)
    return decision


def _read(value: Any) -> Decision:  # noqa: ANN401  # parsed JSON of any shape
    predicate = value["predicate"]
    own = predicate[EXTENSION]
    return Decision(
        log_id=own["logId"],
        model=own["model"],
        context=own["context"],
        artifact=value["subject"][0]["digest"]["sha256"],
        allowed=predicate["verificationResult"] == PASSED,
        policy=own["policy"],
        policy_digest=predicate["policy"]["digest"]["sha256"],
        position=own["position"],
        entry=own["entry"],
        instant=own["instant"],
        expires=own["expires"],
        levels=tuple((row["standard"], row["level"]) for row in own["levels"]),
        reasons=tuple(own["reasons"]),
    )


def _check_forms(decision: Decision) -> None:
    """Raise DecisionError for a value outside its range or of another type."""
    texts = (decision.policy, *(word for row in decision.levels for word in row), *decision.reasons)
    numbers = (decision.position, decision.entry, decision.instant, decision.expires)
    checks = (
        (_matches(forms.LOG_ID, decision.log_id), "logId"),
        (_matches(forms.MODEL, decision.model), "model"),
        (_matches(forms.ID, decision.context), "context"),
        (_matches(forms.SHA256, decision.artifact), "subject digest"),
        (_matches(forms.SHA256, decision.policy_digest), "policy digest"),
        (all(isinstance(text, str) for text in texts), "policy, levels or reasons"),
        (all(type(number) is int and number >= 0 for number in numbers), "position, entry, instant or expires"),
    )
    for good, what in checks:
        if not good:
            msg = f"the statement's {what} is not as it must be"
            raise DecisionError(msg)
    if decision.entry != decision.position + 1 or decision.allowed == bool(decision.reasons):
        msg = "the statement contradicts itself"
        raise DecisionError(msg)


def _matches(pattern: Any, value: object) -> bool:  # noqa: ANN401  # a compiled pattern
    return isinstance(value, str) and pattern.fullmatch(value) is not None


# Judging ---------------------------------------------------------------------------------------------------------


def check_decision(data: bytes, expected: Expected, now: int) -> Checked:
    """Judge an envelope at ``now`` (microseconds): signature, log, subject, context, policy, time, and the verdict.

    Never raises for bad data. Without a good signature by ``expected.key`` nothing else in it is looked at; after that
    everything that is wrong is listed. It can't tell what happened in the log after ``decision.position``.
    """
    try:
        envelope = dsse.RawEnvelope.from_json(data)
    except RefusedError as error:
        return Checked(None, (Fault("DECISION_SIGNATURE", f"it is no signed decision ({error})"),))
    try:
        verified = dsse.verify(envelope, expected.key, payload_type=dsse.IN_TOTO_TYPE)
    except RefusedError as error:
        detail = f"this log's decision key did not sign it: it is of another log, or was edited ({error})"
        return Checked(None, (Fault("DECISION_SIGNATURE", detail),))
    try:
        decision = parse_decision(verified.payload)
    except DecisionError as error:
        return Checked(None, (Fault("DECISION_FORMAT", str(error)),))
    wanted = (
        ("DECISION_LOG", "log", expected.log_id, decision.log_id),
        ("DECISION_ARTIFACT", "artifact", expected.artifact, decision.artifact),
        ("DECISION_CONTEXT", "context", expected.context, decision.context),
        ("DECISION_MODEL", "model", expected.model or decision.model, decision.model),
        ("DECISION_POLICY", "policy digest", expected.policy_digest or decision.policy_digest, decision.policy_digest),
    )
    faults = [
        Fault(code, f"it is about {what} {there}, not {wish}") for code, what, wish, there in wanted if wish != there
    ]
    if now >= decision.expires:
        faults.append(Fault("DECISION_EXPIRED", f"it ended at {moments.to_text(decision.expires)}"))
    if now + CLOCK_SLACK_US < decision.instant:
        faults.append(
            Fault("DECISION_NOT_YET", f"it was made at {moments.to_text(decision.instant)}, which is to come")
        )
    if not decision.allowed:
        faults.append(Fault("DECISION_FAILED", f"the gate denied: {', '.join(decision.reasons)}"))
    return Checked(decision, tuple(faults))
