"""`client.findings`: what analysers of activity records saw, and what people say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.groups.base import AsOf, Group, put_as_of
from interlock.v1 import accountability_pb2, accountability_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from interlock.v1.accountability_pb2 import Finding


class Findings(Group):
    """Findings about models, or about everything."""

    def raise_(
        self, target: str, title: str, *, severity: str, evidence: Iterable[str] = (), request_id: str | None = None
    ) -> Finding:
        """Record what was found about a model, or about everything (`-`)."""
        request = accountability_pb2.RaiseFindingRequest(
            target=names.target(target),
            title=title,
            severity=severity,
            evidence=[names.evidence(document) for document in evidence],
            request_id=self._id(request_id),
        )
        return self._transport.call(self._stub.RaiseFinding, request)

    def confirm(self, finding: str, *, reason: str = "", request_id: str | None = None) -> Finding:
        """Say that it is so; the next check sees it."""
        request = accountability_pb2.ConfirmFindingRequest(
            name=names.finding(finding), reason=reason, request_id=self._id(request_id)
        )
        return self._transport.call(self._stub.ConfirmFinding, request)

    def dismiss(self, finding: str, *, reason: str = "", request_id: str | None = None) -> Finding:
        """Dismiss a finding. Raises RefusedError where it is confirmed and blocks: that takes a change."""
        request = accountability_pb2.DismissFindingRequest(
            name=names.finding(finding), reason=reason, request_id=self._id(request_id)
        )
        return self._transport.call(self._stub.DismissFinding, request)

    def get(self, finding: str, *, as_of: AsOf = None) -> Finding:
        """Return a finding as it stands, or as it stood."""
        request = accountability_pb2.GetFindingRequest(name=names.finding(finding))
        put_as_of(request, as_of)
        return self._transport.call(self._stub.GetFinding, request, remember=as_of is None)

    def list(self, *, model: str = "", show_dismissed: bool = False, as_of: AsOf = None) -> Iterator[Finding]:
        """Yield findings, newest first: those that nobody dismissed, unless ``show_dismissed``."""
        request = accountability_pb2.ListFindingsRequest(
            model=names.model(model) if model else "", show_dismissed=show_dismissed
        )
        put_as_of(request, as_of)
        return self._pages(self._stub.ListFindings, request, "findings", remember=as_of is None)

    @property
    def _stub(self) -> accountability_pb2_grpc.AccountabilityServiceStub:
        return accountability_pb2_grpc.AccountabilityServiceStub(self._transport.channel)
