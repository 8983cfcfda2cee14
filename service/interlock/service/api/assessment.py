"""AssessmentService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.api.calls import digest_of
from interlock.service.api.convert.model import determination_message
from interlock.service.api.convert.records import assessment_message
from interlock.service.api.pages import page_of, past
from interlock.service.api.reads import newest_first
from interlock.service.errors import NotFound
from interlock.statemachine import codec, names
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.v1 import assessment_pb2, assessment_pb2_grpc, model_pb2, trigger_pb2

if TYPE_CHECKING:
    from interlock.service.api.calls import Writer
    from interlock.service.api.reads import Reader
    from interlock.service.api.texts import Texts
    from interlock.service.ledger.view import View
    from interlock.service.server import Context
    from interlock.service.storage import Text
    from interlock.statemachine.decide import Accepted
    from interlock.statemachine.firings import Firing

_SERVICE = "interlock.v1.AssessmentService"


class AssessmentService(assessment_pb2_grpc.AssessmentServiceServicer):
    """Assessments, and the determinations that they lead to."""

    def __init__(self, reader: Reader, writer: Writer, texts: Texts) -> None:
        self._reader = reader
        self._writer = writer
        self._texts = texts

    async def OpenAssessment(
        self, request: assessment_pb2.OpenAssessmentRequest, context: Context
    ) -> assessment_pb2.Assessment:
        """Open an assessment."""
        why = self._writer.salted("reason", request.reason)
        firing = f.AssessmentOpen(request.model, tuple(request.thresholds), digest_of(why))
        return await self._fire("OpenAssessment", request, firing, why)

    async def ConcludeAssessment(
        self, request: assessment_pb2.ConcludeAssessmentRequest, context: Context
    ) -> assessment_pb2.Assessment:
        """Conclude an assessment with reports made under it."""
        firing = f.AssessmentConclude(request.name, tuple(request.reports))
        return await self._fire("ConcludeAssessment", request, firing)

    async def AbandonAssessment(
        self, request: assessment_pb2.AbandonAssessmentRequest, context: Context
    ) -> assessment_pb2.Assessment:
        """End an assessment without a result."""
        why = self._writer.salted("reason", request.reason)
        firing = f.AssessmentAbandon(request.name, digest_of(why))
        return await self._fire("AbandonAssessment", request, firing, why)

    async def GetAssessment(
        self, request: assessment_pb2.GetAssessmentRequest, context: Context
    ) -> assessment_pb2.Assessment:
        """Return one assessment."""
        view, _ = await self._reader.as_of(request)
        assessment = view.state.find(request.name, r.Assessment)
        if assessment is None:
            raise NotFound(request.name)
        message = assessment_message(view, assessment)
        await self._texts.give_reasons(view, [message])
        return message

    async def ListAssessments(
        self, request: assessment_pb2.ListAssessmentsRequest, context: Context
    ) -> assessment_pb2.ListAssessmentsResponse:
        """Return assessments, newest first."""
        page = page_of(request)
        view, _ = self._reader.now()
        wanted = (
            assessment
            for assessment in newest_first(view.state, "assessments", r.Assessment, page.number_after())
            if not request.model or assessment.model == request.model
        )
        chosen, token = page.cut(wanted, lambda assessment: names.leaf_of(assessment.name))
        messages = [assessment_message(view, assessment) for assessment in chosen]
        await self._texts.give_reasons(view, messages)
        messages, token = page.fit(messages, token, lambda message: names.leaf_of(message.name))
        return assessment_pb2.ListAssessmentsResponse(assessments=messages, next_page_token=token)

    async def ReportDetermination(
        self, request: assessment_pb2.ReportDeterminationRequest, context: Context
    ) -> model_pb2.Determination:
        """Report a conclusion; it can only tighten."""
        word = codec.enum_word("Conclusion", trigger_pb2.Conclusion.Name(request.conclusion))
        firing = f.DeterminationReport(request.name, word, request.assessment, tuple(request.evidence))
        model, threshold = names.model_of(request.name) or "", names.leaf_of(request.name)

        def render(view: View, accepted: Accepted) -> model_pb2.Determination:
            return determination_message(view, model, threshold, accepted.entry.time)

        method = f"{_SERVICE}/ReportDetermination"
        return await self._writer.fire(method, request, firing, render, model_pb2.Determination)

    async def GetDetermination(
        self, request: assessment_pb2.GetDeterminationRequest, context: Context
    ) -> model_pb2.Determination:
        """Return one determination."""
        view, instant = await self._reader.as_of(request)
        model, threshold = names.model_of(request.name) or "", names.leaf_of(request.name)
        known = threshold in view.policy.thresholds or view.state.find(request.name, r.Determination) is not None
        if view.state.find(model, r.Model) is None or not known:
            raise NotFound(request.name)
        return determination_message(view, model, threshold, instant)

    async def ListDeterminations(
        self, request: assessment_pb2.ListDeterminationsRequest, context: Context
    ) -> assessment_pb2.ListDeterminationsResponse:
        """Return the determinations of a model, in the policy's order."""
        page = page_of(request)
        view, instant = self._reader.now()
        if view.state.find(request.model, r.Model) is None:
            raise NotFound(request.model)
        chosen, token = page.cut(past(view.policy.thresholds, page.after), str)
        return assessment_pb2.ListDeterminationsResponse(
            determinations=[determination_message(view, request.model, item, instant) for item in chosen],
            next_page_token=token,
        )

    async def _fire(
        self, method: str, request: object, firing: Firing, texts: tuple[Text, ...] = ()
    ) -> assessment_pb2.Assessment:
        def render(view: View, accepted: Accepted) -> assessment_pb2.Assessment:
            moved = next(move.resource for move in accepted.entry.transitions)
            return assessment_message(view, view.state.need(moved, r.Assessment))

        full = f"{_SERVICE}/{method}"
        reply = await self._writer.fire(full, request, firing, render, assessment_pb2.Assessment, texts)
        await self._texts.give_reasons(self._reader.now()[0], [reply], texts)
        return reply
