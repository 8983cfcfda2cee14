"""What carries over from one version to another: determinations, levels, safeguards, measures, assessments. Pure.

The pack that is adopted says which of its ids stand for which old ones (``succeeds:``); an id of its own that is named
nowhere goes by the same id, in a later version of the same policy or one that names the old policy. What is not carried
is as if nobody had ever said anything: undetermined, unassigned, planned, ended. So nothing is taken over by chance.
An exception by break-glass goes with the safeguard that it excepts, never with the id. An open assessment looks at
whatever stands for a threshold that it looked at.

Several to one: the strictest conclusion and the earliest lapse; confirmed only if all are; with an undetermined one
among them unconfirmed, and undetermined where the others are all ruled out. Positions of the entries that gave a fact
are kept (identity design, "Taint"); where several facts become one, the latest of them and beside it all the others.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.statemachine.machines.tables import CONCLUSIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from interlock.statemachine.policy.model import Policy, Safeguard, Threshold
    from interlock.statemachine.state import State

UNDETERMINED = "undetermined"


class Carried(NamedTuple):
    """A resource as it is from the adoption on, with its machine's state before and after."""

    item: r.Resource
    before: str
    after: str


def carry(old: Policy, new: Policy, state: State, instant: int) -> Iterator[Carried]:
    """Yield everything that is another thing once ``new`` is in force in the place of ``old``; what stays is left out.

    Of the models in use, in the order of their names; shared safeguards come first.
    """
    models = _models(state)
    for spec in new.safeguards.values():
        for model in [""] if spec.shared else models:
            yield from _safeguard(old, new, state, spec, model)
    for model in models:
        for threshold in new.thresholds.values():
            yield from _determination(old, new, state, threshold, model)
        for standard in new.standards:
            yield from _level(old, new, state, names.level_name(model, standard))
    for assessment in sorted(state.all_of(r.Assessment), key=lambda item: names.number_of(item.name)):
        if assessment.state == "open" and assessment.model in models:
            yield from _assessment(old, new, assessment)
    for measure in sorted(state.all_of(r.InterimMeasure), key=lambda item: names.number_of(item.name)):
        if measure.state == "in_force":
            yield from _measure(old, new, measure, instant)
    for exemption in sorted(state.all_of(r.Exemption), key=lambda item: names.number_of(item.name)):
        yield from _exemption(old, new, exemption, instant)


def touched(old: Policy, new: Policy, state: State) -> frozenset[str]:
    """Return every resource that carrying over writes, or reads where an id does not simply stay the same.

    An id that only the new version has is left out: nobody can write anything under it before.
    """
    found = {row.item.name for row in carry(old, new, state, 0)}
    for model in _models(state):
        for threshold in new.thresholds.values():
            sources = sources_of_threshold(old, new, threshold.id)
            known = old.thresholds.get(threshold.id)
            if not sources and known is None:
                continue
            if sources != (threshold.id,) or known is None or known.tracked != threshold.tracked:
                found |= {names.determination_name(model, source) for source in (threshold.id, *sources)}
        if any(level_after(old, new, level.id) != level.id for level in old.levels):
            found |= {names.level_name(model, standard) for standard in new.standards}
        for spec in new.safeguards.values():
            source = source_of_safeguard(old, new, spec)
            if source != spec.id and (source or spec.id in old.safeguards):
                ids = (spec.id, source) if source else (spec.id,)
                found |= {names.safeguard_name(model, known, shared=spec.shared) for known in ids}
    return frozenset(found)


def lost(old: Policy, new: Policy, state: State, model: str) -> Iterator[r.Resource]:
    """Yield what is known of a model that no id of ``new`` stands for, by name; what nobody ever said is not lost."""
    thresholds = {source for threshold in new.thresholds for source in sources_of_threshold(old, new, threshold)}
    safeguards = {source_of_safeguard(old, new, spec) for spec in new.safeguards.values()}
    for name in sorted(name for name in state.items if names.model_of(name) == model):
        item, leaf = state.items[name], names.leaf_of(name)
        match item:
            case r.Determination():
                kept = leaf in thresholds & old.thresholds.keys() or item.conclusion == UNDETERMINED
            case r.Level():
                both = leaf in old.standards and leaf in new.standards
                kept = not item.assigned or (both and bool(level_after(old, new, item.assigned)))
            case r.Safeguard():
                kept = leaf in safeguards
            case _:
                kept = True
        if not kept:
            yield item


# Which ids stand for which ----------------------------------------------------------------------------------------


def sources_of_threshold(old: Policy, new: Policy, threshold: str) -> tuple[str, ...]:
    """Return the old thresholds that one of the new version stands for; empty: it is undetermined."""
    succession = new.succession_from(old)
    return () if succession is None else _sources(succession.thresholds, threshold, old.thresholds)


def level_after(old: Policy, new: Policy, level: str) -> str:
    """Return the level of the new version that stands for an old one; empty: whoever has it is unassigned."""
    succession = new.succession_from(old)
    if succession is None:
        return ""
    known = [entry.id for entry in old.levels]
    fits = (e.id for e in new.levels if not e.stub and level in _sources(succession.levels, e.id, known))
    return next(fits, "")


def source_of_safeguard(old: Policy, new: Policy, spec: Safeguard) -> str:
    """Return the old safeguard whose state a new one has; empty: it is planned. A shared one is no model's own."""
    succession = new.succession_from(old)
    if succession is None:
        return ""
    source = next(iter(_sources(succession.safeguards, spec.id, old.safeguards)), "")
    return source if source in old.safeguards and old.safeguards[source].shared == spec.shared else ""


def _sources(listed: Mapping[str, tuple[str, ...]], wanted: str, old: Collection[str]) -> tuple[str, ...]:
    if wanted in listed:
        return listed[wanted]
    taken = any(wanted in sources for sources in listed.values())
    return (wanted,) if wanted in old and not taken else ()


# One kind after the other -----------------------------------------------------------------------------------------


def _models(state: State) -> list[str]:
    return sorted(model.name for model in state.all_of(r.Model) if model.state == "registered")


def _determination(old: Policy, new: Policy, state: State, threshold: Threshold, model: str) -> Iterator[Carried]:
    name = names.determination_name(model, threshold.id)
    sources = sources_of_threshold(old, new, threshold.id)
    parts = [
        state.determination(model, source) if source in old.thresholds else r.Determination(name) for source in sources
    ]
    was, now = state.determination(model, threshold.id), combine(name, parts, tracked=threshold.tracked)
    if was != now:
        yield Carried(now, was.state, now.state)


def combine(name: str, parts: Sequence[r.Determination], *, tracked: bool) -> r.Determination:
    """Return what several determinations come to as one called ``name``.

    Without a lapse nothing that the gate reads may be confirmed: only what was tracked has none.
    """
    determined = [part for part in parts if part.conclusion != UNDETERMINED]
    if not determined:
        return r.Determination(name)
    strictest = max((part.conclusion for part in determined), key=CONCLUSIONS.index)
    missing = len(determined) < len(parts)
    if missing and strictest == CONCLUSIONS[0]:
        return r.Determination(name)
    lapses = [(part.lapses_at, part.lapse_by) for part in determined if part.lapses_at is not None]
    confirmed = not missing and all(part.confirmed for part in determined)
    confirmed = confirmed and (tracked or len(lapses) == len(determined))
    merged = r.Determination(
        name,
        strictest,
        conclusion_by=max(part.conclusion_by for part in determined if part.conclusion == strictest),
        merged_by=_merged_by(determined),
        compute_at_confirmation=_least_compute(determined),
        evidence=tuple(dict.fromkeys(document for part in determined for document in part.evidence)),
    )
    if not confirmed:
        return merged
    lapses_at, lapse_by = min(lapses, default=(None, r.NEVER))
    latest = max(part.confirmed_by for part in determined)
    return replace(merged, confirmed=True, lapses_at=lapses_at, confirmed_by=latest, lapse_by=lapse_by)


def _merged_by(parts: Sequence[r.Determination]) -> tuple[int, ...]:
    """Return every entry that gave a fact of one of several parts: the whole rests on all of them."""
    if len(parts) == 1:
        return parts[0].merged_by
    given = {at for part in parts for at in (part.conclusion_by, part.confirmed_by, part.lapse_by, *part.merged_by)}
    return tuple(sorted(given - {r.NEVER}))


def _least_compute(parts: Sequence[r.Determination]) -> str:
    """Return the smallest compute confirmed under; empty, the strictest, where one was confirmed under none known."""
    known = [part.compute_at_confirmation for part in parts]
    return min(known, key=Fraction) if all(known) else ""


def _level(old: Policy, new: Policy, state: State, name: str) -> Iterator[Carried]:
    known = state.find(name, r.Level)
    if known is None or not known.assigned:
        return
    after = level_after(old, new, known.assigned) if names.leaf_of(name) in old.standards else ""
    now = replace(known, assigned=after) if after else r.Level(name)
    if now != known:
        yield Carried(now, known.state, now.state)


def _safeguard(old: Policy, new: Policy, state: State, spec: Safeguard, model: str) -> Iterator[Carried]:
    name = names.safeguard_name(model, spec.id, shared=spec.shared)
    source = source_of_safeguard(old, new, spec)
    was, now = state.safeguard(name), r.Safeguard(name)
    if source:
        now = replace(state.safeguard(names.safeguard_name(model, source, shared=spec.shared)), name=name)
    if was != now:
        yield Carried(now, was.state, now.state)


def _assessment(old: Policy, new: Policy, assessment: r.Assessment) -> Iterator[Carried]:
    """Let an assessment go on with what its thresholds come to; where that is nothing it can only be ended."""
    heirs = {threshold: sources_of_threshold(old, new, threshold) for threshold in new.thresholds}
    looked_at = (known for known in assessment.thresholds if known in old.thresholds)
    after = (threshold for known in looked_at for threshold, sources in heirs.items() if known in sources)
    now = replace(assessment, thresholds=tuple(dict.fromkeys(after)))
    if now != assessment:
        yield Carried(now, assessment.state, now.state)


def _measure(old: Policy, new: Policy, measure: r.InterimMeasure, instant: int) -> Iterator[Carried]:
    """Keep of a measure what the new version still has; one that stands in for nothing has ended."""
    after = {source_of_safeguard(old, new, spec): spec.id for spec in new.safeguards.values()}
    safeguards = tuple(after[known] for known in measure.safeguards if known in after)
    same = new.succession_from(old) is not None
    contexts = tuple(place for place in measure.contexts if same and new.context(place) is not None)
    now = replace(measure, safeguards=safeguards, contexts=contexts)
    if not safeguards or not contexts:
        now = replace(measure, state="ended", ended_at=instant)
    if now != measure:
        yield Carried(now, measure.state, now.state)


def _exemption(old: Policy, new: Policy, known: r.Exemption, instant: int) -> Iterator[Carried]:
    """Let an exception follow its safeguard; one whose safeguard the new version does not carry on has ended.

    One that is over goes along as well: it is reviewed before its safeguard can be excepted again.
    """
    gone = old.safeguards.get(names.leaf_of(known.resource))
    if known.resource.startswith("holds/") or gone is None:
        return
    model = names.model_of(known.resource) or ""
    after = next((spec.id for spec in new.safeguards.values() if source_of_safeguard(old, new, spec) == gone.id), "")
    now = replace(known, resource=names.safeguard_name(model, after, shared=gone.shared)) if after else known
    if not after and known.state == "open":
        now = replace(known, state="ended", ended_at=instant)
    if now != known:
        yield Carried(now, known.state, now.state)
