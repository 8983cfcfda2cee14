"""From bytes to requests: what is malformed is refused with its field, whatever the method."""

from __future__ import annotations

import pytest
from google.protobuf import message_factory
from hypothesis import given
from hypothesis import strategies as st
from protovalidate import Validator

from interlock.service.errors import InvalidRequest
from interlock.service.wire import RequestReader
from interlock.v1 import change_pb2, gate_pb2, hold_pb2, identity_pb2
from tests.support.service import contract

VALIDATOR = Validator()


def fields_of(reader: RequestReader, data: bytes) -> list[str]:
    """Return the fields that a reader refuses; empty when it takes the request."""
    try:
        reader.read(data)
    except InvalidRequest as error:
        return [violation.field for violation in error.violations]
    return []


READERS = {
    name: RequestReader(message_factory.GetMessageClass(method.input_type), VALIDATOR)
    for name, method in contract().items()
}


def hold(**fields: str) -> bytes:
    """Return the bytes of a good PlaceHoldRequest with some fields replaced."""
    return hold_pb2.PlaceHoldRequest(**({"target": "models/a", "reason": "why"} | fields)).SerializeToString()


HOLD = READERS["interlock.v1.HoldService/PlaceHold"]


def test_a_good_request_is_read() -> None:
    """What breaks no rule comes out as it was."""
    assert HOLD.read(hold()) == hold_pb2.PlaceHoldRequest(target="models/a", reason="why")


@pytest.mark.parametrize("method", READERS)
def test_bytes_that_are_no_message_are_refused(method: str) -> None:
    """A broken length is a bad request, not an unknown fault."""
    assert fields_of(READERS[method], b"\x0a\xff\xff\xff\xff\x0f") == [""]


def test_invalid_utf8_is_refused() -> None:
    """A string that is none does not get through."""
    assert fields_of(HOLD, b"\x0a\x02\xc3\x28") == [""]


@pytest.mark.parametrize(
    "character",
    ["\x00", "\x07", "\x1b", "\r", "\x7f", "\x85", "\u200b", "\u2028", "\u202e", "\u2066", "\ufeff", "\U000e0041"],
)
def test_characters_that_nobody_can_see_are_refused(character: str) -> None:
    """Also in free text: what a signer is shown must be what is there."""
    assert fields_of(HOLD, hold(reason=f"before{character}after")) == ["reason"]


@pytest.mark.parametrize("text", ["two\nlines\tand a tab", "Grüße, 世界, שלום, مرحبا", "👩\u200d💻 e\u0301", "\xa0 "])
def test_prose_may_be_written_in_any_script(text: str) -> None:
    """Line breaks, joiners, marks and wide spaces are text."""
    assert fields_of(HOLD, hold(reason=text)) == []


def test_a_line_break_is_refused_where_there_is_one_line() -> None:
    """A title with two lines could fake a second field on a terminal."""
    reader = READERS["interlock.v1.ChangeService/ProposeChange"]
    request = change_pb2.ProposeChangeRequest(title="one\ntwo", summary="one\ntwo")
    request.triggers.add().hold_lift.hold = "holds/1"

    assert "title" in fields_of(reader, request.SerializeToString())
    assert "summary" not in fields_of(reader, request.SerializeToString())


def test_every_broken_field_is_named_with_its_place() -> None:
    """All at once, with the index where a field repeats."""
    request = change_pb2.ProposeChangeRequest(evidence=["evidence/1", "nothing"], title="t" * 900)
    request.triggers.add().hold_lift.hold = "bad"

    named = fields_of(READERS["interlock.v1.ChangeService/ProposeChange"], request.SerializeToString())

    assert {"triggers[0].hold_lift.hold", "evidence[1]", "title"} <= set(named)


@given(st.sampled_from(sorted(READERS)), st.binary(max_size=200))
def test_random_bytes_are_read_or_refused_and_nothing_else(method: str, data: bytes) -> None:
    """No byte string makes a reader raise anything but its one error."""
    fields_of(READERS[method], data)


def test_a_gate_check_reads_like_any_other() -> None:
    """The busiest method has no shortcut."""
    reader = READERS["interlock.v1.GateService/CheckRelease"]

    assert fields_of(reader, gate_pb2.CheckReleaseRequest(model="models/A", context="api").SerializeToString()) == [
        "model"
    ]


def test_login_lists_all_that_is_wrong() -> None:
    """An empty login breaks four rules."""
    reader = READERS["interlock.v1.IdentityService/Login"]

    assert set(fields_of(reader, identity_pb2.LoginRequest().SerializeToString())) == {
        "principal",
        "nonce",
        "credential",
        "signature",
    }


def test_what_was_read_once_is_read_again_the_same() -> None:
    """A reader that remembers gives equal requests for equal bytes, and refuses what it refused."""
    kind = message_factory.GetMessageClass(contract()["interlock.v1.GateService/CheckRelease"].input_type)
    reader = RequestReader(kind, VALIDATOR, remembers=True)
    good = gate_pb2.CheckReleaseRequest(model="models/a", context="api")
    bad = gate_pb2.CheckReleaseRequest(model="models/A", context="api").SerializeToString()

    assert [reader.read(good.SerializeToString()) for _ in range(2)] == [good, good]
    assert [fields_of(reader, bad) for _ in range(2)] == [["model"], ["model"]]


def test_a_reader_remembers_a_bounded_number_of_requests() -> None:
    """Endless different questions take bounded memory, and long ones none."""
    kind = message_factory.GetMessageClass(contract()["interlock.v1.GateService/CheckRelease"].input_type)
    reader = RequestReader(kind, VALIDATOR, remembers=True)
    for number in range(5000):
        reader.read(gate_pb2.CheckReleaseRequest(model=f"models/m{number}", context="api").SerializeToString())

    assert len(reader._read) <= 4096  # noqa: SLF001  # what must not grow has no other face
