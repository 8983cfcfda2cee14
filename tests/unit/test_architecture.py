"""Who may import whom, and what the pure core may not touch: read off the sources, never by importing them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SOURCE_ROOTS = ("statemachine", "service", "clients")
GENERATED = ("_pb2.py", "_pb2_grpc.py")

IMPURE = {
    "asyncio", "builtins", "concurrent", "ctypes", "ftplib", "getpass", "glob", "http", "io", "logging",
    "multiprocessing", "os", "pathlib", "platform", "random", "secrets", "select", "selectors", "shutil", "signal",
    "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid", "zoneinfo",
}  # fmt: skip
"""Modules of the standard library with which code could look or reach outside."""

OUTSIDE = {
    "interlock.proofs": {"cryptography"},
    "interlock.statemachine": {"immutables", "transitions", "google"},
    "interlock.statemachine.policy": {"pydantic", "pydantic_core", "ruamel"},
}
"""What the pure packages may use that neither Python nor we make."""


@dataclass(frozen=True, slots=True)
class Module:
    """One source file: its dotted name, where it is, and its tree."""

    name: str
    path: Path
    tree: ast.Module

    def imports(self) -> Iterator[str]:
        """Yield every module that it imports anywhere, also for type checking only."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from self._from(node)

    def _from(self, node: ast.ImportFrom) -> Iterator[str]:
        package = self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]
        base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        origin = ".".join([*base, *([node.module] if node.module else [])])
        yield origin
        yield from (f"{origin}.{alias.name}" for alias in node.names)


@lru_cache(maxsize=1)
def modules() -> tuple[Module, ...]:
    """Return every module that we write."""
    found = []
    for root in SOURCE_ROOTS:
        for path in sorted((ROOT / root).rglob("*.py")):
            if path.name.endswith(GENERATED):
                continue
            parts = path.relative_to(ROOT / root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(name, path, ast.parse(path.read_text("utf-8"))))
    return tuple(found)


def within(name: str, *packages: str) -> bool:
    """Say whether a module is one of these packages or in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def of(*packages: str) -> list[Module]:
    """Return the modules of some packages."""
    return [module for module in modules() if within(module.name, *packages)]


def crossing(importers: tuple[str, ...], *forbidden: str) -> list[str]:
    """Return ``module: import`` for every import that goes where it may not."""
    return sorted(
        {f"{m.name}: {wanted}" for m in of(*importers) for wanted in m.imports() if within(wanted, *forbidden)}
    )


PURE = ("interlock.statemachine", "interlock.proofs")
CLIENTS = ("interlock.client", "interlock.cli")


def test_there_is_something_to_look_at() -> None:
    """The sources were found."""
    assert len(of(*PURE)) > 40


def test_clients_never_import_the_service() -> None:
    """An install of the client alone works: the service is not there."""
    assert crossing(CLIENTS, "interlock.service") == []


def test_the_service_never_imports_clients() -> None:
    """The server does not reach into the SDK or the command line."""
    assert crossing(("interlock.service",), *CLIENTS) == []


def test_the_pure_core_imports_nobody() -> None:
    """The state machine and the proofs know neither the service nor the clients."""
    assert crossing(PURE, "interlock.service", *CLIENTS) == []


def test_proofs_stand_alone() -> None:
    """The proofs import nothing of the state machine and no messages."""
    assert crossing(("interlock.proofs",), "interlock.statemachine", "interlock.v1", "google") == []


def test_only_the_codec_knows_the_messages() -> None:
    """In the state machine only the codec imports the generated code or protobuf."""
    importers = {row.split(":")[0] for row in crossing(PURE, "interlock.v1", "google")}

    assert importers == {"interlock.statemachine.codec", "interlock.statemachine.messages"}


def test_the_pure_core_never_imports_grpc() -> None:
    """The wire is no concern of the pure core, generated service code included."""
    assert crossing(PURE, "grpc", "grpc_status", "grpc_health", "grpc_reflection") == []
    assert not [row for row in crossing(PURE, "interlock.v1") if "_grpc" in row]


def test_the_pure_core_has_no_way_out() -> None:
    """No files, sockets, clock, randomness, processes or environment."""
    assert crossing(PURE, *IMPURE) == []


@pytest.mark.parametrize("module", of(*PURE), ids=lambda module: module.name)
def test_the_pure_core_calls_no_way_out(module: Module) -> None:
    """No call opens a file, reads a clock, prints, or runs text as code."""
    names = {"open", "print", "input", "eval", "exec", "compile", "__import__", "breakpoint", "hash", "id"}
    clocks = {"now", "utcnow", "today", "fromtimestamp", "read_text", "read_bytes", "write_text", "write_bytes"}
    allowed = {("hash", "interlock.statemachine.policy.model")}  # of its own digest, in __hash__

    found = [
        f"{module.name}:{node.lineno}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id in names and (node.func.id, module.name) not in allowed)
            or (isinstance(node.func, ast.Attribute) and node.func.attr in clocks)
        )
    ]

    assert found == []


@pytest.mark.parametrize("package", sorted(OUTSIDE))
def test_the_pure_core_leans_on_few(package: str) -> None:
    """The pure packages use only the few libraries that they are meant to."""
    import_names = {
        wanted.split(".")[0]
        for module in of(package)
        for wanted in module.imports()
        if package != "interlock.statemachine" or not within(module.name, "interlock.statemachine.policy")
    }

    assert import_names - _STANDARD - {"interlock"} <= OUTSIDE[package]


_STANDARD = {
    "__future__", "base64", "collections", "contextlib", "dataclasses", "datetime", "decimal", "difflib", "enum",
    "fnmatch", "fractions", "functools", "hashlib", "itertools", "json", "math", "operator", "re", "string", "struct",
    "types", "typing", "unicodedata",
}  # fmt: skip


def test_no_global_state_is_rebound() -> None:
    """No function of the pure core rebinds a module's name."""
    assert [m.name for m in of(*PURE) for node in ast.walk(m.tree) if isinstance(node, ast.Global)] == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_every_module_says_what_lives_here(module: Module) -> None:
    """Each module opens with a docstring."""
    assert ast.get_docstring(module.tree)


def test_the_namespace_is_nobodys() -> None:
    """No ``__init__.py`` right in an ``interlock`` folder: four source roots share the namespace."""
    assert [path for path in ROOT.glob("*/interlock/__init__.py") if ".venv" not in path.parts] == []


@pytest.mark.parametrize("module", of(*PURE), ids=lambda module: module.name)
def test_the_pure_core_catches_nothing_broadly(module: Module) -> None:
    """No bare except, and none of Exception: what the core does not expect is a bug to be seen."""
    broad = {"Exception", "BaseException"}
    handlers = [node for node in ast.walk(module.tree) if isinstance(node, ast.ExceptHandler)]

    assert all(handler.type is not None for handler in handlers)
    assert not [h for h in handlers for n in ast.walk(h.type or h) if isinstance(n, ast.Name) and n.id in broad]
