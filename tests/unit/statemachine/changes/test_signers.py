"""Who may sign, and whose sign-off fills which slot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.changes import waiting_for
from interlock.statemachine.decide import Accepted
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.unmet import Code, RefusalKind, Refused
from tests.support.world import Member, World, codes
from tests.unit.statemachine.changes.reviews import ASSIGN, FILTER, LEVEL, MISUSE, MODEL, judged, stored, voids

CONFLICTS = [
    ("evaluator", {Code.NO_APPROVING_ROLE, Code.REQUESTER_CONFLICT, Code.EVIDENCE_AUTHOR_CONFLICT}),
    ("engineer", {Code.NO_APPROVING_ROLE, Code.EVIDENCE_AUTHOR_CONFLICT}),
    ("admin", {Code.NO_APPROVING_ROLE, Code.ADMIN_CONFLICT}),
    ("auditor", {Code.NO_APPROVING_ROLE}),
    ("evaluator-again", {Code.REQUESTER_CONFLICT, Code.EVIDENCE_AUTHOR_CONFLICT}),
    ("reviewer-author", {Code.EVIDENCE_AUTHOR_CONFLICT}),
    ("owner-a", set()),
    ("reviewer-a", set()),
    ("reviewer-of-other", {Code.NO_APPROVING_ROLE}),
]
CAST = (
    Member("owner-a", (("owner", "*"),)),
    Member("reviewer-a", (("reviewer", "*"),)),
    Member("reviewer-of-other", (("reviewer", "other-*"),)),
    Member("evaluator", (("evaluator", "*"),)),
    Member("evaluator-again", (("reviewer", "*"),), person="evaluator"),
    Member("reviewer-author", (("reviewer", "*"),)),
    Member("engineer", (("engineer", "*"),)),
    Member("admin", (("admin", "*"),)),
    Member("auditor", (("auditor", "*"),)),
    Member("recovery-1", recovery=True),
    Member("recovery-2", recovery=True),
)


@pytest.mark.parametrize(("who", "expected"), CONFLICTS)
def test_conflicts_are_judged_by_person(who: str, expected: set[Code]) -> None:
    """Whoever requested it or made its evidence fills no slot that says so, under whichever account; all is said."""
    world = World.found(cast=CAST)
    world.fire("evaluator", f.ModelRegister(MODEL))
    document = world.upload("engineer", "evaluation_results", authors=["reviewer-author", "evaluator"])
    change = world.propose("evaluator", ASSIGN, evidence=[document])

    decided = world.sign(who, change, roles=["owner", "reviewer"])

    assert set(codes(decided)) == expected
    assert not isinstance(decided, Refused) or decided.kind is RefusalKind.NOT_ALLOWED


def test_an_admin_with_an_approving_role_is_refused_at_once(world: World) -> None:
    """Admins administer, they do not approve: a role given to one in spite of that does not help."""
    change = world.propose("evaluator", ASSIGN)
    extra = r.Grant("grants/99", "principals/owner-a", "admin", "*", given_position=0)
    signed = world.fork()
    assert isinstance(signed.sign("owner-a", change), Accepted)

    for one in (world, signed):
        one.state = replace(one.state.put(extra), writes=())

    assert codes(world.sign("owner-a", change)) == [Code.ADMIN_CONFLICT]
    assert voids(signed, change) == {"owner-a": Code.ADMIN_CONFLICT}


@pytest.mark.parametrize("which", ["verified before", "verified in the change", "re-attested in the change"])
def test_who_verified_is_an_author(which: str) -> None:
    """What shows that a safeguard works is evidence of the change that relies on it, and its verifier an author."""
    verifier = Member("verifier", (("engineer", "*"), ("reviewer", "*")))
    world = World.found(cast=(*CAST, verifier))
    world.fire("evaluator", f.ModelRegister(MODEL))
    world.fire("engineer", f.SafeguardStart(FILTER))
    document = world.upload("engineer", "red_team_report")
    if which == "verified before":
        assert codes(world.fire("verifier", f.SafeguardVerify(FILTER, (document,)))) == []
        change = world.propose("evaluator", f.SafeguardActivate(FILTER))
    else:
        firings: tuple[f.Firing, ...] = (f.SafeguardVerify(FILTER, (document,)), f.SafeguardActivate(FILTER))
        if which.startswith("re"):
            firings = (*firings, f.SafeguardReattest(FILTER, (document,)))
        change = world.propose("verifier", *firings)

    decided = world.sign("verifier", change)

    assert Code.EVIDENCE_AUTHOR_CONFLICT in codes(decided)


def test_regression_a_proposer_who_verifies_in_the_change_is_an_author(wide: World) -> None:
    """Where a rule bars evidence authors only, the proposer of a verify that rides in it is barred too."""
    wide.fire("engineer", f.SafeguardStart(FILTER))
    document = wide.upload("engineer", "red_team_report")
    raising = (ASSIGN, f.LevelRaise(LEVEL, "guarded"), f.SafeguardVerify(FILTER, (document,)))
    grant = r.Grant("grants/98", "principals/everything", "reviewer", "*", given_position=0)
    wide.state = replace(wide.state.put(grant), writes=())
    plain = wide.fork().propose("everything", *raising[:2])
    world = wide.fork()
    world.propose("everything", *raising[:2])

    with_verify = wide.propose("everything", *raising)

    only_raise = [s for s in judged(world, plain).slots if s.trigger == "level.raise"]
    assert [s.role for s in only_raise] == ["owner", "reviewer"]
    assert isinstance(world.sign("everything", plain, roles=["reviewer"]), Accepted)
    wide.sign("everything", with_verify, roles=["reviewer"])
    filled = {s.filled_by for s in judged(wide, with_verify).slots if s.trigger == "level.raise"}
    assert filled == {""}


def test_naming_a_role_is_not_holding_it(world: World) -> None:
    """A role that the signer does not hold on the change's models fills nothing and is not recorded."""
    change = world.propose("evaluator", ASSIGN)

    assert isinstance(world.sign("owner-a", change, roles=["auditor", "owner", "reviewer"]), Accepted)

    assert stored(world, change).sign_offs[-1].roles == ("owner",)
    assert {s.filled_by for s in judged(world, change).slots if s.role == "reviewer"} == {""}


def test_not_naming_a_role_is_not_acting_in_it(world: World) -> None:
    """A role that the signer holds and does not consent to act in does not count."""
    change = world.propose("evaluator", ASSIGN)

    assert codes(world.sign("both", change, roles=[])) == [Code.NO_APPROVING_ROLE]
    assert isinstance(world.sign("both", change, roles=["reviewer"]), Accepted)
    assert {s.role for s in judged(world, change).slots if s.filled_by} == {"reviewer"}


def test_one_person_fills_one_slot(world: World) -> None:
    """Who holds both roles fills one slot of a rule, and nobody applies a change alone."""
    change = world.propose("evaluator", ASSIGN)

    assert isinstance(world.sign("both", change), Accepted)

    evaluation = judged(world, change)
    assert [s.filled_by for s in evaluation.slots] == ["principals/both", ""]
    assert not evaluation.approved


def test_two_accounts_of_one_person_are_one(world: World) -> None:
    """The second account's sign-off replaces the first's; it does not add to it."""
    change = world.propose("evaluator", ASSIGN)
    assert isinstance(world.sign("owner-a", change), Accepted)

    assert isinstance(world.sign("owner-a-again", change), Accepted)

    assert voids(world, change) == {"owner-a": Code.SUPERSEDED}
    assert stored(world, change).state == "in_review"


def test_an_early_sign_off_is_moved_to_make_room(world: World) -> None:
    """Who could fill either slot makes room for who can fill only one."""
    change = world.propose("evaluator", ASSIGN)
    world.sign("both", change)

    assert isinstance(world.sign("owner-b", change), Accepted)

    assert stored(world, change).state == "applied"
    assert {row[2]: row[3] for row in stored(world, change).applied_slots} == {
        "owner": "principals/owner-b",
        "reviewer": "principals/both",
    }


def test_a_slot_for_two(wide: World) -> None:
    """A slot with count 2 takes two people."""
    wide.enact(ASSIGN)
    wide.enact(f.LevelRaise(LEVEL, "guarded"))
    change = wide.propose("evaluator", f.LevelLower(LEVEL, "basic"))

    steps = [wide.sign(who, change) for who in ("reviewer-a", "owner-a", "owner-b")]

    assert [codes(step) for step in steps] == [[]] * 3
    assert stored(wide, change).state == "applied"


def test_a_service_fills_no_slot(world: World) -> None:
    """A service with an approving role in spite of everything signs for nothing."""
    change = world.propose("evaluator", ASSIGN)
    account = world.state.need("principals/owner-a", r.Principal)
    world.state = replace(world.state.put(replace(account, kind="service")), writes=())

    assert codes(world.sign("owner-a", change)) == [Code.AFFILIATION]


def test_external_means_external(wide: World) -> None:
    """A role for outsiders held by an insider fills no slot."""
    lock = f"{MODEL}/safeguards/weights-lock"
    wide.fire("engineer", f.SafeguardStart(lock))
    audit = wide.upload("engineer", "security_audit")
    change = wide.propose("engineer", f.SafeguardVerify(lock, (audit,)))

    assert Code.AFFILIATION in codes(wide.sign("board-inside", change))
    assert codes(wide.sign("board-a", change)) == []


@pytest.mark.parametrize(("seen", "good"), [("full", True), ("redacted", False), ("not_opened", False)])
def test_evidence_that_must_have_been_opened(seen: str, good: bool, wide: World) -> None:  # noqa: FBT001  # a table's column
    """Where the rule says ``seen: full`` every attached document must have been."""
    wide.enact(ASSIGN)
    document = wide.upload("evaluator", "safeguards_report")
    change = wide.propose("evaluator", f.LevelRaise(LEVEL, "guarded"), evidence=[document])

    decided = wide.sign("reviewer-a", change, seen=seen)

    assert codes(decided) == ([] if good else [Code.EVIDENCE_NOT_OPENED])


def test_scopes_of_approving_roles(wide: World) -> None:
    """A sign-off counts for a trigger only where the grant covers its model; what is no model's needs everything."""
    wide.fire("evaluator", f.ModelRegister("models/aurora-4"))
    own = f.LevelAssign("models/aurora-4/levels/deployment", "basic")
    wide.fire("admin", f.HoldPlace(EVERYTHING))
    both = wide.propose("evaluator", own, ASSIGN)
    shared = wide.propose("evaluator", own, f.HoldLift("holds/1"))
    alone = wide.propose("evaluator", own)

    assert isinstance(wide.sign("owner-of-aurora", both), Accepted)
    assert isinstance(wide.sign("owner-of-aurora", shared), Accepted)
    for change in (both, shared):
        filled = {s.resource: s.filled_by for s in judged(wide, change).slots if s.role == "owner"}
        assert [bool(filled[name]) for name in filled] == [True, False]
    assert codes(wide.sign("owner-of-aurora", wide.propose("evaluator", ASSIGN))) == [Code.NO_APPROVING_ROLE]
    for who in ("owner-of-aurora", "reviewer-of-aurora"):
        wide.sign(who, alone)
    assert stored(wide, alone).state == "applied"


@pytest.mark.parametrize(("offset", "good"), [(-1, True), (0, False), (1, False)])
def test_a_grant_made_since_the_proposal(offset: int, good: bool, world: World) -> None:  # noqa: FBT001  # a table's column
    """A grant given at or after the change was proposed does not count for it; amending does not help."""
    change = world.propose("evaluator", ASSIGN)
    given = stored(world, change).proposed_position + offset
    grant = r.Grant("grants/97", "principals/auditor", "owner", "*", given_position=given)
    world.state = replace(world.state.put(grant), writes=())
    world.must("evaluator", c.RebaseChange(change, world.revised(change)))

    decided = world.sign("auditor", change, roles=["owner"])

    assert codes(decided) == ([] if good else [Code.GRANT_TOO_NEW])


def test_who_is_waited_for(world: World) -> None:
    """The inbox lists who could fill an open slot now, and nobody else."""
    change = world.propose("evaluator", ASSIGN)
    members = [m for m in world.cast if not m.startswith("recovery")]

    def waited() -> set[str]:
        at = max(world.now, world.state.time)
        return {
            m for m in members if waiting_for(world.policy, world.state, stored(world, change), f"principals/{m}", at)
        }

    owners = {"owner-a", "owner-b", "owner-of-m", "owner-a-again", "both", "everything-but-admin"}
    assert waited() == owners | {"reviewer-a", "reviewer-b"}
    world.sign("owner-a", change)
    assert waited() == {"reviewer-a", "reviewer-b", "both", "everything-but-admin"}
    world.sign("reviewer-a", change)
    assert waited() == set()


@pytest.mark.parametrize(
    ("reports", "conflict"),
    [
        ([("cannot_rule_out", True)], True),
        ([("cannot_rule_out", False)], False),
        ([("cannot_rule_out", True), ("reached", False)], True),
        ([("cannot_rule_out", False), ("reached", True)], True),
    ],
)
def test_what_a_confirmed_report_rests_on(reports: list[tuple[str, bool]], conflict: bool, world: World) -> None:  # noqa: FBT001  # a table's column
    """Who made the evidence of the report that is confirmed authors evidence that the change relies on."""
    theirs = world.upload("evaluator", "risk_report", authors=["reviewer-a"])
    for conclusion, by_theirs in reports:
        world.fire("evaluator", f.DeterminationReport(MISUSE, conclusion, evidence=(theirs,) if by_theirs else ()))
    document = world.upload("evaluator", "evaluation_results")
    change = world.propose("evaluator", f.DeterminationConfirm(MISUSE), evidence=[document])

    assert codes(world.sign("reviewer-a", change)) == ([Code.EVIDENCE_AUTHOR_CONFLICT] if conflict else [])
