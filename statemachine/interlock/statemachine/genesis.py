"""The founding: position 0 says everything that is true without a sign-off, position 1 closes it (identity, "Genesis").

Nothing but a genesis fits position 0, nothing but its close fits position 1, and neither fits anywhere else.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.proofs import keys, signature_keys
from interlock.proofs.errors import RefusedError
from interlock.statemachine import authority, codec, forms, signoff, statements
from interlock.statemachine import commands as c
from interlock.statemachine import resources as r
from interlock.statemachine.commands import SYSTEM
from interlock.statemachine.entry import PolicyRef, Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.obligation import begin_grids
from interlock.statemachine.machines.step import Moved
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet, refused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from interlock.statemachine.entry import FoundingPrincipal, GenesisDocument
    from interlock.statemachine.state import State
    from interlock.statemachine.turn import Turn

_KINDS = ("human", "service", "external")
_USES = ("login", "signoff", "recovery")
_LOG_ID_BYTES = 16
_LEAST_RECOVERY = 2


def no(requirement: str, actual: str) -> Refused:
    """Return the refusal of a founding that is not as it must be."""
    return refused(RefusalKind.INVALID, Code.GENESIS, requirement, actual, "log")


def found(turn: Turn, state: State, command: c.Genesis) -> Moved | Refused:
    """Write the log, the first policy, principals with their keys, and grants."""
    if state.size != 0:
        return no("position 0", f"position {state.size}")
    try:
        document = codec.decode_genesis(command.document)
    except codec.CodecError as error:
        return no("a founding document in its one form", str(error))
    faults = tuple(Unmet(Code.GENESIS, wish, actual, "log") for wish, actual in _faults(turn, document))
    if faults:
        return Refused(RefusalKind.INVALID, faults)
    policy = document.policy
    log = r.Log(
        "log",
        document.log_id,
        document.log_key,
        document.decision_key,
        hashlib.sha256(command.document).digest(),
        document.development,
        document.recovery_threshold,
    )
    after = state.put(log)
    moves = [Transition("log", "genesis.open", tables.ABSENT, "open")]
    version = r.PolicyVersion(policy.name, policy.version, policy.digest, adopted_at=turn.instant, adopted_by=0)
    after = begin_grids(turn.policy, after.put(version), turn.instant)
    moves.append(Transition(version.name, "policy.adopt", tables.ABSENT, "adopted"))
    for row in document.principals:
        credentials = tuple(
            r.Credential(signature_keys.fingerprint(key.public_key), key.use, key.public_key, "active", turn.instant, 0)
            for key in document.credentials
            if key.principal == row.name
        )
        account = r.Principal(row.name, row.kind, row.person, "active", row.recovery, credentials, (0,))
        after = after.put(account)
        moves.append(Transition(row.name, "principal.activate", tables.ABSENT, "active"))
    for row_grant in document.grants:
        grant = r.Grant(
            after.next_name("grants"),
            row_grant.principal,
            row_grant.role,
            row_grant.scope,
            given_at=turn.instant,
            given_position=0,
            given_by=0,
        )
        after = after.put(grant).counted("grants")
        moves.append(Transition(grant.name, "grant.give", tables.ABSENT, "active"))
    return Moved(after, tuple(moves))


def _faults(turn: Turn, document: GenesisDocument) -> Iterator[tuple[str, str]]:
    """Yield (what must be, what is) for everything wrong with a founding document."""
    if len(document.log_id) != _LOG_ID_BYTES:
        yield "a log id of 16 bytes", f"{len(document.log_id)} bytes"
    given = PolicyRef(turn.policy.name, turn.policy.version, turn.policy.digest)
    if document.policy != given:
        yield f"the policy given, {given.name}", document.policy.name
    if document.recovery_threshold < _LEAST_RECOVERY:
        yield "a recovery quorum of at least two", str(document.recovery_threshold)
    yield from _key_faults(document)
    yield from _people_faults(turn, document)


def _key_faults(document: GenesisDocument) -> Iterator[tuple[str, str]]:
    seen: dict[bytes, str] = {}
    rows = [("log", "log", document.log_key), ("decisions", "decision", document.decision_key)]
    rows += [(row.principal, row.use, row.public_key) for row in document.credentials]
    for owner, use, key in rows:
        try:
            if owner in {"log", "decisions"}:
                keys.load_public_key(key)
            else:
                signature_keys.algorithm(key)
        except RefusedError as error:
            yield f"an acceptable public key for {owner}", str(error)
        if key in seen:
            yield (
                "each key once: log, decision and principal keys are distinct",
                f"{owner} and {seen[key]} share one",
            )
        seen[key] = f"{owner} ({use})"
    for row in document.credentials:
        if row.use not in _USES:
            yield f"a use among {', '.join(_USES)}", f"{row.use} for {row.principal}"


def _people_faults(turn: Turn, document: GenesisDocument) -> Iterator[tuple[str, str]]:
    accounts = {row.name: row for row in document.principals}
    if len(accounts) != len(document.principals):
        yield "each principal once", "one is named twice"
    for row in document.principals:
        if row.name == SYSTEM.principal or not forms.PRINCIPAL.fullmatch(row.name):
            yield "principals named principals/{id}, none of them the system", row.name
        if row.person and not forms.PERSON.fullmatch(row.person):
            yield "persons named by an id", f"{row.person} behind {row.name}"
        if row.kind not in _KINDS:
            yield f"a kind among {', '.join(_KINDS)}", f"{row.kind} for {row.name}"
        if (row.kind == "service") == bool(row.person):
            yield "a person behind every human and external principal, none behind a service", row.name
    for owner in sorted({row.principal for row in document.credentials} - accounts.keys()):
        yield "keys of named principals", f"a key of {owner}"
    yield from _recovery_faults(document, accounts)
    yield from _grant_faults(turn, document, accounts, {row.person for row in document.principals if row.recovery})


def _recovery_faults(document: GenesisDocument, accounts: Mapping[str, FoundingPrincipal]) -> Iterator[tuple[str, str]]:
    people: set[str] = set()
    for key in document.credentials:
        holder = accounts.get(key.principal)
        if holder is None:
            continue
        if holder.recovery != (key.use == "recovery"):
            yield "recovery keys for recovery principals, and no other key for them", f"{key.use} for {holder.name}"
        elif holder.recovery:
            people.add(holder.person)
    if len(people) < document.recovery_threshold:
        yield f"{document.recovery_threshold} recovery people or more, each with a key", str(len(people))


def _grant_faults(
    turn: Turn, document: GenesisDocument, accounts: Mapping[str, FoundingPrincipal], recovery: Collection[str]
) -> Iterator[tuple[str, str]]:
    held: dict[str, set[str]] = {}
    for grant in document.grants:
        role = turn.policy.roles.get(grant.role)
        account = accounts.get(grant.principal)
        if role is None or account is None:
            yield "grants of the policy's roles to named principals", f"{grant.role} to {grant.principal}"
            continue
        if role.approves and account.kind == "service":
            yield "no approving role for a service", f"{grant.role} to {grant.principal}"
        person = account.person or account.name
        does = "administering" if authority.administers(turn.policy, role.id) else ""
        held.setdefault(person, set()).add("approving" if role.approves else does)
        if account.person in recovery:
            yield "no role for a person of the recovery quorum", f"{grant.role} to {grant.principal}"
        if not forms.SCOPE.fullmatch(grant.scope):
            yield "a scope of `*` or a pattern over model ids", f"{grant.scope} for {grant.principal}"
    for person, kinds in held.items():
        if {"approving", "administering"} <= kinds:
            yield "admins administer, they do not approve", f"{person} would do both"


def close(turn: Turn, state: State, _command: c.CloseGenesis) -> Moved | Refused:
    """End the founding; approvers' countersignatures, where there are some, prove their keys."""
    if state.size != 1:
        return no("position 1", f"position {state.size}")
    log = state.log
    signers: list[str] = []
    for envelope in turn.facts.envelopes:
        signer = _countersigner(state, envelope, log.genesis_digest)
        if signer is None or signer in signers:
            return no("countersignatures by principals' own sign-off keys, each once", "one is not")
        signers.append(signer)
    closed = replace(log, closed=True, countersigned=tuple(signers))
    return Moved(state.put(closed), (Transition("log", "genesis.close", "open", "closed"),))


def _countersigner(state: State, envelope: bytes, genesis_digest: bytes) -> str | None:
    """Return who countersigned, where the signature is by a sign-off key of that very principal."""
    for account in state.all_of(r.Principal):
        for key in account.credentials:
            if key.use != "signoff":
                continue
            try:
                payload = statements.open_envelope(envelope, key.public_key)
                signer = signoff.parse_countersignature(payload.payload, genesis_digest)
            except (RefusedError, statements.StatementError):
                continue
            return signer if signer == account.name else None
    return None
