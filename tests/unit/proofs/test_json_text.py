"""Strict JSON: one text, one meaning; one value, one text."""

import enum
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.proofs.errors import Fault, JsonError
from interlock.proofs.json_text import MAX_DEPTH, MAX_INTEGER, MAX_JSON_BYTES, canonical_json, strict_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


class Level(enum.IntEnum):
    """A number that also has a name."""

    ONE = 1


def nested(depth: int) -> list[object]:
    """Give lists in lists."""
    return [nested(depth - 1)] if depth > 1 else []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"null", None),
        (b" [true, false, 0, -1] ", [True, False, 0, -1]),
        (b'{"a": {"a": "\\u00e9\xc3\xa9"}}', {"a": {"a": "éé"}}),
        (b"9007199254740991", MAX_INTEGER),
        (b'"\\ud83d\\ude00"', "😀"),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, nested(MAX_DEPTH)),
        (b'"' + b"[" * 99 + b'\\"{"', "[" * 99 + '"{'),
    ],
)
def test_plain_json_is_read(text: bytes, value: object) -> None:
    """What every reader reads alike is read: nesting up to the limit, brackets in strings."""
    assert strict_json(text) == value


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param(b"", Fault.JSON_SYNTAX, id="nothing"),
        pytest.param(b"{} {}", Fault.JSON_SYNTAX, id="trailing value"),
        pytest.param(b"{}x", Fault.JSON_SYNTAX, id="trailing data"),
        pytest.param(b"{}\x00", Fault.JSON_SYNTAX, id="trailing zero byte"),
        pytest.param(b"[1,]", Fault.JSON_SYNTAX, id="trailing comma"),
        pytest.param(b"{'a': 1}", Fault.JSON_SYNTAX, id="single quotes"),
        pytest.param(b"[1 /* */]", Fault.JSON_SYNTAX, id="comment"),
        pytest.param(b"[01]", Fault.JSON_SYNTAX, id="leading zero"),
        pytest.param(b'"a\nb"', Fault.JSON_SYNTAX, id="raw newline in string"),
        pytest.param(b'"a', Fault.JSON_SYNTAX, id="unterminated string"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', Fault.JSON_SYNTAX, id="byte order mark"),
        pytest.param(b'{"a": 1, "a": 1}', Fault.JSON_DUPLICATE_KEY, id="key twice"),
        pytest.param(b'[{"x": {"a": 1, "\\u0061": 2}}]', Fault.JSON_DUPLICATE_KEY, id="key twice, escaped"),
        pytest.param(b"[NaN]", Fault.JSON_NUMBER, id="NaN"),
        pytest.param(b"Infinity", Fault.JSON_NUMBER, id="Infinity"),
        pytest.param(b"-Infinity", Fault.JSON_NUMBER, id="-Infinity"),
        pytest.param(b"1.0", Fault.JSON_NUMBER, id="fraction"),
        pytest.param(b"1e2", Fault.JSON_NUMBER, id="exponent"),
        pytest.param(b"-0", Fault.JSON_NUMBER, id="minus zero"),
        pytest.param(b"9007199254740992", Fault.JSON_NUMBER, id="2^53"),
        pytest.param(b"-9007199254740992", Fault.JSON_NUMBER, id="-2^53"),
        pytest.param(b"1" * 100_000, Fault.JSON_NUMBER, id="many digits"),
        pytest.param(b'"\xff"', Fault.JSON_ENCODING, id="not UTF-8"),
        pytest.param('{"a": 1}'.encode("utf-16"), Fault.JSON_ENCODING, id="UTF-16"),
        pytest.param('{"a": 1}'.encode("utf-32-le"), Fault.JSON_SYNTAX, id="UTF-32"),
        pytest.param(b'"\\ud800"', Fault.JSON_ENCODING, id="lone surrogate"),
        pytest.param(b'{"\\udc00": 1}', Fault.JSON_ENCODING, id="lone surrogate in key"),
        pytest.param(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), Fault.JSON_TOO_DEEP, id="too deep"),
        pytest.param(b'{"a":' * 200_000, Fault.JSON_TOO_DEEP, id="far too deep"),
        pytest.param(b'"\\"[",' + b"[" * 200_000, Fault.JSON_TOO_DEEP, id="too deep after a string"),
        pytest.param(b" " * (MAX_JSON_BYTES + 1), Fault.JSON_TOO_LARGE, id="too large"),
    ],
)
def test_what_readers_disagree_about_is_refused(text: bytes, fault: Fault) -> None:
    """Anything that two conforming readers may read differently is no JSON here."""
    with pytest.raises(JsonError) as refused:
        strict_json(text)

    assert refused.value.fault is fault


def test_the_caller_sets_the_limit() -> None:
    """A text of exactly the limit is read, one byte more is not."""
    assert strict_json(b"[12]", max_bytes=4) == [12]
    with pytest.raises(JsonError) as refused:
        strict_json(b"[123]", max_bytes=4)
    assert refused.value.fault is Fault.JSON_TOO_LARGE


@pytest.mark.parametrize("unit", [b'\\"', b'"', b"\\", b'"\\', b"[]", b'"[",'])
def test_hostile_texts_take_linear_time(unit: bytes) -> None:
    """A megabyte of quotes, backslashes or brackets is read or refused in a moment."""
    text = b'"' + unit * ((MAX_JSON_BYTES - 1) // len(unit))

    started = time.perf_counter()
    with pytest.raises(JsonError):
        strict_json(text)

    assert time.perf_counter() - started < 5


@settings(deadline=None)
@given(value=VALUES)
def test_canonical_json_is_read_back_to_the_same_value(value: object) -> None:
    """Writing and strictly reading gives an equal value, and writing that the same bytes."""
    text = canonical_json(value)

    assert strict_json(text) == json.loads(text) == value
    assert canonical_json(strict_json(text)) == text


def test_canonical_json_has_one_spelling() -> None:
    """Keys are sorted, nothing is spaced, nothing needlessly escaped."""
    value = {"b": [1, (True, None)], "a": 'é"\n', "": {}}

    assert canonical_json(value) == '{"":{},"a":"é\\"\\n","b":[1,[true,null]]}'.encode()


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (1.0, Fault.JSON_TYPE),
        (float("nan"), Fault.JSON_TYPE),
        (b"bytes", Fault.JSON_TYPE),
        ({1, 2}, Fault.JSON_TYPE),
        ([Level.ONE], Fault.JSON_TYPE),
        ({1: "a"}, Fault.JSON_TYPE),
        ({"1": "a", 1: "b"}, Fault.JSON_TYPE),
        ({None: "a"}, Fault.JSON_TYPE),
        (MAX_INTEGER + 1, Fault.JSON_NUMBER),
        ([-MAX_INTEGER - 1], Fault.JSON_NUMBER),
        (["\ud800"], Fault.JSON_ENCODING),
        ({"\udfff": 1}, Fault.JSON_ENCODING),
    ],
)
def test_what_json_cannot_say_is_not_written(value: object, fault: Fault) -> None:
    """A value that would come back different, or not at all, is refused."""
    with pytest.raises(JsonError) as refused:
        canonical_json(value)

    assert refused.value.fault is fault


def test_what_is_written_can_be_read() -> None:
    """Writer and reader have the same limit of nesting, and a cycle ends at it."""
    assert strict_json(canonical_json(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    endless: list[object] = []
    endless.append(endless)
    for value in (nested(MAX_DEPTH + 1), endless):
        with pytest.raises(JsonError) as refused:
            canonical_json(value)
        assert refused.value.fault is Fault.JSON_TOO_DEEP
