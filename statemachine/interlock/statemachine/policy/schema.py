"""The shape of a pack, format 1: which keys there are and what each may hold. No unknown key passes.

What the names refer to is not looked at here (``checks_model.py``, ``checks_rules.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from interlock.statemachine.policy.fields import (
    DAY_US,
    Count,
    DecisionUs,
    DelayUs,
    DurationUs,
    Flag,
    Format,
    Growth,
    Id,
    Line,
    Version,
)

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

DEFAULT_DECISION_LASTS_US: Final = DAY_US // 96  # 15 min
DEFAULT_EXPIRES_US: Final = 14 * DAY_US
MAX_FEW: Final = 64  # levels, standards, contexts, roles: kinds of things
MAX_MANY: Final = 512  # thresholds, safeguards, rules, obligations


_BARE_NAME: Final = TypeAdapter(Id).json_schema()


class Shape(BaseModel):
    """What all mappings of a pack share: closed, strict, frozen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Or:
    """Says in a JSON Schema what a validator takes beside the type: a bare name, or one word."""

    def __init__(self, short: dict[str, Any]) -> None:
        self.short = short

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return either form."""
        long = handler(core)
        forms = [form for form in long.get("anyOf", [long]) if form != {"type": "null"}]
        return {"anyOf": [self.short, *forms]}


def _entry(value: object) -> object:
    """Read a bare name in a list as the mapping it is short for."""
    return {"id": value} if isinstance(value, str) else value


def _everywhere(value: object) -> object:
    """Read the word ``all`` as "no list": what is resolved later."""
    return None if value == "all" else value


class SourceShape(Shape):
    """``source:``, where a rule comes from."""

    document: Line
    section: Line
    version: Line | None = None


class LevelShape(Shape):
    """One of ``levels:``, a bare name or a mapping."""

    id: Id
    stub: Flag = False


class StandardShape(Shape):
    """One of ``standards:``."""

    baseline: Id
    applies_in: Annotated[
        Annotated[list[Id], Field(min_length=1)] | None, BeforeValidator(_everywhere), _Or({"const": "all"})
    ] = None


class ContextShape(Shape):
    """One of ``contexts:``, a bare name or a mapping."""

    id: Id
    unguarded: Flag = False
    artifact: Literal["required", "optional"] = "optional"
    thresholds: list[Id] | None = None


class RoleShape(Shape):
    """One of ``roles:``."""

    approves: Flag = False
    may: list[Id] = []
    affiliation: Literal["any", "external"] = "any"


class ReassessShape(Shape):
    """``reassess:``, when a determination lapses."""

    every: DurationUs
    compute_growth: Growth | None = None


class ThresholdShape(Shape):
    """One of ``thresholds:``."""

    title: Line
    asks: dict[Id, Id] = {}
    tracked: Flag = False
    reassess: ReassessShape | None = None
    source: SourceShape | None = None


class VerifyWithShape(Shape):
    """One of a safeguard's ``verify_with:``, or an obligation's ``fulfilled_by:``."""

    evidence: Id
    newer_than: DurationUs | None = None


class SafeguardShape(Shape):
    """One of ``safeguards:``."""

    title: Line
    standard: Id
    level: Id
    track: Literal["commitment", "recommendation"]
    guards: Annotated[list[Id], Field(min_length=1)]
    only: Flag = False
    scope: Literal["model", "shared"] = "model"
    verify_with: Annotated[list[VerifyWithShape], Field(min_length=1)]
    attested_for: DurationUs
    for_thresholds: Annotated[list[Id], Field(min_length=1)] | None = Field(default=None, alias="for")
    replaces: list[Id] = []
    source: SourceShape | None = None


class SlotShape(Shape):
    """One of ``sign_offs:``."""

    role: Id
    count: Count = 1
    distinct_from: list[Literal["requester", "evidence_author"]] = []
    affiliation: Literal["any", "external"] = "any"
    assurance: Literal["signature", "login"] = "signature"
    seen: Literal["any", "full"] = "any"
    veto: Flag = False


class EvidenceShape(Shape):
    """One of a rule's ``evidence:``."""

    kind: Id
    newer_than: DurationUs | None = None


class DefaultShape(Shape):
    """``default:``, the rule for every loosening trigger that no rule names."""

    sign_offs: Annotated[list[SlotShape], Field(min_length=1)]
    evidence: list[EvidenceShape] = []
    source: SourceShape


class RuleShape(DefaultShape):
    """One of ``rules:``."""

    triggers: Annotated[list[Id], Field(min_length=1)]
    standard: Id | None = None


class BreakGlassShape(Shape):
    """One of ``break_glass:``."""

    triggers: Annotated[list[Id], Field(min_length=1)]
    sign_offs: Annotated[list[SlotShape], Field(min_length=1)]
    lasts: DurationUs
    review_within: DurationUs
    source: SourceShape | None = None


class SeverityShape(Shape):
    """One of ``severities:``, a bare name or a mapping."""

    id: Id
    blocking: Flag = False


SeverityEntry = Annotated[SeverityShape, BeforeValidator(_entry), _Or(_BARE_NAME)]
DEFAULT_SEVERITIES: Final = (
    SeverityShape(id="low"),
    SeverityShape(id="serious", blocking=True),
    SeverityShape(id="critical", blocking=True),
)


class IncidentsShape(Shape):
    """``incidents:``, how grave incidents and findings can be, and what categories there are."""

    severities: Annotated[list[SeverityEntry], Field(min_length=1, max_length=MAX_FEW)] = list(DEFAULT_SEVERITIES)
    categories: Annotated[list[Id], Field(max_length=MAX_FEW)] = []


class AfterShape(Shape):
    """An obligation's ``after:``, what starts its clock: just one of the first three (``checks_clocks.py``)."""

    incident: Literal["discovery", "determination", "closing"] | None = None
    deployment: Literal["recorded"] | None = None
    adoption: Literal["policy"] | None = None
    at_least: Id | None = None
    categories: list[Id] = []
    contexts: list[Id] = []
    within: DelayUs
    repeats: Flag = False


CLOCK_KEYS: Final = {
    "incident": frozenset({"at_least", "categories", "repeats"}),
    "deployment": frozenset({"contexts"}),
    "adoption": frozenset[str](),
}
"""What starts a clock, and the keys of ``after:`` that only this one has."""


class ObligationShape(Shape):
    """One of ``obligations:``: by the calendar (``every``) or by what happens (``after``)."""

    every: DurationUs | None = None
    after: AfterShape | None = None
    fulfilled_by: VerifyWithShape
    blocking: Flag
    title: Line | None = None
    jurisdiction: Id | None = None
    source: SourceShape | None = None


class SuccessionShape(Shape):
    """One of ``succeeds:``, what carries over from a version in force to this one."""

    policy: Id
    version: Version | None = None
    thresholds: dict[Id, Annotated[list[Id], Field(max_length=MAX_FEW)]] = {}
    levels: dict[Id, Annotated[list[Id], Field(max_length=MAX_FEW)]] = {}
    safeguards: dict[Id, Id] = {}


LevelEntry = Annotated[LevelShape, BeforeValidator(_entry), _Or(_BARE_NAME)]
ContextEntry = Annotated[ContextShape, BeforeValidator(_entry), _Or(_BARE_NAME)]


class PackShape(Shape):
    """The whole of ``policy.yaml``."""

    format: Format
    policy: Id
    version: Version
    title: Line
    decision_lasts: DecisionUs = DEFAULT_DECISION_LASTS_US
    changes_expire_after: DurationUs = DEFAULT_EXPIRES_US
    ssh_agent_signs: Flag = False
    jurisdictions: list[Id] = []
    evidence_kinds: list[Id] = []
    levels: Annotated[list[LevelEntry], Field(min_length=1, max_length=MAX_FEW)]
    standards: Annotated[dict[Id, StandardShape], Field(min_length=1, max_length=MAX_FEW)]
    contexts: Annotated[list[ContextEntry], Field(min_length=1, max_length=MAX_FEW)]
    roles: Annotated[dict[Id, RoleShape], Field(min_length=1, max_length=MAX_FEW)]
    thresholds: Annotated[dict[Id, ThresholdShape], Field(max_length=MAX_MANY)] = {}
    safeguards: Annotated[dict[Id, SafeguardShape], Field(max_length=MAX_MANY)] = {}
    rules: Annotated[list[RuleShape], Field(max_length=MAX_MANY)] = []
    default: DefaultShape
    break_glass: Annotated[list[BreakGlassShape], Field(max_length=MAX_FEW)] = []
    obligations: Annotated[dict[Id, ObligationShape], Field(max_length=MAX_MANY)] = {}
    incidents: IncidentsShape = IncidentsShape()
    succeeds: Annotated[list[SuccessionShape], Field(max_length=MAX_FEW)] = []


EXAMPLES: Final = {
    "format": "format: 1",
    "policy": "policy: house-rules",
    "version": 'version: "1.0"',
    "title": "title: What this is, in one line",
    "levels": "levels: [basic, guarded]",
    "standards": "standards: {deployment: {baseline: basic, applies_in: all}}",
    "contexts": "contexts: [{id: internal, unguarded: true}, api]",
    "roles": "roles: {owner: {approves: true}}",
    "default": "default: {sign_offs: [{role: owner}, {role: reviewer}], source: …}",
    "baseline": "baseline: basic",
    "id": "id: api",
    "every": "every: 180d",
    "reassess": "reassess: {every: 180d}",
    "standard": "standard: deployment",
    "level": "level: guarded",
    "track": "track: commitment",
    "guards": "guards: [api]",
    "verify_with": "verify_with: [{evidence: red_team_report, newer_than: 90d}]",
    "evidence": "evidence: red_team_report",
    "attested_for": "attested_for: 180d",
    "kind": "kind: capability_report",
    "role": "role: owner",
    "triggers": "triggers: [safeguard.activate]",
    "sign_offs": "sign_offs: [{role: owner, distinct_from: [requester]}, {role: reviewer}]",
    "source": 'source: {document: House rules, section: "2"}',
    "document": "document: House rules",
    "section": 'section: "2"',
    "lasts": "lasts: 24h",
    "review_within": "review_within: 72h",
    "fulfilled_by": "fulfilled_by: {evidence: risk_report}",
    "blocking": "blocking: false",
    "at_least": "at_least: critical",
    "within": "within: 15d",
}
"""What to write for a key that is missing; a test keeps it complete."""
