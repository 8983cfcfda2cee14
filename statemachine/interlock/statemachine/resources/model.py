"""A model and what stands between it and a release.

Frozen values of the fold, one class a kind; ``resources/__init__.py`` says how to read them.
"""

from __future__ import annotations

from dataclasses import dataclass

from interlock.statemachine.resources.never import NEVER


@dataclass(frozen=True, slots=True)
class Artifact:
    """A weights manifest of a model."""

    sha256: str
    added_by: int
    added_at: int = 0


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
