"""A model drawn: levels, determinations, safeguards with what is left of them, verdicts."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from interlock.cli.views.common import ALLOW, DENY, left, when, word
from interlock.client import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.protobuf.timestamp_pb2 import Timestamp

    from interlock.cli.terminal import Piece, Terminal
    from interlock.v1.model_pb2 import ContextVerdict, Determination, Level, Model
    from interlock.v1.safeguard_pb2 import Safeguard

_LOOKS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "planned": ("○", "dim"),
        "implementing": ("◔", ""),
        "verified": ("◑", "cyan"),
        "active": ("●", "green"),
        "degraded": ("▼", "bold red"),
        "suspended": ("■", "bold red"),
        "retired": ("×", "dim"),
    }
)
"""How each state of a safeguard looks; a test checks that none is missing."""


def show_model(terminal: Terminal, model: Model) -> None:
    """Draw a model as it stands at its position and instant."""
    from interlock.v1 import model_pb2

    asl = f"  level {model.asl}" if model.asl else "  level unassigned"
    terminal.line((model.name, "bold"), f"  {word(model_pb2.ModelState, model.state)}{asl}")
    terminal.line((f"at position {model.log_position}, {when(model.instant)}", "dim"), indent=2)
    for artifact in model.artifacts:
        terminal.line("artifact ", (names.leaf(artifact.name), "dim"), indent=2)
    for hold in model.holds:
        terminal.line((f"held by {hold}", "bold red"), indent=2)
    _section(terminal, "levels", [_level_row(level) for level in model.levels])
    _section(terminal, "determinations", [_determination_row(row, model.instant) for row in model.determinations])
    _section(
        terminal, _safeguards_title(model.safeguards), [safeguard_row(row, model.instant) for row in model.safeguards]
    )
    _section(terminal, "gate", [_verdict_row(row) for row in model.verdicts])


def show_models(terminal: Terminal, models: Iterable[Model]) -> None:
    """List models with their levels and verdicts."""
    terminal.rows([model_row(model) for model in models], empty="no model")


def model_row(model: Model) -> list[Piece]:
    """Return one line of a listing."""
    from interlock.v1 import model_pb2

    levels = "  ".join(f"{names.leaf(row.name)} {row.assigned or '-'}" for row in model.levels)
    allowed = [row.context for row in model.verdicts if row.allowed]
    denied = [row.context for row in model.verdicts if not row.allowed]
    return [
        (model.name, "bold"),
        word(model_pb2.ModelState, model.state),
        levels,
        (f"ALLOW {', '.join(allowed)}" if allowed else "", "green"),
        (f"DENY {', '.join(denied)}" if denied else "", "red"),
    ]


def safeguard_row(safeguard: Safeguard, instant: Timestamp) -> list[Piece]:
    """Return one line for a safeguard: mark, name, state, what is left, where it belongs, since when."""
    from interlock.v1 import safeguard_pb2

    state = word(safeguard_pb2.SafeguardState, safeguard.state)
    mark, style = _LOOKS[state]
    remembers = word(safeguard_pb2.SafeguardState, safeguard.remembered_state) if safeguard.remembered_state else ""
    # Who moved it last and why is what one asks of a safeguard that is out of order.
    troubled = state in {"degraded", "suspended", "retired"}
    since = f"since {when(safeguard.since_time)} by {names.leaf(safeguard.since_by)}" if troubled else ""
    shared = "shared " if safeguard.name.startswith("safeguards/") else ""
    kind = "" if safeguard.commitment else " recommendation"
    reason = f"“{safeguard.reason}”" if safeguard.reason else ""
    return [
        (mark, style),
        names.leaf(safeguard.name),
        (f"{state} (was {remembers})" if remembers else state, style),
        (f"EXCEPTED until {when(safeguard.excepted_until_time)}" if safeguard.exception else "", "bold red"),
        left(safeguard.attested_until_time, instant),
        (f"{shared}{safeguard.standard} {safeguard.level}{kind}", "dim"),
        (f"{since} {reason}".strip(), "dim"),
    ]


def _section(terminal: Terminal, title: str, rows: list[list[Piece]]) -> None:
    if rows:
        terminal.line()
        terminal.line((title, "bold"), indent=2)
        terminal.rows(rows, indent=4)


def _level_row(level: Level) -> list[Piece]:
    from interlock.v1 import model_pb2

    state = word(model_pb2.LevelState, level.state)
    shown = f"{level.assigned} {state}" if level.assigned else state
    style = "green" if level.assigned == level.required else "yellow"
    return [names.leaf(level.name), (shown, style), f"required {level.required}"]


def _determination_row(row: Determination, instant: Timestamp) -> list[Piece]:
    from interlock.v1 import trigger_pb2

    if not row.conclusion:
        return [names.leaf(row.name), ("undetermined", "dim" if row.tracked else "yellow"), "", "", _tracked(row)]
    firm = ("confirmed", "green") if row.confirmed else ("unconfirmed", "yellow")
    lapse = ("lapsed", "bold red") if row.lapsed else left(row.lapse_time, instant)
    return [names.leaf(row.name), word(trigger_pb2.Conclusion, row.conclusion), firm, lapse, _tracked(row)]


def _tracked(row: Determination) -> tuple[str, str]:
    return ("watched only", "dim") if row.tracked else ("", "")


def _safeguards_title(safeguards: Iterable[Safeguard]) -> str:
    from interlock.v1 import safeguard_pb2

    states = [word(safeguard_pb2.SafeguardState, row.state) for row in safeguards]
    counts = ((state, states.count(state)) for state in reversed(tuple(_LOOKS)))
    return f"safeguards ({', '.join(f'{count} {state}' for state, count in counts if count)})"


def _verdict_row(row: ContextVerdict) -> list[Piece]:
    return [row.context, ALLOW if row.allowed else DENY, (", ".join(row.codes), "dim")]
