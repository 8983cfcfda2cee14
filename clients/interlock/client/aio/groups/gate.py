"""`client.gate`: may this model go to this context, now? With asyncio.

Made by ops/make_async.py from `interlock.client.groups.gate`; not edited by hand.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.aio.groups.base import AsyncGroup
from interlock.client.decision import verify_decision
from interlock.client.errors import DataLossError, ProfileError, UnavailableError, rolled_back
from interlock.client.groups.base import put_as_of
from interlock.client.groups.gate import is_allowed
from interlock.v1 import gate_pb2, gate_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from interlock.client.errors import InterlockError
    from interlock.client.groups.base import AsOf
    from interlock.v1.gate_pb2 import BreakGlass, CheckReleaseResponse, ExplainReleaseResponse, WatchReleaseResponse


class AsyncGate(AsyncGroup):
    """The gate. Only `allows` answers with a bool, and only a plain ALLOW makes it true."""

    async def check(
        self, model: str, context: str, *, artifact: str = "", min_position: int | None = None
    ) -> CheckReleaseResponse:
        """Return verdict and reasons at the head of the log.

        The answer has to include whatever this profile has seen of the log, or ``min_position`` where that is more; a
        server that has not got there is UNAVAILABLE. Read any verdict but VERDICT_ALLOW as DENY.
        """
        return await self._ask(model, context, artifact, min_position, want_decision=False)

    async def decide(
        self, model: str, context: str, artifact: str, *, min_position: int | None = None
    ) -> CheckReleaseResponse:
        """Return verdict and reasons with a signed decision in ``.decision``: keep its bytes as they are.

        The decision is in the log before it is here. It is empty only in a DENY of a server whose clock or ledger can't
        be relied on. Raises DataLossError for one that does not say what the answer says, and ProfileError where the
        profile has no key to tell by.
        """
        profile = self._transport.profile
        if not profile.decision_key:
            raise ProfileError(f"{profile.folder} names no decision key", reason="NO_DECISION_KEY")
        answer = await self._ask(model, context, artifact, min_position, want_decision=True)
        if answer.decision:
            checked = verify_decision(
                answer.decision,
                key=profile.decision_key,
                log_id=profile.log_id.hex(),
                context=context,
                artifact=artifact,
                now=answer.instant.ToDatetime(UTC),
                model=names.model(model),
                policy_digest=answer.policy_digest,
            )
            faults = [fault for fault in checked.faults if fault.code != "DECISION_FAILED"]
            same = checked.decision is not None and checked.decision.allowed == is_allowed(answer)
            if faults or not same:
                said = "; ".join(fault.detail for fault in faults) or "it says another verdict"
                raise DataLossError(f"the server's decision is not what was asked for: {said}", reason="DECISION")
        elif is_allowed(answer):
            raise DataLossError("the server allows, and signed nothing", reason="DECISION")
        return answer

    async def allows(self, model: str, context: str, *, artifact: str = "") -> bool:
        """Say whether the gate allows it now. Raises InterlockError rather than guess."""
        return is_allowed(await self.check(model, context, artifact=artifact))

    async def check_many(
        self, questions: Iterable[tuple[str, str, str]], *, min_position: int | None = None
    ) -> list[CheckReleaseResponse]:
        """Return one answer for each (model, context, artifact or empty), in order, all at one position and instant.

        At most 1,000 questions; ``min_position`` as for `check`. Raises DataLossError where an answer is missing.
        """
        memory = self._transport.memory
        seen = memory.load()
        request = gate_pb2.BatchCheckReleaseRequest(
            questions=[
                gate_pb2.ReleaseQuestion(model=names.model(model), context=context, artifact_digest=artifact)
                for model, context, artifact in questions
            ],
            min_position=max(seen.least_position, min_position or 0, 0),
        )
        answers = list((await self._transport.call(self._stub.BatchCheckRelease, request)).answers)
        if len(answers) != len(request.questions) or len({answer.log_position for answer in answers}) > 1:
            raise DataLossError("the server's answers are not those to the questions asked", reason="ANSWERS")
        for answer in answers[:1]:
            memory.check_position(answer.log_position, seen)
        return answers

    async def explain(
        self, model: str, context: str, *, artifact: str = "", as_of: AsOf = None
    ) -> ExplainReleaseResponse:
        """Return the answer with its requirement tree, now or as of a position or time.

        Raises DataLossError where tree and verdict contradict each other.
        """
        memory = self._transport.memory
        seen = memory.load()
        request = gate_pb2.ExplainReleaseRequest(model=names.model(model), context=context, artifact_digest=artifact)
        put_as_of(request, as_of)
        explained = await self._transport.call(self._stub.ExplainRelease, request)
        if as_of is None:
            memory.check_position(explained.answer.log_position, seen)
        if explained.tree.met is not is_allowed(explained.answer):
            raise DataLossError("the server's verdict does not follow from its tree", reason="EXPLANATION")
        return explained

    async def watch(
        self,
        model: str,
        context: str,
        *,
        artifact: str = "",
        resume_token: str = "",
        on_break: Callable[[InterlockError], None] | None = None,
        on_resume: Callable[[], None] | None = None,
    ) -> AsyncIterator[WatchReleaseResponse]:
        """Yield the verdict now, then at every flip, those that time alone makes too, as ``.answer``; never ends.

        A stream that breaks off is taken up behind the last answer, none left out and none twice, for as long as it
        takes: ``on_break`` is told why, ``on_resume`` is called when it goes on. Between the two nobody knows the
        verdict. ``resume_token`` is of the last answer that an earlier watch gave. Raises InterlockError where going on
        can't help, RollbackError where the log is shorter than what was seen.
        """
        before = self._transport.memory.load()
        token = resume_token

        def request() -> gate_pb2.WatchReleaseRequest:
            return gate_pb2.WatchReleaseRequest(
                model=names.model(model), context=context, artifact_digest=artifact, resume_token=token
            )

        try:
            async for message in self._transport.resuming(
                self._stub.WatchRelease, request, patient=True, on_break=on_break, on_resume=on_resume
            ):
                if token:
                    self._transport.memory.note_position(message.answer.log_position)
                else:  # the verdict now: at the head of the log
                    self._transport.memory.check_position(message.answer.log_position, before)
                token = message.resume_token
                yield message
        except UnavailableError as error:
            raise rolled_back(error) from error

    async def _ask(
        self, model: str, context: str, artifact: str, min_position: int | None, *, want_decision: bool
    ) -> CheckReleaseResponse:
        seen = self._transport.memory.load().least_position
        request = gate_pb2.CheckReleaseRequest(
            model=names.model(model),
            context=context,
            artifact_digest=artifact,
            min_position=max(seen, min_position or 0, 0),
            want_decision=want_decision,
        )
        return await self._transport.call(self._stub.CheckRelease, request)

    def break_glass(self, *, open_only: bool = False, as_of: AsOf = None) -> AsyncIterator[BreakGlass]:
        """Yield the uses of break-glass, newest first; only those in force or not reviewed, if wanted."""
        request = gate_pb2.ListBreakGlassRequest(open_only=open_only)
        put_as_of(request, as_of)
        return self._pages(self._stub.ListBreakGlass, request, "uses")

    @property
    def _stub(self) -> gate_pb2_grpc.GateServiceAsyncStub:
        return gate_pb2_grpc.GateServiceStub(self._transport.channel)
