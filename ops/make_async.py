"""Write the asyncio side of the SDK's groups, clients/interlock/client/aio/groups/, from the blocking side.

Methods are written once, in clients/interlock/client/groups/: this puts `async` and `await` where they belong. What is
awaited follows from the transport, whose two versions are written by hand, and is checked by mypy afterwards: an
`await` too many or too few does not type-check. Only the classes are rewritten; everything else in a module is imported
from it. ``--check`` writes nothing and fails on drift; a test runs it.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCE: Final = ROOT / "clients" / "interlock" / "client" / "groups"
TARGET: Final = ROOT / "clients" / "interlock" / "client" / "aio" / "groups"

AWAITED: Final = frozenset({"call", "call_streaming", "call_unnamed", "login"})
"""Methods of the transport that answer once."""
STREAMED: Final = frozenset({"stream", "resuming"})
"""Methods of the transport that go on answering."""
OFF_THE_LOOP: Final = frozenset({"digest_of"})
"""Functions that take their time on this machine: they run in a thread."""

_OURS: Final = ("--config", 'lint.isort.known-first-party = ["interlock"]')
"""ruff tells ours by the files there are, and the first time there are none."""
_BASE: Final = "Group"
_STUB: Final = "_stub"
_MADE: Final = "Made by ops/make_async.py from `{module}`; not edited by hand."


@dataclass(slots=True)
class _Class:
    """What is known of one class: which of its methods are to be awaited, and which are iterated with `async for`."""

    node: ast.ClassDef
    awaited: set[str] = field(default_factory=set)
    streamed: set[str] = field(default_factory=set)

    def learn(self) -> None:
        """Follow calls of the transport through the class's own methods, until nothing new is found."""
        known = -1
        while known != len(self.awaited) + len(self.streamed):
            known = len(self.awaited) + len(self.streamed)
            for method in self.methods():
                iterates = "Iterator[" in ast.unparse(method.returns or ast.Constant(None))
                calls = [node for node in _own_nodes(method) if isinstance(node, ast.Call)]
                if iterates and any(self.is_streamed(call) or self.is_awaited(call) for call in calls):
                    self.streamed.add(method.name)
                elif any(self.is_awaited(call) or self.is_streamed(call) or _off_loop(call) for call in calls):
                    self.awaited.add(method.name)

    def methods(self) -> Iterator[ast.FunctionDef]:
        return (node for node in self.node.body if isinstance(node, ast.FunctionDef))

    def is_awaited(self, node: ast.AST) -> TypeGuard[ast.Call]:
        return _calls(node, "self._transport", AWAITED) or _calls(node, "self", self.awaited)

    def is_streamed(self, node: ast.AST) -> TypeGuard[ast.Call]:
        return _calls(node, "self._transport", STREAMED) or _calls(node, "self", self.streamed)


def _calls(node: ast.AST, receiver: str, names: frozenset[str] | set[str]) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
        and ast.unparse(node.func.value) == receiver
    )


def _off_loop(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in OFF_THE_LOOP


def _own_nodes(method: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a method, without those of functions within it."""
    waiting: list[ast.AST] = list(method.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


class _Rewrite:
    """Edits of one file, by place; comments and layout stay as they are."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines(keepends=True)
        self._edits: list[tuple[int, int, int, str]] = []

    def put(self, node: ast.expr | ast.stmt, words: str) -> None:
        """Put words before a node."""
        self._edits.append((node.lineno, node.col_offset, 0, words))

    def close(self, node: ast.expr, words: str) -> None:
        """Put words behind a node."""
        self._edits.append((node.end_lineno or node.lineno, node.end_col_offset or node.col_offset, 0, words))

    def replace(self, line: int, column: int, old: str, new: str) -> None:
        """Put ``new`` in the place of ``old``, which begins there."""
        self._edits.append((line, column, len(old.encode()), new))

    def done(self) -> list[str]:
        """Return the lines with every edit made, each where it was; one may have become several."""
        lines = [line.encode() for line in self._lines]
        # Of two at one place, the one that was put first stands first.
        in_order = sorted(enumerate(self._edits), key=lambda item: (*item[1][:2], item[0]), reverse=True)
        for _, (line, column, length, new) in in_order:
            row = lines[line - 1]
            lines[line - 1] = row[:column] + new.encode() + row[column + length :]
        return [line.decode() for line in lines]


def asynchronous(text: str, module: str, bases: dict[str, _Class]) -> str:
    """Return the asyncio version of a module of groups, not formatted yet."""
    tree = ast.parse(text)
    rewrite = _Rewrite(text)
    found = [node for node in tree.body if isinstance(node, ast.ClassDef) and _is_group(node)]
    for node in found:
        known = _Class(node)
        for base in node.bases:
            inherited = bases.get(ast.unparse(base))
            if inherited is not None:
                known.awaited |= inherited.awaited
                known.streamed |= inherited.streamed
        known.learn()
        bases[node.name] = known
        for method in known.methods():
            _rewrite_method(method, known, rewrite)
    made = rewrite.done()
    kept = "".join("".join(made[_first_line(node) - 1 : node.end_lineno]) + "\n\n" for node in found)
    names = {name for node in tree.body for name in _defined(node)} - {node.name for node in found}
    used = sorted(name for name in names if re.search(rf"\b{name}\b", kept))
    head = f"import asyncio\nfrom {module} import {', '.join(used)}\n" if used else "import asyncio\n"
    head = _imports(tree, text, head)
    return _renamed(f'"""{_docstring(tree, module)}"""\n\n{head}\n\n{kept}', bases)


def _is_group(node: ast.ClassDef) -> bool:
    return node.name == _BASE or _BASE in {ast.unparse(base) for base in node.bases}


def _rewrite_method(method: ast.FunctionDef, known: _Class, rewrite: _Rewrite) -> None:
    if method.name == _STUB and isinstance(method.returns, ast.Attribute):
        name = method.returns.attr
        column = (method.returns.end_col_offset or 0) - len(name)
        rewrite.replace(method.returns.lineno, column, name, f"{name.removesuffix('Stub')}AsyncStub")
    if method.name not in known.awaited | known.streamed:
        return
    nodes = list(_own_nodes(method))
    steps = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes)
    if method.name in known.awaited or steps:
        rewrite.put(method, "async ")
    if method.name in known.streamed and method.returns is not None:
        rewrite.put(method.returns, "Async")
    for node in nodes:
        if known.is_awaited(node):
            rewrite.put(node, "await ")
        if isinstance(node, ast.For) and known.is_streamed(node.iter):
            rewrite.put(node, "async ")
        elif isinstance(node, ast.comprehension) and known.is_streamed(node.iter):
            raise SystemExit(f"{method.name}: write the loop out, so that it can be made asynchronous")
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.YieldFrom):
            word = "async for" if known.is_streamed(node.value.value) else "for"
            rewrite.replace(node.lineno, node.col_offset, "yield from", f"{word} row in")
            rewrite.close(node.value, f":\n{' ' * node.col_offset}    yield row")
        elif isinstance(node, ast.Attribute) and known.is_awaited(node.value):
            rewrite.put(node.value, "(")
            rewrite.close(node.value, ")")
        elif _off_loop(node):
            rewrite.put(node, "await asyncio.to_thread(")
            rewrite.replace(node.func.lineno, node.func.end_col_offset or 0, "(", ", ")


def _first_line(node: ast.ClassDef) -> int:
    return min([node.lineno, *(row.lineno for row in node.decorator_list)])


def _defined(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.Assign(targets=[ast.Name(id=name)]):
            yield name
        case _:
            pass


def _imports(tree: ast.Module, text: str, more: str) -> str:
    kept = ["from __future__ import annotations\n", more]
    for node in tree.body:
        block = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if isinstance(node, ast.Import | ast.ImportFrom) or block:
            source = ast.get_source_segment(text, node) or ""
            kept.append(re.sub(r"\bIterator\b", "AsyncIterator, Iterator", source) + "\n")
    return "".join(kept)


def _docstring(tree: ast.Module, module: str) -> str:
    said = (ast.get_docstring(tree) or "").split("\n\n", maxsplit=1)[0].replace("\n", " ")
    return f"{said} With asyncio.\n\n{_MADE.format(module=module)}\n" if said else _MADE.format(module=module)


def _renamed(text: str, groups: dict[str, _Class]) -> str:
    """Give the classes their names, and the modules theirs."""
    for name in groups:
        text = re.sub(rf"(class |\(|import |, ){name}\b(?=[\(\),:\n])", rf"\1Async{name}", text)
    text = re.sub(r"\bTransport\b", "AsyncTransport", text)
    text = text.replace("interlock.client.transport import", "interlock.client.aio.transport import")
    parts = re.split(r"(?m)^(from interlock\.client\.groups\.base import .*\n)", text)
    for index, part in enumerate(parts):
        if part.startswith("from interlock.client.groups.base import") and f"Async{_BASE}" in part:
            rest = [name.strip() for name in part.split(" import ")[1].split(",") if f"Async{_BASE}" not in name]
            parts[index] = f"from interlock.client.aio.groups.base import Async{_BASE}\n"
            if rest:
                parts[index] += f"from interlock.client.groups.base import {', '.join(rest)}\n"
    return "".join(parts)


def _package(text: str) -> str:
    """Return the package's `__init__`: the same names, asynchronous."""
    names = re.findall(r"^from interlock\.client\.groups\.(\w+) import (\w+)$", text, re.MULTILINE)
    lines = [f"from interlock.client.aio.groups.{module} import Async{name}\n" for module, name in names]
    listed = "".join(f'    "Async{name}",\n' for _, name in names)
    made = _MADE.format(module="interlock.client.groups")
    return (
        f'"""The groups of `interlock.client.groups`, with asyncio.\n\n{made}\n"""\n\n'
        f"{''.join(lines)}\n__all__ = [\n{listed}]\n"
    )


def _formatted(text: str, path: Path) -> str:
    ruff = [str(Path(sys.executable).with_name("ruff"))]
    name = ["--stdin-filename", str(path), "-"]
    fix = [*ruff, "check", "--fix", "--quiet", "--exit-zero", "--select", "I,F401,TC", *_OURS, *name]
    for command in (fix, [*ruff, "format", "--quiet", *name], fix):
        text = subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return text


def wanted_files() -> dict[Path, str]:
    """Return every file that there has to be, with its text."""
    known: dict[str, _Class] = {}
    sources = sorted(SOURCE.glob("*.py"), key=lambda path: (path.name != "base.py", path.name))
    made: dict[Path, str] = {}
    for source in sources:
        target, text = TARGET / source.name, source.read_text("utf-8")
        if source.name == "__init__.py":
            made[target] = _formatted(_package(text), target)
        else:
            written = asynchronous(text, f"interlock.client.groups.{source.stem}", known)
            if re.search(r"^class ", written, re.MULTILINE):
                made[target] = _formatted(written, target)
    return made


def stale_files() -> list[Path]:
    """Return the files that are not as the blocking side says, and those that should not be there."""
    wanted = wanted_files()
    there = set(TARGET.glob("*.py"))
    differ = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    return sorted({*differ, *(there - set(wanted))})


def main() -> int:
    """Write the files, or with ``--check`` say which have drifted."""
    parser = argparse.ArgumentParser(description="Write the asyncio side of the SDK's groups.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on drift")
    check: bool = parser.parse_args().check
    stale = stale_files()
    wanted = {} if check or not stale else wanted_files()
    for path in stale:
        if check:
            print(f"{path.relative_to(ROOT)}: not as the blocking side says; run ops/make_async.py", file=sys.stderr)
        elif path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], "utf-8")
            print(f"{path.relative_to(ROOT)}: written")
        else:
            path.unlink()
            print(f"{path.relative_to(ROOT)}: removed")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
