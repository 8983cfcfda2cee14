"""`client.assessments`: open, conclude, abandon, and report what was found. With asyncio.

Made by ops/make_async.py from `interlock.client.groups.assessments`; not edited by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.aio.groups.base import AsyncGroup
from interlock.client.groups.base import AsOf, put_as_of
from interlock.v1 import assessment_pb2, assessment_pb2_grpc, trigger_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from interlock.v1.assessment_pb2 import Assessment
    from interlock.v1.model_pb2 import Determination


class AsyncAssessments(AsyncGroup):
    """Assessments of models, and determinations."""

    async def open(
        self, model: str, thresholds: Iterable[str], *, reason: str = "", request_id: str | None = None
    ) -> Assessment:
        """Open an assessment of a model by thresholds; fresh determinations stand meanwhile."""
        request = assessment_pb2.OpenAssessmentRequest(
            model=names.model(model), thresholds=thresholds, reason=reason, request_id=self._id(request_id)
        )
        return await self._transport.call(self._stub.OpenAssessment, request)

    async def conclude(
        self, assessment: str, *, reports: Iterable[str] = (), request_id: str | None = None
    ) -> Assessment:
        """Conclude an assessment with reports made under it (`entries/{seq}` each; none given: all)."""
        request = assessment_pb2.ConcludeAssessmentRequest(
            name=names.assessment(assessment),
            reports=[names.entry(report) for report in reports],
            request_id=self._id(request_id),
        )
        return await self._transport.call(self._stub.ConcludeAssessment, request)

    async def abandon(self, assessment: str, *, reason: str = "", request_id: str | None = None) -> Assessment:
        """End an assessment without a result."""
        request = assessment_pb2.AbandonAssessmentRequest(
            name=names.assessment(assessment), reason=reason, request_id=self._id(request_id)
        )
        return await self._transport.call(self._stub.AbandonAssessment, request)

    async def get(self, assessment: str, *, as_of: AsOf = None) -> Assessment:
        """Return an assessment as it is, or as it was."""
        request = assessment_pb2.GetAssessmentRequest(name=names.assessment(assessment))
        put_as_of(request, as_of)
        return await self._transport.call(self._stub.GetAssessment, request, remember=as_of is None)

    def list(self, *, model: str = "") -> AsyncIterator[Assessment]:
        """Yield assessments, newest first."""
        request = assessment_pb2.ListAssessmentsRequest(model=names.model(model) if model else "")
        return self._pages(self._stub.ListAssessments, request, "assessments")

    async def report(
        self,
        model: str,
        threshold: str,
        conclusion: str,
        *,
        assessment: str = "",
        evidence: Iterable[str] = (),
        request_id: str | None = None,
    ) -> Determination:
        """Report ``ruled_out``, ``cannot_rule_out`` or ``reached``; it can only tighten.

        Raises ValueError for another word.
        """
        word = f"CONCLUSION_{conclusion.upper().replace('-', '_')}"
        request = assessment_pb2.ReportDeterminationRequest(
            name=names.determination(model, threshold),
            conclusion=trigger_pb2.Conclusion.Value(word),
            assessment=names.assessment(assessment) if assessment else "",
            evidence=[names.evidence(item) for item in evidence],
            request_id=self._id(request_id),
        )
        return await self._transport.call(self._stub.ReportDetermination, request)

    async def get_determination(self, model: str, threshold: str, *, as_of: AsOf = None) -> Determination:
        """Return what is known of a model at a threshold, or what was known."""
        request = assessment_pb2.GetDeterminationRequest(name=names.determination(model, threshold))
        put_as_of(request, as_of)
        return await self._transport.call(self._stub.GetDetermination, request, remember=as_of is None)

    def list_determinations(self, model: str) -> AsyncIterator[Determination]:
        """Yield the determinations of a model, in the policy's order."""
        request = assessment_pb2.ListDeterminationsRequest(model=names.model(model))
        return self._pages(self._stub.ListDeterminations, request, "determinations")

    @property
    def _stub(self) -> assessment_pb2_grpc.AssessmentServiceAsyncStub:
        return assessment_pb2_grpc.AssessmentServiceStub(self._transport.channel)
