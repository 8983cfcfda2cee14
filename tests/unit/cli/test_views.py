"""What people see of messages: complete tables, every word that is signed, folded requirements."""

from __future__ import annotations

import io
from dataclasses import fields
from typing import get_args

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from interlock.cli.terminal import Terminal
from interlock.cli.views.common import left, to_json, when, when_micros, word
from interlock.cli.views.model import _LOOKS, show_model
from interlock.cli.views.trigger import trigger_line
from interlock.cli.views.unmet import folded, unmet_lines
from interlock.client.errors import Unmet
from interlock.statemachine import firings as f
from interlock.v1 import change_pb2, model_pb2, safeguard_pb2, trigger_pb2

DAY = 86_400


def _at(seconds: int) -> Timestamp:
    return Timestamp(seconds=seconds)


@pytest.mark.parametrize("kind", get_args(f.Firing), ids=lambda kind: kind.trigger.value)
def test_a_trigger_is_shown_with_every_argument(kind: type[f.Firing]) -> None:
    """Nothing of a trigger that is signed stays unshown."""
    values = {
        item.name: (f"{item.name}-1", f"{item.name}-2")
        if "tuple" in str(item.type)
        else b"\xab\xcd"
        if "bytes" in str(item.type)
        else f"{item.name}-value"
        for item in fields(kind)
    }

    line = trigger_line(kind(**values))  # type: ignore[arg-type]  # by the field's own type

    assert line.startswith(f"{kind.trigger.value} ")
    for value in values.values():
        assert (
            ",".join(value) if isinstance(value, tuple) else value.hex() if isinstance(value, bytes) else value
        ) in line


def test_every_state_of_a_safeguard_has_a_look() -> None:
    """No state is drawn by a default."""
    states = {word(safeguard_pb2.SafeguardState, value) for value in safeguard_pb2.SafeguardState.values()}

    assert set(_LOOKS) == states - {"unspecified"}


@pytest.mark.parametrize(
    ("enum", "value", "said"),
    [
        (change_pb2.ChangeState, change_pb2.CHANGE_STATE_IN_REVIEW, "in_review"),
        (trigger_pb2.Conclusion, trigger_pb2.CONCLUSION_CANNOT_RULE_OUT, "cannot_rule_out"),
        (model_pb2.LevelState, model_pb2.LEVEL_STATE_PROVISIONAL, "provisional"),
    ],
)
def test_enums_are_said_in_the_words_of_the_domain(enum: object, value: int, said: str) -> None:
    """Prefix and capitals are the wire's."""
    assert word(enum, value) == said


@pytest.mark.parametrize(
    ("until", "said"),
    [(0, ""), (100 * DAY, "99 d left"), (DAY + 3600, "1 h left"), (DAY + 30, "1 h left"), (DAY, "ended"), (1, "ended")],
)
def test_what_is_left_is_counted_from_the_instant_judged_at(until: int, said: str) -> None:
    """The client's own clock plays no part; the end itself is past the end."""
    assert left(_at(until), _at(DAY))[0] == said


def test_times_are_utc_and_unset_ones_empty() -> None:
    """One form everywhere."""
    assert when(_at(0)) == ""
    assert when(_at(1_779_444_003)) == "2026-05-22T10:00:03Z"
    assert when_micros(1_779_444_003_000_001) == "2026-05-22T10:00:03.000001Z"
    assert when_micros(2**62) == f"{2**62} µs"


def test_json_has_a_stable_shape() -> None:
    """Unset fields are there, names are those of the .proto."""
    value = to_json(model_pb2.Model(name="models/m"))

    assert set(value) >= {"name", "state", "artifacts", "levels", "log_position", "verdicts"}
    assert value["log_position"] == "0"


def test_names_of_one_parent_are_folded() -> None:
    """What several resources share is written once; different parents stay in full."""
    assert folded("models/a/safeguards/x, models/a/safeguards/y") == "models/a/safeguards/{x, y}"
    assert folded("models/a/safeguards/x") == "models/a/safeguards/x"
    assert folded("models/a, holds/1") == "models/a, holds/1"


def test_requirements_are_grouped_by_trigger() -> None:
    """Those of no trigger come first, then each trigger with its resource once."""
    rows = [
        Unmet("SIGN_OFF_MISSING", "rso", "not signed", "models/a/levels/d", "level.raise"),
        Unmet("HOLD_PLACED", "no hold", "held", "holds/1", rule=3),
        Unmet("SIGN_OFF_MISSING", "ceo", "not signed", "models/a/levels/d", "level.raise"),
    ]
    out = io.StringIO()

    for line in unmet_lines(rows):
        Terminal(out=out, err=out).line(*line)

    assert out.getvalue().splitlines() == [
        "  rule 3  HOLD_PLACED  holds/1: needs no hold; found: held",
        "  level.raise  models/a/levels/d",
        "    SIGN_OFF_MISSING needs rso; found: not signed",
        "    SIGN_OFF_MISSING needs ceo; found: not signed",
    ]


def test_a_model_is_drawn_with_what_troubles_it() -> None:
    """State, remembered state, who and why of a safeguard that is out of order; text of others escaped."""
    model = model_pb2.Model(
        name="models/m",
        state=model_pb2.MODEL_STATE_REGISTERED,
        instant=_at(DAY),
        levels=[model_pb2.Level(name="models/m/levels/d", required="guarded", state=model_pb2.LEVEL_STATE_UNASSIGNED)],
        determinations=[model_pb2.Determination(name="models/m/determinations/misuse")],
        safeguards=[
            safeguard_pb2.Safeguard(
                name="models/m/safeguards/filter",
                state=safeguard_pb2.SAFEGUARD_STATE_SUSPENDED,
                remembered_state=safeguard_pb2.SAFEGUARD_STATE_ACTIVE,
                since_time=_at(DAY),
                since_by="principals/monitor",
                reason="out\x1b",
                commitment=True,
                standard="d",
                level="guarded",
            )
        ],
        holds=["holds/1"],
        verdicts=[model_pb2.ContextVerdict(context="api", codes=["HOLD_PLACED"])],
    )
    out = io.StringIO()

    show_model(Terminal(out=out, err=out), model)
    drawn = out.getvalue()

    for part in ("unassigned", "undetermined", "suspended (was active)", "by monitor", "“out\\x1b”", "held by holds/1"):
        assert part in drawn
    assert any(line.split() == ["api", "DENY", "HOLD_PLACED"] for line in drawn.splitlines())
