"""`AsyncInterlock`: one principal at one server, with everything the contract offers, awaited.

Lives here: putting the parts together. Not here: the methods themselves (`groups/`).
"""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack, asynccontextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final, Self, TypeVar

from interlock.client import files, names
from interlock.client.aio.groups import (
    AsyncAssessments,
    AsyncAudit,
    AsyncChanges,
    AsyncDeployments,
    AsyncEvidenceGroup,
    AsyncFindings,
    AsyncGate,
    AsyncHolds,
    AsyncIdentity,
    AsyncIncidents,
    AsyncMeasures,
    AsyncModels,
    AsyncObligations,
    AsyncPolicies,
    AsyncSafeguards,
)
from interlock.client.aio.transport import AsyncTransport
from interlock.client.keyfile import passphrase_source
from interlock.client.log_keys import keep_keys
from interlock.client.memory import Memory
from interlock.client.opened import OpenedEvidence
from interlock.client.profile import find_profile, load_profile
from interlock.client.sdk import DEFAULT_TIMEOUT_SECONDS
from interlock.client.session import Sessions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from interlock.client.aio.desk import AsyncSigningDesk
    from interlock.client.groups.base import AsOf
    from interlock.client.keyfile import Passphrase
    from interlock.client.profile import Profile
    from interlock.client.review import OpenedChange, ReviewedChange
    from interlock.client.transport import Retry, Ticking
    from interlock.client.verify import Trust, VerifyReport
    from interlock.v1.audit_pb2 import EntryRecord
    from interlock.v1.change_pb2 import Change
    from interlock.v1.identity_pb2 import Delegation

T = TypeVar("T")

_AT_ONCE: Final = 256
"""Entries handed to the verifier's thread together."""


class AsyncInterlock:
    """A client of an Interlock server, for one event loop. Use it with `async with`, or `close` it.

        async with AsyncInterlock.from_profile("release-bot") as client:
            allowed = await client.gate.allows("aurora-4", "api")
            async for entry in client.audit.tail():
                ...

    Names, parameters, answers and errors are those of `interlock.client.Interlock`. Calls may run side by side.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        passphrase: Passphrase,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        retry: Retry | None = None,
        ticking: Ticking | None = None,
    ) -> None:
        """Prepare a client for a profile; nothing is sent before the first call.

        ``passphrase`` is asked for a key file's passphrase only when that key is needed.
        """
        self.profile = profile
        transport = AsyncTransport(
            profile,
            Sessions(profile, passphrase),
            Memory(profile.folder, profile.log_id),
            timeout_seconds=timeout_seconds,
            retry=retry,
            ticking=ticking,
        )
        self._transport = transport
        self._passphrase = passphrase
        self._opened = OpenedEvidence(profile.folder)
        self.models = AsyncModels(transport)
        self.assessments = AsyncAssessments(transport)
        self.safeguards = AsyncSafeguards(transport)
        self.holds = AsyncHolds(transport)
        self.changes = AsyncChanges(transport)
        self.evidence = AsyncEvidenceGroup(transport, opened=self._opened)
        self.gate = AsyncGate(transport)
        self.deployments = AsyncDeployments(transport)
        self.measures = AsyncMeasures(transport)
        self.obligations = AsyncObligations(transport)
        self.incidents = AsyncIncidents(transport)
        self.findings = AsyncFindings(transport)
        self.audit = AsyncAudit(transport)
        self.policy = AsyncPolicies(transport)
        self.identity = AsyncIdentity(transport)

    @classmethod
    def from_profile(
        cls,
        which: str | None = None,
        *,
        passphrase: Passphrase | None = None,
        passphrase_file: Path | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        environment: Mapping[str, str] | None = None,
    ) -> AsyncInterlock:
        """Return a client for a profile by name or path; without one, that of INTERLOCK_PROFILE or the only one.

        The passphrase of its keys comes from ``passphrase_file``, INTERLOCK_PASSPHRASE_FILE, the profile's own file, or
        ``passphrase``, in this order. Raises ProfileError.
        """
        around = os.environ if environment is None else environment
        profile = load_profile(find_profile(which, around))
        source = passphrase_source(profile, around, file=passphrase_file, ask=passphrase)
        return cls(profile, passphrase=source, timeout_seconds=timeout_seconds)

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self.close()

    async def close(self) -> None:
        """Close the connection; the session is kept in the profile folder."""
        await self._transport.close()

    async def open_change(self, change: str, *, as_of: AsOf = None) -> OpenedChange:
        """Return a change, now or as it stood, with its content decoded and its texts checked. Raises ContentError."""
        return await self._desk.open(change, as_of)

    async def review(self, change: str) -> ReviewedChange:
        """Return a change that can be shown in full and so be signed. Raises ContentError."""
        return await self._desk.review(change)

    async def sign(
        self,
        reviewed: ReviewedChange,
        *,
        decision: str = "approve",
        roles: Iterable[str] = (),
        comment: str = "",
        on_behalf_of: str = "",
        request_id: str | None = None,
    ) -> Change:
        """Sign ``approve`` or ``reject`` over what was reviewed, and send it.

        ``roles`` are those to act in, by default the caller's approving roles that the change asks for; with
        ``on_behalf_of`` those that this account delegated to the caller, who is one person with them on this change.
        Raises RefusedError with everything that stands against it; then nothing was recorded as signed.
        """
        from interlock.client.signing import Consent  # noqa: PLC0415  # it brings all of the rules; the gate needs none

        owner = names.principal(on_behalf_of) if on_behalf_of else ""
        wish = Consent(decision, tuple(roles), comment, on_behalf_of=owner)
        return await self._desk.sign(reviewed, wish, request_id)

    async def withdraw_sign_off(self, change: str, *, request_id: str | None = None) -> Change:
        """Sign the withdrawal of one's own sign-off and send it. Raises RefusedError where there is none."""
        return await self._desk.withdraw(change, request_id)

    async def delegate(
        self, role: str, *, to: str, until: datetime, start: datetime | None = None, request_id: str | None = None
    ) -> Delegation:
        """Sign that ``to`` may act in an approving role of the caller's, and hand it in; from now on without ``start``.

        On a change where it is used the two are one person. Raises RefusedError where ``to`` can't have the role.
        """
        from interlock.client.signing import Wish  # noqa: PLC0415  # it brings all of the rules; the gate needs none

        return await self._desk.delegate(Wish(role, to, until, start), request_id)

    async def verify(
        self,
        progress: Callable[[int, int], None] | None = None,
        trust: Trust | None = None,
        *,
        full: bool = False,
    ) -> VerifyReport:
        """Verify the whole log here; ``progress`` takes (entries done, entries in all).

        The work is done in a thread, which calls ``progress``; one that is cancelled ends with the next entries.
        What this profile verified before, with no findings, is not read again: that the log goes on from there is part
        of what is verified. ``full`` begins at the first byte. ``trust`` is by default what the profile pins and has
        seen. A verified head is remembered. Bad data gives findings; only a failing connection raises.
        """
        from interlock.client.verify.live import LiveVerification  # noqa: PLC0415  # replay brings all of the rules

        text = await self.audit.newest_note()
        known, folder = trust or self.trust(), self.profile.folder
        anew = full or known.accept_restored
        async with _opened(partial(LiveVerification, folder, text, known, full=anew)) as verification:
            records = _Bridge(self.audit.tail(verification.start - 1, as_sent=True))
            async with _thread(partial(verification.judge, records, progress)) as judging:
                try:
                    report = await asyncio.shield(judging)
                finally:
                    await records.aclose()
        if report.verified:
            if known.genesis_digest == self.profile.genesis_digest:
                keep_keys(self.profile, report.keys)
            if report.let_go:
                return self.audit.accept_loss(text, report)
            self.audit.remember(text)
            return report
        parted = await self.audit.parted(verification.note, text, report)
        return report if parted is None else report.also(parted)

    async def export(
        self,
        path: Path,
        *,
        with_evidence: bool = False,
        start: AsOf = None,
        end: AsOf = None,
        models: Sequence[str] = (),
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Write the log to ``path`` as a bundle, and return how many entries are in it.

        All of it; or from ``start`` to ``end`` (positions or aware times); or what concerns ``models``.
        The file is there when it is whole, synced to disk, and not before. Nothing of it is believed here:
        `verify_bundle` judges it, anywhere.
        """
        entries = 0
        with files.replacing(path) as file:
            async for chunk in self.audit.export(with_evidence=with_evidence, start=start, end=end, models=models):
                file.write(chunk.data)
                entries = chunk.total
                if progress is not None:
                    progress(chunk.entries, chunk.total)
        return entries

    def trust(self) -> Trust:
        """Return what `verify_log` may believe: the profile's log and genesis, and the heads that it has seen."""
        from interlock.client.verify import Trust  # noqa: PLC0415  # replay brings all of the rules; few need it

        seen = self._transport.memory.load()
        return Trust(
            log_key=self.profile.log_key,
            log_id=self.profile.log_id,
            genesis_digest=self.profile.genesis_digest,
            heads=((seen.size, bytes.fromhex(seen.root)),) if seen.size else (),
            least_size=seen.least_position + 1,
            seen=(seen.note,) if seen.note else (),
        )

    @cached_property
    def _desk(self) -> AsyncSigningDesk:
        from interlock.client.aio.desk import AsyncSigningDesk  # noqa: PLC0415  # it brings all of the rules; the gate needs none

        return AsyncSigningDesk(self, self._passphrase, self._opened)


@asynccontextmanager
async def _thread(work: Callable[[], T]) -> AsyncIterator[asyncio.Future[T]]:
    """Run work in a thread until it ends: it goes on when who awaits it is cancelled, and what it uses must last."""
    running = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        yield running
    finally:
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # told to whoever awaited it, if anybody still does


@asynccontextmanager
async def _opened(work: Callable[[], AbstractContextManager[T]]) -> AsyncIterator[T]:
    """Open something in a thread, and close it in the end, even where it was opened for nobody any more."""
    with ExitStack() as stack:
        async with _thread(lambda: stack.enter_context(work())) as opening:
            opened = await asyncio.shield(opening)
        yield opened


class _Bridge:
    """What comes on the event loop, iterated by a thread: the verifier is one for both kinds of client."""

    def __init__(self, records: AsyncIterator[EntryRecord]) -> None:
        self._records = records
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._asked: asyncio.Task[list[EntryRecord]] | None = None

    def __iter__(self) -> Iterator[EntryRecord]:
        while not self._closed:
            some = asyncio.run_coroutine_threadsafe(self._some(), self._loop).result()
            yield from some
            if len(some) < _AT_ONCE:
                return

    async def _some(self) -> list[EntryRecord]:
        self._asked = asyncio.current_task()
        some: list[EntryRecord] = []
        if self._closed:
            return some
        async for record in self._records:
            some.append(record)
            if len(some) == _AT_ONCE:
                break
        return some

    async def aclose(self) -> None:
        """Let the thread end; what it had asked for comes to nobody."""
        self._closed = True
        if self._asked is not None and not self._asked.done():
            self._asked.cancel()
            await asyncio.wait([self._asked])
