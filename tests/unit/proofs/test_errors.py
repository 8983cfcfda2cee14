"""The codes of refusal: each has one name, a use, and survives the way to whoever reads it."""

import ast
import pickle
from pathlib import Path

import pytest

import interlock.proofs
from interlock.proofs import errors
from interlock.proofs.errors import Fault, RefusedError

PACKAGE = Path(interlock.proofs.__path__[0])
CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, RefusedError)]


def used_faults(tree: ast.AST) -> set[str]:
    """List the members of `Fault` that code names."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Fault"
    }


def test_every_code_is_used() -> None:
    """A code that nothing raises is a promise that nobody keeps."""
    used = set[str]().union(*(used_faults(ast.parse(path.read_text())) for path in PACKAGE.glob("*.py")))

    assert used == set(Fault.__members__)


@pytest.mark.parametrize("fault", Fault)
def test_a_code_is_its_own_name(fault: Fault) -> None:
    """What a log line shows is what a program compares."""
    assert fault.value == fault.name == str(fault)


@pytest.mark.parametrize("kind", CLASSES)
def test_a_refusal_says_the_code_first_and_can_be_passed_on(kind: type[RefusedError]) -> None:
    """Every error of the package shows code and detail, and crosses a process boundary."""
    error = kind(Fault.ROOT_MISMATCH, "root of 8 differs")

    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert str(error) == str(copy) == "ROOT_MISMATCH: root of 8 differs"
    assert (copy.fault, copy.detail) == (Fault.ROOT_MISMATCH, "root of 8 differs")


def test_the_package_touches_neither_clock_nor_files_nor_chance() -> None:
    """Proofs are functions of their arguments: nothing imported could be anything else."""
    imported: set[str] = set()
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])

    assert imported == {
        "base64",
        "collections",
        "cryptography",
        "dataclasses",
        "enum",
        "functools",
        "hashlib",
        "interlock",
        "json",
        "re",
        "typing",
    }
