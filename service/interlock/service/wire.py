"""From the bytes of a request to a message that is well formed.

Parsing happens here and not in gRPC, which answers UNKNOWN when it fails. Checks are made ready once per message
type at the start: the rules of the .proto by ``protovalidate``, and one rule for every string: no characters that
nobody can see, for what is shown to a signer must be what is there (identity design, "What you see is what you sign").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from interlock.service.errors import FieldViolation, InvalidRequest
from interlock.service.patterns import in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google._upb._message import Descriptor as FastDescriptor
    from google.protobuf.descriptor import Descriptor
    from protovalidate import Validator, Violation

    AnyDescriptor = Descriptor | FastDescriptor


PROSE: Final = frozenset({"reason", "comment", "summary", "text", "note", "conditions", "justification", "description"})
"""Fields whose text may have several lines; in all others a newline or a tab is refused."""

# Control characters, separators of lines and paragraphs, bidirectional controls, and what has no width but the
# joiners that scripts and emoji need. A fixed list: Unicode's categories move with the interpreter.
_HIDDEN: Final = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff"
)
_NOT_IN_PROSE: Final = re.compile(f"[{_HIDDEN}]")
_NOT_IN_A_LINE: Final = re.compile(f"[\t\n{_HIDDEN}]")

_MAX_VIOLATIONS: Final = 50
_REMEMBERED_BYTES: Final = 512
_MOST_REMEMBERED: Final = 4096


class RequestReader:
    """Reads the requests of one method.

    One that ``remembers`` keeps what it has read by its very bytes: a release tool asks the same question again and
    again, and reading depends on nothing but the bytes.
    """

    def __init__(self, kind: type[Message], validator: Validator, *, remembers: bool = False) -> None:
        self._parse: Callable[[bytes], Message] = kind.FromString
        self._remembers = remembers
        self._read: dict[bytes, Message] = {}
        self._violations = validator.collect_violations
        self._strings = Strings.of(kind.DESCRIPTOR, {})
        # Compiles the type's rules now: one that does not compile fails the start, not a caller.
        validator.collect_violations(kind())

    def read(self, data: bytes) -> Message:
        """Return the request, which belongs to the reader: look at it, don't change it.

        Raises InvalidRequest with every field that is wrong.
        """
        request = self._read.get(data)
        if request is None:
            request = self._checked(data)
            if self._remembers and len(data) <= _REMEMBERED_BYTES:
                if len(self._read) >= _MOST_REMEMBERED:
                    self._read.clear()
                self._read[data] = request
        return request

    def _checked(self, data: bytes) -> Message:
        try:
            request = self._parse(data)
        except DecodeError:
            raise InvalidRequest((FieldViolation("", "these bytes are no such message"),)) from None
        broken = self._violations(request)
        if broken:
            raise InvalidRequest(tuple(map(_field_violation, broken[:_MAX_VIOLATIONS])))
        if self._strings.suspicious(request):
            hidden = tuple(islice(self._strings.hidden(request, ""), _MAX_VIOLATIONS))
            if hidden:
                raise InvalidRequest(hidden)
        return request


@dataclass(slots=True)
class Strings:
    """Where the strings of a message type are. Types that hold themselves are fine: parts are shared."""

    single: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    parts: tuple[tuple[str, Strings], ...] = ()
    repeated_parts: tuple[tuple[str, Strings], ...] = ()

    @classmethod
    def of(cls, kind: AnyDescriptor, known: dict[str, Strings]) -> Strings:
        """Return the places for a message type; ``known`` are those that are being made."""
        if kind.full_name in known:
            return known[kind.full_name]
        self = known[kind.full_name] = cls()
        strings = [f for f in kind.fields if f.type == FieldDescriptor.TYPE_STRING]
        messages = [(f, cls.of(f.message_type, known)) for f in kind.fields if f.message_type is not None]
        self.single = tuple(f.name for f in strings if not f.is_repeated)
        self.repeated = tuple(f.name for f in strings if f.is_repeated)
        self.parts = tuple((f.name, part) for f, part in messages if not f.is_repeated)
        self.repeated_parts = tuple((f.name, part) for f, part in messages if f.is_repeated)
        return self

    def suspicious(self, message: Any) -> bool:  # noqa: ANN401  # reflection over any message
        """Say quickly whether any string holds a character that is not printable, hidden or not."""
        for name in self.single:
            if not getattr(message, name).isprintable():
                return True
        for name in self.repeated:
            if not all(map(str.isprintable, getattr(message, name))):
                return True
        for name, part in self.parts:
            if message.HasField(name) and part.suspicious(getattr(message, name)):
                return True
        return any(any(map(part.suspicious, getattr(message, name))) for name, part in self.repeated_parts)

    def hidden(self, message: Any, path: str) -> Iterator[FieldViolation]:  # noqa: ANN401  # as above
        """Name every string that holds a character of ``_HIDDEN``, or a line break where there is one line."""
        for name in self.single:
            yield from _hidden_in(getattr(message, name), name, path + name)
        for name in self.repeated:
            for at, text in enumerate(getattr(message, name)):
                yield from _hidden_in(text, name, f"{path}{name}[{at}]")
        for name, part in self.parts:
            if message.HasField(name):
                yield from part.hidden(getattr(message, name), f"{path}{name}.")
        for name, part in self.repeated_parts:
            for at, item in enumerate(getattr(message, name)):
                yield from part.hidden(item, f"{path}{name}[{at}].")


def _hidden_in(text: str, name: str, path: str) -> Iterator[FieldViolation]:
    found = (_NOT_IN_PROSE if name in PROSE else _NOT_IN_A_LINE).search(text)
    if found:
        character = f"U+{ord(found[0]):04X}"
        yield FieldViolation(path, f"holds {character} at offset {found.start()}, which nobody can see")


def _field_violation(violation: Violation) -> FieldViolation:
    proto = violation.proto
    path = ""
    for element in proto.field.elements if proto.field else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript is not None and element.subscript.field == "index":
            path += f"[{element.subscript.value}]"
    return FieldViolation(path, in_words(proto.message) or proto.rule_id)
