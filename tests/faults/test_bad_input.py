"""Bad input at every RPC: a typed error, never INTERNAL or UNKNOWN, and the log as it was.

The cases are made from the descriptors, so a new method or field is covered the day it is written.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor

from interlock.v1 import audit_pb2, ledger_pb2
from tests.support.people import People
from tests.support.server import ServerThread, answer_of, copy_of
from tests.support.service import contract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from google.protobuf.descriptor import MethodDescriptor
    from google.protobuf.message import Message

METHODS: Final = contract()
CALLERS: Final = ("evaluator", "owner", "admin", "release-bot")
TYPED: Final = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}
SIGNING_IN: Final = TYPED | {grpc.StatusCode.UNAUTHENTICATED}
HARMLESS: Final = ("Logout", "Challenge")
"""Methods that may answer nonsense with OK: they have nothing to get wrong, or give nothing away."""

NAMES: Final = (
    "",
    "models/nobody",
    "models/nobody/levels/none",
    "models/nobody/determinations/none",
    "models/nobody/safeguards/none",
    "safeguards/none",
    "changes/999999",
    "holds/999999",
    "evidence/999999",
    "assessments/999999",
    "entries/999999999999999999",
    "principals/nobody",
    "policies/none/versions/9",
    "models/../../etc/passwd",
    "models/\u0430urora",  # a Cyrillic a
    "x" * 100_000,
    "models/a\u0000b",
    "a\u202eb",
    "'; DROP TABLE entries; --",
    "-1",
)
NUMBERS: Final = (-1, -(2**31), 2**31 - 1)
HUGE: Final = (-(2**63), 2**63 - 1)


def words_for(field: Any) -> tuple[Any, ...]:  # noqa: ANN401  # either implementation's descriptor
    """Return bad values for a field of a type."""
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return NAMES
        case FieldDescriptor.TYPE_INT32:
            return NUMBERS
        case FieldDescriptor.TYPE_INT64:
            return NUMBERS + HUGE
        case FieldDescriptor.TYPE_ENUM:
            return (0, 99, -1)
        case FieldDescriptor.TYPE_BYTES:
            return (b"", b"\xff" * 32, b"{}", b"x" * 100_000)
        case _:
            return ()


def bad_messages(kind: Any, depth: int = 0) -> Iterator[Message]:  # noqa: ANN401  # a message class
    """Yield messages of a type with one bad field each, parts included, and the empty message."""
    yield kind()
    for field in kind.DESCRIPTOR.fields:
        if field.message_type is not None:
            if depth < 2:
                part = message_factory.GetMessageClass(field.message_type)
                for inner in bad_messages(part, depth + 1):
                    message = kind()
                    into = getattr(message, field.name)
                    if field.is_repeated:
                        into.append(inner)
                    else:
                        into.SetInParent()
                        into.CopyFrom(inner)
                    yield message
            continue
        for word in words_for(field):
            message = kind()
            if field.is_repeated:
                getattr(message, field.name).extend([word] * 3)
            else:
                setattr(message, field.name, word)
            yield message


@pytest.fixture(scope="module")
def people(installations: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:  # noqa: ANN401  # a fixture
    """Serve `minimal` for all of this file, with some state to hit."""
    folder: Path = copy_of(installations("minimal"), tmp_path_factory.mktemp("bad") / "data")
    with ServerThread(folder) as server, People(server) as crowd:
        subject = crowd.new_model()
        report = crowd["evaluator"].upload("evaluation_results")
        crowd["evaluator"].propose(subject.rule_out(), subject.assign(), evidence=[report.name])
        yield crowd


def call(people: People, method: MethodDescriptor, who: str, data: bytes) -> grpc.StatusCode:
    """Send raw bytes to a method as somebody, and return how it ended; who logs out is somebody else."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    channel: Any = people.channel
    metadata = people[who if method.name != "Logout" else "engineer"].metadata
    try:
        if method.client_streaming:
            channel.stream_unary(path)(iter([data, data]), timeout=20, metadata=metadata)
        elif method.server_streaming:
            for _ in channel.unary_stream(path)(data, timeout=20, metadata=metadata):
                break
        else:
            channel.unary_unary(path)(data, timeout=20, metadata=metadata)
    except grpc.RpcError as error:
        return answer_of(error).code
    return grpc.StatusCode.OK


def reads_only(method: MethodDescriptor) -> bool:
    """Say whether a method may answer an odd but well-formed request with OK."""
    return method.name.startswith(
        ("Get", "List", "Check", "Preview", "Lint", "WhoAmI", "Tail", "Watch", "Download", "Export", *HARMLESS)
    )


@pytest.mark.parametrize("name", sorted(METHODS))
def test_bad_input_gets_a_typed_error_and_writes_nothing(people: People, name: str) -> None:
    """Unknown names, huge numbers, hidden characters, missing fields: refused with a typed error, log unchanged."""
    method = METHODS[name]
    before = people["auditor"].checkpoint().size
    kind = message_factory.GetMessageClass(method.input_type)
    for message in bad_messages(kind):
        code = call(people, method, "evaluator", message.SerializeToString())
        typed = SIGNING_IN if method.name in {"Login", "Challenge", "Logout"} else TYPED
        allowed = typed | {grpc.StatusCode.OK} if reads_only(method) else typed
        assert code in allowed, (name, str(message)[:300], code)

    # What a known principal was refused may leave a trace, and nothing else may.
    written = people["auditor"].checkpoint().size - before
    assert written == attempts_since(people, before)


def attempts_since(people: People, size: int) -> int:
    """Return how many entries after a size are refused attempts."""
    request = audit_pb2.TailEntriesRequest(after_position=size - 1)
    records = people["auditor"].audit.TailEntries(request)
    arms = [ledger_pb2.LedgerEntry.FromString(row.entry).command.WhichOneof("kind") for row in records]
    return arms.count("attempt_refused")


@pytest.mark.parametrize("name", sorted(METHODS))
def test_random_bytes_get_a_typed_error(people: People, name: str) -> None:
    """Bytes that are no message are INVALID_ARGUMENT, whoever sends them and whatever they are."""
    method = METHODS[name]
    dice = random.Random(name)
    for size in (1, 7, 64, 1000):
        data = b"\xff" + dice.randbytes(size)
        for who in CALLERS:
            code = call(people, method, who, data)
            assert code in (SIGNING_IN if method.name == "Logout" else TYPED), (name, who, code)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_message_past_the_limit_is_refused(people: People, name: str) -> None:
    """Five megabytes in one message are RESOURCE_EXHAUSTED at every method."""
    code = call(people, METHODS[name], "evaluator", b"\x0a" + b"\x80\x80\xc0\x02" + b"x" * (5 << 20))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
