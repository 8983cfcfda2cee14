"""One canonical form for each resource of the fold, and the fold rebuilt from such forms. Pure.

``{"Hold":{"name":"holds/1",...}}``: the kind, then every field in the order of its declaration; JSON without spaces, in
ASCII; bytes as lower-case hex; tuples as arrays. Equal resources have equal bytes on every machine and the other way
round. Only what the fold stores is in it, nothing derived at an instant.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin, get_type_hints

from interlock.statemachine import resources as r
from interlock.statemachine import taint
from interlock.statemachine.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_LOGIC: Final = 1
"""Raise it when the same entries fold to other values of the same shape; a change of shape is seen by itself."""

_INT_END: Final = 1 << 63
"""Whole numbers are those that the contract and every store hold: signed, 64 bits."""


class SnapshotError(ValueError):
    """Bytes that are no resource in its canonical form."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How values of one type are written and read; ``write`` is None for what JSON holds as it is."""

    write: Callable[[Any], Any] | None
    read: Callable[[Any], Any]


# Forms -----------------------------------------------------------------------------------------------------------


def _form_of(hint: Any) -> _Form:  # noqa: ANN401  # a type annotation
    """Return the form of a field's type. Raises TypeError for a type that no resource has."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in {str, int, bool}:
        return _Form(None, _reader_of(hint))
    if hint is bytes:
        return _Form(bytes.hex, _read_bytes)
    if origin in {Union, UnionType} and NoneType in arguments:
        (some,) = (argument for argument in arguments if argument is not NoneType)
        return _optional(_form_of(some))
    if origin is tuple and arguments[-1] is Ellipsis:
        return _sequence(_form_of(arguments[0]))
    if origin is tuple:
        return _row(tuple(_form_of(argument) for argument in arguments))
    if is_dataclass(hint) and isinstance(hint, type):
        return _record(hint)
    msg = f"no form for {hint}"
    raise TypeError(msg)


def _reader_of(kind: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:  # noqa: ANN401  # JSON of any shape
        if type(value) is not kind:  # a bool is an int to isinstance
            msg = f"{kind.__name__} expected, not {value!r}"
            raise SnapshotError(msg)
        if isinstance(value, int) and not -_INT_END <= value < _INT_END:
            msg = "a number of more than 64 bits"
            raise SnapshotError(msg)
        if isinstance(value, str) and not _is_text(value):
            msg = f"half of a character: {value!r}"
            raise SnapshotError(msg)
        return value

    return read


def _is_text(value: str) -> bool:
    """Say whether a string can be written in UTF-8: an escape of JSON can make a surrogate that stands alone."""
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


def _read_bytes(value: Any) -> bytes:  # noqa: ANN401  # JSON of any shape
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError):
        msg = f"hex expected, not {value!r}"
        raise SnapshotError(msg) from None


def _read_list(value: Any) -> list[Any]:  # noqa: ANN401  # JSON of any shape
    if not isinstance(value, list):
        msg = f"an array expected, not {value!r}"
        raise SnapshotError(msg)
    return value


def _optional(some: _Form) -> _Form:
    write = some.write
    return _Form(
        write and (lambda value: None if value is None else write(value)),
        lambda value: None if value is None else some.read(value),
    )


def _sequence(item: _Form) -> _Form:
    write = item.write
    return _Form(
        list if write is None else lambda value: [write(part) for part in value],
        lambda value: tuple([item.read(part) for part in _read_list(value)]),
    )


def _row(items: tuple[_Form, ...]) -> _Form:
    def read(value: Any) -> tuple[Any, ...]:  # noqa: ANN401  # JSON of any shape
        parts = _read_list(value)
        if len(parts) != len(items):
            msg = f"{len(items)} values expected, not {len(parts)}"
            raise SnapshotError(msg)
        return tuple(item.read(part) for item, part in zip(items, parts, strict=True))

    def write(value: tuple[Any, ...]) -> list[Any]:
        return [item.write(part) if item.write else part for item, part in zip(items, value, strict=True)]

    return _Form(write, read)


def _record(kind: type) -> _Form:
    hints = get_type_hints(kind)
    forms = {item.name: _form_of(hints[item.name]) for item in fields(kind)}

    def read(value: Any) -> Any:  # noqa: ANN401  # JSON of any shape
        if not isinstance(value, dict) or value.keys() != forms.keys():
            msg = f"{kind.__name__} with exactly its fields expected"
            raise SnapshotError(msg)
        return kind(**{name: form.read(value[name]) for name, form in forms.items()})

    def write(value: Any) -> dict[str, Any]:  # noqa: ANN401  # a value of ``kind``
        return {
            name: getattr(value, name) if form.write is None else form.write(getattr(value, name))
            for name, form in forms.items()
        }

    return _Form(write, read)


_FORMS: Final = {kind.__name__: _record(kind) for kind in get_args(r.Resource)}
_TEXT: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)


_KINDS: Final = (
    *get_args(r.Resource), r.Artifact, r.Credential, r.SignOff, r.Grounds, r.AskedRule, r.AskedSlot, r.Word,
    r.RetiredKey, r.Restore,
)  # fmt: skip
SHAPES: Final = tuple(f"{kind.__name__}:{item.name}:{item.type}" for kind in _KINDS for item in fields(kind))
"""Every field of every resource, in the order in which the canonical form has them."""


def _fold_version() -> int:
    """Return a number that moves with the shape of any resource, 31 bits of a digest."""
    digest = hashlib.sha256("\n".join((str(_LOGIC), *SHAPES)).encode()).digest()
    return int.from_bytes(digest[:4]) >> 1


FOLD_VERSION: Final = _fold_version()
"""Which fold wrote a snapshot. Rows of another version are made anew from the entries."""


# Encoding --------------------------------------------------------------------------------------------------------


def encode(resource: r.Resource) -> bytes:
    """Return the canonical bytes of a resource."""
    kind = type(resource).__name__
    write = _FORMS[kind].write
    return _TEXT.encode({kind: write(resource) if write else {}}).encode("ascii")


def decode(data: bytes) -> r.Resource:
    """Return the resource that canonical bytes are. Raises SnapshotError for any others."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        msg = "not JSON"
        raise SnapshotError(msg) from error
    if not isinstance(value, dict) or len(value) != 1 or (kind := next(iter(value))) not in _FORMS:
        msg = "not one resource of a known kind"
        raise SnapshotError(msg)
    resource: r.Resource = _FORMS[kind].read(value[kind])
    if encode(resource) != data:
        msg = "not in canonical form"
        raise SnapshotError(msg)
    return resource


# The fold --------------------------------------------------------------------------------------------------------


def rebuild(rows: Iterable[tuple[str, int, r.Resource]], *, size: int, time: int) -> State:
    """Return the state after ``size`` entries, the last made at ``time``, from its resources.

    Each row is a name, the position of the last entry that wrote it, and what it wrote. Every index of the state is a
    function of these, whatever order the rows come in.
    """
    state = State()
    for name, position, resource in sorted(rows, key=_order):
        if resource.name != name or not 0 <= position < size:
            msg = f"{name} at {position} does not belong in a state of {size} entries"
            raise SnapshotError(msg)
        state = _put(replace(state, size=position, writes=()), resource)
    state = replace(state, size=size, time=time, writes=(), counters=state.counters.update(_counters(state)))
    return taint.judge_all(state)


def advance(state: State, written: Iterable[r.Resource], *, time: int) -> State:
    """Return the state after one more entry, made at ``time``, which wrote these resources."""
    before, counters = state, state.counters
    for resource in sorted(written, key=lambda item: _order((item.name, 0, item))):
        state = _put(state, resource)
        kind, _, number = resource.name.partition("/")
        if number.isdecimal():
            counters = counters.set(kind, max(counters.get(kind, 1), int(number) + 1))
    return taint.settle(before, replace(state, counters=counters)).after_entry(time)


def _put(state: State, resource: r.Resource) -> State:
    state = state.put(resource)
    if isinstance(resource, r.Change):
        used = {signed.envelope_digest: signed.position for signed in resource.sign_offs}
        state = replace(state, envelopes=state.envelopes.update(used))
    return state


def _order(row: tuple[str, int, r.Resource]) -> tuple[int, str, int]:
    """Sort as the fold met them: by position, and one entry's numbered resources by number.

    Grants are listed in the order in which they were given, and a later entry may write one again: they go by number.
    """
    name, position, resource = row
    kind, _, number = name.rpartition("/")
    first = 0 if isinstance(resource, r.Grant) else position
    return (first, kind, int(number)) if number.isdecimal() else (first, name, 0)


def _counters(state: State) -> dict[str, int]:
    """Return the next number of each kind that numbers itself: these leave no gaps."""
    following: dict[str, int] = {}
    for name in state.items:
        kind, _, number = name.partition("/")
        if number.isdecimal():
            following[kind] = max(following.get(kind, 1), int(number) + 1)
    return following
