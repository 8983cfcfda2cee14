"""Packs for these tests: the sketch, a wider one, and a way to break either in one place.

A broken pack is written as (what to replace, with what); the mark ``¦`` in the new text says where the finding has
to point. The mark itself is taken out.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from interlock.statemachine.policy import Finding, PackError, Severity, load_pack

MARK = "¦"
FIXTURES = Path(__file__).parents[2] / "fixtures"
PACKS = resources.files("interlock.statemachine.policy") / "packs"
SKETCH = (FIXTURES / "pack-sketch.yaml").read_text(encoding="utf-8")

WIDE = """\
format: 1
policy: wide
version: "1"
title: Three levels, two standards, three contexts
levels: [low, middle, high, {id: top, stub: true}]
standards:
  deployment: {baseline: low}
  security: {baseline: low, applies_in: [staff, partners]}
contexts: [staff, {id: partners, thresholds: [misuse]}, {id: public, artifact: required}]
roles:
  owner: {approves: true}
  reviewer: {approves: true}
  outsider: {approves: true, affiliation: external}
thresholds:
  misuse:
    title: Misuse
    asks: {deployment: middle, security: high}
    reassess: {every: 90d, compute_growth: 2.5}
  runaway:
    title: Runaway
    asks: {deployment: high}
    reassess: {every: 90d}
  noise: {title: Noise, tracked: true}
safeguards:
  guard-high:
    {title: Guard high, standard: deployment, level: high, track: commitment, guards: [partners],
     verify_with: [{evidence: red_team_report}], attested_for: 30d, replaces: [guard]}
  guard:
    {title: Guard, standard: deployment, level: middle, track: commitment, guards: [staff],
     verify_with: [{evidence: red_team_report}], attested_for: 30d}
  advice:
    {title: Advice, standard: deployment, level: middle, track: recommendation, guards: [staff], only: true,
     verify_with: [{evidence: red_team_report}], attested_for: 30d}
  affirmative:
    {title: Affirmative case, standard: deployment, level: low, track: commitment, guards: [staff],
     verify_with: [{evidence: our_case}], attested_for: 30d, for: [runaway]}
  vault:
    {title: Vault, standard: security, level: high, track: commitment, guards: [staff], scope: shared,
     verify_with: [{evidence: security_audit}], attested_for: 30d}
evidence_kinds: [our_case]
rules:
  - triggers: [safeguard.activate]
    standard: security
    sign_offs: [{role: owner, count: 2}, {role: outsider, veto: true, seen: full}]
    source: {document: House rules, section: "1"}
  - triggers: [safeguard.activate, safeguard.verify]
    standard: deployment
    sign_offs: [{role: owner, assurance: login}, {role: reviewer, affiliation: external}]
    source: {document: House rules, section: "2"}
default:
  sign_offs: [{role: owner, count: 2, distinct_from: [requester]}]
  source: {document: House rules, section: "3", version: "2025"}
"""


def files(text: str) -> dict[str, bytes]:
    """The files of a pack that is one text."""
    return {"policy.yaml": text.encode()}


def shipped(name: str) -> dict[str, bytes]:
    """The files of a shipped pack, as a caller reads them."""
    return {"policy.yaml": (PACKS / name / "policy.yaml").read_bytes()}


@dataclass(frozen=True, slots=True)
class Broken:
    """A pack with one fault, and where the fault is."""

    text: str
    line: int
    column: int


def break_pack(text: str, old: str, new: str) -> Broken:
    """Replace the one occurrence of ``old``; the mark in ``new`` is the place of the fault."""
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
    assert new.count(MARK) == 1
    return locate(text.replace(old, new))


def locate(marked: str) -> Broken:
    """Take the mark out of a text and say where it was."""
    before, after = marked.split(MARK)
    line_start = before.rfind("\n") + 1
    return Broken(before + after, before.count("\n") + 1, len(before) - line_start + 1)


def errors_of(pack: dict[str, bytes]) -> tuple[Finding, ...]:
    """The errors for which a pack is refused; fails when it loads."""
    try:
        policy = load_pack(pack)
    except PackError as error:
        found = tuple(f for f in error.findings if f.severity is Severity.ERROR)
        assert found, "refused without an error"
        return found
    raise AssertionError(f"{policy.name} loads")
