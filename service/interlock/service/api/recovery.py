"""Recovery over the wire: nobody has to be logged in, for what is handed in proves itself."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from interlock.service.errors import Refusal
from interlock.service.ledger.calls import Call, Prepared
from interlock.statemachine import commands as c
from interlock.statemachine.recovery import signers_of
from interlock.statemachine.unmet import Refused
from interlock.v1 import identity_pb2

if TYPE_CHECKING:
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.view import View
    from interlock.statemachine.decide import Accepted


async def recover(committer: Committer, request: identity_pb2.RecoverRequest) -> identity_pb2.RecoverResponse:
    """Have a signed recovery decided, in the name of the first who signed it. Raises Refusal."""
    signers = signers_of(committer.view.state, request.document, request.envelopes)
    if isinstance(signers, Refused):
        raise Refusal(signers)
    prepared = Prepared(c.Recover(request.document), envelopes=tuple(request.envelopes))
    call = Call(
        actor=c.Actor(signers[0].principal, signers[0].credential),
        method="interlock.v1.IdentityService/Recover",
        request_id=request.request_id,
        request_digest=hashlib.sha256(request.SerializeToString(deterministic=True)).digest(),
        prepare=lambda _view, _instant: prepared,
        render=_render,
        reply_type=identity_pb2.RecoverResponse,
    )
    return await committer.submit(call)


def _render(_view: View, accepted: Accepted) -> identity_pb2.RecoverResponse:
    moves = accepted.entry.transitions
    return identity_pb2.RecoverResponse(
        position=accepted.entry.seq,
        hold=next(move.resource for move in moves if move.trigger == "hold.place" and move.target == "placed"),
        moved=[f"{move.resource}: {move.target}" for move in moves],
    )
