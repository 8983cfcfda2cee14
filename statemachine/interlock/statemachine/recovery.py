"""Recovery: what the recovery quorum may do when nobody else can (identity design, "Genesis").

Its people hold no role and no session. They sign one document offline, each with the key of the founding, and whoever
can reach the server hands it in. It brings accounts back, gives them keys, and gives them roles that they held before;
it names a new key of the log, and accepts that the database was restored to an earlier head (``log_keys.py``). All of
it happens at one position, with a hold on everything: what comes of it is for the people who are back to say.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from interlock.proofs.errors import RefusedError
from interlock.statemachine import codec, forms, log_keys, moments, persons
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.commands import Actor
from interlock.statemachine.machines import credential
from interlock.statemachine.machines.fire import fire
from interlock.statemachine.machines.step import Moment, Moved
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.statements import StatementError, envelope_of, exactly, open_envelope, open_payload
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet, refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from interlock.statemachine import commands as c
    from interlock.statemachine.entry import RecoveryDocument, Transition
    from interlock.statemachine.state import State
    from interlock.statemachine.turn import Turn

RECOVERY_TYPE: Final = "urn:interlock:recovery:v1"
_SUBJECT: Final = "recovery"
_ALLOWED: Final = (f.PrincipalRestore, f.CredentialRegister, f.GrantGive)
_MOST_TRIGGERS: Final = 64


@dataclass(frozen=True, slots=True)
class Signer:
    """A member of the recovery quorum who signed a document, and with which key."""

    principal: str
    credential: str


def build_consent(document: bytes, signer: str) -> bytes:
    """Return the payload that a member of the recovery quorum signs over a document's very bytes."""
    return envelope_of(_SUBJECT, hashlib.sha256(document).hexdigest(), RECOVERY_TYPE, {"signer": signer})


def parse_consent(payload: bytes, document: bytes) -> str:
    """Return who signed that very document. Raises StatementError for anything else."""
    name, sha256, predicate = open_payload(payload, RECOVERY_TYPE)
    exactly(predicate, {"signer": str}, "the predicate")
    if name != _SUBJECT or sha256 != hashlib.sha256(document).hexdigest():
        msg = "it is over another recovery"
        raise StatementError(msg)
    signer: str = predicate["signer"]
    return signer


def signers_of(state: State, document: bytes, envelopes: Iterable[bytes]) -> tuple[Signer, ...] | Refused:
    """Return who signed a document, in the order of the envelopes; a refusal where one is by no key of the quorum."""
    found: list[Signer] = []
    for envelope in envelopes:
        signer = _signer(state, document, envelope)
        if signer is None:
            wish = "signatures over this very document by keys of the recovery quorum, each in its holder's name"
            return refused(RefusalKind.SIGN_OFF_INVALID, Code.SIGN_OFF_SIGNATURE, wish, "one is not", "log")
        found.append(signer)
    return tuple(found)


def _signer(state: State, document: bytes, envelope: bytes) -> Signer | None:
    for account in sorted(state.all_of(r.Principal), key=lambda account: account.name):
        for key in account.credentials if account.recovery and account.state == "active" else ():
            if key.use != "recovery" or key.state != "active":
                continue
            try:
                named = parse_consent(open_envelope(envelope, key.public_key).payload, document)
            except (RefusedError, StatementError):
                continue
            return Signer(account.name, key.fingerprint) if named == account.name else None
    return None


def recover(turn: Turn, state: State, command: c.Recover) -> Moved | Refused:
    """Do what a document says, and hold everything.

    1 it is of this log, new and in time · 2 the quorum signed it · 3 it does nothing that a recovery may not · 4 a new
    log key is in force · 5 all of its triggers fire · 6 everything is held.
    """
    try:
        document = codec.decode_recovery(command.document)
    except codec.CodecError as error:
        return refused(RefusalKind.INVALID, Code.CONTENT, "a recovery document in its one form", str(error), "log")
    signers = signers_of(state, command.document, turn.facts.envelopes)
    if isinstance(signers, Refused):
        return signers
    digest = hashlib.sha256(command.document).digest()
    faults = (
        *_document_faults(turn, state, document, digest),
        *_quorum_faults(turn, state, signers),
        *_power_faults(state, document),
        *log_keys.faults(state, document),
    )
    if faults:
        return Refused(RefusalKind.UNMET, faults)
    moment = Moment(turn.policy, turn.instant, turn.actor.principal)
    log, keyed = log_keys.named(state, document)
    after = state.put(replace(log, recovered=(*log.recovered, digest)))
    moves: list[Transition] = [*keyed]
    for firing in (*document.triggers, f.HoldPlace(EVERYTHING)):
        step = fire(moment, after, firing)
        if isinstance(step, Refused):
            return Refused(step.kind, tuple(replace(row, trigger=firing.trigger.value) for row in step.unmet))
        after = step.state
        moves += step.transitions
    return Moved(after, tuple(moves))


def log_after(state: State, command: c.Recover, envelopes: tuple[bytes, ...]) -> r.Log | Refused:
    """Return what a recovery left of the log itself, where of ``state`` only log and recovery quorum are known.

    That is what somebody can judge who has not all of the entries: signatures, quorum, and what is said of log keys.
    """
    try:
        document = codec.decode_recovery(command.document)
    except codec.CodecError as error:
        return refused(RefusalKind.INVALID, Code.CONTENT, "a recovery document in its one form", str(error), "log")
    signers = signers_of(state, command.document, envelopes)
    if isinstance(signers, Refused):
        return signers
    faults = (*_people_faults(state, signers), *log_keys.faults(state, document))
    if faults:
        return Refused(RefusalKind.UNMET, faults)
    log, _ = log_keys.named(state, document)
    return replace(log, recovered=(*log.recovered, hashlib.sha256(command.document).digest()))


def _document_faults(turn: Turn, state: State, document: RecoveryDocument, digest: bytes) -> Iterator[Unmet]:
    if document.log_id != state.log.log_id:
        yield Unmet(Code.SIGN_OFF_SUBJECT, f"a recovery of the log {state.log.log_id.hex()}", "of another", "log")
    if digest in state.log.recovered:
        yield Unmet(Code.SIGN_OFF_REPLAYED, "a recovery that was not done before", "it was", "log")
    if not turn.instant < document.not_after <= forms.LAST_INSTANT:
        yield Unmet(
            Code.SIGN_OFF_ENDED, "a recovery in its time", f"until {moments.to_text(document.not_after)}", "log"
        )


def _quorum_faults(turn: Turn, state: State, signers: tuple[Signer, ...]) -> Iterator[Unmet]:
    yield from _people_faults(state, signers)
    if turn.actor not in {Actor(signer.principal, signer.credential) for signer in signers}:
        yield Unmet(Code.SIGN_OFF_SIGNER, "one of those who signed, as the actor", turn.actor.principal, "log")


def _people_faults(state: State, signers: tuple[Signer, ...]) -> Iterator[Unmet]:
    wanted = state.log.recovery_threshold
    people = {persons.person_of(state, signer.principal) for signer in signers}
    if len(people) < wanted:
        wish = f"signatures by {wanted} people of the recovery quorum"
        yield Unmet(Code.SIGN_OFF_MISSING, wish, f"by {len(people)}", "log")


def faults_as_written(document: RecoveryDocument) -> tuple[Unmet, ...]:
    """Return all that stands against a document in any log, to be known before anybody signs it.

    Nothing of it is relied on: the server, and whoever verifies, asks again and asks the log.
    """
    return (
        *_never_a_power(document),
        *(unmet for firing in document.triggers for unmet in forms.malformed(firing)),
        *(
            unmet
            for firing in document.triggers
            if isinstance(firing, f.CredentialRegister) and not forms.malformed(firing)
            for unmet in credential.unproven(document.log_id, firing)
        ),
    )


def _never_a_power(document: RecoveryDocument) -> Iterator[Unmet]:
    """Yield what no recovery quorum may do: it gives back, some at a time, and nothing else."""
    triggers = document.triggers
    if not (1 if document.log_key is None else 0) <= len(triggers) <= _MOST_TRIGGERS:
        yield Unmet(Code.CHANGE_TOO_LARGE, f"1 to {_MOST_TRIGGERS} triggers", str(len(triggers)), "log")
    for firing in triggers:
        trigger = firing.trigger.value
        if not isinstance(firing, _ALLOWED):
            allowed = ", ".join(kind.trigger.value for kind in _ALLOWED)
            yield Unmet(Code.RECOVERY_ONLY, f"triggers among {allowed}", trigger, "log", trigger)


def _power_faults(state: State, document: RecoveryDocument) -> Iterator[Unmet]:
    """Yield what the recovery quorum may not do: it gives back, and gives nothing that was never there."""
    yield from _never_a_power(document)
    for firing in document.triggers:
        trigger = firing.trigger.value
        if isinstance(firing, f.GrantGive):
            held = state.grants(firing.principal)
            if not any((row.role, row.scope) == (firing.role, firing.scope) for row in held):
                wish = "a role that the account was given before, with that scope"
                actual = f"{firing.role} on {firing.scope} never was"
                yield Unmet(Code.NEVER_HELD, wish, actual, firing.principal, trigger)
