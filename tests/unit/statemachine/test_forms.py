"""What names and arguments must look like, whatever the wire let through."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, get_args

import pytest

from interlock.statemachine import firings as f
from interlock.statemachine import forms
from interlock.statemachine.forms import malformed
from interlock.statemachine.unmet import Code, RefusalKind, Refused
from tests.support.world import codes, sha256_of
from tests.unit.statemachine.firings import EXAMPLES
from tests.unit.statemachine.steps import NOW, step, with_model

if TYPE_CHECKING:
    from tests.support.world import World

ARGUMENTS = [
    (kind, item.name, item.type) for kind in get_args(f.Firing) for item in fields(kind) if item.name != "trigger"
]
ODD = (
    "-/", "models", "models/", "models//x", "models/m/", "models/M", "models/\u043c", "models/m\n", " models/m",
    "models/m/levels", "models/m/levels/deployment/x", "models/m/x/levels/deployment", "log", "principals/owner-a",
    "changes/1", "holds/", "holds/-1", "holds/01", "holds/1 ", "holds/\u0661", "holds/1_0", "holds/" + "9" * 19,
    "evidence/x", "..", "models/../log", "a" * 1000, "models/" + "a" * 64, "\x00", "\u202e",
)  # fmt: skip


def _with(kind: type[f.Firing], name: str, value: object) -> f.Firing:
    part: Any = {name: value}
    return replace(EXAMPLES[kind], **part)


@pytest.mark.parametrize("kind", get_args(f.Firing), ids=lambda kind: kind.__name__)
def test_examples_are_well_formed(kind: type[f.Firing]) -> None:
    """Every trigger has an example of good form; the tests below start from it."""
    assert malformed(EXAMPLES[kind]) == ()


@pytest.mark.parametrize(("kind", "name", "hint"), ARGUMENTS, ids=lambda value: getattr(value, "__name__", value))
def test_odd_arguments(kind: type[f.Firing], name: str, hint: str) -> None:
    """Nothing that is odd in any argument of any trigger passes."""
    ids = (
        {"log", "models"}
        if name in {"to", "thresholds", "context", "role", "scope", "safeguards", "contexts", "severity", "category"}
        else set()
    )
    ids |= {"principals/owner-a"} if name in {"principal", "other", "delegator", "delegate"} else set()
    ids |= {"changes/1"} if name == "change" else set()
    texts = [text for text in ODD if text not in ids]
    if name == "location":  # names no resource, so it may look like the name of one
        texts = ["-/", " a", "a ", "a b", "a\n", "A", "\u043c", "a" * 128, "a@b", "x,y", "\x00", "\u202e"]
    if name in {"url", "audience", "subject", "claims"}:  # an issuer's own words, which name no resource
        texts = ["", " a", "a b", "a\n", "\u043c", "a" * 2049, "\x00", "\u202e", "http://id.example", "https://a@b"]
        texts = texts if name == "url" else [text for text in texts if name != "audience" or "://" not in text]
        texts = [text for text in texts if text or name != "subject"]
        texts = [text for text in texts if name != "subject" or text != "http://id.example"]
    good = getattr(EXAMPLES[kind], name)
    odd: list[Any] = [b"x", b"x" * 31, b"x" * 34] if hint == "bytes" else list(texts)
    if name in {"proof", "replaces_proof"}:  # DER has no one length
        odd = [b"x", b"x" * 7, b"x" * 73]
    if name == "envelope":  # whatever it holds is looked at where its signature is
        odd = [b"", b"x" * (forms.MAX_ENVELOPE + 1)]
    if name == "person":  # no form of a resource's name but an account's is anything to it
        texts = ["principals/owner-a", "Persons/p", " p", "p ", "p\n", "p\u0430", "a" * 128, "p@q", "\x00", "\u202e"]
        odd = list(texts)
    if name == "scope":
        odd = ["models/m", " m", "m ", "m\n", "M", "a" * 65, "a,b", "[a]", "\x00", "\u202e"]
    if hint == "int":
        odd = [-1, forms.LAST_INSTANT + 1]
    if hint.startswith("tuple"):
        odd = [*((text,) for text in texts), (*good, good[0])]

    passed = [value for value in odd if not malformed(_with(kind, name, value))]

    assert passed == []


def test_every_argument_that_is_wrong_is_named() -> None:
    """A trigger with two odd arguments has two requirements unmet."""
    found = malformed(f.LevelAssign("x", "Y"))

    assert [unmet.code for unmet in found] == [Code.MALFORMED] * 2


@pytest.mark.parametrize("kind", get_args(f.Firing), ids=lambda kind: kind.__name__)
def test_the_machines_refuse_before_they_look(kind: type[f.Firing], world: World) -> None:
    """A malformed trigger is invalid before any machine is asked."""
    first = fields(kind)[0]
    wrong = "policies/minimal" if first.type == "str" else b"no key"

    result = step(world, with_model(world), _with(kind, first.name, wrong))

    assert isinstance(result, Refused)
    assert (result.kind, codes(result)) == (RefusalKind.INVALID, [Code.MALFORMED])


@pytest.mark.parametrize("name", ["principals/owner-a", "log", "grants/1", "policies/minimal/versions/1.0", "-"])
def test_nobody_writes_over_another_resource(name: str, world: World) -> None:
    """Regression: registering a model called like an account wrote over the account."""
    result = world.fire("evaluator", f.ModelRegister(name))

    assert codes(result) == [Code.MALFORMED]


def test_instants_do_not_matter_to_form(world: World) -> None:
    """Form is judged without state or time."""
    odd = f.ModelRegister("models/M", (sha256_of("x"),))

    assert codes(step(world, world.state, odd, NOW)) == codes(step(world, world.state, odd, 0))  # type: ignore[arg-type]  # refused both times
