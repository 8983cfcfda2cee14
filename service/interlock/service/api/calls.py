"""From a request to a write: what every mutation has in common.

Free text never enters the log: it is salted here, its digest goes into the command and the text beside the log.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, TypeVar

from google.protobuf.message import Message

from interlock.service.identity.caller import caller
from interlock.service.ledger.calls import Call, Prepared
from interlock.service.storage.rows import Text
from interlock.statemachine.commands import Fire
from interlock.statemachine.triggers import DIRECTIONS, Direction

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.view import View
    from interlock.statemachine.commands import Actor, Command
    from interlock.statemachine.decide import Accepted
    from interlock.statemachine.firings import Firing
    from interlock.statemachine.unmet import Refused

M = TypeVar("M", bound=Message)

SALT_BYTES: Final = 32


class Writer:
    """Submits the caller's writes; one for all servicers."""

    def __init__(self, committer: Committer, rng: Callable[[int], bytes]) -> None:
        self._committer = committer
        self._rng = rng

    def salted(self, field: str, text: str) -> tuple[Text, ...]:
        """Return a text with a new salt and its digest; nothing for an empty one."""
        if not text:
            return ()
        salt = self._rng(SALT_BYTES)
        return (Text(text_digest(salt, text), salt, text, field),)

    async def submit(
        self,
        method: str,
        request: Any,  # noqa: ANN401  # any request, with a ``request_id`` or without
        prepare: Callable[[View, int], Prepared | Refused],
        render: Callable[[View, Accepted], M],
        reply_type: type[M],
        *,
        tightening: bool = False,
        actor: Actor | None = None,
    ) -> M:
        """Have the caller's command decided at the head, and return the reply. Raises what the committer does.

        ``actor`` stands in for a caller whom nobody knows.
        """
        call = Call(
            actor=actor or caller().actor,
            method=method,
            request_id=getattr(request, "request_id", ""),
            request_digest=hashlib.sha256(request.SerializeToString(deterministic=True)).digest(),
            prepare=prepare,
            render=render,
            reply_type=reply_type,
            tightening=tightening,
        )
        return await self._committer.submit(call)

    async def fire(
        self,
        method: str,
        request: Any,  # noqa: ANN401  # as above
        firing: Firing,
        render: Callable[[View, Accepted], M],
        reply_type: type[M],
        texts: tuple[Text, ...] = (),
    ) -> M:
        """Have one trigger fired by the caller, and return the reply."""
        return await self.submit(
            method,
            request,
            as_is(Fire(firing), texts),
            render,
            reply_type,
            tightening=DIRECTIONS[firing.trigger] is Direction.TIGHTENS,
        )


def as_is(command: Command, texts: tuple[Text, ...] = ()) -> Callable[[View, int], Prepared]:
    """Return a ``prepare`` for a command that does not depend on the head."""
    prepared = Prepared(command, texts=texts)

    def prepare(_view: View, _instant: int) -> Prepared:
        return prepared

    return prepare


def digest_of(texts: tuple[Text, ...]) -> bytes:
    """Return the digest of what ``Writer.salted`` gave, empty for nothing."""
    return texts[0].digest if texts else b""


def text_digest(salt: bytes, text: str) -> bytes:
    """Return SHA-256(salt ‖ UTF-8 text), by which entries name a text."""
    return hashlib.sha256(salt + text.encode()).digest()
