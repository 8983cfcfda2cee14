"""ChangeService: changes proposed, reviewed, signed, applied."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from interlock.service.api import revisions, sign_offs
from interlock.service.api.convert.change import STATE_WORDS, change_message, preview_message
from interlock.service.api.pages import page_of
from interlock.service.api.reads import newest_first
from interlock.service.api.times import to_positive_microseconds
from interlock.service.errors import Invalid, NotFound
from interlock.service.identity.caller import caller
from interlock.service.ledger.calls import Prepared
from interlock.statemachine import codec, packs
from interlock.statemachine import commands as c
from interlock.statemachine import resources as r
from interlock.statemachine.changes import content_of, waiting_for
from interlock.statemachine.firings import PolicyAdopt
from interlock.statemachine.machines.fire import model_concerned
from interlock.statemachine.names import leaf_of
from interlock.statemachine.packs import pack_name
from interlock.statemachine.policy import PackError
from interlock.v1 import change_pb2, change_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.timestamp_pb2 import Timestamp

    from interlock.service.api.calls import Writer
    from interlock.service.api.pages import Page
    from interlock.service.api.reads import Reader
    from interlock.service.api.revisions import Prepare
    from interlock.service.api.texts import Texts
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.view import View
    from interlock.service.server import Context
    from interlock.service.storage import Store, Text
    from interlock.statemachine.decide import Accepted

_SERVICE = "interlock.v1.ChangeService"


class ChangeService(change_pb2_grpc.ChangeServiceServicer):
    """Changes."""

    def __init__(self, reader: Reader, writer: Writer, texts: Texts, committer: Committer, store: Store) -> None:
        self._reader = reader
        self._writer = writer
        self._texts = texts
        self._committer = committer
        self._store = store

    # Writing ---------------------------------------------------------------------------------------------------

    async def ProposeChange(self, request: change_pb2.ProposeChangeRequest, context: Context) -> change_pb2.Change:
        """Propose a change."""
        proposal = revisions.Proposal(
            triggers=revisions.firings_of(request.triggers),
            evidence=tuple(request.evidence),
            not_before=_not_before(request.not_before_time) if request.HasField("not_before_time") else 0,
            apply_separately=request.apply_separately,
            draft=request.draft,
            texts=self._words(request),
            pack=await _pack(request),
        )
        return await self._write("ProposeChange", request, revisions.propose(proposal), proposal.texts)

    async def AmendChange(self, request: change_pb2.AmendChangeRequest, context: Context) -> change_pb2.Change:
        """Make a new revision with other triggers or texts."""
        triggers, words = revisions.firings_of(request.triggers), self._words(request)
        not_before = _not_before(request.not_before_time) if request.HasField("not_before_time") else None
        if not triggers and not words and not_before is None:
            raise Invalid("triggers", "nothing to amend was given")
        edit = revisions.amended(triggers, words, not_before)
        prepare = revisions.revise(c.AmendChange, request, edit, words, await _pack(request))
        return await self._write("AmendChange", request, prepare, words)

    async def AttachEvidence(self, request: change_pb2.AttachEvidenceRequest, context: Context) -> change_pb2.Change:
        """Make a new revision with more evidence."""
        edit = revisions.attached(request.evidence)
        return await self._write("AttachEvidence", request, revisions.revise(c.AttachEvidence, request, edit))

    async def DetachEvidence(self, request: change_pb2.DetachEvidenceRequest, context: Context) -> change_pb2.Change:
        """Make a new revision with less evidence."""
        edit = revisions.detached(request.evidence)
        return await self._write("DetachEvidence", request, revisions.revise(c.DetachEvidence, request, edit))

    async def RebaseChange(self, request: change_pb2.RebaseChangeRequest, context: Context) -> change_pb2.Change:
        """Make a new revision on the present base."""
        prepare = revisions.revise(c.RebaseChange, request, revisions.same)
        return await self._write("RebaseChange", request, prepare)

    async def SubmitChange(self, request: change_pb2.SubmitChangeRequest, context: Context) -> change_pb2.Change:
        """Put a draft to review."""
        prepare = revisions.on_change(c.SubmitChange(request.name), request)
        return await self._write("SubmitChange", request, prepare)

    async def ApplyChange(self, request: change_pb2.ApplyChangeRequest, context: Context) -> change_pb2.Change:
        """Apply an approved change that waits for this call."""
        prepare = revisions.on_change(c.ApplyApprovedChange(request.name), request)
        return await self._write("ApplyChange", request, prepare)

    async def WithdrawChange(self, request: change_pb2.WithdrawChangeRequest, context: Context) -> change_pb2.Change:
        """Take a change back."""
        prepare = revisions.on_change(c.WithdrawProposedChange(request.name), request)
        return await self._write("WithdrawChange", request, prepare, tightening=True)

    async def SignOff(self, request: change_pb2.SignOffRequest, context: Context) -> change_pb2.Change:
        """Accept a signed sign-off; the change is applied where that completes it."""
        statement = sign_offs.read_statement(request.envelope, request.name)
        await sign_offs.check_checkpoint(statement, self._committer, self._store, request.name)
        comment = sign_offs.comment_of(request, statement)
        prepared = Prepared(c.SignOffChange(request.name), envelopes=(request.envelope,), texts=comment)
        reject = statement.decision == "reject"
        return await self._write("SignOff", request, lambda _view, _instant: prepared, comment, tightening=reject)

    async def WithdrawSignOff(self, request: change_pb2.WithdrawSignOffRequest, context: Context) -> change_pb2.Change:
        """Accept a signed withdrawal of one's own sign-off."""
        statement = sign_offs.read_statement(request.envelope, request.name)
        await sign_offs.check_checkpoint(statement, self._committer, self._store, request.name)
        if statement.comment_digest or statement.conditions_digest:
            raise Invalid("envelope", "a withdrawal has neither comment nor conditions")
        prepared = Prepared(c.WithdrawSignOffOfChange(request.name), envelopes=(request.envelope,))
        return await self._write("WithdrawSignOff", request, lambda _view, _instant: prepared, tightening=True)

    # Reading ---------------------------------------------------------------------------------------------------

    async def GetChange(self, request: change_pb2.GetChangeRequest, context: Context) -> change_pb2.Change:
        """Return one change."""
        view, instant = await self._reader.as_of(request)
        change = _need(view, request.name)
        message = change_message(view, change, instant)
        if pack := _pack_of(view, change):
            message.pack.ParseFromString(pack)
        await self._texts.give_words([message])
        return message

    async def PreviewChange(
        self, request: change_pb2.PreviewChangeRequest, context: Context
    ) -> change_pb2.PreviewChangeResponse:
        """Return what applying a change now would do and what is unmet; nothing is written."""
        view, instant = self._reader.now()
        # Every release is judged twice: the loop answers others meanwhile.
        return await asyncio.to_thread(preview_message, view, _need(view, request.name), instant)

    async def ListChanges(
        self, request: change_pb2.ListChangesRequest, context: Context
    ) -> change_pb2.ListChangesResponse:
        """Return changes, newest first."""
        page = page_of(request)
        view, instant = self._reader.now()
        principal = caller().principal

        def judged() -> tuple[list[change_pb2.Change], str]:
            found = _wanted(view, request, page, principal, instant)
            chosen, token = page.cut(found, lambda row: leaf_of(row[0].name))
            return [_listed(view, change, waits, instant) for change, waits in chosen], token

        # Each change is rehearsed: the loop answers others meanwhile.
        messages, token = await asyncio.to_thread(judged)
        await self._texts.give_words(messages)
        messages, token = page.fit(messages, token, lambda message: leaf_of(message.name))
        return change_pb2.ListChangesResponse(changes=messages, next_page_token=token)

    async def _write(
        self, method: str, request: object, prepare: Prepare, texts: tuple[Text, ...] = (), *, tightening: bool = False
    ) -> change_pb2.Change:
        def render(view: View, accepted: Accepted) -> change_pb2.Change:
            name = next(move.resource for move in reversed(accepted.entry.transitions) if _is_change(move.resource))
            return change_message(view, view.state.need(name, r.Change), accepted.entry.time)

        full = f"{_SERVICE}/{method}"
        reply = await self._writer.submit(full, request, prepare, render, change_pb2.Change, tightening=tightening)
        await self._texts.give_words([reply], texts)
        return reply

    def _words(self, request: change_pb2.ProposeChangeRequest | change_pb2.AmendChangeRequest) -> tuple[Text, ...]:
        return self._writer.salted("title", request.title) + self._writer.salted("summary", request.summary)


def _wanted(
    view: View, request: change_pb2.ListChangesRequest, page: Page, principal: str, instant: int
) -> Iterator[tuple[r.Change, tuple[str, ...]]]:
    """Yield changes, each with the names in which it waits for the caller where only such are asked for."""
    state = STATE_WORDS.get(request.state, "")
    for change in newest_first(view.state, "changes", r.Change, page.number_after()):
        if state and change.state != state:
            continue
        if request.tainted_only and change.applied_position not in view.state.tainted:
            continue
        if request.model and not _concerns(view, change, request.model):
            continue
        waits = waiting_for(view.policy, view.state, change, principal, instant) if request.waiting_for_me else ()
        if waits or not request.waiting_for_me:
            yield change, waits


def _listed(view: View, change: r.Change, waits: tuple[str, ...], instant: int) -> change_pb2.Change:
    message = change_message(view, change, instant)
    message.waits_in_own_name = "" in waits
    message.waits_on_behalf_of.extend(name for name in waits if name)
    return message


def _concerns(view: View, change: r.Change, model: str) -> bool:
    firings = content_of(change.content).triggers
    return any(model_concerned(view.state, firing) == model for firing in firings)


def _need(view: View, name: str) -> r.Change:
    change = view.state.find(name, r.Change)
    if change is None:
        raise NotFound(name)
    return change


async def _pack(request: change_pb2.ProposeChangeRequest | change_pb2.AmendChangeRequest) -> bytes:
    """Return the pack that came with a request, as it is kept; empty for none. Raises Invalid for what does not load.

    A pack takes a while to load, and what was loaded is kept: the writer's thread, which others wait for, finds it so.
    """
    if not request.HasField("pack"):
        return b""
    data = codec.encode_pack({row.path: row.content for row in request.pack.files})
    try:
        await asyncio.to_thread(packs.load, data)
    except (codec.CodecError, PackError) as error:
        raise Invalid("pack", f"no pack that loads: {error}") from error
    return data


def _pack_of(view: View, change: r.Change) -> bytes:
    """Return the pack that a change proposes to adopt, as it is kept; empty for none."""
    for firing in content_of(change.content).triggers:
        if isinstance(firing, PolicyAdopt):
            pack = view.state.find(pack_name(firing.policy, firing.pack_digest), r.Pack)
            return pack.data if pack is not None else b""
    return b""


def _is_change(resource: str) -> bool:
    return resource.startswith("changes/")


def _not_before(timestamp: Timestamp) -> int:
    return to_positive_microseconds(timestamp, "not_before_time")
