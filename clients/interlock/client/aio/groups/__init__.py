"""The groups of `interlock.client.groups`, with asyncio.

Made by ops/make_async.py from `interlock.client.groups`; not edited by hand.
"""

from interlock.client.aio.groups.assessments import AsyncAssessments
from interlock.client.aio.groups.audit import AsyncAudit
from interlock.client.aio.groups.changes import AsyncChanges
from interlock.client.aio.groups.deployments import AsyncDeployments
from interlock.client.aio.groups.evidence import AsyncEvidenceGroup
from interlock.client.aio.groups.findings import AsyncFindings
from interlock.client.aio.groups.gate import AsyncGate
from interlock.client.aio.groups.holds import AsyncHolds
from interlock.client.aio.groups.identity import AsyncIdentity
from interlock.client.aio.groups.incidents import AsyncIncidents
from interlock.client.aio.groups.measures import AsyncMeasures
from interlock.client.aio.groups.models import AsyncModels
from interlock.client.aio.groups.obligations import AsyncObligations
from interlock.client.aio.groups.policy import AsyncPolicies
from interlock.client.aio.groups.safeguards import AsyncSafeguards

__all__ = [
    "AsyncAssessments",
    "AsyncAudit",
    "AsyncChanges",
    "AsyncDeployments",
    "AsyncEvidenceGroup",
    "AsyncFindings",
    "AsyncGate",
    "AsyncHolds",
    "AsyncIdentity",
    "AsyncIncidents",
    "AsyncMeasures",
    "AsyncModels",
    "AsyncObligations",
    "AsyncPolicies",
    "AsyncSafeguards",
]
