"""What two versions say of levels, standards, contexts, thresholds and safeguards, and what carries over. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine import carrying
from interlock.statemachine.diffing.difference import Difference, Way, lasting, listed, way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.policy.model import Context, EvidenceNeed, Policy, Safeguard, Standard, Threshold


def compare_shape(old: Policy, new: Policy) -> Iterator[Difference]:
    """Yield every difference, in the order of a pack's keys."""
    if new.succession_from(old) is None:
        words = f"carries nothing over from {old.name}: all is undetermined, unassigned, planned; measures end"
        yield Difference(Way.TIGHTENS, "succeeds", new.id, words)
    yield from _levels(old, new)
    yield from _standards(old, new)
    yield from _contexts(old, new)
    yield from _thresholds(old, new)
    yield from _safeguards(old, new)


# Levels and standards ---------------------------------------------------------------------------------------------


def _levels(old: Policy, new: Policy) -> Iterator[Difference]:
    order = [[f"{level.id} (stub)" if level.stub else level.id for level in side.levels] for side in (old, new)]
    if order[0] != order[1]:
        words = f"levels in order: {listed(order[0])} → {listed(order[1])}"
        yield Difference(way(loosens=_level_moves_up(old, new)), "levels", "", words)
    for level in old.levels:
        after = carrying.level_after(old, new, level.id)
        if after and after != level.id:
            yield Difference(way(loosens=True), "levels", level.id, f"a model at {level.id} is at {after} from then on")
        elif not after and not level.stub:
            words = f"a model at {level.id} is unassigned from then on"
            yield Difference(Way.TIGHTENS, "levels", level.id, words)


def _level_moves_up(old: Policy, new: Policy) -> bool:
    """Say whether the order of what stays was turned round, or a stub can be assigned from then on.

    A stub counts: what asks for it and stood above all that can be assigned, may stand below.
    """
    kept = [carrying.level_after(old, new, level.id) or (level.id if level.stub else "") for level in old.levels]
    places = [known.index for level in kept if (known := new.level(level)) is not None]
    freed = any(e.stub and (level := new.level(e.id)) is not None and not level.stub for e in old.levels)
    return freed or places != sorted(places)


def _asked_level(old: Policy, new: Policy, before: str, after: str) -> Way:
    """Say which way it goes where a level is asked for in the place of another."""
    known = new.level(before if new.level(before) else carrying.level_after(old, new, before))
    wanted = new.level(after)
    if known is None or wanted is None:
        return Way.LOOSENS
    return way(loosens=wanted.index < known.index, tightens=wanted.index > known.index)


def _standards(old: Policy, new: Policy) -> Iterator[Difference]:
    for name, standard in new.standards.items():
        if name not in old.standards:
            words = f"new standard, baseline {standard.baseline}: unassigned for every model"
            yield Difference(Way.TIGHTENS, "standards", name, words)
        else:
            yield from _standard(old, new, old.standards[name], standard)
    for name in old.standards.keys() - new.standards.keys():
        yield Difference(Way.LOOSENS, "standards", name, "dropped: no level is asked for in it any more")


def _standard(old: Policy, new: Policy, before: Standard, after: Standard) -> Iterator[Difference]:
    if before.baseline != after.baseline:
        goes = _asked_level(old, new, before.baseline, after.baseline)
        yield Difference(goes, "standards", after.id, f"baseline {before.baseline} → {after.baseline}")
    was, now = before.applies_in, after.applies_in
    if was != now:
        goes = way(loosens=bool(was - now), tightens=bool(now - was))
        yield Difference(goes, "standards", after.id, f"applies in {listed(sorted(was))} → {listed(sorted(now))}")


# Contexts and thresholds ------------------------------------------------------------------------------------------


def _contexts(old: Policy, new: Policy) -> Iterator[Difference]:
    for place in new.contexts:
        before = old.context(place.id)
        if before is None:
            yield Difference(Way.LOOSENS, "contexts", place.id, "new: models can be released there from then on")
        else:
            yield from _context(old, new, before, place)
    for place in old.contexts:
        if new.context(place.id) is None:
            yield Difference(Way.TIGHTENS, "contexts", place.id, "dropped: the gate denies it, what runs there too")
    kept = [[p.id for p in side.contexts if old.context(p.id) and new.context(p.id)] for side in (old, new)]
    if kept[0] != kept[1]:
        yield Difference(Way.LOOSENS, "contexts", "", f"order of exposure {listed(kept[0])} → {listed(kept[1])}")


def _context(old: Policy, new: Policy, before: Context, after: Context) -> Iterator[Difference]:
    if before.unguarded != after.unguarded:
        word = "nothing needs to guard it" if after.unguarded else "something has to guard it"
        yield Difference(way(loosens=after.unguarded, tightens=True), "contexts", after.id, word)
    if before.artifact_required != after.artifact_required:
        word = "asks for the artifact" if after.artifact_required else "no longer asks for the artifact"
        yield Difference(way(loosens=before.artifact_required, tightens=True), "contexts", after.id, word)
    needed = {source for t in after.thresholds for source in carrying.sources_of_threshold(old, new, t)}
    gone = [threshold for threshold in before.thresholds if threshold not in needed]
    if gone:
        words = f"no longer needs to know of {listed(gone)}"
        yield Difference(Way.LOOSENS, "contexts", after.id, words)
    known = {t: carrying.sources_of_threshold(old, new, t) for t in after.thresholds}
    more = [t for t, sources in known.items() if sources and not set(sources) & set(before.thresholds)]
    if more:
        yield Difference(Way.TIGHTENS, "contexts", after.id, f"needs to know of {listed(more)} as well")


def _thresholds(old: Policy, new: Policy) -> Iterator[Difference]:
    taken: set[str] = set()
    for name, threshold in new.thresholds.items():
        sources = carrying.sources_of_threshold(old, new, name)
        known = [old.thresholds[source] for source in sources if source in old.thresholds]
        taken |= {source.id for source in known}
        yield from _origin(old, threshold, sources, known)
        for source in known:
            yield from _threshold(old, new, source, threshold)
    for name, threshold in old.thresholds.items():
        if name in taken:
            continue
        after = new.thresholds.get(name)
        others = carrying.sources_of_threshold(old, new, name) if after is not None else ()
        if after is not None and not others:
            words = "what was determined of it is not carried: it is undetermined under the same id"
            yield Difference(Way.NEUTRAL, "thresholds", name, words)
            yield from _threshold(old, new, threshold, after)
            continue
        words = "dropped; what was determined of it is kept and no longer read"
        if others:
            words = f"dropped: its id stands for {listed(others)}, what was determined of it is no longer read"
        yield Difference(way(loosens=not threshold.tracked), "thresholds", name, words)


def _origin(
    old: Policy, threshold: Threshold, sources: tuple[str, ...], known: list[Threshold]
) -> Iterator[Difference]:
    name = threshold.id
    missing = [source for source in sources if source not in old.thresholds]
    if missing:
        words = f"is to stand for {listed(missing)}, which {old.name} does not have: undetermined"
        yield Difference(Way.TIGHTENS, "thresholds", name, words)
    if not known:
        if name not in old.thresholds and not missing:
            goes = way(tightens=not threshold.tracked)
            yield Difference(goes, "thresholds", name, f"new ({threshold.title}); undetermined for every model")
    elif len(known) > 1:
        words = f"stands for {listed(sources)}: the strictest conclusion, the earliest lapse, confirmed only if all are"
        yield Difference(Way.NEUTRAL, "thresholds", name, words)
    elif known[0].id != name:
        words = f"{known[0].id} is called {name}; its determinations carry over"
        yield Difference(Way.NEUTRAL, "thresholds", name, words)


def _threshold(old: Policy, new: Policy, before: Threshold, after: Threshold) -> Iterator[Difference]:
    name = after.id
    for standard in dict.fromkeys((*before.asks, *after.asks)):
        was, now = before.asks.get(standard), after.asks.get(standard)
        if was == now:
            continue
        goes = way(loosens=now is None, tightens=was is None)
        if was is not None and now is not None:
            goes = _asked_level(old, new, was, now)
        words = f"asks for {standard} {was or 'nothing'} → {now or 'nothing'}"
        yield Difference(goes, "thresholds", name, _under(before, after, words))
    if before.tracked != after.tracked:
        words = "is only tracked: the gate no longer reads it" if after.tracked else "is read by the gate from then on"
        yield Difference(way(loosens=after.tracked, tightens=True), "thresholds", name, words)
    was_every, now_every = before.reassess_every_us, after.reassess_every_us
    if was_every != now_every and not after.tracked and not before.tracked:
        goes = way(loosens=(now_every or 0) > (was_every or 0), tightens=True)
        words = f"determined anew each {lasting(was_every)} → {lasting(now_every)}"
        yield Difference(goes, "thresholds", name, _under(before, after, words))
    if before.compute_growth != after.compute_growth and not after.tracked:
        looser = after.compute_growth is None or (
            before.compute_growth is not None and after.compute_growth > before.compute_growth
        )
        words = f"lapses at {before.compute_growth or 'no'} → {after.compute_growth or 'no'} times the compute"
        yield Difference(way(loosens=looser, tightens=True), "thresholds", name, _under(before, after, words))
    if before.title != after.title:
        yield Difference(Way.NEUTRAL, "thresholds", name, f"reworded: {before.title} → {after.title}")


def _under(before: Threshold, after: Threshold, words: str) -> str:
    return words if before.id == after.id else f"{words} (for {before.id})"


# Safeguards -------------------------------------------------------------------------------------------------------


def _safeguards(old: Policy, new: Policy) -> Iterator[Difference]:
    taken: set[str] = set()
    for name, spec in new.safeguards.items():
        source = carrying.source_of_safeguard(old, new, spec)
        taken |= {source} - {""}
        commitment = spec.track == "commitment"
        if source:
            yield from _safeguard(old, new, old.safeguards[source], spec)
        elif name in old.safeguards:
            words = "what is known of it is not carried: it is planned"
            yield Difference(way(tightens=commitment), "safeguards", name, words)
            yield from _safeguard(old, new, old.safeguards[name], spec)
        else:
            words = f"new {spec.track} at {spec.standard} {spec.level} ({spec.title})"
            replaces = bool(spec.replaces)
            yield Difference(way(loosens=replaces, tightens=commitment), "safeguards", name, words)
    for name, spec in old.safeguards.items():
        others = carrying.source_of_safeguard(old, new, new.safeguards[name]) if name in new.safeguards else ""
        if name not in taken and (others or name not in new.safeguards):
            loosens = spec.track == "commitment"
            words = f"dropped {spec.track}" + (": nothing asks for it any more" if loosens else "")
            words += f"; its id stands for {others} from then on" if others else ""
            yield Difference(way(loosens=loosens), "safeguards", name, words)


def _safeguard(old: Policy, new: Policy, before: Safeguard, after: Safeguard) -> Iterator[Difference]:
    if before.track != after.track:
        if after.track == "recommendation":
            words = "a commitment becomes a recommendation: the gate stops blocking on it, it is listed as an advisory"
        else:
            words = "a recommendation becomes a commitment: the gate blocks on it"
        goes = way(loosens=after.track == "recommendation", tightens=True)
        yield Difference(goes, "safeguards", after.id, words)
    counts = "commitment" in {before.track, after.track}
    for goes, words in _details(old, new, before, after):
        # What never blocks can't loosen either.
        yield Difference(goes if counts else Way.NEUTRAL, "safeguards", after.id, words)


def _details(old: Policy, new: Policy, before: Safeguard, after: Safeguard) -> Iterator[tuple[Way, str]]:
    replaces = bool(after.replaces)
    if before.id != after.id:
        yield Way.NEUTRAL, f"{before.id} is called {after.id}; its state carries over"
    if before.title != after.title:
        yield Way.NEUTRAL, f"reworded: {before.title} → {after.title}"
    if before.shared != after.shared:
        yield Way.TIGHTENS, "shared by models" if after.shared else "each model has its own"
    if before.standard != after.standard:
        yield Way.LOOSENS, f"standard {before.standard} → {after.standard}"
    if before.level != after.level:
        higher = _asked_level(old, new, before.level, after.level) is not Way.LOOSENS
        # Where more models or contexts list it, what it replaces is asked for in fewer.
        yield way(loosens=higher or replaces, tightens=True), f"level {before.level} → {after.level}"
    if before.covers != after.covers:
        goes = way(loosens=bool(before.covers - after.covers) or replaces, tightens=True)
        yield goes, f"guards {listed(sorted(before.covers))} → {listed(sorted(after.covers))}"
    yield from _named(old, new, before, after)
    if before.attested_for_us != after.attested_for_us:
        goes = way(loosens=after.attested_for_us > before.attested_for_us, tightens=True)
        yield goes, f"an attestation lasts {lasting(before.attested_for_us)} → {lasting(after.attested_for_us)}"
    if before.verify_with != after.verify_with:
        goes = way(loosens=not asks_as_much(before.verify_with, after.verify_with), tightens=True)
        yield goes, f"verified with {needs_in_words(before.verify_with)} → {needs_in_words(after.verify_with)}"
    if before.source != after.source:
        yield Way.NEUTRAL, "cites another source"


def _named(old: Policy, new: Policy, before: Safeguard, after: Safeguard) -> Iterator[tuple[Way, str]]:
    """Compare the thresholds and safeguards that a safeguard names, by what stands behind their ids in each version."""
    was, now = before.for_thresholds, after.for_thresholds
    carried = {source for threshold in now for source in carrying.sources_of_threshold(old, new, threshold)}
    if was != now or (now and carried != set(was)):
        wording = (listed(was) if was else "always", listed(now) if now else "always")
        narrower = bool(now) and (not was or not carried.issuperset(was))
        yield (
            way(loosens=narrower, tightens=True),
            f"listed for {wording[0]} → {wording[1]}{_of_old(now, carried, was)}",
        )
    stand = (carrying.source_of_safeguard(old, new, new.safeguards[name]) or name for name in after.replaces)
    replaced = set(stand)
    if before.replaces != after.replaces or replaced != set(before.replaces):
        wording = (listed(before.replaces), listed(after.replaces))
        words = f"replaces {wording[0]} → {wording[1]}{_of_old(after.replaces, replaced, before.replaces)}"
        yield way(loosens=bool(replaced - set(before.replaces)), tightens=True), words


def _of_old(now: tuple[str, ...], stand: set[str], was: tuple[str, ...]) -> str:
    """Say what ids stand for, where that is not what the same words meant."""
    return f" (what was {listed(sorted(stand))})" if set(now) == set(was) != stand else ""


def asks_as_much(before: tuple[EvidenceNeed, ...], after: tuple[EvidenceNeed, ...]) -> bool:
    """Say whether each document that was asked for still is, and no older."""
    return all(
        any(now.kind == was.kind and _no_older(was.newer_than_us, now.newer_than_us) for now in after) for was in before
    )


def _no_older(was: int | None, now: int | None) -> bool:
    return was is None or (now is not None and now <= was)


def needs_in_words(needs: tuple[EvidenceNeed, ...]) -> str:
    """Return documents with how new they are."""
    return listed(
        need.kind if need.newer_than_us is None else f"{need.kind} newer than {lasting(need.newer_than_us)}"
        for need in needs
    )
