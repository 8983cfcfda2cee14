"""The level machine of a model in one standard: assign, raise, lower, confirm."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import names
from interlock.statemachine.entry import Transition
from interlock.statemachine.levels import level_kind
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, registered_model
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine import resources as r
    from interlock.statemachine.state import State


def _subject(moment: Moment, state: State, name: str) -> tuple[str, str, r.Level] | Refused:
    """Return model, standard and level, or why there is no such level."""
    model = registered_model(state, names.model_of(name) or "")
    if isinstance(model, Refused):
        return model
    standard = names.leaf_of(name)
    if standard not in moment.policy.standards:
        known = ", ".join(moment.policy.standards)
        return refused(
            RefusalKind.NOT_FOUND,
            Code.STANDARD_UNKNOWN,
            f"a standard of the policy: {known}",
            "unknown",
            name,
        )
    return model.name, standard, state.level(model.name, standard)


def move(moment: Moment, state: State, firing: f.LevelAssign | f.LevelRaise | f.LevelLower) -> Moved | Refused:
    """Assign, raise or lower: provisional as long as the level is a precaution, confirmed otherwise."""
    subject = _subject(moment, state, firing.level)
    if isinstance(subject, Refused):
        return subject
    model, standard, level = subject
    wanted = moment.policy.level(firing.to)
    if wanted is None:
        known = ", ".join(entry.id for entry in moment.policy.levels)
        return refused(
            RefusalKind.NOT_FOUND,
            Code.LEVEL_UNKNOWN,
            f"a level of the policy: {known}",
            firing.to,
            level.name,
        )
    if wanted.stub:
        return refused(
            RefusalKind.UNMET,
            Code.LEVEL_STUB,
            "a level whose safeguards the policy lists",
            f"{wanted.id} is a stub: it can be required and never assigned",
            level.name,
            firing.trigger.value,
        )
    kind = level_kind(moment.policy, state, model, standard, wanted.id)
    target = f"{kind}({wanted.id})"
    trigger = f"{firing.trigger.value}[{target}]"
    if tables.level_table(moment.policy).target(level.state, trigger) is None:
        return _out_of_order(moment, firing, level)
    moved = replace(level, kind=kind, assigned=wanted.id, assigned_by=state.size)
    return Moved(state.put(moved), (Transition(level.name, firing.trigger.value, level.state, target),))


def _out_of_order(moment: Moment, firing: f.LevelAssign | f.LevelRaise | f.LevelLower, level: r.Level) -> Refused:
    """Say in words why the level machine has no such edge."""
    order = " < ".join(entry.id for entry in moment.policy.levels)
    verb = firing.trigger.value.removeprefix("level.")
    wish = {
        "assign": "no level assigned yet",
        "raise": f"an assigned level below {firing.to} ({order})",
        "lower": f"an assigned level above {firing.to} ({order})",
    }[verb]
    return refused(RefusalKind.UNMET, Code.LEVEL_ORDER, wish, level.state, level.name, firing.trigger.value)


def confirm(moment: Moment, state: State, firing: f.LevelConfirm) -> Moved | Refused:
    """Make a provisional level a confirmed one, once it is no longer a mere precaution."""
    subject = _subject(moment, state, firing.level)
    if isinstance(subject, Refused):
        return subject
    model, standard, level = subject
    trigger = firing.trigger.value
    table = tables.level_table(moment.policy)
    target = table.target(level.state, trigger)
    if target is None:
        return no_edge(table, trigger, level.name, level.state)
    if level_kind(moment.policy, state, model, standard, level.assigned) == "provisional":
        return refused(
            RefusalKind.UNMET,
            Code.LEVEL_STILL_PROVISIONAL,
            f"a threshold that asks for {level.assigned} reached, or all of them ruled out",
            "one can't be ruled out and none is reached",
            level.name,
            trigger,
        )
    return Moved(state.put(replace(level, kind="confirmed")), (Transition(level.name, trigger, level.state, target),))
