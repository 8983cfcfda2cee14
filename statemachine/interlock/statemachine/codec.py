"""Between frozen values and the messages of ``interlock.v1``: with `messages.py` all that imports them.

Field names are the same on both sides, so most of the work is one reflective copy (`messages.py`); ``tests/unit``
checks that every value has its message and every field its twin. Decoding is strict where bytes are signed: no unknown
field, and re-serializing gives the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from interlock.statemachine.messages import (
    CodecError,
    decode_pack,
    encode_pack,
    enum_word,
    fill,
    parse,
    parse_strict,
    read,
    refuse_unknown,
    snake,
)
from interlock.v1 import change_pb2, ledger_pb2, trigger_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.statemachine.messages import Resolve

__all__ = [
    "FIRINGS",
    "CodecError",
    "content_digests",
    "decode_content",
    "decode_entry",
    "decode_genesis",
    "decode_pack",
    "decode_recovery",
    "encode_content",
    "encode_entry",
    "encode_genesis",
    "encode_pack",
    "encode_recovery",
    "enum_word",
    "envelopes_in",
    "firing_of",
    "is_state_digest",
    "last_sizes_in",
    "parse_strict",
    "trigger_message",
]

FIRINGS: Mapping[str, type[f.Firing]] = {snake(kind.__name__): kind for kind in get_args(f.Firing)}
"""Trigger classes by the arm of ``Trigger`` that they stand for."""

_COMMAND_ARMS: Mapping[type, str] = {
    c.Genesis: "genesis",
    c.CloseGenesis: "close_genesis",
    c.Fire: "fire",
    c.ProposeChange: "propose_change",
    c.SubmitChange: "submit_change",
    c.AmendChange: "amend_change",
    c.AttachEvidence: "attach_evidence",
    c.DetachEvidence: "detach_evidence",
    c.RebaseChange: "rebase_change",
    c.SignOffChange: "sign_off_change",
    c.WithdrawSignOffOfChange: "withdraw_sign_off",
    c.ApplyApprovedChange: "apply_change",
    c.WithdrawProposedChange: "withdraw_change",
    c.RecordEvidence: "record_evidence",
    c.GrantEvidenceAccess: "grant_evidence_access",
    c.OpenEvidence: "open_evidence",
    c.AttemptRefused: "attempt_refused",
    c.RecordDecision: "record_decision",
    c.Recover: "recover",
    c.StateDigest: "state_digest",
    c.EraseText: "erase_text",
    c.AcceptClock: "accept_clock",
    c.ReportAnonymously: "report_anonymously",
}
_COMMANDS: Mapping[str, type] = {arm: kind for kind, arm in _COMMAND_ARMS.items()}


# Values to messages ----------------------------------------------------------------------------------------------


def trigger_message(firing: f.Firing) -> trigger_pb2.Trigger:
    """Return the message of a trigger with its arguments."""
    message = trigger_pb2.Trigger()
    arm = getattr(message, snake(type(firing).__name__))
    arm.SetInParent()
    fill(arm, firing)
    return message


def _command_message(command: c.Command) -> ledger_pb2.Command:
    if isinstance(command, c.Fire):
        return ledger_pb2.Command(fire=trigger_message(command.firing))
    message = ledger_pb2.Command()
    arm = getattr(message, _COMMAND_ARMS[type(command)])
    arm.SetInParent()
    fill(arm, command)
    return message


def _policy_message(ref: e.PolicyRef) -> ledger_pb2.PolicyRef:
    return ledger_pb2.PolicyRef(name=ref.name, version=ref.version, digest=ref.digest)


def encode_entry(entry: e.Entry) -> bytes:
    """Return the bytes of an entry, made once and stored verbatim from then on."""
    message = ledger_pb2.LedgerEntry(
        seq=entry.seq,
        time=entry.time,
        rules_version=entry.rules_version,
        rules_digest=entry.rules_digest,
        policy=_policy_message(entry.policy),
        actor=ledger_pb2.Actor(principal=entry.actor.principal, credential=entry.actor.credential),
        request_id=entry.request_id,
        command=_command_message(entry.command),
        facts=ledger_pb2.Facts(
            instant=entry.facts.instant, envelopes=entry.facts.envelopes, serving=entry.facts.serving
        ),
        prev=[ledger_pb2.PreviousEntry(resource=name, position=at) for name, at in entry.prev],
    )
    for moved in entry.transitions:
        row = message.transitions.add(resource=moved.resource, trigger=moved.trigger, to=moved.target)
        setattr(row, "from", moved.source)
    return message.SerializeToString(deterministic=True)


def encode_content(content: e.Content) -> bytes:
    """Return a change's content bytes."""
    return change_pb2.ChangeContent(
        log_id=content.log_id,
        change=content.change,
        revision=content.revision,
        policy_digest=content.policy_digest,
        rules_digest=content.rules_digest,
        base=[change_pb2.BasePosition(resource=name, position=at) for name, at in content.base],
        triggers=[trigger_message(firing) for firing in content.triggers],
        evidence=[change_pb2.EvidenceDigest(evidence=n, sha256=digest) for n, digest in content.evidence],
        not_before=content.not_before,
        texts=[change_pb2.TextDigest(field=name, digest=digest) for name, digest in content.texts],
        apply_separately=content.apply_separately,
        named_evidence=[change_pb2.EvidenceDigest(evidence=n, sha256=sha256) for n, sha256 in content.named_evidence],
    ).SerializeToString(deterministic=True)


def encode_genesis(document: e.GenesisDocument) -> bytes:
    """Return the bytes of a founding document; their SHA-256 is the genesis digest."""
    message = ledger_pb2.GenesisDocument(
        log_id=document.log_id,
        log_key=document.log_key,
        decision_key=document.decision_key,
        policy=_policy_message(document.policy),
        development=document.development,
        recovery_threshold=document.recovery_threshold,
    )
    for principal in document.principals:
        fill(message.principals.add(), principal)
    for credential in document.credentials:
        fill(message.credentials.add(), credential)
    for grant in document.grants:
        fill(message.grants.add(), grant)
    return message.SerializeToString(deterministic=True)


def encode_recovery(document: e.RecoveryDocument) -> bytes:
    """Return the bytes of a recovery document, which the recovery quorum signs."""
    message = ledger_pb2.RecoveryDocument(
        log_id=document.log_id,
        triggers=[trigger_message(firing) for firing in document.triggers],
        not_after=document.not_after,
        nonce=document.nonce,
    )
    if document.log_key is not None:
        key = document.log_key
        message.log_key.public_key, message.log_key.proof = key.public_key, key.proof
        fill(message.log_key.last, key.last)
    if document.lost is not None:
        fill(message.lost, document.lost)
    return message.SerializeToString(deterministic=True)


def decode_recovery(data: bytes) -> e.RecoveryDocument:
    """Return what a recovery document says. Raises CodecError unless it is in its one form."""
    message = parse_strict(ledger_pb2.RecoveryDocument, data, "the recovery document")
    triggers = tuple(firing_of(row) for row in message.triggers)
    key = None
    if message.HasField("log_key"):
        named = message.log_key
        if not named.HasField("last"):
            raise CodecError("the recovery document names a key of the log, and not where the old one ends")
        key = e.NewLogKey(named.public_key, named.proof, read(named.last, e.TreeHead))
    lost = read(message.lost, e.TreeHead) if message.HasField("lost") else None
    return e.RecoveryDocument(message.log_id, triggers, message.not_after, message.nonce, key, lost)


# Messages to values ----------------------------------------------------------------------------------------------


def firing_of(message: trigger_pb2.Trigger) -> f.Firing:
    """Return the trigger that a message stands for. Raises CodecError when it names none."""
    arm = message.WhichOneof("kind")
    if arm is None:
        msg = "a trigger without a kind"
        raise CodecError(msg)
    firing: f.Firing = read(getattr(message, arm), FIRINGS[arm])
    return firing


def _command_of(message: ledger_pb2.Command, resolve: Resolve) -> c.Command:
    arm = message.WhichOneof("kind")
    if arm is None:
        msg = "an entry without a command"
        raise CodecError(msg)
    if arm == "fire":
        return c.Fire(firing_of(message.fire))
    command: c.Command = read(getattr(message, arm), _COMMANDS[arm], resolve)
    return command


def _policy_of(message: ledger_pb2.PolicyRef) -> e.PolicyRef:
    return e.PolicyRef(message.name, message.version, message.digest)


def decode_entry(data: bytes, resolve: Resolve) -> e.Entry:
    """Return the entry that stored bytes are. ``resolve`` gives content bytes by SHA-256.

    Raises CodecError for bytes that are no entry, carry a field unknown here, or whose content can't be resolved.
    """
    message = parse(ledger_pb2.LedgerEntry, data, "the entry")
    refuse_unknown(message, "the entry")
    return e.Entry(
        seq=message.seq,
        time=message.time,
        rules_version=message.rules_version,
        rules_digest=message.rules_digest,
        policy=_policy_of(message.policy),
        actor=c.Actor(message.actor.principal, message.actor.credential),
        request_id=message.request_id,
        command=_command_of(message.command, resolve),
        facts=c.Facts(message.facts.instant, tuple(message.facts.envelopes), tuple(message.facts.serving)),
        transitions=tuple(
            e.Transition(row.resource, row.trigger, getattr(row, "from"), row.to) for row in message.transitions
        ),
        prev=tuple((row.resource, row.position) for row in message.prev),
    )


def content_digests(data: bytes) -> tuple[bytes, ...]:
    """Return the digests of the objects that an entry names first: content bytes, a pack founded on or proposed."""
    message = parse(ledger_pb2.LedgerEntry, data, "the entry")
    arm = message.command.WhichOneof("kind")
    if arm == "genesis":
        document = parse(ledger_pb2.GenesisDocument, message.command.genesis.document, "the founding document")
        return (document.policy.digest,)
    command = getattr(message.command, arm) if arm else None
    digests = (getattr(command, field, b"") for field in ("content_digest", "pack_digest"))
    return tuple(digest for digest in digests if digest)


def envelopes_in(data: bytes) -> tuple[bytes, ...]:
    """Return the envelopes among an entry's facts. Raises CodecError for bytes that are no entry."""
    return tuple(parse(ledger_pb2.LedgerEntry, data, "the entry").facts.envelopes)


def last_sizes_in(data: bytes) -> tuple[int, ...]:
    """Return the size of the last head that a recovery leaves the old log key; nothing for any other entry.

    Raises CodecError for bytes that are no entry, or no recovery document.
    """
    command = parse(ledger_pb2.LedgerEntry, data, "the entry").command
    if not command.HasField("recover"):
        return ()
    named = decode_recovery(command.recover.document).log_key
    return () if named is None else (named.last.size,)


def is_state_digest(data: bytes) -> bool:
    """Say whether an entry states the digest of the fold. Raises CodecError for bytes that are no entry."""
    return bool(parse(ledger_pb2.LedgerEntry, data, "the entry").command.HasField("state_digest"))


def decode_content(data: bytes) -> e.Content:
    """Return what content bytes say. Raises CodecError unless they are in their one form, without unknown fields."""
    message = parse_strict(change_pb2.ChangeContent, data, "the change's content")
    return e.Content(
        log_id=message.log_id,
        change=message.change,
        revision=message.revision,
        policy_digest=message.policy_digest,
        rules_digest=message.rules_digest,
        base=tuple((row.resource, row.position) for row in message.base),
        triggers=tuple(firing_of(row) for row in message.triggers),
        evidence=tuple((row.evidence, row.sha256) for row in message.evidence),
        not_before=message.not_before,
        texts=tuple((row.field, row.digest) for row in message.texts),
        apply_separately=message.apply_separately,
        named_evidence=tuple((row.evidence, row.sha256) for row in message.named_evidence),
    )


def decode_genesis(data: bytes) -> e.GenesisDocument:
    """Return what a founding document says. Raises CodecError unless it is in its one form."""
    message = parse_strict(ledger_pb2.GenesisDocument, data, "the founding document")
    return e.GenesisDocument(
        log_id=message.log_id,
        log_key=message.log_key,
        decision_key=message.decision_key,
        policy=_policy_of(message.policy),
        development=message.development,
        principals=tuple(read(row, e.FoundingPrincipal) for row in message.principals),
        credentials=tuple(read(row, e.FoundingCredential) for row in message.credentials),
        grants=tuple(read(row, e.FoundingGrant) for row in message.grants),
        recovery_threshold=message.recovery_threshold,
    )
