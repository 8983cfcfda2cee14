"""What break-glass excepts, in the messages of holds and safeguards: it stands out in every listing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.api.times import from_microseconds
from interlock.statemachine.excepting import in_force

if TYPE_CHECKING:
    from interlock.service.ledger.view import View
    from interlock.v1 import hold_pb2, safeguard_pb2


def put_exception(view: View, message: hold_pb2.Hold | safeguard_pb2.Safeguard, instant: int) -> None:
    """Put in by what and until when a hold or a safeguard is excepted at ``instant`` (microseconds), if it is."""
    use = in_force(view.policy, view.state, message.name, instant)
    if use is not None:
        message.exception = use.name
        message.excepted_until_time.CopyFrom(from_microseconds(use.until))
