"""From YAML text to plain values with marks: a small, closed part of YAML 1.2.

ruamel.yaml scans and parses; this module builds the values from its events, on a stack of its own: there, what
a pack may not contain (anchors, tags, two equal keys, a second document) is still to be seen with its place,
and no nesting can exhaust a stack that does not recurse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from interlock.statemachine.policy.files import character_problem
from interlock.statemachine.policy.findings import Code, Finding, Severity, shown
from interlock.statemachine.policy.yamlscan import new_parser

if TYPE_CHECKING:
    from ruamel.yaml.events import Event

Scalar: TypeAlias = str | int | bool | Decimal | None
Value: TypeAlias = "Scalar | list[Value] | dict[str, Value]"
Collection: TypeAlias = "list[Value] | dict[str, Value]"
Path: TypeAlias = tuple[str | int, ...]
Place: TypeAlias = tuple[int, int]

MAX_DEPTH: Final = 16
MAX_NODES: Final = 20_000
_MAX_DIGITS = 18

# ruamel.yaml 0.19 answers some escapes and markers with bare Python errors, without a mark.
_PARSER_ERRORS = (YAMLError, ValueError, IndexError, OverflowError, AssertionError, AttributeError, TypeError)

_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", re.ASCII)
_ANY_NUMBER = re.compile(  # the core schema of YAML 1.2, section 10.3.2
    r"[-+]?(?:[0-9]+|(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))"
    r"|0o[0-7]+|0x[0-9a-fA-F]+|\.(?:nan|NaN|NAN)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Tree:
    """The root mapping of a file, and where each value and each key of it stands (from 1)."""

    file: str
    root: dict[str, Value]
    values: dict[Path, Place]
    keys: dict[Path, Place]

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Return where ``path`` stands; for a path that is not in the file, where its nearest parent does."""
        if key and path in self.keys:
            return self.keys[path]
        for length in range(len(path), 0, -1):
            found = path[:length]
            if length < len(path) and found in self.keys:
                return self.keys[found]
            if found in self.values:
                return self.values[found]
        return (1, 1)


def read_tree(file: str, text: str) -> tuple[Tree | None, tuple[Finding, ...]]:
    """Parse one file. The tree is None when any finding stands; all that could be found is listed."""
    builder, place = _Builder(file, text), (1, 1)
    try:
        for event in new_parser().parse(text):
            place = (event.end_mark.line + 1, event.end_mark.column + 1)
            builder.take(event)
        builder.finish()
    except _StopReadingError:
        pass
    except MarkedYAMLError as error:
        builder.syntax_error(error)
    except _PARSER_ERRORS as error:
        builder.find(place, Code.YAML_SYNTAX, f"This is not YAML: {shown(error)}.", "mend the syntax")
    if builder.findings or not isinstance(builder.root, dict):
        return None, tuple(builder.findings)
    return Tree(file, builder.root, builder.values, builder.keys), ()


class _StopReadingError(Exception):
    """Nothing after this place can be read with any sense; the finding is already noted."""


@dataclass(slots=True)
class _Frame:
    """A collection that is still open."""

    path: Path
    container: Collection
    key: str | None = None


@dataclass(slots=True)
class _Builder:
    file: str
    text: str
    root: Value = None
    documents: int = 0
    nodes: int = 0
    findings: list[Finding] = field(default_factory=list)
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    stack: list[_Frame] = field(default_factory=list)

    def take(self, event: Event) -> None:
        match event:
            case DocumentStartEvent():
                self._start_document(event)
            case AliasEvent():
                self._count(event)
                self.find(_place(event), Code.ALIAS, "A pack has no aliases.", "write the value out")
                self._put_scalar(event, "alias")
            case ScalarEvent():
                self._count(event)
                self._check_node(event)
                self._put_scalar(event, self._scalar(event))
            case MappingStartEvent():
                self._open(event, {})
            case SequenceStartEvent():
                self._open(event, [])
            case MappingEndEvent() | SequenceEndEvent():
                self.stack.pop()
            case _:
                pass  # stream and document ends

    def finish(self) -> None:
        if self.findings:
            return
        if self.documents == 0 or self.root is None:
            self.find((1, 1), Code.EMPTY_FILE, "The file says nothing.", "start from a shipped pack")
        elif not isinstance(self.root, dict):
            message = f"A pack is a mapping, this is {kind_of(self.root)}."
            self.find(self.values[()], Code.WRONG_TYPE, message, "start with `format: 1`")

    def find(self, place: Place, code: Code, message: str, fix: str) -> None:
        self.findings.append(Finding(Severity.ERROR, self.file, *place, code, message, fix))

    def syntax_error(self, error: MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        what = " ".join(part for part in (error.context, error.problem) if part)
        fix = "mend the syntax; quote text that has `:`, `#`, `{` or `[`"
        if "\\t" in what:
            fix = "indent with spaces"
        self.find(place, Code.YAML_SYNTAX, f"This is not YAML: {shown(what)}.", fix)

    def _start_document(self, event: DocumentStartEvent) -> None:
        self.documents += 1
        line = self._directive()  # also one that nobody knows: the parser passes over it
        if self.documents == 1 and (event.version is not None or event.tags or line):
            fix = "take the line out; it is YAML 1.2"
            self.find((line or 1, 1), Code.DIRECTIVE, "A pack has no `%` directives.", fix)
        if self.documents > 1:
            message = "A second document starts here."
            fix = "keep one document, drop the `---`"
            self.find(_place(event), Code.SEVERAL_DOCUMENTS, message, fix)
            raise _StopReadingError

    def _directive(self) -> int:
        """Return the line of the first directive; 0 for none. Nothing but comments stands before one."""
        for number, line in enumerate(self.text.split("\n"), start=1):
            if line.startswith("%"):
                return number
            if line.strip() and not line.lstrip().startswith("#"):
                return 0
        return 0

    def _count(self, event: Event) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            message = f"The file has more than {MAX_NODES} values."
            self.find(_place(event), Code.TOO_MANY_NODES, message, "a pack is a few hundred lines")
            raise _StopReadingError

    def _check_node(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> None:
        if event.anchor is not None:
            self.find(_place(event), Code.ANCHOR, "A pack has no anchors.", f"drop {shown('&' + event.anchor)}")
        if event.tag is not None:
            fix = "drop the tag; quotes make a text of a number"
            self.find(_place(event), Code.TAG, "A pack has no tags.", fix)

    def _open(self, event: MappingStartEvent | SequenceStartEvent, container: Collection) -> None:
        self._count(event)
        self._check_node(event)
        if len(self.stack) >= MAX_DEPTH:
            message = f"Collections are nested more than {MAX_DEPTH} deep."
            self.find(_place(event), Code.TOO_DEEP, message, "a pack needs about six levels")
            raise _StopReadingError
        path = self._put(container, event)
        self.stack.append(_Frame(path, container))

    def _put_scalar(self, event: Event, value: Scalar) -> None:
        frame = self.stack[-1] if self.stack else None
        if frame is None or frame.key is not None or isinstance(frame.container, list):
            if value is None and frame is not None:
                fix = "write a value, `{}` or `[]`, or leave the key out"
                self.find(_place(event), Code.EMPTY_VALUE, "There is no value here.", fix)
            self._put(value, event)
            return
        if not isinstance(value, str) or value == "<<":
            what = "a merge key" if value == "<<" else kind_of(value)
            message = f"The key {shown(value)} is {what}, not a name."
            self.find(_place(event), Code.KEY_NOT_TEXT, message, "use a name as key")
            value = str(value)
        elif value in frame.container:
            line = self.keys[(*frame.path, value)][0]
            message = f"The key {shown(value)} is already at line {line}."
            self.find(_place(event), Code.DUPLICATE_KEY, message, "keep one of the two")
        frame.key = value
        self.keys.setdefault((*frame.path, value), _place(event))

    def _put(self, value: Value, event: Event) -> Path:
        """Store a value where the open collection expects one, with its place."""
        path: Path = ()
        frame = self.stack[-1] if self.stack else None
        if frame is None:
            self.root = value
        elif isinstance(frame.container, list):
            path = (*frame.path, len(frame.container))
            frame.container.append(value)
        elif frame.key is None:
            fix = "use a plain name as key"
            self.find(_place(event), Code.KEY_NOT_TEXT, "A collection is no key of a pack.", fix)
            raise _StopReadingError
        else:
            path = (*frame.path, frame.key)
            frame.container[frame.key] = value
            frame.key = None
        self.values[path] = _place(event)
        return path

    def _scalar(self, event: ScalarEvent) -> Scalar:
        text: str = event.value
        if (problem := character_problem(text)) is not None:
            _, code, message, fix = problem  # an escape can bring what the file itself may not hold
            self.find(_place(event), code, message, fix)
        if event.style or not event.implicit[0]:
            return text
        if text in _NULL:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        if _PLAIN_NUMBER.fullmatch(text) and len(text) <= _MAX_DIGITS:
            return Decimal(text) if "." in text else int(text)
        if _ANY_NUMBER.fullmatch(text):
            message = f"{shown(text)} is an unusual way to write a number."
            fix = "write plain decimal digits, or quote it as text"
            self.find(_place(event), Code.NUMBER_FORM, message, fix)
        return text


def kind_of(value: object) -> str:
    """Name the type of a value as a pack's author would."""
    match value:
        case bool():
            return "true or false"
        case int():
            return "a number"
        case Decimal():
            return "a number with a fraction"
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return "nothing"


def _place(event: Event) -> Place:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1)
