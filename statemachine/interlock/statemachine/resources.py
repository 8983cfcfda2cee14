"""What the fold knows of each resource: frozen values, one class a kind.

A field named ``*_by`` is the position of the loosening entry that gave the fact beside it; it is what taint
follows (identity design, "Taint"), so tightening, neutral triggers and carry-over keep it. Times are Unix
microseconds UTC. Nothing here is derived: whether something has lapsed or expired is asked at an instant.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NEVER = -1
"""Position of an entry that never was."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A weights manifest of a model."""

    sha256: str
    added_by: int


@dataclass(frozen=True, slots=True)
class Model:
    """``models/{id}``."""

    name: str
    state: str = "registered"
    artifacts: tuple[Artifact, ...] = ()
    registered_at: int = 0
    effective_compute: str = ""


@dataclass(frozen=True, slots=True)
class Determination:
    """``models/{m}/determinations/{threshold}``; ``lapses_at`` is None for "not set" (unconfirmed).

    ``merged_by``: other entries whose facts were merged in this one when a policy was adopted.

    ``evidence`` is what the reports rest on that led to the conclusion.
    """

    name: str
    conclusion: str = "undetermined"
    confirmed: bool = False
    lapses_at: int | None = None
    conclusion_by: int = NEVER
    confirmed_by: int = NEVER
    lapse_by: int = NEVER
    compute_at_confirmation: str = ""
    evidence: tuple[str, ...] = ()
    merged_by: tuple[int, ...] = ()

    @property
    def state(self) -> str:
        """Name of the machine's state: ``undetermined``, or conclusion and confirmation."""
        if self.conclusion == "undetermined":
            return "undetermined"
        return f"{self.conclusion}/{'confirmed' if self.confirmed else 'unconfirmed'}"

    def lapsed_at(self, instant: int) -> bool:
        """True when its confirmation has run out at ``instant`` (microseconds); intervals are [from, until)."""
        return self.confirmed and self.lapses_at is not None and instant >= self.lapses_at


@dataclass(frozen=True, slots=True)
class Level:
    """``models/{m}/levels/{standard}``; ``assigned`` is empty while unassigned."""

    name: str
    kind: str = "unassigned"
    assigned: str = ""
    assigned_by: int = NEVER

    @property
    def state(self) -> str:
        """``unassigned``, ``provisional(level)`` or ``confirmed(level)``."""
        return f"{self.kind}({self.assigned})" if self.assigned else self.kind


@dataclass(frozen=True, slots=True)
class Safeguard:
    """``models/{m}/safeguards/{s}`` or ``safeguards/{s}``; one that no entry wrote is planned.

    What a suspended one remembers rests on ``active_by`` still; ``resumed_by`` ended its last suspension.
    """

    name: str
    stage: str = "planned"
    remembers: str = ""
    attested_until: int | None = None
    attested_at: int | None = None
    evidence: tuple[str, ...] = ()
    verified_by: str = ""
    active_by: int = NEVER
    attested_by: int = NEVER
    resumed_by: int = NEVER
    since: int = 0
    since_actor: str = ""
    reason_digest: bytes = b""

    @property
    def state(self) -> str:
        """Name of the machine's state; a suspended one names what it remembers."""
        return f"suspended({self.remembers})" if self.stage == "suspended" else self.stage

    def attested_to(self, lasts_us: int) -> int | None:
        """When its attestation ends: as written then, or sooner where an attestation lasts ``lasts_us`` by now."""
        if self.attested_until is None or self.attested_at is None:
            return self.attested_until
        return min(self.attested_until, self.attested_at + lasts_us)


@dataclass(frozen=True, slots=True)
class Hold:
    """``holds/{n}``; ``target`` is a model or ``-`` for everything."""

    name: str
    target: str
    state: str = "placed"
    placed_at: int = 0
    placed_actor: str = ""
    reason_digest: bytes = b""
    lifted_by: int = NEVER


@dataclass(frozen=True, slots=True)
class Assessment:
    """``assessments/{n}``; ``reports`` are positions of the report entries made under it."""

    name: str
    model: str
    thresholds: tuple[str, ...]
    state: str = "open"
    reports: tuple[int, ...] = ()
    opened_at: int = 0
    opened_actor: str = ""
    reason_digest: bytes = b""


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
    too; ``admins`` those that administered then or lately.
    """

    rules: tuple[AskedRule, ...]
    words: tuple[Word, ...]
    requesters: tuple[str, ...]
    authors: tuple[str, ...]
    admins: tuple[str, ...]


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


@dataclass(frozen=True, slots=True)
class Credential:
    """A key of a principal, or a subject of an issuer, kept for ever: it is nobody else's once it was theirs.

    ``until`` is its own end; ``revoked_at`` is None while nobody revoked it; what it signed from
    ``compromised_since`` on is nobody's word.
    """

    fingerprint: str
    use: str
    public_key: bytes
    state: str = "active"
    valid_from: int = 0
    registered_by: int = NEVER
    revoked_at: int | None = None
    compromised_since: int | None = None
    until: int | None = None
    held_in: str = ""
    issuer: str = ""
    subject: str = ""
    claims: tuple[str, ...] = ()

    def active_at(self, instant: int) -> bool:
        """True while it is neither revoked nor past its end at ``instant`` (microseconds)."""
        return self.state == "active" and (self.until is None or instant < self.until)


@dataclass(frozen=True, slots=True)
class Issuer:
    """``issuers/{id}``: an OpenID provider whose word on who logs in counts, while it is trusted."""

    name: str
    url: str
    audience: str
    algorithm: str
    state: str = "trusted"
    trusted_by: int = NEVER


@dataclass(frozen=True, slots=True)
class Principal:
    """``principals/{p}``; ``person`` is who counts in quorums (empty for services).

    States: invited until it has its first key, active, suspended, removed. ``given_by`` are the entries that created
    or restored it, oldest first: what it signed rests on those of its time. ``linked_by`` is the entry that last joined
    it to another's person; ``unlinked_by`` the one that made it a person's of its own, who ``person_was`` before.
    """

    name: str
    kind: str
    person: str
    state: str = "active"
    recovery: bool = False
    credentials: tuple[Credential, ...] = ()
    given_by: tuple[int, ...] = ()
    linked_by: int = NEVER
    unlinked_by: int = NEVER
    person_was: str = ""

    def credential(self, fingerprint: str) -> Credential | None:
        """The key with this fingerprint, or None."""
        return next((c for c in self.credentials if c.fingerprint == fingerprint), None)


@dataclass(frozen=True, slots=True)
class Grant:
    """``grants/{n}``: principal, role, scope. ``until`` is its own end, ``ended_at`` when somebody ended it."""

    name: str
    principal: str
    role: str
    scope: str
    state: str = "active"
    given_at: int = 0
    given_position: int = NEVER
    until: int | None = None
    given_by: int = NEVER
    ended_at: int | None = None


@dataclass(frozen=True, slots=True)
class Exemption:
    """``exceptions/{n}``: a hold or a safeguard that break-glass excepts until an instant (microseconds).

    ``trigger`` is what it stands in for, ``review`` the period of an obligation that its review is. ``ended``: a
    tightening trigger ended it; that it ran out is derived.
    """

    name: str
    resource: str
    trigger: str
    until: int
    state: str = "open"
    opened_at: int = 0
    opened_by: int = NEVER
    review: str = ""
    ended_at: int | None = None
    ender: str = ""

    def holds_at(self, instant: int) -> bool:
        """True while nobody ended it and it has not run out at ``instant`` (microseconds)."""
        return self.state == "open" and instant < self.until


@dataclass(frozen=True, slots=True)
class Delegation:
    """``delegations/{n}``: who may act in a role for whom, from ``start`` until ``until`` (microseconds).

    ``credential`` is the fingerprint of the key that signed it. ``ended``: somebody ended it; that its window has
    passed is derived.
    """

    name: str
    delegator: str
    delegate: str
    role: str
    start: int
    until: int
    state: str = "active"
    given_at: int = 0
    given_position: int = NEVER
    credential: str = ""
    envelope_digest: bytes = b""
    ended_at: int | None = None
    ender: str = ""
    reason_digest: bytes = b""

    def holds_at(self, instant: int) -> bool:
        """True in its window (microseconds), unless somebody ended it."""
        return self.state == "active" and self.start <= instant < self.until


@dataclass(frozen=True, slots=True)
class Log:
    """``log``: what the genesis said of the log itself; ``recovered`` are digests of the recoveries that were done."""

    name: str
    log_id: bytes
    log_key: bytes
    decision_key: bytes
    genesis_digest: bytes
    development: bool
    recovery_threshold: int
    closed: bool = False
    countersigned: tuple[str, ...] = ()
    recovered: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """``decisions/{n}``: a verdict that was given in writing. Judged at ``position`` and ``instant`` (microseconds)."""

    name: str
    model: str
    context: str
    artifact: str
    allowed: bool
    position: int
    instant: int
    expires: int
    statement_digest: bytes
    asked_by: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """``deployments/{n}``: a model that runs somewhere. Whether it is out of compliance is derived, never stored.

    ``allowed`` is the gate's verdict at the log before the entry that recorded it; ``ended_at`` is None while live.
    """

    name: str
    model: str
    context: str
    artifact: str
    location: str
    decision: str
    allowed: bool
    state: str = "live"
    recorded_at: int = 0
    recorder: str = ""
    ended_at: int | None = None
    ender: str = ""


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """``policies/{id}/versions/{v}``: a version that was adopted at some time; ``superseded`` once another was."""

    name: str
    version: str
    digest: bytes
    state: str = "adopted"
    adopted_at: int = 0
    adopted_by: int = field(default=NEVER)


@dataclass(frozen=True, slots=True)
class Pack:
    """``policies/{id}/versions/{v}/packs/{sha256}``: what a change proposes to adopt.

    ``data`` is the pack as it is kept beside the log; whoever knows the state can load every policy it may come to.
    """

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class InterimMeasure:
    """``interimMeasures/{n}``: stands in for safeguards of a model in some contexts, until an instant (microseconds).

    ``safeguards`` and ``contexts`` are ids of the policy. ``ended``: somebody ended it; that it ran out is derived.
    """

    name: str
    model: str
    safeguards: tuple[str, ...]
    contexts: tuple[str, ...]
    until: int
    state: str = "in_force"
    in_force_from: int = 0
    in_force_by: int = NEVER
    ended_at: int | None = None
    ender: str = ""
    reason_digest: bytes = b""

    def holds_at(self, instant: int) -> bool:
        """True while it is in force and has not run out at ``instant`` (microseconds)."""
        return self.state == "in_force" and instant < self.until


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

    A period that an entry opened has its own ``start`` and ``due`` (microseconds) and names its ``cause``; one of the
    grid has neither.
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

    def overdue_from(self, due: int) -> int | None:
        """From when on it is overdue, given when it is due (microseconds): the later end of a waiver; None: never."""
        if self.state == "fulfilled":
            return None
        return due if self.waived_until is None else max(due, self.waived_until)


@dataclass(frozen=True, slots=True)
class ErasedText:
    """``texts/sha256-{digest}``: a text that was forgotten, by whom and when. Of other texts nothing is folded."""

    name: str
    eraser: str
    erased_at: int
    state: str = "erased"


@dataclass(frozen=True, slots=True)
class Incident:
    """``incidents/{n}``: what went wrong with a model, or with everything (``-``).

    ``severity`` is an id of the policy, empty until a named person judged it; ``reporter`` is empty where nobody was
    named. ``owed`` are the periods of obligations that it opened. Times are microseconds.
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
    owed: tuple[str, ...] = ()
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


Resource = (
    Model
    | Determination
    | Level
    | Safeguard
    | Hold
    | Assessment
    | Evidence
    | Change
    | Principal
    | Grant
    | Delegation
    | Issuer
    | Exemption
    | Log
    | PolicyVersion
    | Pack
    | Decision
    | Deployment
    | InterimMeasure
    | Obligation
    | Period
    | ErasedText
    | Incident
    | Finding
)
