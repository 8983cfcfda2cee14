"""`client.audit`: entries, the stream of all of them, and signed checkpoints. With asyncio.

Made by ops/make_async.py from `interlock.client.groups.audit`; not edited by hand.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.aio.groups.base import AsyncGroup
from interlock.client.entries import check_follows, check_is
from interlock.client.errors import (
    ForkError,
    InterlockError,
    RollbackError,
    UnavailableError,
    UnprovenError,
)
from interlock.client.groups.audit import PastState, check_page
from interlock.client.groups.base import AsOf, put_as_of, put_end, put_time
from interlock.client.log_keys import known_keys
from interlock.client.paging import Paging
from interlock.client.proving import (
    SignedCheckpoint,
    check_consistency,
    check_inclusion,
    fork_finding,
    open_signed,
)
from interlock.proofs import merkle
from interlock.proofs.errors import ProofError
from interlock.v1 import audit_pb2, audit_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime

    from interlock.client.memory import Seen
    from interlock.client.proving import ProvenEntry, ProvenExtension
    from interlock.client.verify import Finding, VerifyReport
    from interlock.proofs.log_keys import LogKeys
    from interlock.v1.audit_pb2 import EntryRecord, ExportBundleChunk


class AsyncAudit(AsyncGroup):
    """The audit trail."""

    def list(
        self,
        *,
        model: str = "",
        resource: str = "",
        actor: str = "",
        trigger: str = "",
        start: datetime | None = None,
        end: datetime | None = None,
        descending: bool = False,
    ) -> AsyncIterator[EntryRecord]:
        """Yield entries by filter; times are aware.

        ``resource`` finds itself and what is below it; it and ``trigger`` may close with ``*``. What is written
        meanwhile moves nothing: no entry comes twice, and none that was there at the first page is left out. Raises
        DataLossError where the server gives one twice, or in another order, PagesError for pages without an end.
        """
        request = audit_pb2.ListEntriesRequest(
            model=names.model(model) if model else "",
            resource=resource,
            actor=names.principal(actor) if actor else "",
            trigger=trigger,
            descending=descending,
        )
        if start is not None:
            put_time(request.start_time, start)
        if end is not None:
            put_time(request.end_time, end)
        return self._in_order(request)

    async def _in_order(self, request: audit_pb2.ListEntriesRequest) -> AsyncIterator[EntryRecord]:
        before: int | None = None
        async for record in self._pages(self._stub.ListEntries, request, "entries", streamed=True):
            before = check_follows(record, before, descending=request.descending)
            yield record

    async def get(self, seq: int | str) -> EntryRecord:
        """Return one entry by its position."""
        return await self._transport.call(self._stub.GetEntry, audit_pb2.GetEntryRequest(name=names.entry(str(seq))))

    async def accept_clock(self, now: datetime, *, request_id: str | None = None) -> EntryRecord:
        """Accept the server's clock after it has jumped forward: ``now`` is what time it is by another clock.

        Raises RefusedError where the server's clock has not jumped, or is not within an hour of ``now``.
        """
        request = audit_pb2.AcceptClockRequest(request_id=self._id(request_id))
        put_time(request.clock_time, now)
        return await self._transport.call(self._stub.AcceptClock, request)

    async def state_at(self, resource: str = "", *, as_of: AsOf = None) -> PastState:
        """Return every resource, or ``resource`` with those below it (a closing ``*`` matches any rest), as it was.

        All of one position, however long the answer is and whatever is written meanwhile. Raises DataLossError for
        pages that are not, PagesError for pages without an end.
        """
        request = audit_pb2.GetStateAtRequest(resource=resource, page_size=1000)
        put_as_of(request, as_of)
        found: list[audit_pb2.ResourceState] = []
        paging = Paging(request.page_size)
        at: int | None = None
        while True:
            page = await self._transport.call(self._stub.GetStateAt, request)
            request.page_token = paging.next_token(page, page.resources)
            check_page(found, page, at)
            at = page.position
            found += page.resources
            if not request.page_token:
                return PastState(page.position, page.instant.ToMicroseconds(), page.policy, tuple(found))

    async def tail(
        self,
        after_position: int = -1,
        *,
        follow: bool = False,
        on_break: Callable[[InterlockError], None] | None = None,
        as_sent: bool = False,
    ) -> AsyncIterator[EntryRecord]:
        """Yield every entry after a position, in order, none twice, none left out.

        ``follow`` goes on with new ones as they come. A stream that breaks off is taken up behind the last entry
        yielded, with ``follow`` for as long as it takes, and ``on_break`` is told. Raises RollbackError where the
        server comes back with a shorter log, InterlockError where it does not come back, DataLossError where it sends
        another entry than the next, or none; ``as_sent`` takes whatever comes, for who verifies it.
        """
        position = after_position

        def request() -> audit_pb2.TailEntriesRequest:
            return audit_pb2.TailEntriesRequest(after_position=position, follow=follow)

        try:
            async for record in self._transport.resuming(
                self._stub.TailEntries, request, patient=follow, on_break=on_break
            ):
                if not as_sent:
                    check_is(record, position + 1)
                position += 1
                yield record
        except UnavailableError as error:
            if error.reason != "POSITION_NOT_REACHED" or position == after_position:
                raise
            raise RollbackError(
                f"the server's log ends before position {position}, which it has shown: it was rolled back",
                reason="LOG_ROLLED_BACK",
            ) from error
        finally:
            if position > after_position:
                self._transport.memory.note_position(position)

    async def checkpoint(self) -> SignedCheckpoint:
        """Return the newest checkpoint: signed by a known key of the log, and extending what this profile has seen.

        Raises DataLossError for one that is not signed so, RollbackError for one below what this profile has seen,
        ForkError for one that disagrees with it, UnprovenError where the server can't show that it extends it.
        """
        before = self._transport.memory.load()
        head = open_signed(await self.checkpoint_note(), self._log_keys)
        await self._extend(before, head)
        return head

    async def checkpoint_note(self) -> str:
        """Return the newest checkpoint as the server gives it; nothing of it is checked."""
        return (await self._transport.call(self._stub.GetCheckpoint, audit_pb2.GetCheckpointRequest())).note

    async def newest_note(self) -> str:
        """Return the newest checkpoint as the server gives it; of a server that signs no more, the newest it showed.

        For whoever verifies: a server that found its log edited is just the one to look at.
        """
        try:
            return await self.checkpoint_note()
        except UnavailableError as error:
            if error.reason not in {"LEDGER", "LOG_ROLLED_BACK"}:
                raise
            request = audit_pb2.ListCheckpointsRequest(descending=True, page_size=1)
            shown = (await self._transport.call(self._stub.ListCheckpoints, request)).checkpoints
            if not shown:
                raise
            return shown[0].note

    def export(
        self,
        *,
        with_evidence: bool = False,
        start: AsOf = None,
        end: AsOf = None,
        models: Sequence[str] = (),
    ) -> AsyncIterator[ExportBundleChunk]:
        """Yield the log as a bundle, part by part: ``data`` of each, one after the other, is the file.

        ``start`` and ``end`` (positions or aware times) ask for a range of it, ``models`` for all that concerns these.
        ``with_evidence`` adds the bytes of every document of it that the caller may read. A file is whole only when the
        iterator has ended; `Interlock.export` writes one.
        """
        request = audit_pb2.ExportBundleRequest(with_evidence=with_evidence, models=[names.model(m) for m in models])
        put_end(request, "from", start)
        put_end(request, "to", end)
        return self._transport.stream(self._stub.ExportBundle, request)

    async def erasure(self, digest: bytes) -> audit_pb2.ErasedText | None:
        """Return who had a text erased, when, and by which entry; None where no entry says that it was."""
        found = (await self.state_at(names.text(digest))).resources
        if not found:
            return None
        kept = json.loads(found[0].state)["ErasedText"]
        gone = audit_pb2.ErasedText(
            name=found[0].name, digest=digest, eraser=kept["eraser"], position=found[0].position
        )
        gone.erase_time.FromMicroseconds(kept["erased_at"])
        return gone

    async def erase_text(self, digest: bytes, *, request_id: str | None = None) -> audit_pb2.ErasedText:
        """Have a text forgotten for good, by the digest under which entries name it. That it was stays in the log."""
        request = audit_pb2.EraseTextRequest(digest=digest, request_id=self._id(request_id))
        return await self._transport.call(self._stub.EraseText, request)

    async def checkpoints(self, *, descending: bool = False) -> AsyncIterator[SignedCheckpoint]:
        """Yield every checkpoint that the server says it ever showed, smallest first, each signature checked.

        Raises DataLossError.
        """
        request = audit_pb2.ListCheckpointsRequest(descending=descending)
        async for row in self._pages(self._stub.ListCheckpoints, request, "checkpoints"):
            yield open_signed(row.note, self._log_keys)

    async def inclusion_proof(self, position: int, *, tree_size: int = 0, entry: bytes | None = None) -> ProvenEntry:
        """Return the proof that an entry is in the tree of ``tree_size`` (0: the newest), checked here.

        ``entry`` are the entry's stored bytes: with them it is these very bytes that are proven, without them the leaf
        hash that the server names. Raises as `checkpoint`, and UnprovenError where the proof does not verify.
        """
        before = self._transport.memory.load()
        request = audit_pb2.GetInclusionProofRequest(position=position, tree_size=tree_size)
        reply = await self._transport.call(self._stub.GetInclusionProof, request)
        proof = check_inclusion(reply, position, entry, self._log_keys)
        await self._join(before, proof.checkpoint, tree_size)
        return proof

    async def consistency_proof(self, first_size: int, second_size: int = 0) -> ProvenExtension:
        """Return the proof that the tree of ``second_size`` (0: the newest) extends another one, checked here.

        Raises as `inclusion_proof`.
        """
        before = self._transport.memory.load()
        reply = await self._ask_consistency(first_size, second_size)
        proof = check_consistency(reply, self._log_keys)
        if proof.first.size != first_size:
            raise UnprovenError(f"asked about {first_size}, told of {proof.first.size}", reason="OTHER_PROOF")
        await self._join(before, proof.second, second_size)
        return proof

    async def add_cosignature(self, text: str) -> str:
        """Send a cosigned checkpoint; return it with all the cosignatures that the server keeps of it."""
        return (await self._transport.call(self._stub.AddCosignature, audit_pb2.AddCosignatureRequest(note=text))).note

    def remember(self, text: str) -> SignedCheckpoint:
        """Check a checkpoint's signature and remember it, of a log that was verified from its first byte.

        Raises DataLossError, RollbackError, ForkError.
        """
        head = open_signed(text, self._log_keys)
        self._transport.memory.check_checkpoint(head.size, head.root, head.note)
        return head

    def accept_loss(self, text: str, report: VerifyReport) -> VerifyReport:
        """Remember the head of a log that was verified whole, in place of heads that were lost with a restore.

        Whoever verified has accepted their loss: the report is without findings and says that it let go of them. The
        two heads that part are kept, as proof of what was. Raises DataLossError.
        """
        head = open_signed(text, self._log_keys)
        kept = self._transport.memory.accept_loss(head.size, head.root, head.note)
        said = f"a loss was accepted here, and the heads that part are kept in {kept}"
        return replace(report, anew=said) if kept else report

    async def parted(self, verified: str, text: str, report: VerifyReport) -> Finding | None:
        """Keep two signed heads of which the report shows that they are not of one log, as proof of the fork.

        ``verified`` is the head up to which an earlier verification was gone on from, empty for none: where what came
        after it does not give the root of ``text``, the server is asked to show that one extends the other.
        """
        memory, codes = self._transport.memory, {finding.code for finding in report.findings}
        if codes & {"LOG_FORKED", "LOG_RESTORED"}:
            memory.fork(memory.load().note, text, "two heads of the log disagree")
            return None
        if not verified or "ROOT_MISMATCH" not in codes:
            return None
        try:
            await self.prove_extension(open_signed(verified, self._log_keys), open_signed(text, self._log_keys))
        except InterlockError as error:
            kept = error.kept if isinstance(error, ForkError) else memory.fork(verified, text, "not shown").kept
            return fork_finding(str(error), kept)
        return None  # one extends the other: what was sent is not what was signed

    async def _join(self, before: Seen, head: SignedCheckpoint, asked_size: int) -> None:
        """Take the head of a proof: a newer one extends what was seen, an older one is extended by it."""
        if asked_size not in {0, head.size}:
            raise UnprovenError(f"asked about {asked_size}, told of {head.size}", reason="OTHER_PROOF")
        if asked_size == 0 or head.size >= before.size:
            await self._extend(before, head, at_head=asked_size == 0)
        else:
            await self.prove_extension(head, SignedCheckpoint(before.note, before.size, bytes.fromhex(before.root)))

    async def _extend(self, before: Seen, head: SignedCheckpoint, *, at_head: bool = True) -> None:
        """Prove that a head extends what was seen, and remember it."""
        if 0 < before.size < head.size:
            await self.prove_extension(SignedCheckpoint(before.note, before.size, bytes.fromhex(before.root)), head)
        known = before if at_head else replace(before, position=-1)
        self._transport.memory.check_checkpoint(head.size, head.root, head.note, known)

    async def prove_extension(self, older: SignedCheckpoint, newer: SignedCheckpoint) -> None:
        """Have the server show that one signed head extends another.

        Raises ForkError, with both notes, where two signed heads of one size disagree, UnprovenError where the server
        just does not show it.
        """
        fork = self._transport.memory.fork
        if older.size == newer.size:
            if older.root != newer.root:
                what = f"two checkpoints of {older.size} entries have different roots"
                raise fork(older.note, newer.note, what)
            return
        reply = await self._ask_consistency(older.size, newer.size)
        try:
            merkle.verify_consistency(older.size, newer.size, tuple(reply.hashes), older.root, newer.root)
        except ProofError as refused:
            for known, text in ((older, reply.first_checkpoint), (newer, reply.second_checkpoint)):
                other = open_signed(text, self._log_keys)
                if other.size == known.size and other.root != known.root:
                    what = f"two checkpoints of {known.size} entries have different roots"
                    raise fork(known.note, other.note, what) from refused
            raise UnprovenError(
                f"the server does not show that its {newer.size} entries extend the {older.size} that were seen: "
                f"{refused}",
                reason=refused.fault,
            ) from refused

    async def _ask_consistency(self, first_size: int, second_size: int) -> audit_pb2.ConsistencyProof:
        request = audit_pb2.GetConsistencyProofRequest(first_size=first_size, second_size=second_size)
        return await self._transport.call(self._stub.GetConsistencyProof, request)

    @property
    def _log_keys(self) -> LogKeys:
        return known_keys(self._transport.profile)

    @property
    def _stub(self) -> audit_pb2_grpc.AuditServiceAsyncStub:
        return audit_pb2_grpc.AuditServiceStub(self._transport.channel)
