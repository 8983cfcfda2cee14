"""Decide: the instant, the founding, who the actor is, and who may fire what."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import pytest

from interlock.proofs import keys
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import forms, rules, verdicts
from interlock.statemachine import resources as r
from interlock.statemachine.codec import encode_entry
from interlock.statemachine.decide import Accepted, decide
from interlock.statemachine.rights import CHANGE_APPLY, CHANGE_PROPOSE, EVIDENCE_UPLOAD
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.triggers import DIRECTIONS, Direction
from interlock.statemachine.unmet import Code, RefusalKind, Refused
from tests.support.world import Member, World, actor, cast_of, codes, public_of, sketch
from tests.unit.statemachine.firings import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Collection

ASSIGN = f.LevelAssign("models/m/levels/deployment", "basic")
TIGHTENING = {
    "model.retire", "model.record_run", "determination.report", "safeguard.degrade", "safeguard.suspend",
    "safeguard.retire", "hold.place", "interim_measure.end", "delegation.end", "incident.report", "incident.triage",
    "finding.confirm",
}  # fmt: skip
IDENTITY = {
    "principal.link", "principal.suspend", "principal.remove", "credential.revoke", "grant.end", "issuer.distrust",
}  # fmt: skip
ASSESSMENT = {"assessment.open", "assessment.conclude", "assessment.abandon"}
DUTIES = {"obligation.fulfil", "incident.mitigate", "incident.close", "finding.raise", "finding.dismiss"}
MAY = {
    "owner": TIGHTENING | DUTIES | {"level.confirm", "delegation.give"},
    "reviewer": TIGHTENING | DUTIES | {"level.confirm", "delegation.give"},
    "requester": {"model.register", "safeguard.start", "safeguard.verify"} | ASSESSMENT,
    "admin": {"hold.place", "safeguard.replan", "hold.everything", "delegation.end"} | IDENTITY,
    "monitor": {"safeguard.degrade", "safeguard.suspend", "incident.report", "finding.raise"},
    "release-tool": {"deployment.record", "deployment.end"},
    "auditor": set(),
    "evaluator": {"model.register", "determination.report"} | ASSESSMENT,
    "engineer": {"safeguard.start", "safeguard.verify"},
}


@pytest.fixture(scope="module")
def roles() -> World:
    """Return a world with one account a role, called after it, and a model."""
    world = World.found(sketch(), cast_of(World.found().policy))
    world.fire("requester", f.ModelRegister("models/m"))
    return world


@pytest.mark.parametrize("kind", get_args(f.Firing), ids=lambda kind: kind.trigger.value)
@pytest.mark.parametrize("role", sorted(MAY))
def test_rights_of_every_role_for_every_trigger(role: str, kind: type[f.Firing], roles: World) -> None:
    """Whoever lacks the right is not allowed, and nobody at all fires a loosening trigger."""
    decided = roles.decide(role, c.Fire(EXAMPLES[kind]))

    if DIRECTIONS[kind.trigger] is Direction.LOOSENS:
        assert codes(decided) == [Code.CHANGE_REQUIRED]
    else:
        assert (Code.RIGHT_MISSING in codes(decided)) == (kind.trigger.value not in MAY[role])


@pytest.mark.parametrize("role", sorted(MAY))
def test_a_hold_on_everything_is_its_own_right(role: str, roles: World) -> None:
    """Only who may hold everything does; a hold on a model is another right."""
    decided = roles.decide(role, c.Fire(f.HoldPlace(EVERYTHING)))

    assert codes(decided) == ([] if "hold.everything" in MAY[role] else [Code.RIGHT_MISSING])


def test_every_tightening_and_neutral_trigger_has_someone(roles: World) -> None:
    """No trigger of one person is left without a role that may fire it."""
    fired = set().union(*MAY.values())

    assert {t.value for t, d in DIRECTIONS.items() if d is not Direction.LOOSENS} <= fired
    assert {role for role in roles.policy.roles if role in MAY} == set(MAY)


OTHER_COMMANDS: dict[str, tuple[c.Command, Collection[str]]] = {
    EVIDENCE_UPLOAD: (
        c.RecordEvidence("risk_report", bytes(32), "text/plain", "00" * 32, 0, (), 1, 0, "internal", "", ""),
        {"owner", "reviewer", "requester", "evaluator", "engineer"},
    ),
    CHANGE_PROPOSE: (c.ProposeChange(b"\x08"), {"requester", "evaluator", "engineer"}),
    CHANGE_APPLY: (c.ApplyApprovedChange("changes/1"), {"owner", "reviewer", "requester"}),
}


@pytest.mark.parametrize("role", sorted(MAY))
@pytest.mark.parametrize("right", sorted(OTHER_COMMANDS))
def test_rights_to_other_commands(right: str, role: str, roles: World) -> None:
    """Uploading, proposing and applying take a right each."""
    world = roles.fork()
    world.propose("requester", ASSIGN)
    command, allowed = OTHER_COMMANDS[right]

    decided = world.decide(role, command)

    assert (Code.RIGHT_MISSING in codes(decided)) == (role not in allowed)


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (actor("nobody"), Code.PRINCIPAL_INACTIVE),
        (c.SYSTEM, Code.PRINCIPAL_INACTIVE),
        (c.Actor("models/m", "x"), Code.PRINCIPAL_INACTIVE),
        (c.Actor("log", "x"), Code.PRINCIPAL_INACTIVE),
        (c.Actor("", ""), Code.PRINCIPAL_INACTIVE),
        (c.Actor("principals/owner-a", ""), Code.CREDENTIAL_INACTIVE),
        (c.Actor("principals/owner-a", actor("owner-b").credential), Code.CREDENTIAL_INACTIVE),
        (
            c.Actor("principals/owner-a", keys.fingerprint(public_of("principals/owner-a", "signoff"))),
            Code.CREDENTIAL_INACTIVE,
        ),
        (
            c.Actor("principals/recovery-1", keys.fingerprint(public_of("principals/recovery-1", "recovery"))),
            Code.CREDENTIAL_INACTIVE,
        ),
    ],
)
def test_the_actor_is_an_active_account_with_its_own_login_key(who: c.Actor, code: Code, world: World) -> None:
    """Unknown accounts, the system, other people's keys and keys for another use are not allowed."""
    decided = world.decide(who, c.Fire(f.HoldPlace("models/m")))

    assert isinstance(decided, Refused)
    assert (decided.kind, codes(decided)) == (RefusalKind.NOT_ALLOWED, [code])


@pytest.mark.parametrize("state", ["invited", "suspended", "removed"])
def test_an_account_that_is_not_active_does_nothing(state: str, world: World) -> None:
    """An account in any state but active is refused everything, refused attempts included."""
    account = world.state.need("principals/owner-a", r.Principal)
    world.state = replace(world.state.put(replace(account, state=state)), writes=())

    for command in (c.Fire(f.HoldPlace("models/m")), c.AttemptRefused("m", bytes(32), ())):
        assert codes(world.decide("owner-a", command)) == [Code.PRINCIPAL_INACTIVE]


def test_a_revoked_key_does_nothing(world: World) -> None:
    """A login key that is no longer active is refused."""
    account = world.state.need("principals/owner-a", r.Principal)
    revoked = tuple(replace(key, state="revoked") for key in account.credentials)
    world.state = replace(world.state.put(replace(account, credentials=revoked)), writes=())

    assert codes(world.decide("owner-a", c.Fire(f.HoldPlace("models/m")))) == [Code.CREDENTIAL_INACTIVE]


SCOPES = [
    ("*", "models/aurora-4", True),
    ("aurora-*", "models/aurora-4", True),
    ("aurora-*", "models/aurora", False),
    ("aurora-*", "models/borealis", False),
    ("aurora-?", "models/aurora-4", True),
    ("aurora-?", "models/aurora-40", False),
    ("aurora-4", "models/aurora-4", True),
    ("aurora", "models/aurora-4", False),
    ("*-4", "models/aurora-4", True),
    ("models", "models/aurora-4", False),
    ("**", "models/aurora-4", True),
]


@pytest.mark.parametrize(("scope", "model", "covered"), SCOPES)
def test_scopes(scope: str, model: str, covered: bool) -> None:  # noqa: FBT001  # a table's column
    """A right counts for the models that the grant's pattern matches, by their whole id."""
    world = World.found(cast=[*_RECOVERY, Member("e", (("evaluator", scope),)), Member("all", (("requester", "*"),))])

    decided = world.decide("e", c.Fire(f.ModelRegister(model)))

    assert codes(decided) == ([] if covered else [Code.RIGHT_MISSING])


_RECOVERY = (Member("recovery-1", recovery=True), Member("recovery-2", recovery=True))


@pytest.mark.parametrize("scope", ["**", "*?", "?*", "aurora-*", "everything"])
def test_only_the_star_covers_what_is_no_models(scope: str) -> None:
    """Holds on everything and shared safeguards need scope ``*`` exactly."""
    world = World.found(cast=[*_RECOVERY, Member("a", (("admin", scope),)), Member("b", (("admin", "*"),))])

    assert codes(world.decide("a", c.Fire(f.HoldPlace(EVERYTHING)))) == [Code.RIGHT_MISSING]
    assert codes(world.decide("b", c.Fire(f.HoldPlace(EVERYTHING)))) == []


def test_a_right_on_a_shared_safeguard_needs_everything(wide_world: World) -> None:
    """Whoever may start safeguards of some models may not start a shared one."""
    decided = wide_world.decide("engineer-of-aurora", c.Fire(f.SafeguardStart("safeguards/classifier")))

    assert codes(decided) == [Code.RIGHT_MISSING]
    assert codes(wide_world.decide("engineer", c.Fire(f.SafeguardStart("safeguards/classifier")))) == []


def test_a_grant_ends(world: World) -> None:
    """A grant counts until its end, and not at it."""
    grant = next(g for g in world.state.grants("principals/owner-a"))
    world.fire("evaluator", f.ModelRegister("models/m"))
    world.state = replace(world.state.put(replace(grant, until=world.state.time + 10)), writes=())
    hold = c.Fire(f.HoldPlace("models/m"))

    before = world.decide("owner-a", hold, instant=world.state.time + 9)
    after = world.decide("owner-a", hold, instant=world.state.time + 10)

    assert (codes(before), codes(after)) == ([], [Code.RIGHT_MISSING])


@pytest.mark.parametrize("behind", [0, 1, 10**9])
def test_time_moves_on(behind: int, world: World) -> None:
    """An entry is later than the one before it."""
    decided = world.decide("admin", c.Fire(f.HoldPlace(EVERYTHING)), instant=world.state.time - behind)

    assert codes(decided) == [Code.TIME_ORDER]


@pytest.mark.parametrize("instant", [forms.LAST_INSTANT + 1, 2**53, 2**62])
def test_an_instant_beyond_all_bounds_is_refused(instant: int, world: World) -> None:
    """Found by `make mutation`: a recorded decision at such an instant raised, for JSON can't hold its times."""
    asked = c.RecordDecision("models/m", "api", "0" * 64, allowed=True, statement_digest=bytes(32))
    facts = c.Facts(instant, (), verdicts.SERVING)

    decided = decide(rules.current(), world.policy, world.state, asked, facts, actor("release-bot"))

    assert codes(decided) == [Code.TIME_ORDER]


def test_the_instant_is_the_entrys_time(world: World) -> None:
    """Entry, facts and the state after agree about when."""
    decided = world.decide("admin", c.Fire(f.HoldPlace(EVERYTHING)), instant=world.state.time + 1)

    assert isinstance(decided, Accepted)
    assert decided.entry.time == decided.entry.facts.instant == decided.state.time == world.state.time + 1


@pytest.mark.parametrize("command", [c.Genesis(b""), c.CloseGenesis()])
@pytest.mark.parametrize("who", [c.SYSTEM, actor("admin")])
def test_no_founding_after_the_founding(command: c.Command, who: c.Actor, world: World) -> None:
    """Genesis entries are refused once the founding is closed, whoever comes with them."""
    assert codes(world.decide(who, command)) == [Code.GENESIS]


@pytest.mark.parametrize(
    "command",
    [c.Fire(f.HoldPlace(EVERYTHING)), c.ProposeChange(b""), c.AttemptRefused("m", bytes(32), ()), c.CloseGenesis()],
)
def test_nothing_before_the_founding(command: c.Command) -> None:
    """Position 0 takes a genesis and nothing else."""
    empty = World(World.found().policy, {})

    assert codes(empty.decide(c.SYSTEM, command)) == [Code.GENESIS]
    assert codes(empty.decide("admin", command)) == [Code.GENESIS]


@pytest.mark.parametrize("command", [c.Fire(f.HoldPlace(EVERYTHING)), c.SubmitChange("changes/1")])
def test_envelopes_stand_only_where_they_are_read(command: c.Command, world: World) -> None:
    """An envelope that nobody checks does not get among the facts of an entry."""
    assert codes(world.decide("admin", command, envelopes=(b"{}",))) == [Code.MALFORMED]


def test_prev_links_each_resource_to_its_last_entry(world: World) -> None:
    """An entry names for each resource that it writes the position of the one before, sorted."""
    world.fire("evaluator", f.ModelRegister("models/m"))
    world.fire("evaluator", f.AssessmentOpen("models/m", ("misuse",)))
    first = world.state.position("assessments/1")
    name = "models/m/determinations/misuse"

    world.fire("evaluator", f.DeterminationReport(name, "reached", "assessments/1"))

    assert world.entries[-1].prev == (("assessments/1", first), (name, -1))


def test_a_settled_firing_is_an_entry_that_moves_nothing(world: World) -> None:
    """A tightening that finds its state there is recorded, with no transition and no resource written."""
    world.fire("evaluator", f.ModelRegister("models/m"))
    world.fire("owner-a", f.ModelRetire("models/m"))
    before = world.state

    decided = world.fire("owner-b", f.ModelRetire("models/m"))

    assert isinstance(decided, Accepted)
    assert (decided.entry.transitions, decided.entry.prev) == ((), ())
    assert decided.state.items == before.items


def test_a_refused_attempt_moves_nothing(world: World) -> None:
    """An attempt is an entry that writes nothing, by whoever is active."""
    decided = world.attempt("auditor", c.AttemptRefused("service/Method", bytes(32), ("RIGHT_MISSING",)))

    assert isinstance(decided, Accepted)
    assert (decided.entry.transitions, decided.entry.prev) == ((), ())


def test_a_refusal_changes_nothing(world: World) -> None:
    """The state that was decided on is the same value afterwards."""
    before, items = world.state, dict(world.state.items)

    world.decide("auditor", c.Fire(f.HoldPlace(EVERYTHING)))

    assert world.state is before
    assert dict(world.state.items) == items


def test_decide_says_the_same_twice(world: World) -> None:
    """The same question has the same answer, byte for byte."""
    first, second = (world.decide("admin", c.Fire(f.HoldPlace(EVERYTHING))) for _ in range(2))

    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert encode_entry(first.entry) == encode_entry(second.entry)
    assert first.state == second.state


@pytest.mark.parametrize(
    ("trigger", "safeguard", "ruled"),
    [("verify", "weights-lock", True), ("verify", "input-filter", False), ("start", "weights-lock", False)],
)
def test_a_neutral_trigger_that_a_rule_names_needs_a_change(
    trigger: str,
    safeguard: str,
    ruled: bool,  # noqa: FBT001  # a table's column
    wide_world: World,
) -> None:
    """Regression: a rule narrowed to one standard was not seen when one person fired its neutral trigger."""
    wide_world.fire("evaluator", f.ModelRegister("models/m"))
    name = f"models/m/safeguards/{safeguard}"
    firing = f.SafeguardStart(name) if trigger == "start" else f.SafeguardVerify(name)

    decided = wide_world.decide("engineer", c.Fire(firing))

    assert (Code.CHANGE_REQUIRED in codes(decided)) == ruled
