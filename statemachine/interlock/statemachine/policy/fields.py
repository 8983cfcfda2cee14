"""The scalar fields of a pack: names, texts, durations, numbers, with our own words for errors.

Each error is a pydantic one whose type is a ``Code`` and whose context carries the fix.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from interlock.statemachine.policy.findings import Code, shown
from interlock.statemachine.policy.yamltree import kind_of

if TYPE_CHECKING:
    from typing import LiteralString

_ID = re.compile(r"[a-z][a-z0-9._-]{0,62}", re.ASCII)
_VERSION = re.compile(r"[0-9a-z][0-9a-z._-]{0,62}", re.ASCII)
_DURATION = re.compile(r"([1-9][0-9]{0,6})([smhd])", re.ASCII)
_AT_ONCE = re.compile(r"0[smhd]", re.ASCII)
_UNIT_US: Final = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}

DAY_US: Final = _UNIT_US["d"]
MAX_DURATION_US: Final = 36_500 * DAY_US  # a hundred years: sums with an entry's time stay far inside int64
MAX_TEXT: Final = 300
MAX_SLOTS: Final = 16  # people a rule may ask for
_MAX_GROWTH = 1_000_000


def _problem(code: Code, message: LiteralString, fix: str, **parts: str) -> PydanticCustomError:
    return PydanticCustomError(code.value, message, {"fix": fix, **parts})


def _text(value: object, what: LiteralString) -> str:
    if isinstance(value, str):
        return value
    fix = 'put it in quotes, as in "1.0"' if isinstance(value, int | Decimal) else f"write {what}"
    raise _problem(Code.WRONG_TYPE, "Expected {what}, this is {kind}.", fix, what=what, kind=kind_of(value))


def _parse_id(value: object) -> str:
    text = _text(value, "a name")
    if not _ID.fullmatch(text):
        fix = "a small letter, then up to 62 small letters, digits, `.`, `_` or `-`"
        raise _problem(Code.BAD_ID, "{value} is no name.", fix, value=shown(text))
    return text


def _parse_format(value: object) -> int:
    if type(value) is not int or value != 1:  # True == 1, and a pack may not rely on that
        raise _problem(Code.NOT_ONE_OF, "{value} is no format of packs.", "write `1`, unquoted", value=shown(value))
    return value


def _parse_version(value: object) -> str:
    text = _text(value, "a version in quotes")
    if not _VERSION.fullmatch(text):
        fix = 'small letters, digits, `.`, `_` and `-`, as in "1.0"'
        raise _problem(Code.BAD_VERSION, "{value} is no version.", fix, value=shown(text))
    return text


def _parse_line(value: object) -> str:
    text = _text(value, "a text").removesuffix("\n")  # what a block scalar ends with
    if not text.strip() or len(text) > MAX_TEXT or "\n" in text or "\t" in text:
        message: LiteralString = "This text is empty, longer than {max} characters, or not one line."
        raise _problem(Code.BAD_TEXT, message, "write one short line", max=str(MAX_TEXT))
    return text


def _parse_duration(value: object) -> int:
    text = value if isinstance(value, str) else ""
    found = _DURATION.fullmatch(text)
    microseconds = int(found[1]) * _UNIT_US[found[2]] if found else 0
    if not 0 < microseconds <= MAX_DURATION_US:
        fix = "a whole number and one unit, `s`, `m`, `h` or `d`, as in `90d`; at most 36500d"
        raise _problem(Code.BAD_DURATION, "{value} is no duration.", fix, value=shown(value))
    return microseconds


def _parse_delay(value: object) -> int:
    return 0 if isinstance(value, str) and _AT_ONCE.fullmatch(value) else _parse_duration(value)


def _at_most_a_day(microseconds: int) -> int:
    if microseconds > DAY_US:
        message: LiteralString = "A decision may last 24h at most."
        raise _problem(Code.BAD_DURATION, message, "write `24h` or less; the default is `15m`")
    return microseconds


def _parse_flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    message: LiteralString = "Expected true or false, this is {kind}."
    raise _problem(Code.WRONG_TYPE, message, "write `true` or `false`", kind=kind_of(value))


def _parse_growth(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        message: LiteralString = "Expected a number, this is {kind}."
        raise _problem(Code.WRONG_TYPE, message, "a factor, as in `4`", kind=kind_of(value))
    if not 1 < value <= _MAX_GROWTH:
        fix = "a factor above 1, as in `4` or `2.5`"
        raise _problem(Code.BAD_NUMBER, "{value} is no growth of compute.", fix, value=shown(value))
    return Decimal(value)


def _parse_count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        message: LiteralString = "Expected a whole number, this is {kind}."
        raise _problem(Code.WRONG_TYPE, message, "a count, as in `2`", kind=kind_of(value))
    if not 1 <= value <= MAX_SLOTS:
        fix = f"a count from 1 to {MAX_SLOTS}"
        raise _problem(Code.BAD_NUMBER, "{value} is no count of people.", fix, value=shown(value))
    return value


Id = Annotated[str, BeforeValidator(_parse_id), WithJsonSchema({"type": "string", "pattern": f"^{_ID.pattern}$"})]
"""A name: ``[a-z][a-z0-9._-]{0,62}``."""
Format = Annotated[int, BeforeValidator(_parse_format), WithJsonSchema({"const": 1})]
"""The format of the pack: 1, whose loader stays for ever."""
Version = Annotated[
    str, BeforeValidator(_parse_version), WithJsonSchema({"type": "string", "pattern": f"^{_VERSION.pattern}$"})
]
"""A version's name, a text even where it looks like a number."""
Line = Annotated[
    str, BeforeValidator(_parse_line), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_TEXT})
]
"""One line of words."""
DurationUs = Annotated[
    int, BeforeValidator(_parse_duration), WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$"})
]
"""An exact duration such as ``90d``, as microseconds."""
DelayUs = Annotated[
    int,
    BeforeValidator(_parse_delay),
    WithJsonSchema({"type": "string", "pattern": f"^(?:{_DURATION.pattern}|{_AT_ONCE.pattern})$"}),
]
"""How long after something, ``0d`` for at once."""
DecisionUs = Annotated[
    int,
    BeforeValidator(_parse_duration),
    AfterValidator(_at_most_a_day),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$"}),
]
"""How long a signed decision may be relied on."""
Flag = Annotated[bool, BeforeValidator(_parse_flag), WithJsonSchema({"type": "boolean"})]
"""true or false, not the words that older YAML took for them."""
Growth = Annotated[
    Decimal,
    BeforeValidator(_parse_growth),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 1, "maximum": _MAX_GROWTH}),
]
"""A factor above 1, exact."""
Count = Annotated[
    int, BeforeValidator(_parse_count), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_SLOTS})
]
"""How many people."""
