"""What a servicer hands to the committer: who calls, what to decide at the head, and how to answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from google.protobuf.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.service.ledger.view import View
    from interlock.service.storage.rows import Text
    from interlock.statemachine.commands import Actor, Command
    from interlock.statemachine.decide import Accepted
    from interlock.statemachine.unmet import Refused

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A command as it is decided, with what is stored beside the log if it is accepted.

    ``objects`` are content bytes, kept under their SHA-256 (those in the command itself are kept anyway); ``packs`` are
    encoded policy packs, kept under their pack digest; ``texts`` can be erased later. ``forget`` are digests of texts
    that are erased now.
    """

    command: Command
    envelopes: tuple[bytes, ...] = ()
    objects: tuple[bytes, ...] = ()
    packs: tuple[bytes, ...] = ()
    texts: tuple[Text, ...] = ()
    forget: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Call(Generic[M]):
    """One write. ``prepare`` and ``render`` run in the writer thread: they compute, and touch nothing else.

    ``prepare`` is told the view at the head and the instant (microseconds) that the entry will carry; ``render`` the
    view after the entry. ``request_id`` is empty for none; with one, an OK reply is remembered for a day under
    (principal, method, request id), together with ``request_digest`` (SHA-256 of the request). The caller owes that the
    actor is authorised, also when a remembered reply may come back. ``tightening`` calls go first, and are answered
    only when the high-water mark has passed them. One that ``restores`` is taken although the log is behind its mark:
    its command is what accepts that, and it has been held against mark and head.
    """

    actor: Actor
    method: str
    request_id: str
    request_digest: bytes
    prepare: Callable[[View, int], Prepared | Refused]
    render: Callable[[View, Accepted], M]
    reply_type: type[M]
    tightening: bool = field(default=False)
    restores: bool = field(default=False)
