"""What may start the clock of an obligation, and which of these may block.

What a single person starts or ends by a trigger that is neutral can't block: that trigger must change no verdict, now
or later (decisions 0045 and 0061).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.statemachine.policy.fields import DAY_US
from interlock.statemachine.policy.findings import Code
from interlock.statemachine.policy.schema import CLOCK_KEYS, EXAMPLES

if TYPE_CHECKING:
    from interlock.statemachine.policy.notebook import Notebook
    from interlock.statemachine.policy.resolve import Names
    from interlock.statemachine.policy.schema import AfterShape, ObligationShape
    from interlock.statemachine.policy.yamltree import Path

_WITH_ARTICLE: Final = {"incident": "an incident", "deployment": "a deployment", "adoption": "an adoption"}
_ONE: Final = "keep one, such as `deployment: recorded`"


def check_clock(path: Path, obligation: ObligationShape, names: Names, book: Notebook) -> None:
    """Refuse an obligation without just one clock, and one that blocks though what moves its clock is neutral."""
    after = obligation.after
    if (obligation.every is None) is (after is None):
        message = "An obligation has one clock: `every` of the calendar, or `after` what happens."
        book.error(path, Code.OBLIGATION_CLOCK, message, "keep one of the two, such as `every: 90d`", key=True)
        return
    if after is None:
        if obligation.blocking and obligation.every is not None and obligation.every < DAY_US:
            message = "An obligation that blocks has periods of a day at least."
            fix = "write `1d` or more; the gate looks at every period that nobody fulfilled"
            book.error((*path, "every"), Code.BAD_DURATION, message, fix)
        return
    events = [key for key in CLOCK_KEYS if key in after.model_fields_set]
    if len(events) != 1:
        message = "A clock is started by one thing: an `incident`, a `deployment` or an `adoption`."
        book.error((*path, "after"), Code.OBLIGATION_CLOCK, message, _ONE, key=True)
        return
    _check_keys((*path, "after"), after, events[0], book)
    _check_names((*path, "after"), after, names, book)
    if obligation.blocking:
        _check_blocking((*path, "blocking"), after, book)


def _check_keys(path: Path, after: AfterShape, event: str, book: Notebook) -> None:
    """Refuse keys that mean nothing beside what starts the clock, and miss those that it needs."""
    for other, keys in CLOCK_KEYS.items():
        for key in sorted(keys & after.model_fields_set):
            if other != event:
                message = f"`{key}` says something of {_WITH_ARTICLE[other]}; {_WITH_ARTICLE[event]} starts this clock."
                book.error((*path, key), Code.OBLIGATION_CLOCK, message, f"leave out `{key}`", key=True)
    if event == "incident" and after.at_least is None:
        book.error(path, Code.MISSING_KEY, "The key `at_least` is missing.", f"add `{EXAMPLES['at_least']}`", key=True)
    if after.within == 0 and event != "deployment":
        message = "Only what may have been made before, as for a deployment, can be due at once."
        book.error((*path, "within"), Code.BAD_DURATION, message, "say how long it may take, as in `30d`")
    if after.repeats and after.incident == "closing":
        message = "What repeats ends when the incident is closed, so its closing can't start it."
        book.error((*path, "repeats"), Code.OBLIGATION_CLOCK, message, "count from `determination`, or leave it out")


def _check_names(path: Path, after: AfterShape, names: Names, book: Notebook) -> None:
    if after.at_least is not None:
        book.known((*path, "at_least"), after.at_least, names.severities, Code.UNKNOWN_SEVERITY, "severity")
    book.once((*path, "categories"), after.categories)
    for index, word in enumerate(after.categories):
        place = (*path, "categories", index)
        book.known(place, word, names.categories, Code.UNKNOWN_CATEGORY, "category of incidents")
    book.once((*path, "contexts"), after.contexts)
    for index, word in enumerate(after.contexts):
        book.known((*path, "contexts", index), word, names.contexts, Code.UNKNOWN_CONTEXT, "context")


def _check_blocking(path: Path, after: AfterShape, book: Notebook) -> None:
    """Refuse what a neutral trigger would make block, or would keep from blocking."""
    fix = "write `blocking: false`"
    if after.incident == "closing":
        message = "What a closing starts can't block: closing an incident that does not block changes no verdict."
        book.error(path, Code.OBLIGATION_CLOCK, message, fix)
    elif after.repeats:
        message = "What repeats can't block: closing an incident ends it, and changes no verdict where that is mild."
        book.error(path, Code.OBLIGATION_CLOCK, message, fix)
    elif after.deployment is not None:
        message = "What a deployment starts can't block: recording what runs somewhere changes no verdict."
        more = "; to have the document before, ask for it in `verify_with:` of a safeguard that guards the context"
        book.error(path, Code.OBLIGATION_CLOCK, message, f"{fix}{more}")
