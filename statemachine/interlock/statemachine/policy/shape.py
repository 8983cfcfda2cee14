"""From a tree to the typed shape of a pack; pydantic's errors become findings at the right place."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

from interlock.statemachine.policy.findings import Code, Finding, Severity, shown, suggest
from interlock.statemachine.policy.schema import EXAMPLES, PackShape
from interlock.statemachine.policy.yamltree import kind_of

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from interlock.statemachine.policy.yamltree import Path, Tree

_ENOUGH = 1000  # errors in words: suggestions are costly, and what is shown is capped anyway
_KEY = "[key]"  # how pydantic marks an error of a mapping's key
_OWN: Final = frozenset(code.value for code in Code)
_EXPECTED: Final = {
    "list_type": ("a list", "put it in `[` and `]`"),
    "dict_type": ("a mapping", "write `name: …` lines below, or `{name: …}`"),
    "model_type": ("a mapping", "write `key: value` lines below, or `{key: value}`"),
}


def read_shape(tree: Tree) -> tuple[PackShape | None, tuple[Finding, ...]]:
    """Check keys and types of the whole tree; every error is listed."""
    try:
        return PackShape.model_validate(tree.root), ()
    except ValidationError as error:
        details = error.errors(include_url=False)
    return None, tuple(_finding(tree, detail) for detail in details[:_ENOUGH])


def _finding(tree: Tree, error: ErrorDetails) -> Finding:
    path: Path = tuple(part for part in error["loc"] if part != _KEY)
    code, message, fix = _words(error, path)
    at_key = code is Code.UNKNOWN_KEY or _KEY in error["loc"]
    place = tree.place(path[:-1], key=True) if code is Code.MISSING_KEY else tree.place(path, key=at_key)
    return Finding(Severity.ERROR, tree.file, *place, code, message, fix)


def _words(error: ErrorDetails, path: Path) -> tuple[Code, str, str]:
    kind, last = error["type"], str(path[-1]) if path else ""
    context: dict[str, Any] = error.get("ctx", {})
    if kind in _OWN:
        return Code(kind), error["msg"], str(context["fix"])
    if kind == "extra_forbidden":
        known = _keys_at(path[:-1])
        return Code.UNKNOWN_KEY, f"The key {shown(last)} means nothing here.", suggest(last, known)
    if kind == "missing":
        return Code.MISSING_KEY, f"The key `{last}` is missing.", f"add `{EXAMPLES[last]}`"
    if kind in _EXPECTED:
        what, fix = _EXPECTED[kind]
        return Code.WRONG_TYPE, f"Expected {what}, this is {kind_of(error['input'])}.", fix
    if kind == "literal_error":
        found = shown(error["input"]) if isinstance(error["input"], str | int) else kind_of(error["input"])
        return Code.NOT_ONE_OF, f"{found} is not possible here.", f"write {context['expected']}"
    if kind == "too_long":
        message = f"There are {context['actual_length']}, at most {context['max_length']} are allowed."
        return Code.BAD_LENGTH, message, "leave out what the gate does not need"
    if kind == "too_short":
        return Code.BAD_LENGTH, "There must be at least one.", "name one, or leave out what needs it"
    # A kind of error that the schema can't give today: still a refusal, in pydantic's words.
    return Code.WRONG_TYPE, f"{error['msg']}.", "compare with a shipped pack"


def _keys_at(path: Path) -> tuple[str, ...]:
    """Return the keys that the schema knows at ``path``."""
    shape: type[BaseModel] | None = PackShape
    inside = False  # a list or mapping of shapes, whose next part is an index or a name
    for part in path:
        if inside:
            inside = False
            continue
        found = None if shape is None else _field(shape, str(part))
        if found is None:
            return ()
        shape, inside = found
    return tuple(field.alias or name for name, field in shape.model_fields.items()) if shape else ()


def _field(shape: type[BaseModel], key: str) -> tuple[type[BaseModel] | None, bool] | None:
    for name, field in shape.model_fields.items():
        if key == (field.alias or name):
            inner = _inner(field.annotation)
            return inner, inner is not field.annotation and _holds_many(field.annotation)
    return None


def _inner(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_inner(argument) for argument in typing.get_args(annotation))
    return next((shape for shape in found if shape is not None), None)


def _holds_many(annotation: object) -> bool:
    if typing.get_origin(annotation) in (list, dict):
        return True
    return any(_holds_many(argument) for argument in typing.get_args(annotation))
