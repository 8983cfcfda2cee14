"""What is checked of a sign-off before it is decided: what only this server can know, and what it must keep.

Signature, signer, subject, evidence and roles are ``decide``'s, so that an auditor checks them again. Here: that the
checkpoint which the signer had verified is of this very log, and that the words whose digests are signed are there to
be kept and shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.proofs import dsse, merkle
from interlock.proofs.errors import RefusedError, TileError
from interlock.proofs.tiles import TileReader
from interlock.service.api.calls import SALT_BYTES, text_digest
from interlock.service.errors import Invalid, Refusal
from interlock.service.ledger.tree import tile_reader
from interlock.service.storage import Text
from interlock.statemachine import signoff, statements
from interlock.statemachine.unmet import Code, RefusalKind, refused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from interlock.service.ledger.committer import Committer
    from interlock.service.storage import Store
    from interlock.statemachine.signoff import Statement
    from interlock.v1 import change_pb2

MAX_COMMENT: Final = 20_000


def read_statement(envelope: bytes, change: str) -> Statement:
    """Return what an envelope claims; nobody has checked its signature. Raises Refusal where it is none of ours."""
    try:
        return signoff.parse_statement(dsse.RawEnvelope.from_json(envelope).payload)
    except (RefusedError, statements.StatementError) as error:
        raise Refusal(
            refused(RefusalKind.SIGN_OFF_INVALID, Code.SIGN_OFF_FORMAT, "a sign-off statement", str(error), change)
        ) from error


async def check_checkpoint(statement: Statement, committer: Committer, store: Store, change: str) -> None:
    """Raise Refusal unless the signer's checkpoint is in this log's history: then both saw one and the same log."""
    size = statement.checkpoint_size
    head = committer.view

    def root(connection: Connection) -> bytes | None:
        try:
            return merkle.root_at(size, TileReader(tile_reader(connection)).read_node)
        except TileError:
            return None

    known = await store.read(root) if size <= head.state.size else None
    if known is None or known.hex() != statement.checkpoint_root:
        wish, actual = "a checkpoint of this log's history", f"size {size} with another root, or not reached"
        raise Refusal(refused(RefusalKind.SIGN_OFF_INVALID, Code.SIGN_OFF_CHECKPOINT, wish, actual, change))


def comment_of(request: change_pb2.SignOffRequest, statement: Statement) -> tuple[Text, ...]:
    """Return the comment to keep. Raises Invalid unless it is what the statement's digest stands for."""
    if statement.conditions_digest:
        raise Invalid("envelope", "names conditions, which this server does not keep: say them in the comment")
    if not request.HasField("comment"):
        if statement.comment_digest:
            raise Invalid("comment", "the statement names a comment, so it has to come along")
        return ()
    comment = request.comment
    digest = text_digest(comment.salt, comment.text)
    if len(comment.salt) != SALT_BYTES:
        raise Invalid("comment.salt", f"must be {SALT_BYTES} random bytes")
    if not 0 < len(comment.text) <= MAX_COMMENT:
        raise Invalid("comment.text", f"must have 1 to {MAX_COMMENT} characters")
    if digest.hex() != statement.comment_digest or comment.digest not in {b"", digest}:
        raise Invalid("comment", "is not the text whose digest was signed")
    return (Text(digest, comment.salt, comment.text, "comment"),)
