"""A running server's log, judged from where the last verification of it here ended, or from its first byte.

Lives here: whether and how to go on. Not here: reaching the server (`client/sdk.py`), the files (`kept.py`).
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from interlock.client import files
from interlock.client.verify import kept
from interlock.client.verify.procedure import Procedure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from interlock.client.verify.procedure import Record
    from interlock.client.verify.report import Progress, Trust, VerifyReport

FOLDER: Final = "verified"
"""In the profile's folder: what was verified."""


class LiveVerification:
    """One verification: ``start`` says from which entry on records are wanted; `judge` them. A context manager.

    ``note`` is the head up to which was gone on from, empty where everything is judged anew. Never in a way that shows
    a `visit` less than everything: who looks at states of the past reads all of it.
    """

    def __init__(self, profile_folder: Path, checkpoint_note: str, trust: Trust, *, full: bool = False) -> None:
        """Open what was kept beside the profile, unless ``full`` starts anew."""
        self._folder = profile_folder / FOLDER
        self._text = checkpoint_note
        self._anew = ""
        self.note = ""
        self._procedure = self._begin(trust) if not full else self._from_nothing(trust)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the temporary files back."""
        self._procedure.end()

    @property
    def start(self) -> int:
        """The first entry that is wanted."""
        return self._procedure.frontier.size

    def judge(self, records: Iterable[Record], progress: Progress | None = None) -> VerifyReport:
        """Judge the entries from ``start`` on, and keep what is without findings for the next time."""
        report = replace(self._procedure.judge(records, progress), anew=self._anew)
        if not report.verified or not report.now.entries:
            return report
        try:
            with files.unless_read_only(), _alone(self._folder):
                kept.keep(self._folder, self._procedure, self._text)
        except (OSError, sqlite3.Error) as error:
            return replace(report, not_kept=str(error))  # the log is verified all the same
        return report

    def _from_nothing(self, trust: Trust) -> Procedure:
        procedure = Procedure(trust)
        procedure.open_head(self._text)
        return procedure

    def _begin(self, trust: Trust) -> Procedure:
        try:
            with _alone(self._folder):
                found = kept.open_kept(self._folder, trust)
                if found is None:
                    return self._from_nothing(trust)
                seen = (*trust.seen, found.note)
                trust = replace(trust, least_size=max(trust.least_size, found.size), seen=seen)
                with ExitStack() as undo:
                    procedure = self._from_nothing(trust)
                    undo.callback(procedure.end)
                    if found.size > procedure.size:
                        undo.pop_all()
                        self._anew = f"the server's head is below the {found.size} entries that were verified here"
                        return procedure
                    if not found.knows(self._text):  # with a restore, what was verified may be what was lost
                        undo.pop_all()
                        self._anew = "the server's head is by another key than the log had when it was verified here"
                        return procedure
                    kept.take_up(found, procedure)
                    self.note = found.note
                    undo.pop_all()
                    return procedure
        except kept.KeptError as error:
            self._anew = str(error)
            return self._from_nothing(trust)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes out, where there is anything to keep them out of."""
    lock = folder.parent / f"{FOLDER}.lock"
    with ExitStack() as held:
        with files.unless_read_only():
            held.enter_context(files.locked(lock))
        yield
