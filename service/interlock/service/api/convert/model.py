"""Models, their levels and determinations as messages, judged at a position and an instant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.service.api.convert.safeguard import safeguard_message, safeguards_of
from interlock.service.api.times import from_microseconds
from interlock.statemachine import names
from interlock.statemachine.explain import explain
from interlock.statemachine.levels import required_level
from interlock.v1 import model_pb2, trigger_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.service.ledger.view import View
    from interlock.statemachine import resources as r

_MODEL_STATES: Final[Mapping[str, model_pb2.ModelState.ValueType]] = {
    "registered": model_pb2.MODEL_STATE_REGISTERED,
    "retired": model_pb2.MODEL_STATE_RETIRED,
}
_LEVEL_STATES: Final[Mapping[str, model_pb2.LevelState.ValueType]] = {
    "unassigned": model_pb2.LEVEL_STATE_UNASSIGNED,
    "provisional": model_pb2.LEVEL_STATE_PROVISIONAL,
    "confirmed": model_pb2.LEVEL_STATE_CONFIRMED,
}
_CONCLUSIONS: Final[Mapping[str, trigger_pb2.Conclusion.ValueType]] = {
    "undetermined": trigger_pb2.CONCLUSION_UNSPECIFIED,
    "ruled_out": trigger_pb2.CONCLUSION_RULED_OUT,
    "cannot_rule_out": trigger_pb2.CONCLUSION_CANNOT_RULE_OUT,
    "reached": trigger_pb2.CONCLUSION_REACHED,
}


def model_message(view: View, model: r.Model, instant: int) -> model_pb2.Model:
    """Return a model as it stands at the view's position and ``instant`` (microseconds)."""
    message = model_pb2.Model(
        name=model.name,
        state=_MODEL_STATES[model.state],
        artifacts=[
            model_pb2.Artifact(name=f"{model.name}/artifacts/{own.sha256}", position=own.added_by)
            for own in model.artifacts
        ],
        levels=[level_message(view, model.name, standard) for standard in view.policy.standards],
        determinations=[
            determination_message(view, model.name, threshold, instant) for threshold in view.policy.thresholds
        ],
        safeguards=[safeguard_message(view, name, instant) for name in safeguards_of(view, model.name)],
        holds=view.state.holds_on(model.name),
        asl=_lowest_level(view, model.name),
        create_time=from_microseconds(model.registered_at),
        log_position=view.position,
        instant=from_microseconds(instant),
    )
    message.verdicts.extend(_verdicts(view, model, instant))
    return message


def level_message(view: View, model: str, standard: str) -> model_pb2.Level:
    """Return a model's level in a standard of the policy."""
    known = view.state.level(model, standard)
    return model_pb2.Level(
        name=known.name,
        state=_LEVEL_STATES[known.kind],
        assigned=known.assigned,
        required=required_level(view.policy, view.state, model, standard),
        position=view.state.position(known.name),
    )


def determination_message(view: View, model: str, threshold: str, instant: int) -> model_pb2.Determination:
    """Return what is known of a model at a threshold."""
    known = view.state.determination(model, threshold)
    spec = view.policy.thresholds.get(threshold)
    message = model_pb2.Determination(
        name=names.determination_name(model, threshold),
        conclusion=_CONCLUSIONS[known.conclusion],
        confirmed=known.confirmed,
        lapsed=known.lapsed_at(instant),
        tracked=spec is not None and spec.tracked,
        position=view.state.position(known.name),
    )
    if known.lapses_at is not None:
        message.lapse_time.CopyFrom(from_microseconds(known.lapses_at))
    return message


def _lowest_level(view: View, model: str) -> str:
    """Return the lower of the standards' levels; empty while one is unassigned or no level of this policy."""
    levels = [view.policy.level(view.state.level(model, standard).assigned) for standard in view.policy.standards]
    known = [level for level in levels if level is not None]
    return min(known, key=lambda level: level.index).id if known and len(known) == len(levels) else ""


def _verdicts(view: View, model: r.Model, instant: int) -> list[model_pb2.ContextVerdict]:
    """Return the gate's word in each context; where one asks for an artifact, for the newest that there is."""
    newest = model.artifacts[-1].sha256 if model.artifacts else ""
    verdicts = []
    for place in view.policy.contexts:
        artifact = newest if place.artifact_required else ""
        verdict = explain(view.policy, view.state, model.name, place.id, artifact, instant)
        codes = list(dict.fromkeys(reason.code for reason in verdict.reasons))
        verdicts.append(model_pb2.ContextVerdict(context=place.id, allowed=verdict.allowed, codes=codes))
    return verdicts
