"""A world to test the pure core in: a founded log, people with real Ed25519 keys, and verbs that drive ``decide``.

    world = World.found()
    world.fire("evaluator", f.ModelRegister("models/m"))          # -> Accepted | Refused
    change = world.propose("evaluator", f.LevelAssign("models/m/levels/deployment", "basic"))
    world.sign("owner-a", change)
    world.sign("reviewer-a", change)                              # applies it
    world.verdict("models/m", "internal").allowed

No clock and no randomness: time is ``world.now`` and moves when told to, keys come from their owner's name. People are
named without ``principals/``. ``fork`` gives a second world that shares the past.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.proofs import dsse, keys
from interlock.statemachine import codec, delegating, drafting, packs, possession, rules, signoff, verdicts
from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.bound import documents_of
from interlock.statemachine.changes import content_of
from interlock.statemachine.decide import Accepted, decide
from interlock.statemachine.explain import Verdict, explain
from interlock.statemachine.policy.files import pack_digest
from interlock.statemachine.policy.loader import load_pack
from interlock.statemachine.state import State
from interlock.statemachine.unmet import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from interlock.statemachine.policy.model import Policy

SKETCH: Final = Path(__file__).parents[1] / "fixtures" / "pack-sketch.yaml"
LOG_ID: Final = bytes(range(16))
START_US: Final = 1_777_593_600_000_000
"""2026-05-01T00:00:00Z."""
SECOND_US: Final = 1_000_000
DAY_US: Final = 86_400 * SECOND_US
REASON: Final = (("summary", hashlib.sha256(b"reason").digest()),)


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of a cast: account, kind, the person behind it, and (role, scope) grants."""

    id: str
    grants: tuple[tuple[str, str], ...] = ()
    kind: str = "human"
    person: str = ""
    recovery: bool = False

    @property
    def name(self) -> str:
        """Resource name of the account."""
        return f"principals/{self.id}"


MINIMAL_CAST: Final = (
    Member("owner-a", (("owner", "*"),)),
    Member("owner-b", (("owner", "*"),)),
    Member("owner-of-m", (("owner", "m"),)),
    Member("reviewer-a", (("reviewer", "*"),)),
    Member("reviewer-b", (("reviewer", "*"),)),
    Member("owner-a-again", (("reviewer", "*"), ("owner", "*")), person="owner-a"),
    Member("both", (("owner", "*"), ("reviewer", "*"))),
    Member("evaluator", (("evaluator", "*"), ("requester", "*"))),
    Member("engineer", (("engineer", "*"),)),
    Member("everything-but-admin", (("owner", "*"), ("reviewer", "*"), ("requester", "*"), ("evaluator", "*"))),
    Member("admin", (("admin", "*"),)),
    Member("auditor", (("auditor", "*"),)),
    Member("filter-monitor", (("monitor", "*"),), kind="service"),
    Member("release-bot", (("release-tool", "*"),), kind="service"),
    Member("recovery-1", recovery=True),
    Member("recovery-2", recovery=True),
)
"""A cast for the sketch: every role, one person with two accounts, one with two roles, one with all but admin."""


def cast_of(policy: Policy) -> tuple[Member, ...]:
    """Return a plain cast for any pack: one principal a role, called after it; ``requester`` may all that roles may."""
    services = {"release-tool", "monitor"}
    people = tuple(
        Member(
            role.id,
            ((role.id, "*"),),
            kind="service" if role.id in services else "external" if role.affiliation == "external" else "human",
        )
        for role in policy.roles.values()
    )
    return (*people, Member("recovery-1", recovery=True), Member("recovery-2", recovery=True))


@lru_cache(maxsize=256)
def key_of(owner: str, use: str) -> Ed25519PrivateKey:
    """Return the private key of an account for a use (login, signoff), or of the log itself; the same each time."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"test key {owner} {use}".encode()).digest())


@lru_cache(maxsize=256)
def public_of(owner: str, use: str) -> bytes:
    """Return the raw public key that belongs to ``key_of``."""
    return keys.public_bytes(key_of(owner, use))


@lru_cache(maxsize=8)
def _policy_of(files: tuple[tuple[str, bytes], ...]) -> Policy:
    return load_pack(dict(files))


def sketch() -> dict[str, bytes]:
    """Return the files of the ``minimal`` pack."""
    return {"policy.yaml": SKETCH.read_bytes()}


def sha256_of(word: str) -> str:
    """Return a digest that stands for some bytes called ``word``."""
    return hashlib.sha256(word.encode()).hexdigest()


def actor(who: str) -> c.Actor:
    """Return the actor that somebody's session gives: the account and its login key."""
    name = who if who.startswith("principals/") else f"principals/{who}"
    return c.Actor(name, keys.fingerprint(public_of(name, "login")))


@dataclass(slots=True)
class World:
    """A log in the making. ``entries`` and ``objects`` are what a store would hold; ``now`` is in microseconds."""

    policy: Policy
    cast: Mapping[str, Member]
    state: State = field(default_factory=State)
    now: int = START_US
    entries: list[e.Entry] = field(default_factory=list)
    objects: dict[bytes, bytes] = field(default_factory=dict)
    nonces: int = 0

    @classmethod
    def found(
        cls,
        files: Mapping[str, bytes] | None = None,
        cast: Iterable[Member] | None = None,
        *,
        countersigned_by: Iterable[str] = (),
    ) -> World:
        """Found a log under a pack (the sketch) with a cast (``MINIMAL_CAST``); position 2 is the next."""
        pack = dict(sketch() if files is None else files)
        policy = _policy_of(tuple(sorted(pack.items())))
        members = tuple(MINIMAL_CAST if cast is None else cast)
        world = cls(policy, {member.id: member for member in members})
        world.objects[pack_digest(pack)] = codec.encode_pack(pack)
        document = codec.encode_genesis(genesis_document(policy, members))
        digest = hashlib.sha256(document).digest()
        world.must(c.SYSTEM, c.Genesis(document))
        proofs = (_countersignature(digest, f"principals/{who}") for who in countersigned_by)
        world.must(c.SYSTEM, c.CloseGenesis(), envelopes=tuple(proofs))
        return world

    def fork(self) -> World:
        """Return a world that goes on from here on its own."""
        return replace(self, entries=list(self.entries), objects=dict(self.objects))

    # Commands ----------------------------------------------------------------------------------------------------

    def decide(
        self, who: str | c.Actor, command: c.Command, *, envelopes: tuple[bytes, ...] = (), instant: int | None = None
    ) -> Accepted | Refused:
        """Return what ``decide`` says of a command at the next instant; nothing moves. The server is always well."""
        at = max(self.now, self.state.time + 1) if instant is None else instant
        serving = verdicts.serving_for(self.state, command)
        who = actor(who) if isinstance(who, str) else who
        return decide(rules.current(), self.policy, self.state, command, c.Facts(at, envelopes, serving), who)

    def attempt(
        self, who: str | c.Actor, command: c.Command, *, envelopes: tuple[bytes, ...] = (), instant: int | None = None
    ) -> Accepted | Refused:
        """Do a command; an accepted one moves the world."""
        decided = self.decide(who, command, envelopes=envelopes, instant=instant)
        if isinstance(decided, Accepted):
            self.state = decided.state
            self.now = decided.entry.time
            self.entries.append(decided.entry)
            content = getattr(command, "content", None)
            if content is not None:
                self.objects[hashlib.sha256(content).digest()] = content
            pack = getattr(decided.entry.command, "pack", b"")
            if pack:
                self.objects[pack_digest(codec.decode_pack(pack))] = pack
            self.policy = packs.in_force(self.policy, self.state)
        return decided

    def must(self, who: str | c.Actor, command: c.Command, *, envelopes: tuple[bytes, ...] = ()) -> e.Entry:
        """Do a command that is wanted to be accepted; return its entry."""
        decided = self.attempt(who, command, envelopes=envelopes)
        assert isinstance(decided, Accepted), decided
        return decided.entry

    def fire(self, who: str, firing: f.Firing) -> Accepted | Refused:
        """Let one person fire a trigger."""
        return self.attempt(who, c.Fire(firing))

    def wait(self, microseconds: int) -> None:
        """Let time pass."""
        self.now = max(self.now, self.state.time) + microseconds

    # Identity ----------------------------------------------------------------------------------------------------

    def registration(
        self, who: str, use: str = "signoff", *, word: str = "", replaces: str = "", until: int = 0
    ) -> f.CredentialRegister:
        """Return the trigger that registers a key with its proof; ``word`` names a key other than their first.

        ``replaces`` is the word of the key of theirs that it takes the place of; ``-`` for their first.
        """
        principal, log_id = f"principals/{who}", self.state.log.log_id
        key = key_of(principal, use + word)
        fingerprint = keys.fingerprint(public_of(principal, use + word))
        proof = key.sign(possession.registration_bytes(log_id, principal, use, fingerprint))
        if not replaces:
            return f.CredentialRegister(principal, use, keys.public_bytes(key), proof, until=until)
        old = use + replaces.removeprefix("-")
        return f.CredentialRegister(
            principal, use, keys.public_bytes(key), proof, keys.fingerprint(public_of(principal, old)),
            key_of(principal, old).sign(possession.rotation_bytes(log_id, principal, use, fingerprint)),
        )  # fmt: skip

    def delegation(  # each keyword is a part of the statement
        self, who: str, role: str, to: str, *, until: int = 0, start: int = 0, key_of_whom: str = ""
    ) -> f.DelegationGive:
        """Return the trigger by which somebody lets another act in a role, signed; for a day unless told otherwise."""
        self.nonces += 1
        end = until or max(self.now, self.state.time) + DAY_US
        statement = delegating.DelegationStatement(
            self.state.log.genesis_digest.hex(), f"principals/{who}", f"principals/{to}", role, start, end,
            f"{self.nonces:032x}",
        )  # fmt: skip
        key = key_of(f"principals/{key_of_whom or who}", "signoff")
        signed = dsse.sign(dsse.IN_TOTO_TYPE, delegating.build_delegation(statement), key).to_json()
        return f.DelegationGive(statement.delegator, statement.delegate, role, start, end, signed)

    def delegate(self, who: str, role: str, to: str, *, until: int = 0, start: int = 0) -> str:
        """Have somebody delegate a role, which is wanted to be accepted; return the delegation's name."""
        name = self.state.next_name("delegations")
        self.must(who, c.Fire(self.delegation(who, role, to, until=until, start=start)))
        return name

    # Evidence ----------------------------------------------------------------------------------------------------

    def upload(  # each keyword is a field of the record
        self,
        who: str,
        kind: str,
        *,
        word: str = "",
        made_at: int | None = None,
        valid_until: int = 0,
        authors: Iterable[str] = (),
        classification: str = "internal",
        effective_compute: str = "",
    ) -> str:
        """Record a document and return its name; ``word`` stands for its bytes."""
        name = self.state.next_name("evidence")
        record = c.RecordEvidence(
            kind=kind,
            title_digest=hashlib.sha256(kind.encode()).digest(),
            media_type="text/plain",
            sha256=sha256_of(word or f"{kind} {name}"),
            size=len(word),
            authors=tuple(f"principals/{author}" for author in authors),
            made_at=max(self.now, self.state.time + 1) if made_at is None else made_at,
            valid_until=valid_until,
            classification=classification,
            redacts="",
            effective_compute=effective_compute,
        )
        self.must(who, record)
        return name

    # Changes -----------------------------------------------------------------------------------------------------

    def content(
        self,
        *firings: f.Firing,
        evidence: Iterable[str] = (),
        not_before: int = 0,
        apply_separately: bool = False,
    ) -> bytes:
        """Return the content bytes of a new change on the present base; break-glass gets the reason that it needs."""
        broken = any(isinstance(firing, f.BreakGlassOpen) for firing in firings)
        drafted = drafting.draft(
            rules.current(),
            self.policy,
            self.state,
            name=self.state.next_name("changes"),
            revision=1,
            triggers=firings,
            evidence=evidence,
            not_before=not_before,
            apply_separately=apply_separately,
            texts=REASON if broken else (),
        )
        assert isinstance(drafted, e.Content), drafted
        return codec.encode_content(drafted)

    def revised(self, change: str, **parts: object) -> bytes:
        """Return the content bytes of a change's next revision; ``evidence`` is names, other parts are Content's."""
        content = content_of(self.state.need(change, r.Change).content)
        evidence = parts.pop("evidence", None)
        if evidence is not None:
            assert isinstance(evidence, tuple | list), evidence
            content = drafting.with_evidence(content, evidence)
        drafted = drafting.revise(
            rules.current(),
            self.policy,
            self.state,
            replace(content, **parts),  # type: ignore[arg-type]  # fields of Content, checked by its constructor
        )
        assert isinstance(drafted, e.Content), drafted
        return codec.encode_content(drafted)

    def propose(  # each keyword is a field of the content
        self,
        who: str,
        *firings: f.Firing,
        evidence: Iterable[str] = (),
        not_before: int = 0,
        apply_separately: bool = False,
        draft: bool = False,
    ) -> str:
        """Propose a change that is wanted to be accepted; return its name."""
        content = self.content(*firings, evidence=evidence, not_before=not_before, apply_separately=apply_separately)
        name = self.state.next_name("changes")
        self.must(who, c.ProposeChange(content, draft))
        return name

    def propose_policy(self, who: str, files: Mapping[str, bytes], *, draft: bool = False) -> str:
        """Propose a change that adopts a pack, which comes with it where the log does not have it; return its name."""
        policy = _policy_of(tuple(sorted(files.items())))
        firing, data = f.PolicyAdopt(policy.name, policy.digest), codec.encode_pack(files)
        pack = packs.new_to(self.state, (firing,), data)
        shelved = packs.shelve(self.state, (firing,), pack)
        assert not isinstance(shelved, Refused), shelved
        content = replace(self, state=shelved).content(firing)
        name = self.state.next_name("changes")
        self.must(who, c.ProposeChange(content, draft, pack))
        return name

    def adopt(
        self, files: Mapping[str, bytes], by: str = "evaluator", signers: Iterable[str] = ("owner-a", "reviewer-a")
    ) -> str:
        """Adopt a pack: proposed, signed, applied; return the change's name."""
        change = self.propose_policy(by, files)
        for who in signers:
            signed = self.sign(who, change)
            assert isinstance(signed, Accepted), signed
        assert self.state.need(change, r.Change).state == "applied", self.state.need(change, r.Change)
        return change

    def statement(  # each keyword is a field of the statement
        self,
        who: str,
        change: str,
        decision: str = "approve",
        *,
        roles: Iterable[str] | None = None,
        seen: str = "full",
        not_after: int = 0,
        on_behalf_of: str = "",
    ) -> signoff.Statement:
        """Return the statement that somebody would sign about a change as it stands."""
        stored = self.state.need(change, r.Change)
        owner = f"principals/{on_behalf_of or who}"
        held = {grant.role for grant in self.state.grants(owner) if grant.state == "active"}
        approving = {role for role in held if self.policy.roles[role].approves}
        self.nonces += 1
        return signoff.Statement(
            change=change,
            content_sha256=stored.content_digest.hex(),
            decision=decision,
            signer=f"principals/{who}",
            roles=tuple(sorted(approving if roles is None else set(roles))),
            checkpoint_size=self.state.size,
            checkpoint_root="0" * 64,
            nonce=f"{self.nonces:032x}",
            evidence=tuple(
                signoff.SeenEvidence(name, sha256, seen) for name, sha256 in documents_of(content_of(stored.content))
            ),
            not_after=not_after,
            on_behalf_of=owner if on_behalf_of else "",
        )

    def sign(  # each keyword is a field of the statement
        self,
        who: str,
        change: str,
        decision: str = "approve",
        *,
        roles: Iterable[str] | None = None,
        seen: str = "full",
        not_after: int = 0,
        on_behalf_of: str = "",
    ) -> Accepted | Refused:
        """Sign a change as it stands: approve, reject or withdraw. What completes a quorum applies it."""
        statement = self.statement(
            who, change, decision, roles=roles, seen=seen, not_after=not_after, on_behalf_of=on_behalf_of
        )
        return self.submit(who, change, statement)

    def submit(
        self, who: str, change: str, statement: signoff.Statement, *, key_of_whom: str = ""
    ) -> Accepted | Refused:
        """Hand in a statement, signed by ``who`` or with somebody else's key."""
        taking_back = statement.decision == "withdraw"
        command = c.WithdrawSignOffOfChange(change) if taking_back else c.SignOffChange(change)
        return self.attempt(who, command, envelopes=(envelope(key_of_whom or who, statement),))

    def enact(
        self, *firings: f.Firing, by: str = "evaluator", signers: Iterable[str] = ("owner-a", "reviewer-a"),
        evidence: Iterable[str] = (),
    ) -> str:  # fmt: skip
        """Propose a change, have it signed, and see it applied; return its name."""
        change = self.propose(by, *firings, evidence=evidence)
        for who in signers:
            signed = self.sign(who, change)
            assert isinstance(signed, Accepted), signed
        assert self.state.need(change, r.Change).state == "applied", self.state.need(change, r.Change)
        return change

    # Questions ---------------------------------------------------------------------------------------------------

    def verdict(self, model: str, context: str, artifact: str = "", instant: int | None = None) -> Verdict:
        """Ask the gate; at the world's time unless told another."""
        at = max(self.now, self.state.time) if instant is None else instant
        return explain(self.policy, self.state, model, context, artifact, at)

    def resolve(self, digest: bytes) -> bytes:
        """Return a stored object by its digest, for the codec and the replay. Raises LookupError."""
        return self.objects[digest]

    def encoded(self) -> list[bytes]:
        """Return the log as bytes."""
        return [codec.encode_entry(entry) for entry in self.entries]


def genesis_document(policy: Policy, members: Iterable[Member]) -> e.GenesisDocument:
    """Return the founding document of a cast under a policy."""
    people = tuple(members)
    return e.GenesisDocument(
        log_id=LOG_ID,
        log_key=public_of("log", "log"),
        decision_key=public_of("log", "decision"),
        policy=e.PolicyRef(policy.name, policy.version, policy.digest),
        development=True,
        principals=tuple(
            e.FoundingPrincipal(
                m.name, m.kind, "" if m.kind == "service" else f"persons/{m.person or m.id}", m.recovery
            )
            for m in people
        ),
        credentials=tuple(
            e.FoundingCredential(m.name, use, public_of(m.name, use))
            for m in people
            for use in (("recovery",) if m.recovery else ("login",) if m.kind == "service" else ("login", "signoff"))
        ),
        grants=tuple(e.FoundingGrant(m.name, role, scope) for m in people for role, scope in m.grants),
    )


def envelope(who: str, statement: signoff.Statement) -> bytes:
    """Return a statement in a DSSE envelope, signed with somebody's sign-off key."""
    payload = signoff.build_statement(statement)
    return dsse.sign(dsse.IN_TOTO_TYPE, payload, key_of(f"principals/{who}", "signoff")).to_json()


def _countersignature(genesis_digest: bytes, name: str) -> bytes:
    payload = signoff.build_countersignature(genesis_digest, name)
    return dsse.sign(dsse.IN_TOTO_TYPE, payload, key_of(name, "signoff")).to_json()


def codes(decided: Accepted | Refused) -> list[str]:
    """Return the codes of a refusal, sorted; empty for what was accepted."""
    return sorted(unmet.code for unmet in decided.unmet) if isinstance(decided, Refused) else []
