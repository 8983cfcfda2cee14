"""What one policy version changes of another, in words, what loosens first. Pure.

``shape.py``: levels, standards, contexts, thresholds, safeguards, with what becomes of what is known under old ids.
``process.py``: roles, rules, break-glass, obligations, terms. Lives here: putting them in order. Not here: which
verdicts flip on a given log (``simulating.py``), and the bytes of the two packs, which a signer is shown beside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine.diffing.difference import Difference, Way
from interlock.statemachine.diffing.process import compare_process
from interlock.statemachine.diffing.shape import compare_shape

if TYPE_CHECKING:
    from interlock.statemachine.policy.model import Policy

__all__ = ["Difference", "Way", "compare_policies"]


def compare_policies(old: Policy, new: Policy) -> tuple[Difference, ...]:
    """Return everything that ``new`` says otherwise than ``old``: what loosens, what tightens, the rest.

    What would let a later adoption need fewer sign-offs comes before all. Loosening is judged with no knowledge of any
    log and errs that way: where nobody can tell, it loosens.
    """
    found = (*compare_process(old, new), *compare_shape(old, new))
    if not found and old.digest != new.digest:
        found = (Difference(Way.NEUTRAL, "text", "", "only sources, comments or the version's name differ"),)
    return tuple(sorted(found, key=lambda row: row.rank))
