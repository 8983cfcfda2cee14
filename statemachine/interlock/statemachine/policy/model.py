"""What a policy pack means once it is loaded: frozen values that the state machine reads.

What lives here: the compiled policy and the few questions that are asked of it. Not here: reading YAML,
refusing broken packs (``loader.py``), or any decision about a model. Durations are exact, in int microseconds
(``*_us``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

Affiliation: TypeAlias = Literal["any", "external"]
Assurance: TypeAlias = Literal["signature", "login"]
Conflict: TypeAlias = Literal["requester", "evidence_author"]
Event: TypeAlias = Literal["discovery", "determination", "closing", "deployment", "adoption"]
Track: TypeAlias = Literal["commitment", "recommendation"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule or a safeguard comes from: a pack paraphrases and cites."""

    document: str
    section: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """One safety level; ``index`` orders them, lowest first. A stub can be required and never assigned."""

    id: str
    index: int
    stub: bool


@dataclass(frozen=True, slots=True)
class Standard:
    """A family of safeguards with its own level per model, such as deployment or security."""

    id: str
    baseline: str
    applies_in: frozenset[str]  # context ids; "all" is resolved


@dataclass(frozen=True, slots=True)
class Context:
    """A place where a model is used; ``index`` orders them, least exposed first."""

    id: str
    index: int
    unguarded: bool
    artifact_required: bool
    thresholds: tuple[str, ...]  # what the gate needs determined here; never a tracked one


@dataclass(frozen=True, slots=True)
class Role:
    """What the holders of a role may do alone, and whether their sign-off can fill a slot."""

    id: str
    approves: bool
    affiliation: Affiliation
    rights: frozenset[str]
    built_in: bool


@dataclass(frozen=True, slots=True)
class Threshold:
    """A capability threshold and the level it asks for, per standard. The gate never reads a tracked one."""

    id: str
    title: str
    asks: Mapping[str, str] = field(hash=False)
    tracked: bool
    reassess_every_us: int | None  # None only for a tracked threshold
    compute_growth: Decimal | None
    source: Source | None


@dataclass(frozen=True, slots=True)
class EvidenceNeed:
    """Evidence of one kind, fresh enough when signed and again when applied."""

    kind: str
    newer_than_us: int | None


@dataclass(frozen=True, slots=True)
class Safeguard:
    """A safeguard that a level of a standard lists; only a commitment can turn a verdict to DENY."""

    id: str
    title: str
    standard: str
    level: str
    level_index: int
    track: Track
    covers: frozenset[str]  # context ids: ``guards`` with every more exposed one, unless ``only``
    shared: bool
    verify_with: tuple[EvidenceNeed, ...]
    attested_for_us: int
    for_thresholds: tuple[str, ...]  # listed only while one of these is cannot_rule_out or reached; () = always
    replaces: tuple[str, ...]
    source: Source | None


@dataclass(frozen=True, slots=True)
class Slot:
    """One sign-off that a rule needs; ``count: n`` in a pack gives n of these. One person fills one slot."""

    index: int
    role: str
    distinct_from: frozenset[Conflict]
    affiliation: Affiliation
    assurance: Assurance
    seen_full: bool
    veto: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """What an applied change must bring for each of ``triggers``."""

    id: str  # where it stands in the pack: "rules/0", "default", "break_glass/0"
    triggers: tuple[str, ...]  # as the pack names them; () for the default
    standard: str | None  # None: whatever the standard
    slots: tuple[Slot, ...]
    evidence: tuple[EvidenceNeed, ...]
    source: Source | None  # None only for break-glass
    is_default: bool


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """An exception until an end, by at least two people, that opens a blocking review."""

    rule: Rule
    lasts_us: int
    review_within_us: int


@dataclass(frozen=True, slots=True)
class Severity:
    """How grave an incident or a finding is; ``index`` orders them, mildest first."""

    id: str
    index: int
    blocks: bool


@dataclass(frozen=True, slots=True)
class After:
    """What starts a clock, and how long after it what is owed is due.

    An incident as grave as ``at_least``, of one of ``categories`` (none: of any); a deployment in one of ``contexts``
    (none: in any); an adoption. One that ``repeats`` starts again whenever it was met, until the incident is closed.
    """

    event: Event
    within_us: int
    at_least: str = ""
    categories: frozenset[str] = frozenset()
    contexts: frozenset[str] = frozenset()
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Obligation:
    """Something owed each period; ``in_force`` is False where its jurisdiction is not switched on.

    ``every_us`` is 0 where entries start its periods: then ``after`` says which.
    """

    id: str
    title: str
    every_us: int
    fulfilled_by: EvidenceNeed
    blocking: bool
    jurisdiction: str | None
    in_force: bool
    source: Source | None
    after: After | None = None


@dataclass(frozen=True, slots=True)
class Succession:
    """Which ids of another version this one carries on: each of its own with those that it stands for.

    What is not named here goes by the same id, unless that is named for another. ``version`` None: any.
    """

    policy: str
    version: str | None = None
    thresholds: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    safeguards: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole pack, checked and resolved. Two policies are the same when their digests are."""

    id: str
    version: str
    title: str
    digest: bytes  # 32 bytes, SHA-256: files.pack_digest
    decision_lasts_us: int
    changes_expire_after_us: int
    ssh_agent_signs: bool  # keys in an SSH agent may sign off, not only log in
    jurisdictions: frozenset[str]
    evidence_kinds: frozenset[str]
    levels: tuple[Level, ...]
    standards: Mapping[str, Standard]
    contexts: tuple[Context, ...]
    roles: Mapping[str, Role]  # the built-in ones too
    thresholds: Mapping[str, Threshold]
    safeguards: Mapping[str, Safeguard]  # in order of level, then as the pack lists them
    rules: Mapping[str, Rule]  # by trigger: every loosening one, and each neutral one that a rule names
    narrowed_rules: Mapping[tuple[str, str], Rule]  # by (trigger, standard): come before ``rules``
    default_rule: Rule
    break_glass: Mapping[str, BreakGlass]  # by trigger
    obligations: Mapping[str, Obligation]
    severities: tuple[Severity, ...]
    categories: tuple[str, ...]  # of incidents
    successions: tuple[Succession, ...] = ()

    def __hash__(self) -> int:
        """Hash by digest, which stands for all the rest."""
        return hash(self.digest)

    @property
    def name(self) -> str:
        """Resource name of this policy version."""
        return f"policies/{self.id}/versions/{self.version}"

    def level(self, level_id: str) -> Level | None:
        """Return the level called ``level_id``, or None."""
        return next((level for level in self.levels if level.id == level_id), None)

    def level_index(self, level_id: str) -> int:
        """Return the place of a level in the order, lowest 0. Raises KeyError for an unknown one."""
        level = self.level(level_id)
        if level is None:
            raise KeyError(level_id)
        return level.index

    def context(self, context_id: str) -> Context | None:
        """Return the context called ``context_id``, or None: the gate's rule 1."""
        return next((context for context in self.contexts if context.id == context_id), None)

    def succession_from(self, old: Policy) -> Succession | None:
        """Return what this version carries on of ``old``; None where it says nothing of it and is another policy."""
        of_it = [row for row in self.successions if row.policy == old.id and row.version in {None, old.version}]
        exact = next((row for row in of_it if row.version is not None), None)
        return exact or next(iter(of_it), None) or (Succession(old.id) if old.id == self.id else None)

    def severity_rank(self, severity: str) -> int:
        """Return the place of a severity, mildest 0; -1 for none, and past the last for one that this policy drops."""
        if not severity:
            return -1
        return next((row.index for row in self.severities if row.id == severity), len(self.severities))

    def severity_blocks(self, severity: str) -> bool:
        """Say whether an open incident or a confirmed finding of a severity blocks; one that it drops does."""
        rank = self.severity_rank(severity)
        return rank >= 0 and (rank >= len(self.severities) or self.severities[rank].blocks)

    def is_ruled(self, trigger: str, standard: str | None = None) -> bool:
        """Say whether ``trigger`` happens only in a change that met a rule: every loosening one does."""
        return trigger in self.rules or (standard is not None and (trigger, standard) in self.narrowed_rules)

    def rule_for(self, trigger: str, standard: str | None = None) -> Rule:
        """Return the one rule for ``trigger`` on something of ``standard`` (None: it has no standard).

        A rule narrowed to the standard comes first, then the trigger's own, then the default. The loader
        refuses packs where two would match. Raises KeyError where no rule governs, and where a trigger that
        some rule narrows is asked for without its standard: guessing there could pick the easier rule.
        """
        if standard is None:
            if any(narrowed == trigger for narrowed, _ in self.narrowed_rules):
                raise KeyError(trigger)
        elif (rule := self.narrowed_rules.get((trigger, standard))) is not None:
            return rule
        return self.rules[trigger]

    def listed(
        self, standard: str, level_id: str, context_id: str | None, active_thresholds: frozenset[str]
    ) -> tuple[Safeguard, ...]:
        """Return the safeguards, of both tracks, that an assigned level lists for a context (None: for any).

        A level includes the lower ones' safeguards, except those that one listed for the same context
        replaces. ``active_thresholds`` are those that are cannot_rule_out or reached. Lowest level first.
        """
        ceiling = self.level_index(level_id)
        applicable = tuple(
            safeguard
            for safeguard in self.safeguards.values()
            if safeguard.standard == standard
            and safeguard.level_index <= ceiling
            and (not safeguard.for_thresholds or not active_thresholds.isdisjoint(safeguard.for_thresholds))
        )
        contexts = (context_id,) if context_id is not None else tuple(c.id for c in self.contexts)
        ids = {kept.id for context in contexts for kept in _unreplaced(applicable, context)}
        return tuple(safeguard for safeguard in applicable if safeguard.id in ids)


def _unreplaced(applicable: tuple[Safeguard, ...], context_id: str) -> tuple[Safeguard, ...]:
    here = tuple(safeguard for safeguard in applicable if context_id in safeguard.covers)
    replaced = {gone for safeguard in here for gone in safeguard.replaces}
    return tuple(safeguard for safeguard in here if safeguard.id not in replaced)
