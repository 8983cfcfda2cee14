"""The parts of a fold that stay in memory as JSON and back, by the types of `State`'s own fields.

Only for a file of this machine, read by the very version that wrote it: nothing is promised about its form. Lives here:
values. Not here: the file, and the parts that are on disk already (`fold.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from immutables import Map

from interlock.statemachine import resources as r
from interlock.statemachine import snapshot
from interlock.statemachine.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


@dataclass(frozen=True, slots=True)
class _Form:
    """How values of one type are written and read."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _as_it_is(value: Any) -> Any:  # noqa: ANN401  # the identity
    return value


_PLAIN = _Form(_as_it_is, _as_it_is)
_RESOURCE = _Form(
    lambda item: snapshot.encode(item).decode("ascii"), lambda text: snapshot.decode(text.encode("ascii"))
)


def _form_of(hint: Any) -> _Form:  # noqa: ANN401  # a type annotation
    """Return the form of a field's type. Raises TypeError for a type that none of them had."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in {str, int, bool, None, NoneType}:
        return _PLAIN
    if hint is bytes:
        return _Form(bytes.hex, bytes.fromhex)
    if hint in get_args(r.Resource):
        return _RESOURCE
    if origin in {Union, UnionType} and NoneType in arguments:
        some = _form_of(Union[tuple(kind for kind in arguments if kind is not NoneType)])  # noqa: UP007  # made here
        return _Form(*(_optional(way) for way in (some.write, some.read)))
    if origin in {Union, UnionType} and set(arguments) <= set(get_args(r.Resource)):
        return _RESOURCE
    if origin is tuple and arguments[-1] is Ellipsis:
        return _many(_form_of(arguments[0]), tuple)
    if origin is frozenset:
        return _many(_form_of(arguments[0]), frozenset)
    if origin is tuple:
        return _row(tuple(map(_form_of, arguments)))
    if origin is Map:
        return _many(_row(tuple(map(_form_of, arguments))), Map, lambda value: value.items())
    msg = f"no form for {hint}"
    raise TypeError(msg)


def _optional(way: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else way(value)


def _many(item: _Form, kind: type, parts: Callable[[Any], Any] = _as_it_is) -> _Form:
    return _Form(
        lambda value: [item.write(part) for part in parts(value)],
        lambda rows: kind([item.read(row) for row in rows]),
    )


def _row(items: tuple[_Form, ...]) -> _Form:
    return _Form(
        lambda value: [item.write(part) for item, part in zip(items, value, strict=True)],
        lambda row: tuple([item.read(part) for item, part in zip(items, row, strict=True)]),
    )


@lru_cache(maxsize=1)
def _forms() -> dict[str, _Form]:
    hints = get_type_hints(State)
    return {item.name: _form_of(hints[item.name]) for item in fields(State)}


def to_json(state: State, on_disk: Collection[str]) -> dict[str, Any]:
    """Return every field that is not on disk."""
    return {name: form.write(getattr(state, name)) for name, form in _forms().items() if name not in on_disk}


def from_json(value: dict[str, Any], on_disk: Collection[str]) -> dict[str, Any]:
    """Return the fields again. Raises KeyError, TypeError, ValueError for what was not written so."""
    return {name: form.read(value[name]) for name, form in _forms().items() if name not in on_disk}


def write_resources(items: Collection[r.Resource]) -> list[str]:
    """Return resources in their canonical form."""
    return [_RESOURCE.write(item) for item in items]


def read_resources(rows: Collection[str]) -> list[r.Resource]:
    """Return resources again. Raises as `from_json`."""
    return [_RESOURCE.read(row) for row in rows]
