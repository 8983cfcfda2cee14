"""What witnesses say of this log's checkpoints: checked, kept beside the checkpoint, and served with it.

Which witnesses are known is the operator's to say; it decides only whose cosignatures are kept here. How many, and
whose, make a checkpoint good is for its readers to decide, each by their own list of witness keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from interlock.proofs import cosignature, note
from interlock.proofs.errors import RefusedError
from interlock.service.clock import MICROSECONDS
from interlock.service.errors import Invalid, LedgerUnhealthy
from interlock.service.ledger.checkpoints import opens
from interlock.service.ledger.health import disagrees, rolled_back
from interlock.service.storage import queries, writes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from interlock.proofs.log_keys import LogKeys
    from interlock.service.clock import Clock
    from interlock.service.ledger.checkpoints import CheckpointSigner
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.proving import Prover
    from interlock.service.storage import Store

MAX_WITNESSES: Final = 64
"""How many witnesses a log may know: with the log's own, fewer lines than a note may have."""


class WitnessesError(ValueError):
    """The file of witnesses can't be used; the message says where."""


def load_witnesses(path: Path | None) -> tuple[cosignature.WitnessKey, ...]:
    """Read verifier keys of witnesses, one a line; lines that begin with `#` are remarks. Raises WitnessesError."""
    if path is None:
        return ()
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WitnessesError(f"{path} can't be read: {error}") from error
    found: dict[str, cosignature.WitnessKey] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            witness = cosignature.WitnessKey.from_vkey(line.strip())
        except RefusedError as error:
            raise WitnessesError(f"{path}, line {number}: {error}") from error
        if found.setdefault(witness.name, witness) != witness:
            raise WitnessesError(f"{path}, line {number}: a second key of {witness.name}")
    if len(found) > MAX_WITNESSES:
        raise WitnessesError(f"{path}: {len(found)} witnesses, at most {MAX_WITNESSES} can be known")
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Cosigning:
    """Checkpoints as they are shown: the log's own signature, then those of its witnesses."""

    committer: Committer
    store: Store
    prover: Prover
    signer: CheckpointSigner
    witnesses: tuple[cosignature.WitnessKey, ...]
    clock: Clock

    async def newest(self) -> str:
        """Return the newest checkpoint. Raises LedgerUnhealthy, StoreUnavailable."""
        text = await self.committer.checkpoint()
        return (await self._with_lines({note.Checkpoint.from_text(note.split_note(text).text).size: text}))[0]

    async def of_size(self, size: int, root: bytes) -> str:
        """Return the checkpoint of a proven tree head; signed now, if it was never shown. Raises as above."""
        shown = await self.store.read(lambda connection: queries.checkpoint(connection, size))
        if shown is None:
            shown = await self.committer.sign_head(size, root)
        elif not opens(self._keys, shown, size, root):
            health = disagrees(f"the stored checkpoint of {size} entries is not what this log signed")
            self.committer.distrust(health)
            raise LedgerUnhealthy(health.code)
        return (await self._with_lines({size: shown}))[0]

    async def page(self, *, after: int | None, limit: int, descending: bool) -> tuple[tuple[int, str], ...]:
        """Return checkpoints that were shown, (size, note), past the size ``after``. Raises StoreUnavailable."""
        rows = await self.store.read(partial(queries.checkpoint_page, after=after, limit=limit, descending=descending))
        return tuple(zip((size for size, _ in rows), await self._with_lines(dict(rows)), strict=True))

    async def add(self, text: str) -> str:
        """Keep what known witnesses say of a checkpoint, and return it with all that is kept of it.

        1. A key of this log signed it that had not ended there: else nothing of it is believed. 2. Such a checkpoint
        that is not of this tree proves that this log was rolled back or forked: from then on it is not relied on. 3. At
        least one witness that is known here cosigned it, and no line of a known one is bad. 4. It did so after the last
        entry was made, and not in the future: else no reader would count it, and its clock is to be set right.

        Raises Invalid, LedgerUnhealthy, StoreUnavailable.
        """
        try:
            checkpoint, _ = self._keys.open(text)  # 1
        except RefusedError as error:
            raise Invalid("note", f"is no checkpoint of this log: {error}") from error
        if not self.committer.health.ok:
            raise LedgerUnhealthy(self.committer.health.code)
        await self._check_history(checkpoint)  # 2
        try:
            found = cosignature.open_cosignatures(text, self.witnesses)  # 3
        except RefusedError as error:
            raise Invalid("note", f"has a cosignature that is no good: {error}") from error
        if not found:
            raise Invalid(
                "note",
                "has no cosignature of a witness that this log knows; the server's `witnesses` names those",
            )
        self._check_times(checkpoint.size, [one.timestamp for one in found])  # 4
        own = await self.of_size(checkpoint.size, checkpoint.root)

        def keep(connection: Connection) -> None:
            for one in found:
                writes.put_cosignature(connection, checkpoint.size, one.witness.name, one.timestamp, one.line)

        if own.partition("\n\n")[0] != text.partition("\n\n")[0]:
            raise Invalid("note", "is not the checkpoint that this log has shown")
        await self.committer.side(keep)
        return await self.of_size(checkpoint.size, checkpoint.root)

    def _check_times(self, size: int, times: Sequence[int]) -> None:
        """Hold times (POSIX seconds) of cosignatures of ``size`` entries to the log's clock. Raises Invalid."""
        made = self.committer.time_of(size - 1) // MICROSECONDS if size else 0
        if min(times) < made - cosignature.CLOCKS_APART_SECONDS:
            raise Invalid("note", "was cosigned before its last entry was made: the witness's clock is behind")
        if max(times) > self.clock.now_us() // MICROSECONDS + cosignature.CLOCKS_APART_SECONDS:
            raise Invalid("note", "was cosigned in the future: the witness's clock is ahead")

    @property
    def _keys(self) -> LogKeys:
        return self.signer.history(self.committer.view.state.log)

    async def _check_history(self, checkpoint: note.Checkpoint) -> None:
        size = self.committer.view.state.size
        if checkpoint.size > size:
            self.committer.distrust(
                rolled_back(f"the log has {size} entries, a witness holds its signed head of {checkpoint.size}")
            )
        elif checkpoint.size and (await self.prover.head(checkpoint.size)).root != checkpoint.root:
            self.committer.distrust(
                disagrees(f"a witness holds another signed head of {checkpoint.size} entries: the log was forked")
            )
        if not self.committer.health.ok:
            raise LedgerUnhealthy(self.committer.health.code)

    async def _with_lines(self, shown: dict[int, str]) -> tuple[str, ...]:
        lines = await self.store.read(lambda connection: queries.cosignatures(connection, shown))
        return tuple(text + "".join(lines.get(size, ())) for size, text in shown.items())
