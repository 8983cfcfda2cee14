"""Delegations: who may give one to whom, and what ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.decide import Accepted
from interlock.statemachine.delegating import DelegationStatement, build_delegation, parse_delegation
from interlock.statemachine.statements import StatementError
from interlock.statemachine.unmet import Code
from tests.support.world import DAY_US, Member, World, codes

STATEMENT = DelegationStatement("ab" * 32, "principals/a", "principals/b", "owner", 0, 5, "0" * 32)


def test_a_statement_comes_back() -> None:
    """What was built is read again, every part of it."""
    assert parse_delegation(build_delegation(STATEMENT)) == STATEMENT


@pytest.mark.parametrize(
    "wrong",
    [
        {"genesis_sha256": "AB" * 32}, {"genesis_sha256": ""}, {"start": 5}, {"start": -1}, {"until": 0},
        {"nonce": "0"}, {"nonce": "Z" * 32},
    ],
    ids=str,
)  # fmt: skip
def test_a_statement_out_of_range(wrong: dict[str, object]) -> None:
    """A digest, a window or a nonce that can't be is no delegation."""
    with pytest.raises(StatementError):
        parse_delegation(build_delegation(replace(STATEMENT, **wrong)))  # type: ignore[arg-type]  # fields, by name


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"notAfter":5', b'"notAfter":"5"'), (b'"notAfter":5', b'"notAfter":5,"notAfter":6'),
        (b'"notAfter":5', b'"notAfter":true'), (b'"role":"owner"', b'"role":"owner","more":1'),
        (b"delegation:v1", b"signoff:v1"), (b'"name":"log"', b'"name":"changes/1"'),
    ],
    ids=str,
)  # fmt: skip
def test_a_statement_of_another_form(old: bytes, new: bytes) -> None:
    """Payloads are read strictly: no duplicate key, no further field, no other type, no other subject."""
    payload = build_delegation(STATEMENT)
    assert old in payload

    with pytest.raises(StatementError):
        parse_delegation(payload.replace(old, new))


def test_a_role_is_delegated(world: World) -> None:
    """Who was granted an approving role lets another act in it, for a window, without a change."""
    name = world.delegate("owner-a", "owner", "reviewer-b")

    given = world.state.need(name, r.Delegation)
    assert (given.delegator, given.delegate, given.role) == ("principals/owner-a", "principals/reviewer-b", "owner")
    assert given.holds_at(given.start)
    assert not given.holds_at(given.until)


@pytest.mark.parametrize(
    ("who", "role", "to", "wanted"),
    [
        ("owner-a", "reviewer", "reviewer-b", Code.NO_APPROVING_ROLE),
        ("owner-a", "requester", "reviewer-b", Code.NO_APPROVING_ROLE),
        ("owner-a", "nothing", "reviewer-b", Code.ROLE_UNKNOWN),
        ("owner-a", "owner", "admin", Code.ADMIN_CONFLICT),
        ("owner-a", "owner", "nobody", Code.NOT_FOUND),
        ("owner-a", "owner", "owner-a", Code.DELEGATE_SELF),
        ("owner-a", "owner", "owner-a-again", Code.DELEGATE_SELF),
    ],
)
def test_what_can_not_be_delegated(who: str, role: str, to: str, wanted: Code, world: World) -> None:
    """Only an approving role of one's own, and only to another person who could hold it."""
    assert codes(world.fire(who, world.delegation(who, role, to))) == [wanted]


@pytest.mark.parametrize(("to", "also"), [("release-bot", Code.AFFILIATION), ("recovery-1", Code.RECOVERY_QUORUM)])
def test_who_reads_nothing_signs_nothing(to: str, also: Code, world: World) -> None:
    """Services and the recovery quorum are no delegates: everything that stands against them is said."""
    assert codes(world.fire("owner-a", world.delegation("owner-a", "owner", to))) == sorted([also, Code.RIGHT_MISSING])


def test_a_suspended_account_is_no_delegate(world: World) -> None:
    """Nor has it any right left."""
    world.fire("admin", f.PrincipalSuspend("principals/reviewer-b"))

    decided = world.fire("owner-a", world.delegation("owner-a", "owner", "reviewer-b"))

    assert codes(decided) == [Code.PRINCIPAL_INACTIVE, Code.RIGHT_MISSING]


def test_never_on_to_another(world: World) -> None:
    """Who only borrowed a role can't lend it."""
    world.delegate("owner-a", "owner", "reviewer-b")

    decided = world.fire("reviewer-b", world.delegation("reviewer-b", "owner", "reviewer-a"))

    assert codes(decided) == [Code.NO_APPROVING_ROLE]


def test_nobody_delegates_for_another(world: World) -> None:
    """The statement is its delegator's own, handed in by them, and signed with their key."""
    theirs = world.delegation("owner-a", "owner", "reviewer-b")
    assert codes(world.fire("owner-b", theirs)) == [Code.SIGN_OFF_SIGNER]

    forged = world.delegation("owner-a", "owner", "reviewer-b", key_of_whom="reviewer-b")
    assert codes(world.fire("owner-a", forged)) == [Code.SIGN_OFF_SIGNATURE]


def test_arguments_that_were_not_signed(world: World) -> None:
    """The trigger says just what the statement says."""
    signed = world.delegation("owner-a", "owner", "reviewer-b")

    assert codes(world.fire("owner-a", replace(signed, delegate="principals/both"))) == [Code.SIGN_OFF_SUBJECT]
    assert codes(world.fire("owner-a", replace(signed, until=signed.until + 1))) == [Code.SIGN_OFF_SUBJECT]


def test_a_delegation_of_another_log(world: World) -> None:
    """The statement names the founding of its log."""
    other = World.found(countersigned_by=["owner-a"], cast=[*world.cast.values(), Member("one-more")])

    decided = world.fire("owner-a", other.delegation("owner-a", "owner", "reviewer-b"))

    assert Code.SIGN_OFF_SUBJECT in codes(decided)


def test_an_envelope_is_accepted_once(world: World) -> None:
    """A delegation that was ended does not come back by the same statement."""
    signed = world.delegation("owner-a", "owner", "reviewer-b")
    world.fire("owner-a", signed)
    world.fire("owner-a", f.DelegationEnd("delegations/1"))

    assert codes(world.fire("owner-a", signed)) == [Code.SIGN_OFF_REPLAYED]


def test_a_window_that_has_passed(world: World) -> None:
    """It needs an end that is yet to come."""
    decided = world.fire("owner-a", world.delegation("owner-a", "owner", "reviewer-b", until=1))

    assert codes(decided) == [Code.END_PASSED]


@pytest.mark.parametrize(("who", "wanted"), [("owner-a", []), ("admin", []), ("reviewer-b", [Code.RIGHT_MISSING])])
def test_who_ends_one(who: str, wanted: list[Code], world: World) -> None:
    """Its delegator or an administrator, at once; nobody else, not even its delegate."""
    name = world.delegate("owner-a", "owner", "reviewer-b")

    decided = world.fire(who, f.DelegationEnd(name))

    assert codes(decided) == wanted
    assert world.state.need(name, r.Delegation).state == ("active" if wanted else "ended")


def test_ending_one_twice_is_acknowledged(world: World) -> None:
    """The second word finds it ended and moves nothing."""
    name = world.delegate("owner-a", "owner", "reviewer-b")
    world.fire("owner-a", f.DelegationEnd(name))

    decided = world.fire("admin", f.DelegationEnd(name))

    assert isinstance(decided, Accepted)
    assert decided.entry.transitions == ()
    assert codes(world.fire("owner-a", f.DelegationEnd("delegations/9"))) == [Code.NOT_FOUND]


def test_an_end_of_a_day(world: World) -> None:
    """A delegation from tomorrow on stands tomorrow."""
    tomorrow = world.now + DAY_US
    name = world.delegate("owner-a", "owner", "reviewer-b", start=tomorrow, until=tomorrow + DAY_US)

    given = world.state.need(name, r.Delegation)
    assert not given.holds_at(world.now)
    assert given.holds_at(tomorrow)


def test_it_rides_in_a_change_of_its_delegator(world: World) -> None:
    """A neutral trigger may ride in a change, where its delegator has the right to propose."""
    signed = world.delegation("everything-but-admin", "owner", "reviewer-b")

    world.enact(f.GrantGive("principals/auditor", "auditor", "m"), signed, by="everything-but-admin")

    assert world.state.delegations_to("principals/reviewer-b")[0].name == "delegations/1"
    world.must("everything-but-admin", c.Fire(f.DelegationEnd("delegations/1")))
