"""Changes, the sign-offs on them, and the documents that they rest on.

Frozen values of the fold, one class a kind; ``resources/__init__.py`` says how to read them.
"""

from __future__ import annotations

from dataclasses import dataclass

from interlock.statemachine.resources.never import NEVER


@dataclass(frozen=True, slots=True)
class Evidence:
    """``evidence/{n}``: a document's record; ``first_upload`` is when these bytes were first recorded.

    ``readers`` may open it where it is restricted, ``opened_by`` are those who left an entry that they did.
    """

    name: str
    kind: str
    title_digest: bytes
    media_type: str
    sha256: str
    size: int
    uploader: str
    authors: tuple[str, ...]
    made_at: int
    valid_until: int
    classification: str
    redacts: str
    effective_compute: str
    recorded_at: int
    first_upload: int
    readers: tuple[str, ...] = ()
    opened_by: tuple[str, ...] = ()

    @property
    def fresh_from(self) -> int:
        """The moment that freshness counts from (domain design, "Time")."""
        return min(self.made_at, self.first_upload)


@dataclass(frozen=True, slots=True)
class SignOff:
    """One accepted sign-off statement on one revision of a change.

    ``on_behalf_of`` is the account whose roles the signer acts in by a delegation, empty for their own.
    """

    signer: str
    person: str
    credential: str
    decision: str
    revision: int
    roles: tuple[str, ...]
    position: int
    at: int
    not_after: int
    comment_digest: bytes
    envelope_digest: bytes
    seen: tuple[tuple[str, str], ...] = ()
    on_behalf_of: str = ""


@dataclass(frozen=True, slots=True)
class AskedSlot:
    """One slot of a rule that a change was judged by; ``external`` holds the role's own affiliation too."""

    role: str
    distinct_from: tuple[str, ...]
    external: bool
    assurance: str
    seen_full: bool
    veto: bool


@dataclass(frozen=True, slots=True)
class AskedRule:
    """A rule that a change was judged by, and on which model (empty for what is not one model's).

    ``evidence`` is each kind asked for with how fresh (microseconds, 0 for any age); ``given_by`` the entry that
    adopted the policy that says so.
    """

    rule: str
    model: str
    slots: tuple[AskedSlot, ...]
    evidence: tuple[tuple[str, int], ...]
    given_by: int


@dataclass(frozen=True, slots=True)
class Word:
    """An approval that counted when its change was applied.

    ``sign_off`` is its position in the log; each of ``fits`` a slot that it could fill (place of the rule, place of the
    slot in it) with the ways in which it could, any of which would do: a grant, and what delegation lent it or empty.
    """

    sign_off: int
    fits: tuple[tuple[int, int, tuple[tuple[str, str], ...]], ...]


@dataclass(frozen=True, slots=True)
class Grounds:
    """What an applied change rests on, so that it can be judged again by what is learned later (``taint.py``).

    ``requesters`` are the accounts that requested it, ``authors`` those that made its evidence, of what it ratifies
    too; ``admins`` those that administered then or lately; ``barred`` those that signed the use of break-glass which it
    reviews or waives the review of.
    """

    rules: tuple[AskedRule, ...]
    words: tuple[Word, ...]
    requesters: tuple[str, ...]
    authors: tuple[str, ...]
    admins: tuple[str, ...]
    barred: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """``changes/{n}`` as stored; approved, stale, expired and tainted are derived (``changes.py``, ``taint.py``)."""

    name: str
    state: str
    revision: int
    content: bytes
    content_digest: bytes
    requesters: tuple[str, ...]
    proposer: str
    proposed_at: int
    proposed_position: int
    edited_at: int
    sign_offs: tuple[SignOff, ...] = ()
    applied_position: int = NEVER
    applied_slots: tuple[tuple[str, str, str, str], ...] = ()
    grounds: Grounds | None = None
    ratified_by: tuple[int, ...] = ()
