"""The entries before a range's begin: those that gave the facts of the state that it begins with.

They can't be decided again, for what stood between them is not here. What can be held to the state is: each stands in
the tree; wrote what the state says it wrote last, and left it in the state that it is in; each sign-off was made by a
key that the state has of its signer and that was in force, over the content that the state has and the documents that
this has to bind; each loosening step was signed for. Who may do what comes in whole chains. That nothing else happened
before the begin is the word of the entry that states the digest, which every verification from the founding judges.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interlock.proofs.errors import RefusedError
from interlock.statemachine import codec, excerpt, signoff, statements
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.bound import documents_of, named_by
from interlock.statemachine.changes import content_of
from interlock.statemachine.codec import CodecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.client.verify.report import Find
    from interlock.statemachine.entry import Content, Entry, RecoveryDocument
    from interlock.statemachine.state import State


@dataclass(slots=True)
class Givers:
    """Holds the entries before the begin to ``state``, the one that the range begins with."""

    state: State
    find: Find
    needed: dict[int, set[str]] = field(init=False)
    chains: dict[str, int] = field(default_factory=dict)
    recovered: dict[int, RecoveryDocument] = field(default_factory=dict)
    time: int = -1

    def __post_init__(self) -> None:
        self.needed = excerpt.givers(self.state)

    def take(self, entry: Entry) -> None:
        """Judge the next of them."""
        if entry.time <= self.time or entry.time != entry.facts.instant:
            self.find("replay", entry.seq, "TIME_ORDER", "its time is not after that of the one before it")
        self.time = entry.time
        for name, before in entry.prev:
            if excerpt.is_identity(name):
                self._link(entry.seq, name, before)
        for name in sorted(self.needed.pop(entry.seq, set())):
            self._check_written(entry, name)
        if isinstance(entry.command, c.Recover):
            with suppress(CodecError):  # said where its signatures are judged
                self.recovered[entry.seq] = codec.decode_recovery(entry.command.document)
        if isinstance(entry.command, c.SignOffChange | c.WithdrawSignOffOfChange):
            for fault in self._sign_off_faults(entry):
                self.find("sign-offs", entry.seq, "SIGN_OFF_DIFFERS", fault)

    def rotations(self, entry: Entry) -> tuple[f.LogRotateKey, ...]:
        """Return the new log keys of the change that an entry applied, by the content that the state has."""
        change = self.state.find(self.state.applied.get(entry.seq, ""), r.Change)
        firings = content_of(change.content).triggers if change is not None else ()
        return tuple(firing for firing in firings if isinstance(firing, f.LogRotateKey))

    def end(self, founding: State) -> Iterator[tuple[int, str]]:
        """Yield what is missing, as position and word, once all have come; ``founding`` is the state after entry 1."""
        for position in sorted(self.needed):
            names = ", ".join(sorted(self.needed[position])) or "a fact"
            yield position, f"it gave {names}, and is not here"
        for name, position in self.state.positions.items():
            if excerpt.is_identity(name) and self.chains.get(name, r.NEVER) != position:
                yield position, f"the chain of {name} is not whole"
        for account in self.state.all_of(r.Principal):
            for key in account.credentials:
                if not self._is_bound(account, key, founding):
                    yield key.registered_by, f"nothing that is here gave {account.name} its {key.use} key"

    def _link(self, position: int, name: str, before: int) -> None:
        if self.chains.get(name, r.NEVER) != before:
            self.find(
                "state", position, "NOT_DECIDABLE", f"{name} was written by entry {before} before: it is not here"
            )
        self.chains[name] = position

    def _check_written(self, entry: Entry, name: str) -> None:
        """Compare what the state has last of a resource with what this entry says that it did."""
        if name not in dict(entry.prev):
            self.find("state", entry.seq, "STATE_DIFFERS", f"the state says that it wrote {name}: it did not")
            return
        left = [row.target for row in entry.transitions if row.resource == name]
        state = getattr(self.state.items[name], "state", None)
        if left and state is not None and left[-1] != state:
            self.find("state", entry.seq, "STATE_DIFFERS", f"it left {name} {left[-1]}, the state says {state}")

    def _sign_off_faults(self, entry: Entry) -> Iterator[str]:
        """Yield what is wrong with a sign-off, held to what the state knows of it."""
        change = self.state.find(getattr(entry.command, "change", ""), r.Change)
        signed = next((row for row in change.sign_offs if row.position == entry.seq), None) if change else None
        account = self.state.find(entry.actor.principal, r.Principal)
        key = account.credential(signed.credential) if account and signed else None
        if change is None or signed is None or key is None or len(entry.facts.envelopes) != 1:
            yield "the state has no such sign-off, or no such key of its signer"
            return
        try:
            payload = statements.open_envelope(entry.facts.envelopes[0], key.public_key).payload
            statement = signoff.parse_statement(payload)
        except (RefusedError, statements.StatementError) as error:
            yield f"no sign-off by the key that the state has: {error}"
            return
        digest = hashlib.sha256(signed.signer.encode() + b"\0" + payload).digest()
        facts = (signed.signer, signed.envelope_digest, signed.decision)
        if facts != (entry.actor.principal, digest, statement.decision) or statement.signer != signed.signer:
            yield "the state has it as another statement, or another's"
        current = signed.revision == change.revision
        if statement.change != change.name or (current and statement.content_sha256 != change.content_digest.hex()):
            yield "it is over another content than the state has"
        if tuple((row.evidence, row.seen) for row in statement.evidence) != signed.seen:
            yield "the state has it as the word of somebody who saw something else"
        if current and not self._is_of_documents(content_of(change.content), statement):
            yield "it is about other documents than the content binds, or than the state has"
        if key.use != "signoff" or not _in_force(key, entry):
            yield "its key was not in force"

    def _is_of_documents(self, content: Content, statement: signoff.Statement) -> bool:
        """Say whether a statement is about just the documents that a content has to bind, as they were recorded."""
        bound = documents_of(content)
        records = (self.state.find(name, r.Evidence) for name, _ in bound)
        recorded = tuple((record.name, record.sha256) for record in records if record is not None)
        seen = tuple((row.evidence, row.sha256) for row in statement.evidence)
        named = tuple(name for name, _ in content.named_evidence)
        return named == named_by(content.triggers) and seen == bound == recorded

    def _is_bound(self, account: r.Principal, key: r.Credential, founding: State) -> bool:
        """Say whether a key is the founding's, or one that a change or a recovery gave this very account."""
        if key.registered_by == 0:
            founded = founding.find(account.name, r.Principal)
            first = founded.credential(key.fingerprint) if founded else None
            return first is not None and (first.public_key, first.use) == (key.public_key, key.use)
        change = self.state.find(self.state.applied.get(key.registered_by, ""), r.Change)
        document = self.recovered.get(key.registered_by)
        try:
            firings = content_of(change.content).triggers if change is not None else ()
        except CodecError:
            return False
        firings = document.triggers if document is not None else firings
        given = (row for row in firings if isinstance(row, f.CredentialRegister))
        wanted = (account.name, key.use, key.public_key)
        return any((row.principal, row.use, row.public_key) == wanted for row in given)


def _in_force(key: r.Credential, entry: Entry) -> bool:
    ends = [end for end in (key.until, key.revoked_at) if end is not None]
    return key.valid_from <= entry.time and key.registered_by < entry.seq and all(entry.time < end for end in ends)
