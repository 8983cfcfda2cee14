"""JSON that has one meaning: what every conforming reader would read alike, or nothing.

Lives here: text ↔ plain values. Not here: which fields a value must have (the codec's affair).

A signed payload must not say one thing to the signer's client and another to the server, so all
that readers disagree about is refused: duplicate keys, NaN, floats, integers beyond ±(2^53 - 1),
lone surrogates, other encodings (RFC 8259 §4, §6, §8; RFC 7493, "I-JSON", §2).
"""

import json
import re
from collections.abc import Iterator
from typing import Final, Never, TypeAlias

from interlock.proofs.errors import Fault, JsonError

JsonValue: TypeAlias = bool | int | str | list["JsonValue"] | dict[str, "JsonValue"] | None
"""What a strict JSON text can hold: no floats."""

MAX_JSON_BYTES: Final = 1 << 20
"""Greatest length of a text, in bytes, unless the caller says otherwise."""

MAX_DEPTH: Final = 32
"""Greatest nesting of arrays and objects."""

MAX_INTEGER: Final = 2**53 - 1
"""Greatest magnitude that readers built on doubles keep exactly (RFC 7493 §2.2)."""

_PLAIN_TYPES: Final = frozenset({type(None), bool, int, str, list, tuple, dict})

# Up to the first syntax error this cuts a text into strings and brackets as the parser will, so
# that nesting is known before the recursive parser runs; after it the parser stops anyway. The
# possessive quantifiers and the optional last quote keep it linear on unterminated strings.
_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{\]}]', re.DOTALL)


def strict_json(payload: bytes, *, max_bytes: int = MAX_JSON_BYTES) -> JsonValue:
    """Read one JSON value and nothing after it.

    Raises `JsonError`: JSON_TOO_LARGE, JSON_ENCODING, JSON_TOO_DEEP, JSON_DUPLICATE_KEY,
    JSON_NUMBER or JSON_SYNTAX.
    """
    if len(payload) > max_bytes:
        raise JsonError(Fault.JSON_TOO_LARGE, f"{len(payload)} bytes, more than {max_bytes}")
    try:
        # Not `json.loads(payload)`: that would take UTF-16 and UTF-32 too.
        text = payload.decode()
    except UnicodeDecodeError:
        raise JsonError(Fault.JSON_ENCODING, "not UTF-8") from None
    # No text is nested deeper than it has opening brackets, wherever these are: most need no closer look.
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise JsonError(Fault.JSON_TOO_DEEP, f"nested more than {MAX_DEPTH} deep")
    try:
        value: JsonValue = _STRICT.decode(text)
    except json.JSONDecodeError as error:
        raise JsonError(Fault.JSON_SYNTAX, str(error)) from None
    if "\\" in text:  # strict UTF-8 has no surrogates: only an escape makes one
        for string in _strings(value):
            _check_string(string)
    return value


def canonical_json(value: object) -> bytes:
    """Write a value in its one spelling: keys sorted by code point, no spaces, UTF-8 unescaped.

    `strict_json` reads it back to an equal value (tuples come back as lists). Differs from RFC
    8785 only for keys beyond the Basic Multilingual Plane, which that sorts by UTF-16 unit.
    Raises `JsonError`: JSON_TYPE for what is not None, bool, int, str, list, tuple or dict with
    str keys; JSON_NUMBER, JSON_ENCODING or JSON_TOO_DEEP.
    """
    _check_value(value, MAX_DEPTH)
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def _depth(text: str) -> int:
    depth = deepest = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        first = token.group()[0]
        if first in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in "]}":
            depth -= 1
    return deepest


def _refuse_duplicates(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for key, value in pairs:
        if key in found:
            raise JsonError(Fault.JSON_DUPLICATE_KEY, f"key {key!r} twice in one object")
        found[key] = value
    return found


def _bounded_integer(digits: str) -> int:
    # By length first: `int` of a very long text is slow, then a `ValueError`.
    if len(digits) > len(str(-MAX_INTEGER)) or digits == "-0":
        _refuse_number(digits)
    return _check_integer(int(digits))


def _refuse_number(text: str) -> Never:
    raise JsonError(Fault.JSON_NUMBER, f"not an exact integer: {text[:32]}")


def _check_integer(value: int) -> int:
    if abs(value) > MAX_INTEGER:
        raise JsonError(Fault.JSON_NUMBER, f"an integer beyond ±(2^53 - 1): {value}")
    return value


def _check_string(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise JsonError(Fault.JSON_ENCODING, "a lone surrogate") from None


def _strings(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)


def _check_value(value: object, depth: int) -> None:
    """Refuse what the text could not say, or `json.dumps` would say differently."""
    # By exact type: a subclass, say an IntEnum, may write itself differently from what it equals.
    if type(value) not in _PLAIN_TYPES:
        raise JsonError(Fault.JSON_TYPE, f"not a JSON value: {type(value).__name__}")
    if isinstance(value, str):
        _check_string(value)
    elif isinstance(value, int):
        _check_integer(value)
    elif isinstance(value, dict | list | tuple):
        if depth == 0:
            raise JsonError(Fault.JSON_TOO_DEEP, f"nested more than {MAX_DEPTH} deep")
        for key in value if isinstance(value, dict) else ():
            if type(key) is not str:
                raise JsonError(Fault.JSON_TYPE, f"a key of type {type(key).__name__}")
            _check_string(key)
        for item in value.values() if isinstance(value, dict) else value:
            _check_value(item, depth - 1)


_STRICT: Final = json.JSONDecoder(
    object_pairs_hook=_refuse_duplicates,
    parse_int=_bounded_integer,
    parse_float=_refuse_number,
    parse_constant=_refuse_number,
)
