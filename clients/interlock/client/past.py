"""A log as it was at some moments: out of a running server, or out of a bundle that was verified on the way.

From a server it is the server's word, which `audit verify` proves. From a bundle nothing is believed: every entry up to
the moment, and past it to the bundle's end, was decided again here.
Lives here: getting a moment's fold, and what entries it names. Not here: what is asked of it (`statemachine/tree.py`,
`compare.py`), printing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from interlock.client.entries import check_is
from interlock.client.errors import DataLossError, InvalidRequestError
from interlock.statemachine import snapshot
from interlock.statemachine.compare import Moment, before_the_founding
from interlock.statemachine.policy.files import pack_digest
from interlock.statemachine.policy.findings import PackError
from interlock.statemachine.policy.loader import load_pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from interlock.client.sdk import Interlock
    from interlock.client.spool import Spool
    from interlock.client.verify.report import Progress, Trust, VerifyReport
    from interlock.statemachine.entry import Entry
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State
    from interlock.v1 import ledger_pb2

    When = int | datetime | None

_FAR = 1 << 62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def live_moment(client: Interlock, when: When) -> Moment:
    """Return the log as a server says that it was; a moment before its founding has nothing in it.

    Raises DataLossError for states or packs that are not what they are called.
    """
    try:
        found = client.audit.state_at(as_of=when)
    except InvalidRequestError:
        if not isinstance(when, datetime) or _microseconds(when) >= client.audit.state_at(as_of=0).instant:
            raise
        return before_the_founding(_microseconds(when))
    try:
        rows = [(row.name, row.position, snapshot.decode(row.state)) for row in found.resources]
        state = snapshot.rebuild(rows, size=found.position + 1, time=found.instant)
    except snapshot.SnapshotError as error:
        raise DataLossError(f"the server gave what is no state: {error}", reason="STATE") from error
    return Moment(found.position, found.instant, state, _policy_of(client, state))


def live_entries(client: Interlock, positions: Iterable[int]) -> dict[int, ledger_pb2.LedgerEntry]:
    """Return entries by position, as a server gives them. Raises DataLossError for others."""
    return {at: check_is(client.audit.get(at), at) for at in sorted(set(positions))}


def _policy_of(client: Interlock, state: State) -> Policy | None:
    """Return the policy that a state is judged by, loaded from the pack that has the state's digest."""
    if state.policy is None:
        return None
    pack = client.policy.get(state.policy.name).pack
    files = {row.path: row.content for row in pack.files}
    try:
        if pack_digest(files) == state.policy.digest:
            return load_pack(files)
    except PackError as error:
        raise DataLossError(f"the pack of {state.policy.name} can't be read: {error}", reason="PACK") from error
    raise DataLossError(f"the pack of {state.policy.name} does not have its digest", reason="DIGEST_MISMATCH")


@dataclass(slots=True)
class _Watch:
    """Keeps the last state at or before a moment while entries are judged."""

    when: When
    found: Moment | None = None

    def see(self, entry: Entry, state: State, policy: Policy | None) -> None:
        if isinstance(self.when, int):
            if entry.seq == self.when:
                self.found = Moment(entry.seq, entry.time, state, policy)
            return
        instant = _FAR if self.when is None else _microseconds(self.when)
        if entry.time <= instant:
            self.found = Moment(entry.seq, entry.time if self.when is None else instant, state, policy)


@dataclass(frozen=True, slots=True)
class BundlePast:
    """What was asked of a bundle: its verification, and the moments in the order in which they were asked for.

    A moment is None where the bundle does not reach so far: past the last entry another may have been made by then,
    also where that was the log's last. So it is at a position whose entry is not in it: when that was made, and so
    what had ended by then, nobody can tell. One before the founding has nothing in it. ``until`` is the time of its
    last entry (microseconds), ``last`` the position of that entry.
    """

    report: VerifyReport
    moments: tuple[Moment | None, ...]
    until: int
    last: int

    def judges(self, model: str) -> bool:
        """Say whether the bundle has all that concerns a model."""
        part = self.report.part
        return part is None or not part.models or model in part.models


@dataclass(slots=True)
class _Seen:
    watches: list[_Watch]
    until: int = 0
    last: int = -1
    founded: bool = False

    def __call__(self, entry: Entry, state: State, policy: Policy | None) -> None:
        self.until, self.last = entry.time, entry.seq
        self.founded = self.founded or entry.seq == 0
        for watch in self.watches:
            watch.see(entry, state, policy)


def read_bundle_past(
    path: Path, trust: Trust, whens: Sequence[When], progress: Progress | None = None, spool: Spool | None = None
) -> BundlePast:
    """Verify a bundle from its first byte, and return the log as it was at some moments. Raises OSError.

    It is read once; ``spool`` keeps its entries on the way.
    """
    from interlock.client.verify import verify_bundle  # noqa: PLC0415  # it brings all of the rules

    seen = _Seen([_Watch(when) for when in whens])
    with path.open("rb") as file:
        report = verify_bundle(file.read, trust, progress, visit=seen, keep=spool.keep if spool is not None else None)
    moments = [watch.found for watch in seen.watches]
    for index, when in enumerate(whens):
        if moments[index] is None and isinstance(when, datetime) and seen.founded:
            moments[index] = before_the_founding(_microseconds(when))
        if isinstance(when, datetime) and _microseconds(when) > seen.until:
            moments[index] = None  # an entry that is not here may have been made by then, also after the export
    return BundlePast(report, tuple(moments), seen.until, seen.last)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
