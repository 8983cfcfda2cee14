"""What each key of a pack means, in words: for the reference page and for editors. A test keeps it complete."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter

from interlock.statemachine.policy.fields import DurationUs
from interlock.statemachine.policy.schema import CLOCK_KEYS, PackShape

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTIONS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "PackShape": ("The pack", "`policy.yaml`, one folder a policy; notes (`*.md`) may lie beside it."),
        "LevelShape": ("A level", "One of `levels:`; a bare name is short for `{id: name}`."),
        "StandardShape": (
            "A standard",
            "One of `standards:`, a family of safeguards with a level of its own per model.",
        ),
        "ContextShape": ("A context", "One of `contexts:`; a bare name is short for `{id: name}`."),
        "RoleShape": (
            "A role",
            "One of `roles:`. To the built-in ones (`requester`, `admin`, `release-tool`, …) a pack only adds rights.",
        ),
        "ThresholdShape": ("A threshold", "One of `thresholds:`, a capability and what reaching it asks for."),
        "ReassessShape": ("When a determination lapses", "`reassess:` of a threshold."),
        "SafeguardShape": ("A safeguard", "One of `safeguards:`, listed by a level of a standard."),
        "VerifyWithShape": (
            "Documents that show something",
            "Of a safeguard's `verify_with:`, an obligation's `fulfilled_by:`.",
        ),
        "RuleShape": ("A rule", "One of `rules:`. At most one governs a trigger, or one for each standard."),
        "DefaultShape": ("The default", "`default:`, the rule for every loosening trigger that no rule names."),
        "SlotShape": ("A sign-off", "One of `sign_offs:`. One person fills one slot of a rule."),
        "EvidenceShape": ("Evidence of a rule", "One of a rule's `evidence:`, attached to the change."),
        "BreakGlassShape": ("Break-glass", "One of `break_glass:`, an exception until an end, reviewed afterwards."),
        "ObligationShape": ("An obligation", "One of `obligations:`, by `every` or by `after`."),
        "AfterShape": (
            "What starts a clock",
            "`after:` of an obligation: just one of `incident:`, `deployment:`, `adoption:`, in the place of `every:`.",
        ),
        "IncidentsShape": (
            "Incidents and findings",
            "`incidents:`, how grave they can be and what categories there are.",
        ),
        "SeverityShape": ("A severity", "One of `severities:`, mildest first; a bare name is short for `{id: name}`."),
        "SuccessionShape": ("A succession", "One of `succeeds:`, what the ids of an earlier policy come to here."),
        "SourceShape": ("A source", "`source:`, where a rule or a safeguard comes from."),
    }
)
"""Title and place of each kind of mapping, in the order of the page."""

MEANING: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "PackShape": {
            "format": "The format of the pack; its loader stays for ever.",
            "policy": "The policy's id. Keep it from version to version.",
            "version": "The version's name, a text even where it looks like a number. One is adopted once.",
            "title": "What this is, in one line.",
            "decision_lasts": "How long a signed decision of the gate may be relied on, a day at most.",
            "changes_expire_after": "How long after its last edit a change may still be applied.",
            "ssh_agent_signs": "Whether a key in an SSH agent may sign off; without it such keys log in only.",
            "jurisdictions": "Which jurisdictions' obligations are in force.",
            "evidence_kinds": "Kinds of evidence beside the common ones.",
            "levels": "The safety levels, lowest first.",
            "standards": "The standards, each with a level of its own.",
            "contexts": "Where models are used, least exposed first.",
            "roles": "Who does what, and who approves.",
            "thresholds": "Capabilities that ask for levels.",
            "safeguards": "What levels ask to be in place.",
            "rules": "What an applied change has to bring, by trigger.",
            "default": "The same for every loosening trigger that no rule names.",
            "break_glass": "Exceptions for emergencies.",
            "obligations": "What is owed, by the calendar or after what happens.",
            "incidents": "How grave incidents and findings can be; without it low, serious and critical.",
            "succeeds": "What is carried over from a version in force to this one.",
        },
        "LevelShape": {
            "id": "The level's id.",
            "stub": "Nobody has written it out: it can be required and never assigned.",
        },
        "StandardShape": {
            "baseline": "The level that every model needs here.",
            "applies_in": "The contexts where the gate reads this standard.",
        },
        "ContextShape": {
            "id": "The context's id.",
            "unguarded": "No commitment guards it, and that is meant.",
            "artifact": "Whether the gate asks which weights are meant.",
            "thresholds": "What has to be determined before a release here; without it, all that are not tracked.",
        },
        "RoleShape": {
            "approves": "Its holders' sign-offs fill slots, and they may tighten at once.",
            "may": "What its holders may do alone: rights, named as triggers are, and groups of rights.",
            "affiliation": "`external`: only accounts of people from outside fill its slots.",
        },
        "ThresholdShape": {
            "title": "What the capability is, in one line.",
            "asks": "The level that reaching it asks for, by standard; *cannot rule out* asks for the same.",
            "tracked": "Watched only: the gate never reads it.",
            "reassess": "When a determination lapses; needed unless it is tracked.",
            "source": "Where it comes from.",
        },
        "ReassessShape": {
            "every": "How long after a change confirmed or ruled it out.",
            "compute_growth": "Also when effective compute has grown by this factor since.",
        },
        "SafeguardShape": {
            "title": "What is in place, in one line.",
            "standard": "Whose level lists it.",
            "level": "The lowest level that lists it; higher ones do too, unless one replaces it.",
            "track": "A commitment blocks where it is not met, a recommendation never does.",
            "guards": "The contexts that it guards, with every more exposed one.",
            "only": "It guards exactly the contexts that are named.",
            "scope": "`shared`: one for all models that lean on it.",
            "verify_with": "Documents that show that it works, for verifying and attesting anew.",
            "attested_for": "How long an attestation lasts.",
            "for": "Listed only while one of these thresholds is not ruled out.",
            "replaces": "Safeguards of lower levels of the same standard that it takes the place of.",
            "source": "Where it comes from.",
        },
        "VerifyWithShape": {
            "evidence": "The kind of document.",
            "newer_than": "How old it may be, from when it was made or first uploaded, whichever is earlier.",
        },
        "RuleShape": {
            "triggers": "The triggers that it governs: loosening ones, and neutral ones that are to need sign-offs.",
            "standard": "Only where the trigger acts on something of this standard.",
            "sign_offs": "Who signs; two people at least where a trigger loosens.",
            "evidence": "Documents that the change has to have attached.",
            "source": "Where it comes from.",
        },
        "DefaultShape": {
            "sign_offs": "Who signs; two people at least.",
            "evidence": "Documents that the change has to have attached.",
            "source": "Where it comes from.",
        },
        "SlotShape": {
            "role": "The approving role that the signer holds, on the model in question.",
            "count": "How many such people; short for that many slots.",
            "distinct_from": "Whose sign-off does not count: who asked for the change, who wrote its evidence.",
            "affiliation": "`external`: only people from outside.",
            "assurance": "A signature by a key of one's own; `login` is noted by a lint.",
            "seen": "`full`: the signer opened all evidence in full.",
            "veto": "A reject by this role ends the change for good.",
        },
        "EvidenceShape": {
            "kind": "The kind of document.",
            "newer_than": "How old it may be, when signed and again when applied.",
        },
        "BreakGlassShape": {
            "triggers": "Which triggers: `hold.lift`, `safeguard.restore`, `safeguard.resume`.",
            "sign_offs": "Who signs; two people at least.",
            "lasts": "How long the exception lasts.",
            "review_within": "By when others review it.",
            "source": "Where it comes from.",
        },
        "ObligationShape": {
            "every": "The length of a period, from the adoption that first named the obligation.",
            "after": "What opens a period, in the place of the calendar.",
            "fulfilled_by": "The document that fulfils it.",
            "blocking": "Overdue, it denies every release; only a change fulfils it, overdue or not.",
            "title": "What is owed, in one line.",
            "jurisdiction": "In force only where the pack's `jurisdictions:` names it.",
            "source": "Where it comes from.",
        },
        "AfterShape": {
            "incident": "An incident, once each: its discovery, its determination by a named person, its closing.",
            "deployment": "A deployment is recorded: once for each model, and again for each later artifact.",
            "adoption": "A version of the policy is adopted in the place of another one.",
            "at_least": "Of an incident: the mildest severity that counts; needed.",
            "categories": "Of an incident: of these categories only; without it, of any.",
            "contexts": "Of a deployment: in these contexts only; without it, in any.",
            "within": "How long after that the period is due; `0d` for at once, after a deployment.",
            "repeats": "Of an incident: a period that was met opens the next one, until the incident is closed.",
        },
        "IncidentsShape": {
            "severities": "Mildest first; where one blocks, so does each graver one.",
            "categories": "Categories beside `other`.",
        },
        "SeverityShape": {
            "id": "The severity's id.",
            "blocking": "An open incident or a confirmed finding of it denies what it is on.",
        },
        "SuccessionShape": {
            "policy": "The id of the policy that went before.",
            "version": "Its version; without it, any.",
            "thresholds": "By id here: which of its thresholds this one stands for; several give the strictest.",
            "levels": "By id here: which of its levels this one stands for.",
            "safeguards": "By id here: which of its safeguards this one is.",
        },
        "SourceShape": {
            "document": "The document's title.",
            "section": "The section, by title or number.",
            "version": "The document's version.",
        },
    }
)
"""By kind of mapping and key."""

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``policy.yaml``, from the typed shapes, with what each key means.

    It knows keys, types and forms. What names refer to, and what is unsafe, only a lint knows.
    """
    found = PackShape.model_json_schema(by_alias=True)
    for name, shape in ({"PackShape": found} | found.get("$defs", {})).items():
        title, where = SECTIONS[name]
        shape["title"], shape["description"] = title, where
        for key, value in shape["properties"].items():
            _mend(key, value)
            value["description"] = MEANING[name][key]
    found["$defs"]["AfterShape"]["oneOf"] = [_started_by(event) for event in CLOCK_KEYS]
    return {"$schema": _DIALECT} | found


def _started_by(event: str) -> dict[str, Any]:
    """Return what an editor asks of a clock that is started by one kind of event."""
    others = (set(CLOCK_KEYS) | set().union(*CLOCK_KEYS.values())) - {event} - CLOCK_KEYS[event]
    needed = [event, "at_least"] if "at_least" in CLOCK_KEYS[event] else [event]
    said: dict[str, Any] = dict.fromkeys(sorted(others), False)
    if event != "deployment":
        said["within"] = TypeAdapter(DurationUs).json_schema()  # some time
    return {"required": needed, "properties": said}


def _mend(key: str, value: dict[str, Any]) -> None:
    """Make of what pydantic says what the loader takes: no value is ever empty, names in mappings have their form."""
    value.pop("title", None)
    forms = [form for form in value.pop("anyOf", ()) if form != {"type": "null"}]
    value.update({"anyOf": forms} if len(forms) > 1 else {} if not forms else forms[0])
    if value.get("default") is None or key.endswith(("lasts", "after")):
        value.pop("default", None)
    if "patternProperties" in value:
        value["additionalProperties"] = False
