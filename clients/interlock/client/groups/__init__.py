"""The SDK's methods, one class for each service of the contract, answering with the contract's own messages."""

from interlock.client.groups.assessments import Assessments
from interlock.client.groups.audit import Audit
from interlock.client.groups.changes import Changes
from interlock.client.groups.deployments import Deployments
from interlock.client.groups.evidence import EvidenceGroup
from interlock.client.groups.findings import Findings
from interlock.client.groups.gate import Gate
from interlock.client.groups.holds import Holds
from interlock.client.groups.identity import Identity
from interlock.client.groups.incidents import Incidents
from interlock.client.groups.measures import Measures
from interlock.client.groups.models import Models
from interlock.client.groups.obligations import Obligations
from interlock.client.groups.policy import Policies
from interlock.client.groups.safeguards import Safeguards

__all__ = [
    "Assessments",
    "Audit",
    "Changes",
    "Deployments",
    "EvidenceGroup",
    "Findings",
    "Gate",
    "Holds",
    "Identity",
    "Incidents",
    "Measures",
    "Models",
    "Obligations",
    "Policies",
    "Safeguards",
]
