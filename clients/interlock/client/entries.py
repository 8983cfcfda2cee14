"""Entries as a server gives them: read, and held to the order in which they were asked for.

Whether their bytes are the log's is not looked at here: `audit verify` does that, and `audit show` for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from interlock.client.errors import DataLossError
from interlock.v1.ledger_pb2 import LedgerEntry

if TYPE_CHECKING:
    from interlock.v1.audit_pb2 import EntryRecord


def read_entry(record: EntryRecord) -> LedgerEntry:
    """Return the message that stored bytes are. Raises DataLossError for bytes that are none."""
    try:
        return LedgerEntry.FromString(record.entry)
    except DecodeError as error:
        raise DataLossError("the server gave bytes that are no entry", reason="ENTRY_UNREADABLE") from error


def check_is(record: EntryRecord, position: int) -> LedgerEntry:
    """Return an entry that is the one at ``position``. Raises DataLossError for another one."""
    entry = read_entry(record)
    if entry.seq != position:
        raise DataLossError(f"entry {position} was to come, the server gave entry {entry.seq}", reason="OTHER_ENTRY")
    return entry


def check_follows(record: EntryRecord, before: int | None, *, descending: bool) -> int:
    """Return the position of an entry that comes after ``before`` in a listing. Raises DataLossError for any other."""
    position = read_entry(record).seq
    if before is not None and (position >= before if descending else position <= before):
        what = f"the server lists entry {position} after entry {before}: one comes twice, or in another order"
        raise DataLossError(what, reason="OTHER_ENTRY")
    return position
