"""An entry of the trail drawn: who, when, what moved, which documents by digest.

What is shown here is what the stored bytes say; whether they are right is `audit verify`'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock.cli.views.common import short, to_json, when, when_micros
from interlock.client import names

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from interlock.cli.terminal import Piece, Terminal
    from interlock.client.proving import ProvenEntry
    from interlock.v1.audit_pb2 import EntryRecord, ErasedText
    from interlock.v1.ledger_pb2 import LedgerEntry, Transition


def entry_of(record: EntryRecord) -> LedgerEntry:
    """Return the message that stored bytes are. Raises DataLossError for bytes that are none."""
    from interlock.client.entries import read_entry

    return read_entry(record)


def entry_json(record: EntryRecord) -> dict[str, Any]:
    """Return an entry as JSON shows it: the decoded message, the stored bytes, and the changes that it names."""
    from interlock.v1.change_pb2 import ChangeContent

    entry = entry_of(record)
    content = _content_of(entry, record, ChangeContent)
    return {
        "entry": to_json(entry),
        "command": command_words(entry),
        "envelopes": [_envelope_json(data) for data in entry.facts.envelopes],
        "content": to_json(content) if content is not None else None,
        "stored": to_json(record),
    }


def whole_json(record: EntryRecord, proof: ProvenEntry | None, unproven: str) -> dict[str, Any]:
    """Return one entry as JSON shows it whole: also its texts, and its place in the tree."""
    shown = entry_json(record)
    gone = {row.digest: to_json(row) for row in record.erased}
    shown["texts"] = [
        {"field": field, "digest": digest.hex(), "text": text, "erased": gone.get(digest)}
        for field, digest, text in texts_of_record(record)
    ]
    shown["proof"] = {
        "proven": proof is not None,
        "problem": unproven,
        "leaf_hash": proof.leaf_hash.hex() if proof else "",
        "hashes": [item.hex() for item in proof.hashes] if proof else [],
        "tree_size": proof.checkpoint.size if proof else 0,
        "root": proof.checkpoint.root.hex() if proof else "",
        "checkpoint": proof.checkpoint.note if proof else "",
    }
    return shown


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


def show_proof(terminal: Terminal, proof: ProvenEntry | None, unproven: str) -> None:
    """Say whether an entry is in the tree that the log signed."""
    if proof is None:
        terminal.line(("NOT PROVEN", "bold red"), f"  {unproven}", indent=9)
        return
    head = proof.checkpoint
    terminal.line(("proven", "green"), f"  leaf {proof.leaf_hash.hex()}", indent=9)
    terminal.line(f"{len(proof.hashes)} hashes lead to the root {head.root.hex()}", indent=9)
    terminal.line(f"of the checkpoint over {head.size} entries, signed by the log's key", indent=9)


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
        ["instant", when_micros(entry.facts.instant)],
        *([["fired", _fired(entry)]] if entry.command.HasField("fire") else []),
        *([["serving", ", ".join(entry.facts.serving)]] if entry.facts.serving else []),
        *([f"{field} (text)", _shown(record, digest, text)] for field, digest, text in texts_of_record(record)),
        *(["signed", line] for data in entry.facts.envelopes for line in _envelope_lines(data)),
    ]
    terminal.rows(rows, indent=9)
    for link in entry.prev:
        previous = "first entry" if link.position < 0 else f"previous entry {link.position}"
        terminal.line((f"{link.resource}: {previous}", "dim"), indent=9)


def _fired(entry: LedgerEntry) -> str:
    """Return the trigger that one person fired, with every argument."""
    from interlock.cli.views.trigger import trigger_line
    from interlock.statemachine.codec import CodecError, firing_of

    try:
        return trigger_line(firing_of(entry.command.fire))
    except CodecError as error:  # of rules that this version does not know
        return str(error)


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
    if arm == "erase_text":
        subject = f"sha256-{short(command.digest.hex())}"
    if arm in {"sign_off_change", "withdraw_sign_off"}:
        return f"{_decision(entry)} {subject}"
    codes = ", ".join(getattr(command, "codes", ()))
    return " ".join(part for part in (arm.replace("_", " "), subject, codes) if part)


def _decision(entry: LedgerEntry) -> str:
    """Return what a sign-off says, read from its envelope without checking the signature: `audit verify` does that."""
    from interlock.proofs import dsse
    from interlock.proofs.errors import RefusedError
    from interlock.statemachine import signoff, statements

    for envelope in entry.facts.envelopes:
        try:
            statement = signoff.parse_statement(dsse.RawEnvelope.from_json(envelope).payload)
        except (RefusedError, statements.StatementError):
            continue
        roles = f" as {', '.join(statement.roles)}" if statement.roles else ""
        return f"sign-off: {statement.decision}{roles},"
    return "sign-off: unreadable,"


def texts_of_record(record: EntryRecord) -> list[tuple[str, bytes, str | None]]:
    """Return kind and digest of each text that an entry names, with the text; None for one that is not there any more.

    Raises DataLossError for a text that has another digest than the entry names.
    """
    import hashlib

    from interlock.client.errors import DataLossError
    from interlock.statemachine import codec
    from interlock.statemachine.named import texts_of

    objects = {hashlib.sha256(item).digest(): item for item in record.objects}
    try:
        named = texts_of(codec.decode_entry(record.entry, lambda digest: objects.get(digest, b"")))
    except codec.CodecError:
        return []
    given = {hashlib.sha256(row.salt + row.text.encode()).digest(): row.text for row in record.texts}
    if not given.keys() <= named.keys():
        raise DataLossError("the server gave a text that the entry does not name", reason="DIGEST_MISMATCH")
    return [(field, digest, given.get(digest)) for digest, field in named.items()]


def _shown(record: EntryRecord, digest: bytes, text: str | None) -> str:
    """Return a text, or why it is not here."""
    if text is not None:
        return f"“{text}”"
    return gone_words(next((row for row in record.erased if row.digest == digest), None))


def gone_words(gone: ErasedText | None) -> str:
    """Say why a text is not there."""
    if gone is None:
        return "missing, and no entry says that it was erased"
    return f"erased by {names.leaf(gone.eraser)}, {when(gone.erase_time)}, entry {gone.position}"


def _envelope_json(data: bytes) -> dict[str, Any]:
    """Return what an envelope says, read without checking the signature: `audit verify` does that."""
    from interlock.proofs import dsse, json_text
    from interlock.proofs.errors import RefusedError

    try:
        envelope = dsse.RawEnvelope.from_json(data)
        return {"keyid": envelope.keyid, "statement": json_text.strict_json(envelope.payload)}
    except RefusedError as error:
        return {"keyid": "", "statement": None, "problem": str(error)}


def _envelope_lines(data: bytes) -> list[str]:
    """Say in lines what an envelope says."""
    shown = _envelope_json(data)
    statement = shown["statement"]
    if not isinstance(statement, dict) or not isinstance(statement.get("predicate"), dict):
        return ["unreadable"]
    said = statement["predicate"]
    parts = [str(said.get("decision") or statement.get("predicateType", ""))]
    if "signer" in said:
        parts.append(f"by {names.leaf(str(said['signer']))}")
    if said.get("roles"):
        parts.append(f"as {', '.join(map(str, said['roles']))}")
    lines = [f"{' '.join(parts)} with key {short(shown['keyid'])}"]
    if isinstance(head := said.get("checkpoint"), dict):
        lines.append(f"having seen the tree of {head.get('size')} entries")
    return lines


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
    named = [f"{row.evidence}  sha256 {row.sha256}, named by a trigger" for row in content.named_evidence]
    return [head, *(f"{row.evidence}  sha256 {row.sha256}" for row in content.evidence), *named]


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
