"""Words for times, states and messages, shared by all views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from interlock.statemachine import moments

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp

_DAY_SECONDS: Final = 86_400
_HOUR_SECONDS: Final = 3_600

ALLOW: Final = ("ALLOW", "bold green")
DENY: Final = ("DENY", "bold red")


def to_json(message: Message) -> dict[str, Any]:
    """Return a message in its JSON form, fields named as in the .proto, unset ones included: a stable shape."""
    from google.protobuf import json_format

    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def when(stamp: Timestamp) -> str:
    """Return a time such as `2026-05-22T10:00:03.250417Z`; empty for one that is not set.

    Times are printed to the microsecond that the log has them in, so that each can be given back, as with `--as-of`.
    """
    if not (stamp.seconds or stamp.nanos):
        return ""
    return when_micros(stamp.seconds * 1_000_000 + stamp.nanos // 1_000)


def when_micros(microseconds: int) -> str:
    """Return the time of Unix microseconds, as `when` does; the bare number where no calendar has it."""
    return moments.to_text(microseconds)


def left(until: Timestamp, instant: Timestamp) -> tuple[str, str]:
    """Return how long something still lasts at ``instant``, with a style; empty for no end."""
    if not (until.seconds or until.nanos):
        return ("", "")
    seconds = until.seconds - instant.seconds
    if seconds <= 0:
        return ("ended", "bold red")
    if seconds < _DAY_SECONDS:
        return (f"{max(seconds // _HOUR_SECONDS, 1)} h left", "yellow")
    return (f"{seconds // _DAY_SECONDS} d left", "")


def word(enum: Any, value: int) -> str:  # noqa: ANN401  # any generated enum
    """Return the domain's word for an enum value: `SAFEGUARD_STATE_ACTIVE` is `active`."""
    name: str = enum.Name(value)
    prefix = "".join(f"_{char}" if char.isupper() else char.upper() for char in enum.DESCRIPTOR.name).lstrip("_")
    return name.removeprefix(f"{prefix}_").lower()


def short(text: str, length: int = 12) -> str:
    """Return the beginning of a digest."""
    return text[:length]
