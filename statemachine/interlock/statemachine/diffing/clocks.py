"""What starts an obligation, in words, and what two versions say of that. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine.diffing.difference import Way, lasting, listed, way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.policy.model import After, Obligation, Policy


def clock_in_words(spec: Obligation) -> str:
    """Say when an obligation is owed."""
    if spec.after is None:
        return f"every {lasting(spec.every_us)}"
    within = f"within {lasting(spec.after.within_us)} of" if spec.after.within_us else "at once with"
    again = ", and again each time until it is closed" if spec.after.repeats else ""
    return f"{within} {_event(spec.after)}{again}"


def this_too(spec: Obligation) -> str:
    """Say that the adoption itself counts, where one does."""
    return ", this adoption included" if spec.after is not None and spec.after.event == "adoption" else ""


def _event(after: After) -> str:
    match after.event:
        case "deployment":
            places = f" in {listed(sorted(after.contexts))}" if after.contexts else ""
            return f"the first deployment of a model, or of a later artifact{places}"
        case "adoption":
            return "each adoption of a version of the policy"
        case _:
            of = f" of {listed(sorted(after.categories))}" if after.categories else ""
            return f"the {after.event} of an incident{of}, {after.at_least} or graver"


def compare_clocks(old: Policy, new: Policy, before: Obligation, after: Obligation) -> Iterator[tuple[Way, str]]:
    """Yield what differs in when an obligation is owed, key by key; what was opened before stays due when it was."""
    if before.after is None and after.after is None:
        if before.every_us != after.every_us:
            goes = way(loosens=after.every_us > before.every_us, tightens=True)
            yield goes, f"every {lasting(before.every_us)} → {lasting(after.every_us)}, after the running period"
    elif before.after is None or after.after is None or before.after.event != after.after.event:
        words = f"{clock_in_words(before)} → {clock_in_words(after)}, for what happens from then on{this_too(after)}"
        yield way(loosens=True, tightens=True), words
    else:
        yield from _keys(old, new, before.after, after.after)


def _keys(old: Policy, new: Policy, before: After, after: After) -> Iterator[tuple[Way, str]]:
    if before.within_us != after.within_us:
        goes = way(loosens=after.within_us > before.within_us, tightens=True)
        yield goes, f"due within {lasting(before.within_us)} → {lasting(after.within_us)} of {_event(after)}"
    spared = [row.id for row in old.severities if _counts(old, before, row.id) and not _counts(new, after, row.id)]
    if before.at_least != after.at_least or spared:
        goes = way(loosens=bool(spared), tightens=True)
        yield goes, f"counts incidents from {before.at_least} → {after.at_least} on"
    if before.categories != after.categories:
        goes = way(loosens=_lacks(before.categories, after.categories), tightens=True)
        yield goes, f"counts incidents of {_any(before.categories)} → {_any(after.categories)}"
    if before.contexts != after.contexts:
        goes = way(loosens=_lacks(before.contexts, after.contexts), tightens=True)
        yield goes, f"counts deployments in {_any(before.contexts)} → {_any(after.contexts)}"
    if before.repeats != after.repeats:
        words = "owed again each time until the incident is closed" if after.repeats else "owed once for an incident"
        yield way(loosens=before.repeats, tightens=True), words


def _counts(policy: Policy, after: After, severity: str) -> bool:
    return policy.severity_rank(severity) >= policy.severity_rank(after.at_least)


def _lacks(before: frozenset[str], after: frozenset[str]) -> bool:
    """Say whether something that counted does no more; nothing is short for anything."""
    return bool(after) and (not before or not before <= after)


def _any(words: frozenset[str]) -> str:
    return listed(sorted(words)) if words else "any"
