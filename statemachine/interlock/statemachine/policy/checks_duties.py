"""What the names in a pack refer to, third part: severities and categories of incidents, obligations, clocks."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from interlock.statemachine.policy.fields import DAY_US
from interlock.statemachine.policy.findings import Code, shown
from interlock.statemachine.policy.resolve import Names
from interlock.statemachine.policy.vocabulary import BREAK_GLASS_REVIEW

if TYPE_CHECKING:
    from interlock.statemachine.policy.notebook import Notebook
    from interlock.statemachine.policy.schema import ObligationShape, PackShape
    from interlock.statemachine.policy.yamltree import Path


def check_duties(shape: PackShape, book: Notebook) -> None:
    """Run every check of this module."""
    _check_severities(shape, book)
    names = Names.of(shape)
    for obligation_id, obligation in shape.obligations.items():
        path: Path = ("obligations", obligation_id)
        if obligation_id == BREAK_GLASS_REVIEW:
            message = "This name is that of the reviews that break-glass opens."
            book.error(path, Code.DUPLICATE_ID, message, "give the obligation another name", key=True)
        _check_clock(path, obligation, names, book)
        place = (*path, "fulfilled_by", "evidence")
        word, kinds = obligation.fulfilled_by.evidence, names.evidence_kinds
        book.known(place, word, kinds, Code.UNKNOWN_EVIDENCE_KIND, "kind of evidence")


def _check_severities(shape: PackShape, book: Notebook) -> None:
    """Refuse a severity that blocks below one that does not: raising a severity only ever tightens."""
    severities = shape.incidents.severities
    book.once(("incidents", "severities"), [row.id for row in severities])
    book.once(("incidents", "categories"), shape.incidents.categories)
    for index, (milder, graver) in enumerate(itertools.pairwise(severities), start=1):
        if milder.blocking and not graver.blocking:
            message = f"{shown(milder.id)} blocks, and {shown(graver.id)}, which is graver, does not."
            fix = f"write `{{id: {graver.id}, blocking: true}}`; they stand mildest first"
            book.error(("incidents", "severities", index), Code.SEVERITY_ORDER, message, fix)


def _check_clock(path: Path, obligation: ObligationShape, names: Names, book: Notebook) -> None:
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
    book.known((*path, "after", "at_least"), after.at_least, names.severities, Code.UNKNOWN_SEVERITY, "severity")
    book.once((*path, "after", "categories"), after.categories)
    for index, word in enumerate(after.categories):
        place = (*path, "after", "categories", index)
        book.known(place, word, names.categories, Code.UNKNOWN_CATEGORY, "category of incidents")
    if obligation.blocking and after.incident == "closing":
        message = "What a closing starts can't block: closing an incident that does not block changes no verdict."
        book.error((*path, "blocking"), Code.OBLIGATION_CLOCK, message, "write `blocking: false`")
