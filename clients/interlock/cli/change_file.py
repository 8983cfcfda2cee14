"""A change as a file that reviews well in git: YAML, strict, every mistake with its line.

    title: Raise aurora-4 to ASL-3
    summary: |
      CBRN-3 can't be ruled out.
    triggers:
      - determination.confirm: models/aurora-4/determinations/cbrn-3
      - level.raise: {level: models/aurora-4/levels/deployment, to: asl-3}
    evidence: [evidence/4, evidence/7]
    not_before: 2026-06-01T00:00:00Z    # optional
    apply_separately: true              # optional

A trigger is named as in policy packs; its value is the resource, or a mapping with every argument by the name that it
has in the contract. Lives here: the file to messages. Not here: whether the change can happen; the server says that.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from interlock.client.errors import FieldViolation, InvalidRequestError
from interlock.statemachine.policy.yamltree import Tree, read_tree
from interlock.statemachine.triggers import Trigger as TriggerName
from interlock.v1 import trigger_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from google.protobuf.descriptor import FieldDescriptor

    YamlPath = tuple[str | int, ...]

MAX_BYTES: Final = 1 << 20
_KEYS: Final = ("title", "summary", "triggers", "evidence", "not_before", "apply_separately")
_NOT_FOR_FILES: Final = frozenset({"reason_digest", "title_digest"})
_MAY_BE_LEFT_OUT: Final = frozenset(
    {
        "assessment",
        "decision",
        "compromised_since",
        "person",
        "replaces",
        "replaces_proof",
        "start",
        "until",
        "held_in",
        "subject",
        "claims",
        "severity",
        "category",
        "discovered_at",
        "content_digest",
    }
)
_BYTES: Final = 12  # FieldDescriptor.TYPE_BYTES: keys and signatures, in hex
_INSTANT: Final = 3  # FieldDescriptor.TYPE_INT64: every number of a trigger is a time in Unix microseconds
_ENUM: Final = 14  # FieldDescriptor.TYPE_ENUM
_MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ChangeFile:
    """What a file proposes."""

    title: str
    summary: str
    triggers: tuple[trigger_pb2.Trigger, ...]
    evidence: tuple[str, ...]
    not_before: datetime | None
    apply_separately: bool


def load_change_file(path: Path) -> ChangeFile:
    """Read a file. Raises InvalidRequestError with every mistake in it, each at `file:line:column`."""
    data = path.read_bytes()
    if len(data) > MAX_BYTES:
        raise _refusal(path.name, [FieldViolation(f"{path}:1:1", f"more than {MAX_BYTES} bytes")])
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _refusal(path.name, [FieldViolation(f"{path}:1:1", f"not UTF-8: {error.reason}")]) from error
    return read_change(str(path), text)


def read_change(file: str, text: str) -> ChangeFile:
    """Read the text of a file called ``file``. Raises InvalidRequestError as `load_change_file` does."""
    tree, findings = read_tree(file, text)
    if tree is None:
        # The reader is that of policy packs, and speaks of them.
        rows = [
            FieldViolation(
                f"{item.file}:{item.line}:{item.column}",
                f"{item.message} Instead: {item.fix}".replace("pack", "change"),
            )
            for item in findings
        ]
        raise _refusal(file, rows)
    reader = _Reader(tree, [])
    change = reader.change()
    if reader.violations:
        raise _refusal(file, reader.violations)
    return change


def _refusal(file: str, rows: Iterable[FieldViolation]) -> InvalidRequestError:
    return InvalidRequestError(f"{file} is not a change", reason="CHANGE_FILE", fields=tuple(rows))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the tree and notes every mistake; what it returns after a mistake is not used."""

    tree: Tree
    violations: list[FieldViolation]

    def change(self) -> ChangeFile:
        root = self.tree.root
        for key in root:
            if key not in _KEYS:
                self._wrong((key,), f"unknown key {key!r}{_hint(key, _KEYS)}", key=True)
        for key in ("title", "triggers"):
            if key not in root:
                self._wrong((), f"{key} is missing")
        return ChangeFile(
            title=self._text(("title",), root.get("title", "")),
            summary=self._text(("summary",), root.get("summary", "")),
            triggers=tuple(self._triggers(root.get("triggers", []))),
            evidence=self._texts(("evidence",), root.get("evidence", [])),
            not_before=self._moment(("not_before",), root.get("not_before")),
            apply_separately=self._flag(("apply_separately",), root.get("apply_separately", False)),
        )

    def _triggers(self, value: object) -> Iterable[trigger_pb2.Trigger]:
        if not isinstance(value, list):
            self._wrong(("triggers",), "triggers is a list, one trigger a line")
            return
        if not value and "triggers" in self.tree.root:
            self._wrong(("triggers",), "a change fires at least one trigger")
        for index, item in enumerate(value):
            path: YamlPath = ("triggers", index)
            if not isinstance(item, dict) or len(item) != 1:
                self._wrong(path, "a trigger is written `name: resource`, or `name: {argument: value, …}`")
                continue
            [(name, arguments)] = item.items()
            yield self._trigger((*path, name), name, arguments)

    def _trigger(self, path: YamlPath, name: str, arguments: object) -> trigger_pb2.Trigger:
        message = trigger_pb2.Trigger()
        known = [trigger.value for trigger in TriggerName]
        if name not in known:
            self._wrong(path, f"there is no trigger {name!r}{_hint(name, known)}", key=True)
            return message
        arm: Any = getattr(message, name.replace(".", "_"))
        arm.SetInParent()
        fields = {field.name: field for field in arm.DESCRIPTOR.fields if field.name not in _NOT_FOR_FILES}
        first = next(iter(fields))
        given: Mapping[str, object] = arguments if isinstance(arguments, dict) else {first: arguments}
        for key, value in given.items():
            where = (*path, key) if isinstance(arguments, dict) else path
            if key not in fields:
                self._wrong(where, f"{name} has no argument {key!r}{_hint(key, fields)}", key=True)
                continue
            self._set(arm, fields[key], where, value)
        for key, field in fields.items():
            if key not in given and not field.is_repeated and key not in _MAY_BE_LEFT_OUT:
                self._wrong(path, f"{name} needs {key}", key=True)
        return message

    def _set(self, arm: Any, field: FieldDescriptor, path: YamlPath, value: object) -> None:  # noqa: ANN401  # any arm
        if field.is_repeated:
            getattr(arm, field.name).extend(self._texts(path, value))
            return
        if field.type == _INSTANT:
            moment = self._moment(path, value)
            setattr(arm, field.name, (moment - _EPOCH) // _MICROSECOND if moment is not None else 0)
            return
        text = self._text(path, value)
        if field.type == _BYTES:
            setattr(arm, field.name, self._hex(path, text))
            return
        if field.type != _ENUM or field.enum_type is None:
            setattr(arm, field.name, text)
            return
        words = [name.removeprefix("CONCLUSION_").lower() for name in field.enum_type.values_by_name][1:]
        if text not in words:
            self._wrong(path, f"{field.name} is one of {', '.join(words)}, not {text!r}")
            return
        setattr(arm, field.name, field.enum_type.values_by_name[f"CONCLUSION_{text.upper()}"].number)

    def _texts(self, path: YamlPath, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            self._wrong(path, "a list is wanted here, such as [evidence/1, evidence/2]")
            return ()
        return tuple(self._text((*path, index), item) for index, item in enumerate(value))

    def _text(self, path: YamlPath, value: object) -> str:
        if not isinstance(value, str):
            self._wrong(path, "a text is wanted here; quote it if need be")
            return ""
        return value

    def _hex(self, path: YamlPath, text: str) -> bytes:
        try:
            return bytes.fromhex(text)
        except ValueError:
            self._wrong(path, "hexadecimal digits are wanted here, two a byte")
            return b""

    def _flag(self, path: YamlPath, value: object) -> bool:
        if not isinstance(value, bool):
            self._wrong(path, "true or false is wanted here")
        return value is True

    def _moment(self, path: YamlPath, value: object) -> datetime | None:
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(self._text(path, value))
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        self._wrong(path, "a time with its zone is wanted here, such as 2026-06-01T00:00:00Z")
        return None

    def _wrong(self, path: YamlPath, what: str, *, key: bool = False) -> None:
        line, column = self.tree.place(path, key=key)
        self.violations.append(FieldViolation(f"{self.tree.file}:{line}:{column}", what))


def _hint(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
