"""`Interlock`: one principal at one server, with everything the contract offers.

Lives here: putting the parts together. Not here: the methods themselves (`groups/`).
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

from interlock.client import files, names
from interlock.client.groups import (
    Assessments,
    Audit,
    Changes,
    Deployments,
    EvidenceGroup,
    Findings,
    Gate,
    Holds,
    Identity,
    Incidents,
    Measures,
    Models,
    Obligations,
    Policies,
    Safeguards,
)
from interlock.client.keyfile import passphrase_source
from interlock.client.log_keys import keep_keys
from interlock.client.memory import Memory
from interlock.client.opened import OpenedEvidence
from interlock.client.profile import find_profile, load_profile
from interlock.client.session import Sessions
from interlock.client.transport import Retry, Ticking, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from interlock.client.desk import SigningDesk
    from interlock.client.groups.base import AsOf
    from interlock.client.keyfile import Passphrase
    from interlock.client.profile import Profile
    from interlock.client.review import OpenedChange, ReviewedChange
    from interlock.client.verify import Trust, VerifyReport
    from interlock.v1.change_pb2 import Change
    from interlock.v1.identity_pb2 import Delegation

DEFAULT_TIMEOUT_SECONDS: Final = 30.0


class Interlock:
    """A client of an Interlock server. Use it as a context manager, or `close` it.

    Methods answer with the contract's messages and raise `InterlockError`: `RefusedError.unmet` lists everything that
    is missing. Not safe to share between threads while a login is under way; make one for each thread.
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
        transport = Transport(
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
        self.models = Models(transport)
        self.assessments = Assessments(transport)
        self.safeguards = Safeguards(transport)
        self.holds = Holds(transport)
        self.changes = Changes(transport)
        self.evidence = EvidenceGroup(transport, opened=self._opened)
        self.gate = Gate(transport)
        self.deployments = Deployments(transport)
        self.measures = Measures(transport)
        self.obligations = Obligations(transport)
        self.incidents = Incidents(transport)
        self.findings = Findings(transport)
        self.audit = Audit(transport)
        self.policy = Policies(transport)
        self.identity = Identity(transport)

    @classmethod
    def from_profile(
        cls,
        which: str | None = None,
        *,
        passphrase: Passphrase | None = None,
        passphrase_file: Path | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        environment: Mapping[str, str] | None = None,
    ) -> Interlock:
        """Return a client for a profile by name or path; without one, that of INTERLOCK_PROFILE or the only one.

        The passphrase of its keys comes from ``passphrase_file``, INTERLOCK_PASSPHRASE_FILE, the profile's own file, or
        ``passphrase``, in this order. Raises ProfileError.
        """
        around = os.environ if environment is None else environment
        profile = load_profile(find_profile(which, around))
        source = passphrase_source(profile, around, file=passphrase_file, ask=passphrase)
        return cls(profile, passphrase=source, timeout_seconds=timeout_seconds)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; the session is kept in the profile folder."""
        self._transport.close()

    def open_change(self, change: str, *, as_of: AsOf = None) -> OpenedChange:
        """Return a change, now or as it stood, with its content decoded and its texts checked. Raises ContentError."""
        return self._desk.open(change, as_of)

    def review(self, change: str) -> ReviewedChange:
        """Return a change that can be shown in full and so be signed. Raises ContentError."""
        return self._desk.review(change)

    def sign(
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
        return self._desk.sign(reviewed, wish, request_id)

    def withdraw_sign_off(self, change: str, *, request_id: str | None = None) -> Change:
        """Sign the withdrawal of one's own sign-off and send it. Raises RefusedError where there is none."""
        return self._desk.withdraw(change, request_id)

    def delegate(
        self, role: str, *, to: str, until: datetime, start: datetime | None = None, request_id: str | None = None
    ) -> Delegation:
        """Sign that ``to`` may act in an approving role of the caller's, and hand it in; from now on without ``start``.

        On a change where it is used the two are one person. Raises RefusedError where ``to`` can't have the role.
        """
        from interlock.client.signing import Wish  # noqa: PLC0415  # it brings all of the rules; the gate needs none

        return self._desk.delegate(Wish(role, to, until, start), request_id)

    def verify(
        self,
        progress: Callable[[int, int], None] | None = None,
        trust: Trust | None = None,
        *,
        full: bool = False,
    ) -> VerifyReport:
        """Verify the whole log here; ``progress`` takes (entries done, entries in all).

        What this profile verified before, with no findings, is not read again: that the log goes on from there is part
        of what is verified. ``full`` begins at the first byte. ``trust`` is by default what the profile pins and has
        seen. A verified head is remembered. Bad data gives findings; only a failing connection raises.
        """
        from interlock.client.verify.live import LiveVerification  # noqa: PLC0415  # replay brings all of the rules

        text, held_to = self.audit.newest_note(), trust or self.trust()
        anew = full or held_to.accept_restored
        with LiveVerification(self.profile.folder, text, held_to, full=anew) as verification:
            report = verification.judge(self.audit.tail(verification.start - 1, as_sent=True), progress)
        if report.verified:
            if held_to.genesis_digest == self.profile.genesis_digest:
                keep_keys(self.profile, report.keys)
            if report.let_go:
                return self.audit.accept_loss(text, report)
            self.audit.remember(text)
            return report
        parted = self.audit.parted(verification.note, text, report)
        return report if parted is None else report.also(parted)

    def export(
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
            for chunk in self.audit.export(with_evidence=with_evidence, start=start, end=end, models=models):
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
    def _desk(self) -> SigningDesk:
        from interlock.client.desk import SigningDesk  # noqa: PLC0415  # it brings all of the rules; the gate needs none

        return SigningDesk(self, self._passphrase, self._opened)
