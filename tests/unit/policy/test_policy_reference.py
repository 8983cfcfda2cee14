"""The page of keys and the JSON Schema for editors: whole, as the code says, and of one mind with the loader."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest

from interlock.statemachine.policy import POLICY_FILE, shipped_pack_names
from interlock.statemachine.policy.meaning import MEANING, SECTIONS, json_schema
from interlock.statemachine.policy.yamltree import read_tree
from ops import make_policy_reference
from tests.unit.policy.packs import FIXTURES, SKETCH, WIDE, shipped

TEXTS = {"sketch": SKETCH, "wide": WIDE} | {n: shipped(n)[POLICY_FILE].decode() for n in shipped_pack_names()}
VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def tree(text: str) -> Any:  # noqa: ANN401  # any value of a pack
    """The values of a pack, as an editor's YAML reader gives them."""
    found, _ = read_tree(POLICY_FILE, text)
    return None if found is None else _plain(found.root)


def _plain(value: Any) -> Any:  # noqa: ANN401  # as above
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | bool | int) else float(value)


def test_every_key_has_a_meaning_and_no_other_has() -> None:
    """The typed shapes and the words for them name the same."""
    schema = json_schema()
    shapes = {"PackShape": schema} | schema["$defs"]

    assert {name: set(shape["properties"]) for name, shape in shapes.items()} == {n: set(w) for n, w in MEANING.items()}
    assert set(SECTIONS) == set(MEANING)


def test_the_committed_files_are_what_the_code_says() -> None:
    """docs/reference is what ops/make_policy_reference.py makes now."""
    for path, text in make_policy_reference.pages().items():
        assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", TEXTS)
def test_every_pack_that_loads_is_valid(name: str) -> None:
    """An editor marks nothing in it."""
    assert [error.message for error in VALIDATOR.iter_errors(tree(TEXTS[name]))] == []


@pytest.mark.parametrize(
    "folder",
    [
        path
        for path in sorted((FIXTURES / "broken-packs").iterdir())
        if path.is_dir()
        and re.search(
            r'"(UNKNOWN_KEY|WRONG_TYPE|BAD_DURATION|BAD_ID|MISSING_KEY)"', (path / "expected.json").read_text("utf-8")
        )
    ],
    ids=lambda path: path.name,
)
def test_a_fault_of_form_is_one_for_editors_too(folder: Any) -> None:  # noqa: ANN401  # a path
    """Unknown and missing keys, wrong types, ill-formed names and durations."""
    assert not VALIDATOR.is_valid(tree((folder / POLICY_FILE).read_text(encoding="utf-8")))


def test_the_schema_is_a_schema() -> None:
    """By the rules of its dialect."""
    jsonschema.Draft202012Validator.check_schema(json_schema())
