"""An entry of the trail drawn: who, when, what moved, which documents by digest.

What is shown here is what the stored bytes say; whether they are right is `audit verify`'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock.cli.views.common import short, to_json, when_micros
from interlock.client import names

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from interlock.cli.terminal import Piece, Terminal
    from interlock.v1.audit_pb2 import EntryRecord
    from interlock.v1.ledger_pb2 import LedgerEntry, Transition


def entry_of(record: EntryRecord) -> LedgerEntry:
    """Return the message that stored bytes are. Raises DataLossError for bytes that are none."""
    from google.protobuf.message import DecodeError

    from interlock.client.errors import DataLossError
    from interlock.v1.ledger_pb2 import LedgerEntry

    try:
        return LedgerEntry.FromString(record.entry)
    except DecodeError as error:
        raise DataLossError("the server gave bytes that are no entry", reason="ENTRY_UNREADABLE") from error


def entry_json(record: EntryRecord) -> dict[str, Any]:
    """Return an entry as JSON shows it: the decoded message, the stored bytes, and the changes that it names."""
    from interlock.v1.change_pb2 import ChangeContent

    entry = entry_of(record)
    content = _content_of(entry, record, ChangeContent)
    return {
        "entry": to_json(entry),
        "content": to_json(content) if content is not None else None,
        "stored": to_json(record),
    }


def show_entry_line(terminal: Terminal, record: EntryRecord) -> None:
    """Draw an entry as a line of a listing; documents, and the edges where it took several, below it."""
    entry = entry_of(record)
    who = names.leaf(entry.actor.principal)
    head, edges = _head_and_edges(entry)
    terminal.line((f"{entry.seq:>5}  ", "bold"), (f"{when_micros(entry.time)}  ", "dim"), f"{who:<20}  ", *head)
    for digest in evidence_digests(record, entry):
        terminal.line((digest, "dim"), indent=9)
    for edge in edges:
        terminal.line(*edge, indent=9)


def _head_and_edges(entry: LedgerEntry) -> tuple[tuple[Piece, ...], list[tuple[Piece, ...]]]:
    """Return what the entry is in one line, and a line for each edge that this one does not tell already."""
    edges = [_edge(move) for move in entry.transitions if getattr(move, "from") != move.to]
    if len(edges) == 1 and entry.command.WhichOneof("kind") == "fire":
        return edges[0], []
    return (command_words(entry),), edges


def _edge(move: Transition) -> tuple[Piece, ...]:
    return (f"{move.trigger} {move.resource}: ", (f"{getattr(move, 'from')} → {move.to}", "cyan"))


def show_entry(terminal: Terminal, record: EntryRecord) -> None:
    """Draw an entry whole."""
    entry = entry_of(record)
    show_entry_line(terminal, record)
    rows = [
        ["leaf bytes", str(len(record.entry))],
        ["actor", f"{entry.actor.principal} with key {short(entry.actor.credential) or '-'}"],
        ["policy", f"{entry.policy.name}  sha256 {entry.policy.digest.hex()}"],
        ["rules", f"version {entry.rules_version}  sha256 {entry.rules_digest.hex()}"],
        ["request id", entry.request_id or "-"],
        ["envelopes", str(len(entry.facts.envelopes))],
    ]
    terminal.rows(rows, indent=9)
    for link in entry.prev:
        previous = "first entry" if link.position < 0 else f"previous entry {link.position}"
        terminal.line((f"{link.resource}: {previous}", "dim"), indent=9)


def command_words(entry: LedgerEntry) -> str:
    """Return what was commanded, with its subject."""
    arm = entry.command.WhichOneof("kind") or "?"
    if arm == "fire":
        trigger = entry.command.fire.WhichOneof("kind") or "?"
        firing: Message = getattr(entry.command.fire, trigger)
        subject = getattr(firing, firing.DESCRIPTOR.fields[0].name)
        return f"{trigger.replace('_', '.', 1)} {subject}"
    command = getattr(entry.command, arm)
    subject = getattr(command, "change", "") or getattr(command, "evidence", "") or getattr(command, "method", "")
    if arm in {"sign_off_change", "withdraw_sign_off"}:
        return f"{_decision(entry)} {subject}"
    codes = ", ".join(getattr(command, "codes", ()))
    return " ".join(part for part in (arm.replace("_", " "), subject, codes) if part)


def _decision(entry: LedgerEntry) -> str:
    """Return what a sign-off says, read from its envelope without checking the signature: `audit verify` does that."""
    from interlock.proofs import dsse
    from interlock.proofs.errors import RefusedError
    from interlock.statemachine import signoff

    for envelope in entry.facts.envelopes:
        try:
            statement = signoff.parse_statement(dsse.RawEnvelope.from_json(envelope).payload)
        except (RefusedError, signoff.StatementError):
            continue
        roles = f" as {', '.join(statement.roles)}" if statement.roles else ""
        return f"sign-off: {statement.decision}{roles},"
    return "sign-off: unreadable,"


def evidence_digests(record: EntryRecord, entry: LedgerEntry) -> list[str]:
    """Return the documents that an entry records or a change of it names, each with its digest."""
    from interlock.v1.change_pb2 import ChangeContent

    command = entry.command
    if command.WhichOneof("kind") == "record_evidence":
        document = command.record_evidence
        return [f"{document.kind}  sha256 {document.sha256}  {document.size} bytes"]
    content = _content_of(entry, record, ChangeContent)
    if content is None:
        return []
    head = f"{content.change} revision {content.revision}"
    return [head, *(f"{row.evidence}  sha256 {row.sha256}" for row in content.evidence)]


def _content_of(entry: LedgerEntry, record: EntryRecord, kind: Any) -> Any:  # noqa: ANN401  # ChangeContent or None
    """Return the change content that an entry names, where its bytes are beside it and have that digest."""
    import hashlib

    from google.protobuf.message import DecodeError

    arm = entry.command.WhichOneof("kind")
    digest = getattr(getattr(entry.command, arm), "content_digest", b"") if arm else b""
    for item in record.objects:
        if digest and hashlib.sha256(item).digest() == digest:
            try:
                return kind.FromString(item)
            except DecodeError:
                return None
    return None
