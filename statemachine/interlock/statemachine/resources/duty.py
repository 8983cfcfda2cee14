"""Duties, and what went wrong.

Frozen values of the fold, one class a kind; ``resources/__init__.py`` says how to read them.
"""

from __future__ import annotations

from dataclasses import dataclass

from interlock.statemachine.resources.never import NEVER


@dataclass(frozen=True, slots=True)
class Obligation:
    """``obligations/{id}``: the grid of its periods, from the adoption that first named it; nothing moves it.

    Each of ``grids`` is the number of its first period, when that began, and how long each lasts (microseconds; 0 where
    the grid ends there). A later policy that says another length adds one, after the period that runs then. ``opened``
    is the number of the last period that an entry opened; such a period carries its own span.
    """

    name: str
    grids: tuple[tuple[int, int, int], ...] = ()
    opened: int = 0

    def running(self, instant: int) -> int:
        """Number of the last period that has begun at ``instant`` (microseconds); 0 before the first."""
        for first, since, every in reversed(self.grids):
            if since <= instant:
                return max(self.opened, first + (instant - since) // every if every else first - 1)
        return self.opened

    def span(self, number: int) -> tuple[int, int]:
        """When a period of the grid begins, and when it is due: its end (microseconds)."""
        first, since, every = next(grid for grid in reversed(self.grids) if grid[0] <= number and grid[2])
        start = since + (number - first) * every
        return start, start + every


@dataclass(frozen=True, slots=True)
class Period:
    """``obligations/{id}/periods/{n}``; one that no entry wrote is due. That it is overdue is derived at an instant.

    A period that an entry opened has its own ``start`` and ``due`` (microseconds) and names its ``cause``: an incident,
    an exception, a model or a later artifact of one that was deployed, a policy version that was adopted. One of the
    grid has none of these. ``ended``: the incident that it was owed for was closed before it was overdue.
    """

    name: str
    state: str = "due"
    evidence: tuple[str, ...] = ()
    fulfilled_at: int | None = None
    fulfiller: str = ""
    fulfilled_by: int = NEVER
    waived_until: int | None = None
    waived_by: int = NEVER
    start: int | None = None
    due: int | None = None
    cause: str = ""
    ended_by: int = NEVER

    @property
    def is_owed(self) -> bool:
        """True until it is fulfilled, or has ended."""
        return self.state not in {"fulfilled", "ended"}

    def overdue_from(self, due: int) -> int | None:
        """From when on it is overdue, given when it is due (microseconds): the later end of a waiver; None: never."""
        if not self.is_owed:
            return None
        return due if self.waived_until is None else max(due, self.waived_until)


@dataclass(frozen=True, slots=True)
class Incident:
    """``incidents/{n}``: what went wrong with a model, or with everything (``-``).

    ``severity`` is an id of the policy, empty until a named person judged it; ``reporter`` is empty where nobody was
    named. Times are microseconds.
    """

    name: str
    target: str
    category: str
    severity: str = ""
    state: str = "reported"
    discovered_at: int = 0
    reported_at: int = 0
    reporter: str = ""
    title_digest: bytes = b""
    moved_at: int = 0
    mover: str = ""
    reason_digest: bytes = b""
    lowered_by: int = NEVER
    closed_by: int = NEVER

    @property
    def is_open(self) -> bool:
        """True until it is closed."""
        return self.state != "closed"


@dataclass(frozen=True, slots=True)
class Finding:
    """``findings/{n}``: what an analyser of activity records saw of a model, or of everything (``-``)."""

    name: str
    target: str
    severity: str
    state: str = "raised"
    evidence: tuple[str, ...] = ()
    raised_at: int = 0
    raiser: str = ""
    title_digest: bytes = b""
    moved_at: int = 0
    mover: str = ""
    reason_digest: bytes = b""
    dismissed_by: int = NEVER
