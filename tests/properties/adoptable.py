"""Packs that random people adopt: the same policy under other ids, swapped or put together, with more or less in it.

Every version says of every other one what its ids stand for, but one that says nothing: from that nothing carries over,
except by the same id within the same policy. What one version owes by the calendar another one owes after what happens,
and what did not block may block there. What is right is said elsewhere.
"""

from __future__ import annotations

import re
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.properties.released import CASTS
from tests.support.versions import SECOND, version

if TYPE_CHECKING:
    from collections.abc import Mapping

Edits = tuple[tuple[str, str], ...]


class Variant(NamedTuple):
    """A version of a pack: what it calls the ids of the first one, and words that are replaced after that."""

    called: str
    ids: Mapping[str, str]
    edits: Edits
    policy: str = ""
    silent: bool = False
    merged: Mapping[str, str] = MappingProxyType({})
    """Thresholds of the first version that are part of another one here."""


GLASS: Final = "- triggers: [hold.lift, safeguard.restore, safeguard.resume]"
RICH_GLASS: Final = """\
break_glass:
  - triggers: [hold.lift, safeguard.restore, safeguard.resume]
    sign_offs: [{role: owner, distinct_from: [requester]}, {role: reviewer, distinct_from: [requester]}]
    lasts: 48h
    review_within: 72h
obligations:
"""
CLOCKS: Final = """\
obligations:
  incident-report:
    after: {incident: discovery, at_least: critical, within: 15d}
    fulfilled_by: {evidence: board_notice}
    blocking: true
  closing-report:
    after: {incident: closing, at_least: low, within: 2d}
    fulfilled_by: {evidence: board_notice}
    blocking: false
"""
STARTED: Final = """\
obligations:
  standing-report:
    after: {incident: determination, at_least: low, within: 3d, repeats: true}
    fulfilled_by: {evidence: evaluation_results}
    blocking: false
  release-notes:
    after: {deployment: recorded, within: 0d}
    fulfilled_by: {evidence: evaluation_results}
    blocking: false
  change-notes: {after: {adoption: policy, within: 20d}, fulfilled_by: {evidence: evaluation_results}, blocking: true}
"""
BLOCKING: Final = """\
obligations:
  standing-report: {every: 40d, fulfilled_by: {evidence: evaluation_results}, blocking: true}
  release-notes: {every: 25d, fulfilled_by: {evidence: evaluation_results}, blocking: true}
  closing-report:
    after: {incident: determination, at_least: low, within: 1d}
    fulfilled_by: {evidence: evaluation_results}
    blocking: true
  change-notes: {every: 70d, fulfilled_by: {evidence: evaluation_results}, blocking: false}
"""
OTHERWISE: Final = """\
obligations:
  standing-report:
    after: {incident: discovery, at_least: low, within: 9d, repeats: true}
    fulfilled_by: {evidence: evaluation_results}
    blocking: false
  release-notes:
    after: {deployment: recorded, contexts: [CONTEXT], within: 9d}
    fulfilled_by: {evidence: evaluation_results}
    blocking: false
  change-notes: {after: {adoption: policy, within: 5d}, fulfilled_by: {evidence: evaluation_results}, blocking: true}
"""
GRAVE: Final = (
    "incidents: {severities: [low, {id: grave, blocking: true}, {id: critical, blocking: true}]}\nobligations:\n"
)
MINIMAL: Final = (
    Variant("1.0", {}, ()),
    Variant(
        "2.0",
        {"misuse": "fraud", "input-filter": "screen", "guarded": "barred"},
        (
            ("safeguards:\n", SECOND.replace("guarded", "barred")),
            ("- triggers: [hold.lift]", GLASS),
            ("obligations:\n", STARTED),
            ("obligations:\n", CLOCKS),
            ("every: 90d, fulfilled_by: {evidence: risk_report}, blocking: false",
             "every: 50d, fulfilled_by: {evidence: risk_report}, blocking: true"),
        ),
    ),
    Variant(
        "1.0",
        {"input-filter": "second", "second": "screen"},
        (
            ("safeguards:\n", SECOND.replace("second:", "screen:")),
            ("- triggers: [hold.lift]", GLASS),
            ("obligations:\n", BLOCKING),
            ("obligations:\n", GRAVE),
            ("every: 90d, fulfilled_by: {evidence: risk_report}, blocking: false",
             "after: {adoption: policy, within: 5d}, fulfilled_by: {evidence: risk_report}, blocking: true"),
            ("{id: internal, unguarded: true}, api", "{id: api, artifact: required}"),
            ("attested_for: 180d", "attested_for: 60d"),
        ),
        "other",
    ),
    Variant(
        "3.0",
        {},
        (("safeguards:\n", SECOND), ("obligations:\n", OTHERWISE.replace("CONTEXT", "api"))),
        silent=True,
    ),
)  # fmt: skip
RICH: Final = (
    Variant("1.0", {}, ()),
    Variant(
        "2.0",
        {"screening": "filter", "filter": "screening", "harm": "theft", "theft": "harm", "high": "higher"},
        (
            ("obligations:\n", RICH_GLASS),
            ("obligations:\n", STARTED),
            ("every: 45d, fulfilled_by: {evidence: risk_report}, blocking: true",
             "every: 30d, fulfilled_by: {evidence: risk_report}, blocking: false"),
        ),
    ),
    Variant(
        "1.0",
        {"locks": "vault", "vault": "locks", "doom": "ruin", "theft": "watched", "watched": "theft"},
        (
            ("obligations:\n", RICH_GLASS),
            ("obligations:\n", CLOCKS.replace("within: 15d", "within: 72h").replace("discovery", "determination")),
            ("obligations:\n", GRAVE),
            ("  - {id: lab, unguarded: true, artifact: required, thresholds: []}\n", ""),
            ("  wished-report: {every: 80d", "  other-report: {every: 80d"),
        ),
        "other",
    ),
    Variant("3.0", {}, (("obligations:\n", RICH_GLASS), ("obligations:\n", BLOCKING)), silent=True),
    Variant(
        "4.0",
        {"doom": "ruin"},
        (
            ("  theft:\n    title: Worth stealing\n    asks: {security: high}\n    reassess: {every: 90d}\n", ""),
            ("for: [theft, ruin]", "for: [ruin]"),
            ("obligations:\n", OTHERWISE.replace("CONTEXT", "partner, public")),
        ),
        merged=MappingProxyType({"theft": "harm"}),
    ),
)  # fmt: skip
OFTEN: Final = 2
"""How much rather the last version is drawn: the one that puts two thresholds together, or carries nothing over."""
VARIANTS: Final = {"minimal": MINIMAL, "rich": RICH}
KINDS: Final = {
    "minimal": {"thresholds": ("misuse",), "levels": ("basic", "guarded"), "safeguards": ("input-filter", "second")},
    "rich": {
        "thresholds": ("harm", "theft", "doom", "watched"),
        "levels": ("low", "middle", "high"),
        "safeguards": ("locks", "vault", "screening", "filter", "case", "sealing", "advice"),
    },
}


@lru_cache(maxsize=2)
def versions_of(pack: str) -> tuple[dict[str, bytes], ...]:
    """Return every version, the one that worlds are founded with first."""
    return tuple(_made(pack, variant) for variant in VARIANTS[pack])


def _made(pack: str, variant: Variant) -> dict[str, bytes]:
    files = {"policy.yaml": CASTS[pack][0].read_bytes()}
    if variant is VARIANTS[pack][0]:
        return files
    files = version(of=files, called=variant.called)
    text = files["policy.yaml"].decode()
    for number, known in enumerate(variant.ids):
        text = re.sub(rf"(?<![\w.-]){known}(?![\w.-])", f"<{number}>", text)
    for number, new in enumerate(variant.ids.values()):
        text = text.replace(f"<{number}>", new)
    files = version(*variant.edits, of={"policy.yaml": text.encode()}, called=variant.called)
    text = files["policy.yaml"].decode()
    if variant.policy:
        text = text.replace(f"policy: {pack}\n", f"policy: {variant.policy}\n", 1)
    says = "" if variant.silent else "".join(_says(pack, variant, other) for other in VARIANTS[pack])
    return {"policy.yaml": (text + (f"succeeds:\n{says}" if says else "")).encode()}


def _says(pack: str, variant: Variant, old: Variant) -> str:
    """Return what a version says of another one in whose place it is adopted."""
    if old is variant:
        return ""
    rows = []
    for kind, ids in KINDS[pack].items():
        olds: dict[str, list[str]] = {}
        for known in ids:
            was = old.merged.get(known, known)
            new = variant.merged.get(known, known)
            olds.setdefault(variant.ids.get(new, new), []).append(old.ids.get(was, was))
        if kind == "safeguards":
            pairs = [(new, was[0]) for new, was in olds.items() if [new] != was]
            if pack == "minimal" and not old.edits:
                pairs = [(new, was) for new, was in pairs if was != "second"]
            words = [f"{new}: {was}" for new, was in pairs]
        else:
            words = [f"{new}: [{', '.join(dict.fromkeys(was))}]" for new, was in olds.items()]
        rows.append(f"    {kind}: {{{', '.join(words)}}}\n")
    return f'  - policy: {old.policy or pack}\n    version: "{old.called}"\n' + "".join(rows)
