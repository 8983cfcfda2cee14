"""Recovery over the wire: nobody has to be logged in, for what is handed in proves itself."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.service.errors import Refusal
from interlock.service.ledger.calls import Call, Prepared
from interlock.service.ledger.checkpoints import no_private_half
from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine.recovery import signers_of
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet
from interlock.v1 import identity_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.service.ledger.checkpoints import CheckpointSigner
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.proving import Prover
    from interlock.service.ledger.view import View
    from interlock.statemachine.decide import Accepted
    from interlock.statemachine.entry import TreeHead


_OF_THE_LOG: Final = {"log.name_key": "another key is in force", "log.accept_restore": "a restore is accepted"}
"""What a recovery does to the log itself, which stays in the state that it is in."""


@dataclass(frozen=True, slots=True)
class Recoveries:
    """What takes a recovery to the log."""

    committer: Committer
    prover: Prover
    signer: CheckpointSigner

    async def recover(self, request: identity_pb2.RecoverRequest) -> identity_pb2.RecoverResponse:
        """Have a signed recovery decided, in the name of the first who signed it. Raises Refusal."""
        signers = signers_of(self.committer.view.state, request.document, request.envelopes)
        if isinstance(signers, Refused):
            raise Refusal(signers)
        restores = await self._check_log(request.document)
        prepared = Prepared(c.Recover(request.document), envelopes=tuple(request.envelopes))
        call = Call(
            actor=c.Actor(signers[0].principal, signers[0].credential),
            method="interlock.v1.IdentityService/Recover",
            request_id=request.request_id,
            request_digest=hashlib.sha256(request.SerializeToString(deterministic=True)).digest(),
            prepare=lambda _view, _instant: prepared,
            render=_render,
            reply_type=identity_pb2.RecoverResponse,
            tightening=True,  # with it everything is held
            restores=restores,
        )
        return await self.committer.submit(call)

    async def _check_log(self, data: bytes) -> bool:
        """Refuse what no fold knows of a new log key: that its private half is here, and that the old one's end is.

        Without the private half the log would take an entry after which nothing can be signed. Returns whether a loss
        is accepted: of just the head that the high-water mark has, by a log that is behind it. Raises Refusal.
        """
        try:
            document = codec.decode_recovery(data)
        except codec.CodecError:
            return False  # said by the rules
        named = document.log_key
        if named is None:
            return False
        unmet = [*self._loss_faults(document.lost)] if document.lost is not None else []
        if not await asyncio.to_thread(self.signer.has, named.public_key):
            unmet.append(no_private_half())
        if (fault := await self._head_fault(named.last)) is not None:
            unmet.append(fault)
        if unmet:
            raise Refusal(Refused(RefusalKind.UNMET, tuple(unmet)))
        return document.lost is not None

    def _loss_faults(self, lost: TreeHead) -> Iterator[Unmet]:
        """Yield why a loss can't be accepted: nothing was lost, or something else was."""
        mark = self.committer.lost
        if mark is None:
            wish = "a log that is behind its high-water mark and has no other fault"
            yield Unmet(Code.NOT_ROLLED_BACK, wish, "it is not", "log")
        elif (mark.size, mark.root) != (lost.size, lost.root):
            wish = f"the head of the high-water mark as the lost one: {mark.size} entries, root {mark.root.hex()}"
            yield Unmet(Code.LOG_HEAD, wish, f"{lost.size} entries, root {lost.root.hex()}", "log")

    async def _head_fault(self, last: TreeHead) -> Unmet | None:
        view = self.committer.view
        if not 0 < last.size <= view.state.size:
            return None  # said by the rules
        whole = last.size == view.state.size
        if self.committer.lost is not None and not whole:
            return None  # no proofs are given of a log that is behind its mark; the rules say what is wrong
        root = view.root if whole else (await self.prover.head(last.size)).root
        if root == last.root:
            return None
        wish = f"the root of this log's first {last.size} entries, {root.hex()}, as the last head of the old key"
        return Unmet(Code.LOG_HEAD, wish, last.root.hex(), "log")


def _render(_view: View, accepted: Accepted) -> identity_pb2.RecoverResponse:
    moves = accepted.entry.transitions
    return identity_pb2.RecoverResponse(
        position=accepted.entry.seq,
        hold=next(move.resource for move in moves if move.trigger == "hold.place" and move.target == "placed"),
        moved=[f"{move.resource}: {_OF_THE_LOG.get(move.trigger, move.target)}" for move in moves],
    )
