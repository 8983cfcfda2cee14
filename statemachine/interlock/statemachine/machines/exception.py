"""The exception machine: a change opens one, with an end and a review to come; any tightening word ends it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import excepting, moments, owed
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import safeguard, tables
from interlock.statemachine.machines.step import Moment, Moved, not_found
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine import firings as f
    from interlock.statemachine.policy.model import BreakGlass
    from interlock.statemachine.state import State


def open_(moment: Moment, state: State, firing: f.BreakGlassOpen) -> Moved | Refused:
    """Except a hold or a safeguard until an instant, and open the review of that; nothing else moves."""
    trigger, resource = firing.trigger.value, firing.resource
    actual = _state_of(moment, state, resource)
    if isinstance(actual, Refused):
        return actual
    stands_for = excepting.stood_in_for(state, resource)
    if not stands_for:
        wish = "a hold that is placed, or a safeguard that is degraded, or was active when it was suspended"
        return refused(RefusalKind.UNMET, Code.NO_SUCH_EDGE, wish, actual, resource, trigger)
    allowed = moment.policy.break_glass.get(stands_for)
    if allowed is None:
        wish = f"a policy that allows break-glass for {stands_for}"
        return refused(RefusalKind.UNMET, Code.BREAK_GLASS_NOT_ALLOWED, wish, "it does not", resource, trigger)
    faults = tuple(_faults(moment, state, firing, allowed))
    if faults:
        return Refused(RefusalKind.UNMET, faults)
    name = state.next_name("exceptions")
    of = f"obligations/{owed.REVIEW.id}"
    reviews = state.find(of, r.Obligation) or r.Obligation(of)
    number = reviews.opened + 1
    review = r.Period(
        f"{of}/periods/{number}", start=moment.instant, due=moment.instant + allowed.review_within_us, cause=name
    )
    exemption = r.Exemption(
        name, resource, stands_for, firing.until, opened_at=moment.instant, opened_by=state.size, review=review.name
    )
    after = state.put(exemption).counted("exceptions").put(replace(reviews, opened=number)).put(review)
    return Moved(after, (Transition(name, trigger, tables.ABSENT, exemption.state),))


def _state_of(moment: Moment, state: State, resource: str) -> str | Refused:
    """Return the state of a hold or a safeguard, or why there is none."""
    if resource.startswith("holds/"):
        hold = state.find(resource, r.Hold)
        return hold.state if hold is not None else not_found(resource, "a placed hold")
    spec = safeguard.spec_of(moment, state, resource)
    return spec if isinstance(spec, Refused) else state.safeguard(resource).state


def _faults(moment: Moment, state: State, firing: f.BreakGlassOpen, allowed: BreakGlass) -> Iterator[Unmet]:
    trigger, resource = firing.trigger.value, firing.resource
    if firing.until <= moment.instant:
        wish = f"an end after {moments.to_text(moment.instant)}"
        yield Unmet(Code.END_PASSED, wish, moments.to_text(firing.until), resource, trigger)
    latest = moment.instant + allowed.lasts_us
    if firing.until > latest:
        wish = f"an end by {moments.to_text(latest)}: break-glass is for a while"
        yield Unmet(Code.END_TOO_LATE, wish, moments.to_text(firing.until), resource, trigger)
    for earlier in excepting.unreviewed(state, resource):
        wish = "no earlier use on it whose review is open"
        actual = f"{earlier.review} is not fulfilled, or by a tainted change"
        yield Unmet(Code.REVIEW_OPEN, wish, actual, resource, trigger)
