"""The finding machine: an analyser of activity records raises, a person confirms or dismisses.

Confirming tightens; dismissing what is confirmed and blocks loosens (``ruling.py``). What was dismissed can be
confirmed after all, so that dismissing what nobody confirmed spares nobody anything.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.incident import unknown_words
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found
from interlock.statemachine.requirements import unknown_evidence
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.unmet import Code, RefusalKind, Refused

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.state import State


def raise_(moment: Moment, state: State, firing: f.FindingRaise) -> Moved | Refused:
    """Record a new finding about a model, retired or not, or about everything."""
    if firing.target != EVERYTHING and state.find(firing.target, r.Model) is None:
        return not_found(firing.target, "a model, or `-` for everything", Code.MODEL_UNKNOWN)
    trigger = firing.trigger.value
    missing = (
        *unknown_words(moment.policy, trigger, firing.severity, ""),
        *unknown_evidence(state, firing.evidence, trigger),
    )
    if missing:
        return Refused(RefusalKind.NOT_FOUND, missing)
    finding = r.Finding(
        state.next_name("findings"),
        firing.target,
        firing.severity,
        evidence=firing.evidence,
        raised_at=moment.instant,
        raiser=moment.actor,
        title_digest=firing.title_digest,
    )
    move = Transition(finding.name, trigger, tables.ABSENT, finding.state)
    return Moved(state.put(finding).counted("findings"), (move,))


def judge(moment: Moment, state: State, firing: f.FindingConfirm | f.FindingDismiss) -> Moved | Refused:
    """Confirm or dismiss a finding."""
    finding = state.find(firing.finding, r.Finding)
    if finding is None:
        return not_found(firing.finding, "a finding")
    trigger = firing.trigger.value
    if (finding.state, trigger) in tables.SETTLED["finding"]:
        return Moved(state)
    target = tables.FINDING.target(finding.state, trigger)
    if target is None:
        return no_edge(tables.FINDING, trigger, finding.name, finding.state)
    judged = replace(
        finding,
        state=target,
        moved_at=moment.instant,
        mover=moment.actor,
        reason_digest=firing.reason_digest,
        dismissed_by=state.size if target == "dismissed" else finding.dismissed_by,
    )
    return Moved(state.put(judged), (Transition(finding.name, trigger, finding.state, target),))
