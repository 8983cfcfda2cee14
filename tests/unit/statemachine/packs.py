"""A pack that uses everything that the machines can be told, and ways to vary it."""

from __future__ import annotations

from typing import Final

from tests.support.world import Member

WIDE: Final = """\
format: 1
policy: wide
version: "1.0"
title: Every feature once
changes_expire_after: 10d
levels: [basic, guarded, strict, {id: sealed, stub: true}]
standards:
  deployment: {baseline: basic, applies_in: all}
  security: {baseline: basic, applies_in: [api]}
contexts: [{id: internal, unguarded: true, thresholds: [misuse]}, {id: api, artifact: required}]
roles:
  owner: {approves: true, may: [change.propose]}
  reviewer: {approves: true}
  board: {approves: true, affiliation: external}
  evaluator:
    may: [model.register, assessment, determination.report, model.record_run, change.propose, evidence.upload]
  engineer: {may: [safeguard.start, safeguard.verify, level.confirm, change.propose, evidence.upload]}
thresholds:
  misuse:
    title: Real help to people who want to do harm
    asks: {deployment: guarded}
    reassess: {every: 180d, compute_growth: 4}
  theft:
    title: Weights worth stealing
    asks: {security: guarded}
    reassess: {every: 90d}
  autonomy:
    title: Works on its own
    asks: {deployment: strict, security: strict}
    reassess: {every: 90d, compute_growth: 2.5}
  extreme:
    title: What nobody knows to contain
    asks: {deployment: sealed}
    reassess: {every: 90d}
  watched: {title: Only watched, tracked: true}
safeguards:
  input-filter:
    title: Requests are screened
    standard: deployment
    level: guarded
    track: commitment
    guards: [api]
    verify_with: [{evidence: red_team_report, newer_than: 90d}]
    attested_for: 180d
  classifier:
    title: A classifier that several models share
    standard: deployment
    level: guarded
    track: commitment
    guards: [api]
    scope: shared
    verify_with: [{evidence: evaluation_results}]
    attested_for: 60d
  tips:
    title: Users are told what not to do
    standard: deployment
    level: guarded
    track: recommendation
    guards: [api]
    verify_with: [{evidence: internal_feedback}]
    attested_for: 30d
  output-filter:
    title: Answers are screened too
    standard: deployment
    level: strict
    track: commitment
    guards: [api]
    replaces: [input-filter]
    verify_with: [{evidence: red_team_report}]
    attested_for: 180d
  autonomy-case:
    title: An affirmative case
    standard: deployment
    level: strict
    track: commitment
    guards: [internal]
    only: true
    for: [autonomy]
    verify_with: [{evidence: capability_report}]
    attested_for: 180d
  weights-lock:
    title: Two people for weights
    standard: security
    level: guarded
    track: commitment
    guards: [api]
    verify_with: [{evidence: security_audit, newer_than: 180d}]
    attested_for: 180d
  weights-vault:
    title: Nobody for weights
    standard: security
    level: strict
    track: commitment
    guards: [api]
    verify_with: [{evidence: security_audit}]
    attested_for: 180d
rules:
  - triggers: [determination.confirm, determination.rule_out]
    sign_offs: [{role: owner}, {role: reviewer, distinct_from: [requester, evidence_author]}]
    evidence: [{kind: evaluation_results, newer_than: 30d}]
    source: {document: Test, section: "1"}
  - triggers: [safeguard.activate, safeguard.verify]
    standard: security
    sign_offs: [{role: owner, distinct_from: [requester]}, {role: board}]
    source: {document: Test, section: "2"}
  - triggers: [level.raise]
    sign_offs:
      - {role: owner, distinct_from: [requester], veto: true}
      - {role: reviewer, distinct_from: [evidence_author], seen: full}
    source: {document: Test, section: "3"}
  - triggers: [level.lower]
    sign_offs: [{role: owner, count: 2}, {role: reviewer}]
    source: {document: Test, section: "4"}
default:
  sign_offs: [{role: owner}, {role: reviewer}]
  source: {document: Test, section: "5"}
"""


def wide() -> dict[str, bytes]:
    """Return the files of the wide pack."""
    return {"policy.yaml": WIDE.encode()}


WIDE_CAST: Final = (
    Member("owner-a", (("owner", "*"),)),
    Member("owner-b", (("owner", "*"),)),
    Member("owner-c", (("owner", "*"),)),
    Member("reviewer-a", (("reviewer", "*"),)),
    Member("reviewer-b", (("reviewer", "*"),)),
    Member("board-a", (("board", "*"),), kind="external"),
    Member("board-inside", (("board", "*"),)),
    Member("owner-of-aurora", (("owner", "aurora-*"),)),
    Member("reviewer-of-aurora", (("reviewer", "aurora-*"),)),
    Member("evaluator-of-aurora", (("evaluator", "aurora-*"),)),
    Member("engineer-of-aurora", (("engineer", "aurora-*"),)),
    Member("evaluator", (("evaluator", "*"),)),
    Member("engineer", (("engineer", "*"),)),
    Member("release-bot", (("release-tool", "*"),), kind="service"),
    Member("two-hats", (("owner", "*"), ("reviewer", "*"))),
    Member("owner-a-again", (("reviewer", "*"),), person="owner-a"),
    Member("evaluator-again", (("reviewer", "*"),), person="evaluator"),
    Member("everything", (("owner", "*"), ("evaluator", "*"), ("engineer", "*"), ("requester", "*"))),
    Member("admin", (("admin", "*"),)),
    Member("recovery-1", recovery=True),
    Member("recovery-2", recovery=True),
)
"""A cast for the wide pack: every conflict of interest once."""
