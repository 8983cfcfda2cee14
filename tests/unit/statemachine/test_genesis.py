"""The founding: every fault of a document, nothing before it, nothing between, and who countersigns."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from interlock.proofs import dsse
from interlock.statemachine import codec, signoff
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.decide import Accepted
from interlock.statemachine.entry import (
    FoundingCredential,
    FoundingGrant,
    FoundingPrincipal,
    GenesisDocument,
    PolicyRef,
)
from interlock.statemachine.unmet import Code, Refused
from tests.support.world import MINIMAL_CAST, START_US, World, codes, genesis_document, key_of, public_of

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY = World.found().policy
GOOD = genesis_document(POLICY, MINIMAL_CAST)
KEY = public_of("principals/new", "login")


def empty() -> World:
    """Return a world in which nothing has happened."""
    return World(POLICY, {member.id: member for member in MINIMAL_CAST})


def founding(document: GenesisDocument) -> Accepted | Refused:
    """Try to found a log with a document."""
    return empty().decide(c.SYSTEM, c.Genesis(codec.encode_genesis(document)))


def more(**parts: Any) -> GenesisDocument:  # noqa: ANN401  # fields of the document
    """Return the good document with other parts; tuples are added to what is there."""
    grown: dict[str, Any] = {k: (*getattr(GOOD, k), *v) if isinstance(v, tuple) else v for k, v in parts.items()}
    return replace(GOOD, **grown)


def account(name: str, kind: str = "human", person: str = "somebody", *, recovery: bool = False) -> FoundingPrincipal:
    """Return a founding account."""
    return FoundingPrincipal(name, kind, person, recovery)


FAULTS: dict[str, GenesisDocument] = {
    "a short log id": more(log_id=b"short"),
    "no log id": more(log_id=b""),
    "another policy": more(policy=replace(GOOD.policy, digest=bytes(32))),
    "another policy's name": more(policy=replace(GOOD.policy, name="policies/other/versions/1.0")),
    "another version's word": more(policy=PolicyRef(POLICY.name, "9.9", POLICY.digest)),
    "a recovery quorum of one": more(recovery_threshold=1),
    "no recovery quorum": more(recovery_threshold=0),
    "a negative recovery quorum": more(recovery_threshold=-1),
    "a recovery quorum of too many": more(recovery_threshold=3),
    "recovery by one person twice": replace(
        GOOD, principals=tuple(replace(p, person="persons/one") if p.recovery else p for p in GOOD.principals)
    ),
    "no recovery principals": replace(GOOD, principals=tuple(p for p in GOOD.principals if not p.recovery)),
    "a log key that is none": more(log_key=b"x"),
    "a decision key that is none": more(decision_key=b""),
    "a decision key that is the log key": more(decision_key=GOOD.log_key),
    "a login key that is the log key": more(
        credentials=(FoundingCredential("principals/owner-a", "login", GOOD.log_key),)
    ),
    "a key of two accounts": more(
        credentials=(FoundingCredential("principals/owner-b", "login", public_of("principals/owner-a", "login")),)
    ),
    "a key for two uses": more(
        credentials=(FoundingCredential("principals/owner-a", "signoff", public_of("principals/owner-a", "login")),)
    ),
    "a key that is none": more(credentials=(FoundingCredential("principals/owner-a", "login", b"x" * 31),)),
    "a key of small order": more(credentials=(FoundingCredential("principals/owner-a", "login", bytes(32)),)),
    "a key for nothing known": more(credentials=(FoundingCredential("principals/owner-a", "tls", KEY),)),
    "a key of nobody": more(credentials=(FoundingCredential("principals/nobody", "login", KEY),)),
    "a recovery key of an ordinary account": more(
        credentials=(FoundingCredential("principals/owner-a", "recovery", KEY),)
    ),
    "a login key of a recovery account": more(credentials=(FoundingCredential("principals/recovery-1", "login", KEY),)),
    "a recovery account without a key": replace(
        GOOD, credentials=tuple(k for k in GOOD.credentials if k.principal != "principals/recovery-1")
    ),
    "an account twice": more(principals=(account("principals/owner-a"),)),
    "an account called log": more(principals=(account("log"),)),
    "an account called like the system": more(principals=(account("principals/system"),)),
    "an account called like a model": more(principals=(account("models/m"),)),
    "an account with an odd name": more(principals=(account("principals/Owner"),)),
    "an account with no name": more(principals=(account(""),)),
    "a kind that is none": more(principals=(account("principals/new", "robot"),)),
    "a human without a person": more(principals=(account("principals/new", "human", ""),)),
    "an outsider without a person": more(principals=(account("principals/new", "external", ""),)),
    "a service with a person": more(principals=(account("principals/new", "service"),)),
    "a person named like an account": more(principals=(account("principals/new", "human", "principals/owner-a"),)),
    "a person with an odd name": more(principals=(account("principals/new", "human", "Jane Doe"),)),
    "a role that the policy does not know": more(grants=(FoundingGrant("principals/owner-a", "king", "*"),)),
    "a role for nobody": more(grants=(FoundingGrant("principals/nobody", "owner", "*"),)),
    "an approving role for a service": more(grants=(FoundingGrant("principals/release-bot", "owner", "*"),)),
    "an admin who approves": more(grants=(FoundingGrant("principals/admin", "owner", "*"),)),
    "an approver who administers": more(grants=(FoundingGrant("principals/owner-a", "admin", "*"),)),
    "an admin whose other account approves": more(
        principals=(account("principals/new", "human", "persons/admin"),),
        grants=(FoundingGrant("principals/new", "owner", "*"),),
    ),
    "a role for a recovery account": more(grants=(FoundingGrant("principals/recovery-1", "auditor", "*"),)),
    "a role for another account of a recovery person": more(
        principals=(account("principals/new", "human", "persons/recovery-1"),),
        grants=(FoundingGrant("principals/new", "auditor", "*"),),
    ),
    "a scope of nothing": more(grants=(FoundingGrant("principals/owner-a", "owner", ""),)),
    "a scope that is a resource": more(grants=(FoundingGrant("principals/owner-a", "owner", "models/m"),)),
    "a scope that is a set": more(grants=(FoundingGrant("principals/owner-a", "owner", "[a-z]*"),)),
}


def test_the_good_one_is_accepted() -> None:
    """The document that the faults below start from is accepted."""
    assert isinstance(founding(GOOD), Accepted)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_fault(fault: str) -> None:
    """Each fault of a founding document refuses it."""
    assert set(codes(founding(FAULTS[fault]))) == {Code.GENESIS}


def test_all_faults_at_once() -> None:
    """A document with several faults is told all of them."""
    document = more(log_id=b"", recovery_threshold=0, principals=(account("log", "robot"),))

    assert len(codes(founding(document))) == 4


BYTES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _good: b"",
    "no protobuf": lambda _good: b"\xff" * 9,
    "an unknown field": lambda good: good + b"\x78\x01",
    "a field again": lambda good: good + b"\x28\x01",
    "cut short": lambda good: good[:-1],
}


@pytest.mark.parametrize("how", sorted(BYTES))
def test_bytes(how: str) -> None:
    """A founding document has one form, and nothing unknown in it."""
    document = BYTES[how](codec.encode_genesis(GOOD))

    assert set(codes(empty().decide(c.SYSTEM, c.Genesis(document)))) == {Code.GENESIS}


def test_what_it_writes() -> None:
    """The founding writes the log, the policy, every account with its keys, and every grant, in this order."""
    decided = founding(GOOD)

    assert isinstance(decided, Accepted)
    kinds = [move.trigger for move in decided.entry.transitions]
    expected = ["genesis.open", "policy.adopt"]
    expected += ["principal.activate"] * len(GOOD.principals) + ["grant.give"] * len(GOOD.grants)
    assert kinds == expected
    assert {name for name, at in decided.entry.prev if at == -1} == set(decided.state.items)
    assert decided.state.log.genesis_digest == hashlib.sha256(codec.encode_genesis(GOOD)).digest()
    keys = [key.use for key in decided.state.need("principals/owner-a", r.Principal).credentials]
    assert keys == ["login", "signoff"]


@pytest.mark.parametrize("who", ["admin", "owner-a", "nobody"])
def test_only_the_system_founds(who: str) -> None:
    """Nobody who has a name founds or closes."""
    world = empty()
    command = c.Genesis(codec.encode_genesis(GOOD))

    assert codes(world.decide(who, command)) == [Code.GENESIS]
    world.must(c.SYSTEM, command)
    assert codes(world.decide(who, c.CloseGenesis())) == [Code.GENESIS]


@pytest.mark.parametrize(
    "command",
    [
        c.Genesis(codec.encode_genesis(GOOD)),
        c.Fire(f.HoldPlace("-")),
        c.ProposeChange(b""),
        c.AttemptRefused("m", bytes(32), ()),
        c.RecordEvidence("risk_report", bytes(32), "text/plain", "00" * 32, 0, (), 1, 0, "public", "", ""),
    ],
    ids=lambda command: type(command).__name__,
)
def test_nothing_between_the_founding_and_its_end(command: c.Command) -> None:
    """Position 1 takes the end of the founding and nothing else, whoever comes."""
    world = empty()
    world.must(c.SYSTEM, c.Genesis(codec.encode_genesis(GOOD)))

    for who in ("admin", "evaluator"):
        assert codes(world.decide(who, command)) == [Code.GENESIS]
    assert codes(world.decide(c.SYSTEM, command)) == [Code.GENESIS]


def opened() -> tuple[World, bytes]:
    """Return a world that waits for the end of its founding, and its digest."""
    world = empty()
    world.must(c.SYSTEM, c.Genesis(codec.encode_genesis(GOOD)))
    return world, world.state.log.genesis_digest


def countersigned(digest: bytes, name: str, owner: str = "", use: str = "signoff") -> bytes:
    """Return an envelope that says that ``name`` countersigns, by ``owner``'s key."""
    payload = signoff.build_countersignature(digest, name)
    return dsse.sign(dsse.IN_TOTO_TYPE, payload, key_of(owner or name, use)).to_json()


def test_countersignatures() -> None:
    """Approvers prove their keys over the genesis digest; who did is kept in order."""
    world, digest = opened()
    names = ("principals/reviewer-a", "principals/owner-a")

    world.must(c.SYSTEM, c.CloseGenesis(), envelopes=tuple(countersigned(digest, name) for name in names))

    assert world.state.log.closed
    assert world.state.log.countersigned == names


def test_a_founding_that_nobody_countersigns() -> None:
    """Countersignatures may be left out; the log shows it."""
    assert World.found().state.log.countersigned == ()


OWNER, OTHER = "principals/owner-a", "principals/owner-b"
BAD: dict[str, Callable[[bytes], tuple[bytes, ...]]] = {
    "no envelope": lambda _digest: (b"{}",),
    "another genesis": lambda _digest: (countersigned(bytes(32), OWNER),),
    "somebody else's key": lambda digest: (countersigned(digest, OWNER, OTHER),),
    "a login key": lambda digest: (countersigned(digest, OWNER, use="login"),),
    "a recovery key": lambda digest: (countersigned(digest, "principals/recovery-1", use="recovery"),),
    "nobody": lambda digest: (countersigned(digest, "principals/nobody"),),
    "twice": lambda digest: (countersigned(digest, OWNER),) * 2,
    "one good, one bad": lambda digest: (countersigned(digest, OWNER), b""),
    "a sign-off": lambda _digest: (dsse.sign(dsse.IN_TOTO_TYPE, b'{"_type":"x"}', key_of(OWNER, "signoff")).to_json(),),
}


@pytest.mark.parametrize("how", sorted(BAD))
def test_a_bad_countersignature(how: str) -> None:
    """One countersignature that proves nothing refuses the end of the founding."""
    world, digest = opened()

    assert codes(world.decide(c.SYSTEM, c.CloseGenesis(), envelopes=BAD[how](digest))) == [Code.GENESIS]


def test_a_founding_is_ended_once() -> None:
    """The founding is closed once."""
    assert codes(World.found().decide(c.SYSTEM, c.CloseGenesis())) == [Code.GENESIS]


def test_the_founding_has_a_time() -> None:
    """The end of the founding is later than its beginning."""
    world, _ = opened()

    assert codes(world.decide(c.SYSTEM, c.CloseGenesis(), instant=START_US)) == [Code.TIME_ORDER]
