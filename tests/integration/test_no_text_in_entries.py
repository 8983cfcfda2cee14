"""No name, comment or free text is in any entry: words planted in every such field of every call are looked for.

The fields are read from the contract: a call with a new one fails here until it has its deed. Looked at are an entry's
own bytes and the contents beside it, which are signed and can't be erased.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
from google.protobuf import descriptor_pool

import interlock.v1
from interlock.service.identity.permissions import METHODS, Entrance
from interlock.v1 import (
    accountability_pb2,
    assessment_pb2,
    audit_pb2,
    change_pb2,
    gate_pb2,
    hold_pb2,
    identity_pb2,
    model_pb2,
    safeguard_pb2,
    trigger_pb2,
)
from tests.support.delegations import delegate
from tests.support.people import People, Subject, trigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.descriptor import Descriptor

    from tests.support.server import ServerThread

    Deed = Callable[[People, Subject, str], object]

UNTIL = 4_000_000_000_000_000
"""Unix microseconds of a day to come."""

FREE = frozenset({"reason", "title", "summary", "text"})
"""Names of fields that hold what people write in their own words. All others hold names, ids and digests."""


@pytest.fixture(scope="module")
def people(shared_server: ServerThread) -> Iterator[People]:
    """Give everybody of one server."""
    with People(shared_server) as everybody:
        yield everybody


def propose(people: People, m: Subject, **words: str) -> change_pb2.Change:
    """Propose a change."""
    return people["evaluator"].propose(m.rule_out(), **words)


def amend(people: People, m: Subject, **words: str) -> object:
    """Amend a change."""
    change = propose(people, m)
    request = change_pb2.AmendChangeRequest(name=change.name, triggers=[m.rule_out()], title="Another")
    for field, word in words.items():
        setattr(request, field, word)
    return people["evaluator"].changes.AmendChange(request)


def comment(people: People, m: Subject, word: str) -> object:
    """Sign with a comment."""
    return people["owner"].sign(propose(people, m).name, "owner", decision="reject", comment=word)


def assess(people: People, m: Subject, word: str = "") -> assessment_pb2.Assessment:
    """Open an assessment."""
    request = assessment_pb2.OpenAssessmentRequest(model=m.model, thresholds=["misuse"], reason=word)
    reply: assessment_pb2.Assessment = people["evaluator"].assessments.OpenAssessment(request)
    return reply


def abandon(people: People, m: Subject, word: str) -> object:
    """Abandon one."""
    request = assessment_pb2.AbandonAssessmentRequest(name=assess(people, m).name, reason=word)
    return people["evaluator"].assessments.AbandonAssessment(request)


def end_measure(people: People, m: Subject, word: str) -> object:
    """Have a measure put in force, and end it."""
    start = trigger(
        interim_measure_put_in_force=trigger_pb2.InterimMeasurePutInForce(
            model=m.model, safeguards=["input-filter"], contexts=["api"], until=UNTIL
        )
    )
    people.enact(start)
    measures = people["owner"].gate.ListInterimMeasures(gate_pb2.ListInterimMeasuresRequest(model=m.model))
    (measure,) = measures.interim_measures
    return people["owner"].gate.EndInterimMeasure(gate_pb2.EndInterimMeasureRequest(name=measure.name, reason=word))


def safeguard(method: str, kind: type) -> Deed:
    """Return the deed that moves a safeguard which was verified."""

    def deed(people: People, m: Subject, word: str) -> object:
        people.verify_filter(m)
        return getattr(people["owner"].safeguards, method)(kind(name=m.filter, reason=word))

    return deed


def replan(people: People, m: Subject, word: str) -> object:
    """Send a safeguard back to planning."""
    people.verify_filter(m)
    return people["admin"].safeguards.ReplanSafeguard(safeguard_pb2.ReplanSafeguardRequest(name=m.filter, reason=word))


def revoke(people: People, _m: Subject, word: str) -> object:
    """Revoke somebody's key."""
    asked = identity_pb2.GetPrincipalRequest(name="principals/engineer")
    key = people["admin"].identity.GetPrincipal(asked).credentials[0]
    request = identity_pb2.RevokeCredentialRequest(name=key.name, reason=word)
    return people["admin"].identity.RevokeCredential(request)


def end_grant(people: People, _m: Subject, word: str) -> object:
    """End a role."""
    grants = people["admin"].identity.ListGrants(identity_pb2.ListGrantsRequest(principal="principals/engineer")).grants
    return people["admin"].identity.EndGrant(identity_pb2.EndGrantRequest(name=grants[0].name, reason=word))


def end_delegation(people: People, _m: Subject, word: str) -> object:
    """Let somebody sign in one's role, and end that."""
    lent = delegate(people, "owner", "owner", "reviewer")
    request = identity_pb2.EndDelegationRequest(name=lent.name, reason=word)
    return people["owner"].identity.EndDelegation(request)


def distrust(people: People, _m: Subject, word: str) -> object:
    """Have an issuer trusted, and distrust it."""
    issuer = trigger_pb2.IssuerTrust(
        issuer="issuers/elsewhere", url="https://127.0.0.1:9", audience="interlock", algorithm="RS256"
    )
    people.enact(trigger(issuer_trust=issuer))
    request = identity_pb2.DistrustIssuerRequest(name=issuer.issuer, reason=word)
    return people["admin"].identity.DistrustIssuer(request)


def incident(people: People, m: Subject, word: str = "a fault") -> accountability_pb2.Incident:
    """Report an incident that blocks nothing."""
    request = accountability_pb2.ReportIncidentRequest(target=m.model, category="other", severity="low", title=word)
    reply: accountability_pb2.Incident = people["owner"].accountability.ReportIncident(request)
    return reply


def anonymous(people: People, m: Subject, word: str) -> object:
    """Report one without a name."""
    request = accountability_pb2.ReportIncidentAnonymouslyRequest(target=m.model, category="other", title=word)
    return people["owner"].accountability.ReportIncidentAnonymously(request)


def triage(people: People, m: Subject, word: str = "") -> object:
    """Judge one, graver than it was reported."""
    name = incident(people, m).name
    request = accountability_pb2.TriageIncidentRequest(name=name, severity="serious", reason=word)
    return people["owner"].accountability.TriageIncident(request)


def end_incident(method: str, kind: type) -> Deed:
    """Return the deed that mitigates or closes an incident."""

    def deed(people: People, m: Subject, word: str) -> object:
        name = incident(people, m).name
        judged = accountability_pb2.TriageIncidentRequest(name=name, severity="low")
        people["owner"].accountability.TriageIncident(judged)
        return getattr(people["owner"].accountability, method)(kind(name=name, reason=word))

    return deed


def finding(people: People, m: Subject, word: str = "odd") -> accountability_pb2.Finding:
    """Raise a finding that blocks nothing."""
    request = accountability_pb2.RaiseFindingRequest(target=m.model, severity="low", title=word)
    reply: accountability_pb2.Finding = people["owner"].accountability.RaiseFinding(request)
    return reply


def judge_finding(method: str, kind: type) -> Deed:
    """Return the deed that confirms or dismisses a finding."""

    def deed(people: People, m: Subject, word: str) -> object:
        return getattr(people["owner"].accountability, method)(kind(name=finding(people, m).name, reason=word))

    return deed


DEEDS: dict[str, Deed] = {
    "OpenAssessmentRequest.reason": assess,
    "AbandonAssessmentRequest.reason": abandon,
    "ProposeChangeRequest.title": lambda people, m, word: propose(people, m, title=word),
    "ProposeChangeRequest.summary": lambda people, m, word: propose(people, m, summary=word),
    "AmendChangeRequest.title": lambda people, m, word: amend(people, m, title=word),
    "AmendChangeRequest.summary": lambda people, m, word: amend(people, m, summary=word),
    "SaltedText.text": comment,
    "EvidenceMetadata.title": lambda people, _m, word: people["evaluator"].upload("evaluation_results", title=word),
    "EndInterimMeasureRequest.reason": end_measure,
    "PlaceHoldRequest.reason": lambda people, m, word: people["owner"].holds.PlaceHold(
        hold_pb2.PlaceHoldRequest(target=m.model, reason=word)
    ),
    "RetireModelRequest.reason": lambda people, m, word: people["owner"].models.RetireModel(
        model_pb2.RetireModelRequest(name=m.model, reason=word)
    ),
    "DegradeSafeguardRequest.reason": safeguard("DegradeSafeguard", safeguard_pb2.DegradeSafeguardRequest),
    "SuspendSafeguardRequest.reason": safeguard("SuspendSafeguard", safeguard_pb2.SuspendSafeguardRequest),
    "RetireSafeguardRequest.reason": safeguard("RetireSafeguard", safeguard_pb2.RetireSafeguardRequest),
    "ReplanSafeguardRequest.reason": replan,
    "EndDelegationRequest.reason": end_delegation,
    "DistrustIssuerRequest.reason": distrust,
    "ReportIncidentRequest.title": incident,
    "ReportIncidentAnonymouslyRequest.title": anonymous,
    "TriageIncidentRequest.reason": triage,
    "MitigateIncidentRequest.reason": end_incident("MitigateIncident", accountability_pb2.MitigateIncidentRequest),
    "CloseIncidentRequest.reason": end_incident("CloseIncident", accountability_pb2.CloseIncidentRequest),
    "RaiseFindingRequest.title": finding,
    "ConfirmFindingRequest.reason": judge_finding("ConfirmFinding", accountability_pb2.ConfirmFindingRequest),
    "DismissFindingRequest.reason": judge_finding("DismissFinding", accountability_pb2.DismissFindingRequest),
    # Of people, last: whoever is gone does nothing any more.
    "EndGrantRequest.reason": end_grant,
    "RevokeCredentialRequest.reason": revoke,
    "LinkPrincipalRequest.reason": lambda people, _m, word: people["admin"].identity.LinkPrincipal(
        identity_pb2.LinkPrincipalRequest(name="principals/owner", other="principals/reviewer", reason=word)
    ),
    "SuspendPrincipalRequest.reason": lambda people, _m, word: people["admin"].identity.SuspendPrincipal(
        identity_pb2.SuspendPrincipalRequest(name="principals/engineer", reason=word)
    ),
    "RemovePrincipalRequest.reason": lambda people, _m, word: people["admin"].identity.RemovePrincipal(
        identity_pb2.RemovePrincipalRequest(name="principals/engineer", reason=word)
    ),
}
"""What plants a word, by the field that it is planted in."""


def free_fields() -> set[str]:
    """Return every field of every call that writes which people fill in their own words."""
    for module in pkgutil.iter_modules(interlock.v1.__path__):
        if module.name.endswith("_pb2"):
            import_module(f"interlock.v1.{module.name}")
    found: set[str] = set()

    def walk(message: Descriptor, above: frozenset[str]) -> None:
        for field in message.fields:
            inner = field.message_type
            if inner is not None and inner.full_name not in above:
                walk(inner, above | {inner.full_name})
            elif field.type == field.TYPE_STRING and field.name in FREE:
                found.add(f"{message.name}.{field.name}")

    for method, permission in METHODS.items():
        service, _, name = method.partition("/")
        if permission.mutates or permission.entrance is Entrance.ANYONE:  # one of these reports without a name
            service_descriptor = descriptor_pool.Default().FindServiceByName(service)
            walk(service_descriptor.FindMethodByName(name).input_type, frozenset())
    return found


def test_what_people_write_is_in_no_entry(people: People) -> None:
    """Accepted with every word, and none of them is in the log; each is beside it, to be erased."""
    assert free_fields() == set(DEEDS)
    words = {field: f"Zqx-{number}-{field}-ünmistakable" for number, field in enumerate(DEEDS)}

    for field, deed in DEEDS.items():
        deed(people, people.new_model(), words[field])

    records = list(people["auditor"].audit.TailEntries(audit_pb2.TailEntriesRequest(after_position=-1)))
    log = b"\0".join(part for record in records for part in (record.entry, *record.objects))
    assert [field for field, word in words.items() if word.encode() in log] == []
    assert b"Zqx" not in log
    whole = [
        people["auditor"].audit.GetEntry(audit_pb2.GetEntryRequest(name=f"entries/{seq}"))
        for seq in range(len(records))
    ]
    beside = {row.text for record in whole for row in record.texts}
    assert set(words.values()) <= beside
