"""What the names in a pack refer to, third part: severities and categories of incidents, obligations.

What starts the clock of an obligation is in ``checks_clocks.py``.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from interlock.statemachine.policy.checks_clocks import check_clock
from interlock.statemachine.policy.findings import Code, shown
from interlock.statemachine.policy.resolve import Names
from interlock.statemachine.policy.vocabulary import BREAK_GLASS_REVIEW

if TYPE_CHECKING:
    from interlock.statemachine.policy.notebook import Notebook
    from interlock.statemachine.policy.schema import PackShape
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
        check_clock(path, obligation, names, book)
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
