"""How flat values become messages of the same field names and back, and bytes read strictly: the codec's lower half.

One reflective copy does most of it. What stands beside the log, contents and packs, is named by digest in a message and
is the thing itself in a value. Which documents there are: `codec.py`, which is what the others import.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import fields
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.message import DecodeError, Message

from interlock.statemachine.policy.files import pack_digest
from interlock.statemachine.policy.findings import PackError
from interlock.v1 import policy_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Resolve = Callable[[bytes], bytes]

M = TypeVar("M", bound=Message)
_ENUM = 14  # FieldDescriptor.TYPE_ENUM


class CodecError(ValueError):
    """Bytes that are not what they should be; the message says where."""


def snake(name: str) -> str:
    """Return a class's or enum's name as fields have theirs."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


# Bytes read strictly ----------------------------------------------------------------------------------------------


def parse(kind: type[Message], data: bytes, what: str) -> Any:  # noqa: ANN401  # a message of ``kind``
    """Return the message that ``data`` is, in whatever form. Raises CodecError for bytes that are none."""
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        msg = f"{what} is not a {kind.DESCRIPTOR.name}"
        raise CodecError(msg) from error
    return message


def refuse_unknown(message: Message, what: str) -> None:
    """Raise CodecError when the message or any part of it carries a field that these rules don't know."""
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        msg = f"{what} has a field that this version does not know"
        raise CodecError(msg)


def parse_strict(kind: type[M], data: bytes, what: str) -> M:
    """Return the message that ``data`` is. Raises CodecError unless it is in its one form, without unknown fields."""
    message: M = parse(kind, data, what)
    message.DiscardUnknownFields()
    if message.SerializeToString(deterministic=True) != data:
        refuse_unknown(parse(kind, data, what), what)  # the plainer of two things to say
        msg = f"{what} is not in its one serialized form"
        raise CodecError(msg)
    return message


# Values to messages and back -------------------------------------------------------------------------------------


def fill(message: Any, value: Any) -> Any:  # noqa: ANN401  # reflection: message and value share only field names
    """Copy each field of a flat value into the message field of the same name."""
    descriptors = message.DESCRIPTOR.fields_by_name
    for item in fields(value):
        content = getattr(value, item.name)
        if item.name == "content":  # content bytes are stored beside the log; the entry names their digest
            message.content_digest = hashlib.sha256(content).digest()
        elif item.name == "pack":  # so are packs, under the digest of their files
            message.pack_digest = _digest_of_pack(content) if content else b""
        elif isinstance(content, tuple):
            getattr(message, item.name).extend(content)
        elif descriptors[item.name].type == _ENUM:
            enum = descriptors[item.name].enum_type
            setattr(message, item.name, enum.values_by_name[f"{snake(enum.name)}_{content}".upper()].number)
        else:
            setattr(message, item.name, content)
    return message


def read(message: Any, kind: type[Any], resolve: Resolve | None = None) -> Any:  # noqa: ANN401  # reflection, as above
    """Build a flat value from the message fields of the same names."""
    values: list[Any] = []
    for name, shape, enum in _shape(kind, type(message)):  # type: ignore[arg-type]  # types are hashable
        match shape:
            case _Shape.PLAIN:
                values.append(getattr(message, name))
            case _Shape.REPEATED:
                values.append(tuple(getattr(message, name)))
            case _Shape.ENUM:
                values.append(_word_of(enum, getattr(message, name)))
            case _Shape.CONTENT:
                if resolve is None:
                    msg = f"{kind.__name__} names content that nobody can look up here"
                    raise CodecError(msg)
                values.append(_looked_up(message.content_digest, resolve))
            case _Shape.PACK:
                values.append(_looked_up_pack(message.pack_digest, resolve) if message.pack_digest else b"")
    return kind(*values)


class _Shape(Enum):
    """How a field of a message is read into the value's."""

    PLAIN = auto()
    REPEATED = auto()
    ENUM = auto()
    CONTENT = auto()
    PACK = auto()


@lru_cache(maxsize=256)  # far more than there are kinds
def _shape(kind: type[Any], message: type[Message]) -> tuple[tuple[str, _Shape, Any], ...]:
    """Return each field of a value in its order, how it is read, and its enum where it is one."""
    rows: list[tuple[str, _Shape, Any]] = []
    for item in fields(kind):
        if item.name == "content":
            rows.append((item.name, _Shape.CONTENT, None))
            continue
        if item.name == "pack":
            rows.append((item.name, _Shape.PACK, None))
            continue
        descriptor = message.DESCRIPTOR.fields_by_name[item.name]
        if descriptor.is_repeated:
            rows.append((item.name, _Shape.REPEATED, None))
        else:
            is_enum = descriptor.type == _ENUM
            rows.append((item.name, _Shape.ENUM if is_enum else _Shape.PLAIN, descriptor.enum_type))
    return tuple(rows)


def _looked_up(digest: bytes, resolve: Resolve) -> bytes:
    """Return the object of this digest; what was stored under it must be that."""
    found = resolve(digest)
    if hashlib.sha256(found).digest() != digest:
        msg = f"what is stored as {digest.hex()} has another digest"
        raise CodecError(msg)
    return found


def _looked_up_pack(digest: bytes, resolve: Resolve | None) -> bytes:
    """Return the policy pack of this digest; what was stored under it must be that."""
    if resolve is None:
        msg = "a policy pack that nobody can look up here"
        raise CodecError(msg)
    try:
        found = resolve(digest)
    except LookupError as error:
        msg = f"the policy pack {digest.hex()} is missing, or is not the one that was adopted: {error}"
        raise CodecError(msg) from error
    if _digest_of_pack(found) != digest:
        msg = f"the policy pack {digest.hex()} is not the one that was proposed: a file of it was altered"
        raise CodecError(msg)
    return found


def _digest_of_pack(data: bytes) -> bytes:
    """Return the digest of a pack as it is kept. Raises CodecError for what is none."""
    try:
        return pack_digest(decode_pack(data))
    except PackError as error:
        msg = f"no policy pack: {error}"
        raise CodecError(msg) from error


def _word_of(enum: Any, number: int) -> str:  # noqa: ANN401  # an enum's descriptor, untyped
    """Return the domain's word for a number; enums are open on the wire, and any number can stand there."""
    if number not in enum.values_by_number:
        msg = f"{enum.name} has no value {number}"
        raise CodecError(msg)
    return enum_word(enum.name, enum.values_by_number[number].name)


def enum_word(enum: str, value: str) -> str:
    """Return the domain's word for an enum value: ``CONCLUSION_RULED_OUT`` is ``ruled_out``."""
    return value.removeprefix(snake(enum).upper() + "_").lower()


# Packs --------------------------------------------------------------------------------------------------------------


def encode_pack(files: Mapping[str, bytes]) -> bytes:
    """Return a policy pack's files as one object, sorted by path."""
    rows = [policy_pb2.PolicyFile(path=path, content=files[path]) for path in sorted(files)]
    return policy_pb2.PolicyPack(files=rows).SerializeToString(deterministic=True)


def decode_pack(data: bytes) -> dict[str, bytes]:
    """Return a pack's files by path. Raises CodecError unless the object is in its one form, paths unique."""
    message = parse_strict(policy_pb2.PolicyPack, data, "the policy pack")
    files = {row.path: row.content for row in message.files}
    if len(files) != len(message.files):
        msg = "the policy pack names a path twice"
        raise CodecError(msg)
    return files
