"""Every kind of fact that a tainted change can have given: denied once that is learned, cleared by a ratification.

Each case has two people give a fact anew on a released model, one of whom turns out to have lost their key before.
Nothing that is learned turns a DENY into an ALLOW, and what is learned after the ratification changes nothing any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from interlock.proofs import keys
from interlock.statemachine import codec, drafting, rules
from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.decide import Accepted
from interlock.statemachine.unmet import Code
from tests.properties.moves import mending, ratifying
from tests.support.log_keys import rotation
from tests.support.versions import version
from tests.support.world import DAY_US, SKETCH, World, codes, public_of, sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL: Final = "models/m"
MISUSE: Final = f"{MODEL}/determinations/misuse"
LEVEL: Final = f"{MODEL}/levels/deployment"
FILTER: Final = f"{MODEL}/safeguards/input-filter"
WEIGHTS: Final = sha256_of("other weights")
PERIOD: Final = "obligations/quarterly-report/periods/1"
OTHERS: Final = ("owner-b", "reviewer-b")
PACK: Final = (
    SKETCH.read_bytes()
    .replace(b"blocking: false", b"blocking: true")
    .replace(b"triggers: [hold.lift]", b"triggers: [hold.lift, safeguard.restore, safeguard.resume]")
)


@pytest.fixture(scope="module")
def _released() -> World:
    world = World.found({"policy.yaml": PACK})
    world.fire("evaluator", f.ModelRegister(MODEL))
    world.fire("evaluator", f.DeterminationReport(MISUSE, "cannot_rule_out"))
    for context in (*world.policy.contexts, *world.policy.contexts):
        firings = mending(world, MODEL, context.id, lambda kind: world.upload("evaluator", kind))
        if firings:
            world.enact(*firings, evidence=[world.upload("engineer", "evaluation_results")])
    return world


@pytest.fixture
def world(_released: World) -> World:
    """Return a world whose model is released everywhere, by changes that owner-a and reviewer-a signed."""
    return _released.fork()


def others(world: World, *firings: f.Firing) -> str:
    """Have a change signed by two others than those who released the model, with a document; return its name."""
    return world.enact(*firings, signers=OTHERS, evidence=[world.upload("engineer", "evaluation_results")])


def alone(world: World, who: str, firing: f.Firing) -> None:
    """Have one person fire a trigger."""
    assert isinstance(world.fire(who, firing), Accepted)


# How each fact is given anew -----------------------------------------------------------------------------------------


def conclusion(world: World) -> str:
    """Rule the threshold out."""
    alone(world, "evaluator", f.DeterminationReport(MISUSE, "cannot_rule_out"))
    return others(world, f.DeterminationRuleOut(MISUSE))


def confirmation(world: World) -> str:
    """Confirm what one person reported."""
    alone(world, "evaluator", f.DeterminationReport(MISUSE, "cannot_rule_out"))
    return others(world, f.DeterminationConfirm(MISUSE))


def lapse_instant(world: World) -> str:
    """Look at a determination that has lapsed again; the safeguard is attested and a report handed in before that."""
    world.wait(100 * DAY_US)
    world.enact(f.SafeguardReattest(FILTER, (world.upload("evaluator", "red_team_report"),)))
    world.wait(85 * DAY_US)
    for number in (1, 2):
        report = world.upload("evaluator", "risk_report")
        world.enact(f.ObligationFulfil(f"obligations/quarterly-report/periods/{number}", (report,)))
    return others(world, f.DeterminationRuleOut(MISUSE))


def level(world: World) -> str:
    """Raise the level again, after others lowered it."""
    world.enact(f.LevelLower(LEVEL, "basic"))
    return others(world, f.LevelRaise(LEVEL, "guarded"))


def activation(world: World) -> str:
    """Make the safeguard anew, and activate it."""
    alone(world, "owner-a", f.SafeguardSuspend(FILTER))
    alone(world, "admin", f.SafeguardReplan(FILTER))
    alone(world, "engineer", f.SafeguardStart(FILTER))
    alone(world, "engineer", f.SafeguardVerify(FILTER, (world.upload("engineer", "red_team_report"),)))
    return others(world, f.SafeguardActivate(FILTER))


def attestation(world: World) -> str:
    """Attest the safeguard anew."""
    return others(world, f.SafeguardReattest(FILTER, (world.upload("evaluator", "red_team_report"),)))


def remembered_state(world: World) -> str:
    """Make it anew as above; it is suspended since, and returns by what was remembered."""
    given = activation(world)
    alone(world, "owner-a", f.SafeguardSuspend(FILTER))
    world.enact(f.SafeguardResume(FILTER))
    return given


def resumption(world: World) -> str:
    """End a suspension."""
    alone(world, "owner-a", f.SafeguardSuspend(FILTER))
    return others(world, f.SafeguardResume(FILTER))


def artifact(world: World) -> str:
    """Add an artifact; the threshold is looked at again for it, by those whose words count."""
    given = others(world, f.ModelAddArtifact(MODEL, WEIGHTS))
    world.enact(f.DeterminationConfirm(MISUSE), evidence=[world.upload("engineer", "evaluation_results")])
    return given


def lift(world: World) -> str:
    """Lift a hold."""
    alone(world, "owner-a", f.HoldPlace(MODEL))
    return others(world, f.HoldLift("holds/1"))


def lift_of_everything(world: World) -> str:
    """Lift a hold on everything."""
    alone(world, "admin", f.HoldPlace("-"))
    return others(world, f.HoldLift("holds/1"))


def waiver(world: World) -> str:
    """Waive what is overdue."""
    world.wait(91 * DAY_US)
    return others(world, f.ObligationWaive(PERIOD, world.now + 40 * DAY_US))


def fulfilment(world: World) -> str:
    """Fulfil what is overdue."""
    world.wait(91 * DAY_US)
    return others(world, f.ObligationFulfil(PERIOD, (world.upload("evaluator", "risk_report"),)))


def closing(world: World) -> str:
    """Close an incident that blocks."""
    alone(world, "owner-a", f.IncidentReport(MODEL, "other", "serious"))
    alone(world, "owner-a", f.IncidentTriage("incidents/1", "serious"))
    return others(world, f.IncidentClose("incidents/1"))


def lower_severity(world: World) -> str:
    """Say of an incident that it is a small one."""
    alone(world, "owner-a", f.IncidentReport(MODEL, "other", "serious"))
    alone(world, "owner-a", f.IncidentTriage("incidents/1", "serious"))
    return others(world, f.IncidentTriage("incidents/1", "low"))


def dismissal(world: World) -> str:
    """Dismiss a finding that blocks."""
    alone(world, "owner-a", f.FindingRaise(MODEL, "serious"))
    alone(world, "owner-a", f.FindingConfirm("findings/1"))
    return others(world, f.FindingDismiss("findings/1"))


def grant(world: World) -> str:
    """Give a role, in which somebody signs what opens the gate."""
    given = others(world, f.GrantGive("principals/engineer", "owner", "*"))
    alone(world, "owner-a", f.HoldPlace(MODEL))
    world.enact(f.HoldLift("holds/1"), signers=("engineer", "reviewer-a"))
    return given


def adoption_by_a_granted_role(world: World) -> str:
    """Give a role, in which somebody signs a policy into force."""
    given = others(world, f.GrantGive("principals/engineer", "owner", "*"))
    world.adopt(version(of={"policy.yaml": PACK}), signers=("engineer", "reviewer-a"))
    return given


def credential(world: World) -> str:
    """Register a key, with which somebody signs what opens the gate."""
    new = f.PrincipalCreate("principals/newcomer", "human", "persons/new")
    world.enact(new, world.registration("newcomer", "login"), f.GrantGive("principals/newcomer", "owner", "*"))
    given = others(world, world.registration("newcomer"))
    alone(world, "owner-a", f.HoldPlace(MODEL))
    world.enact(f.HoldLift("holds/1"), signers=("newcomer", "reviewer-a"))
    return given


def restored_account(world: World) -> str:
    """Bring an account back, by which somebody signs what opens the gate."""
    alone(world, "admin", f.PrincipalSuspend("principals/both"))
    given = others(world, f.PrincipalRestore("principals/both"))
    alone(world, "owner-a", f.HoldPlace(MODEL))
    world.enact(f.HoldLift("holds/1"), signers=("both", "reviewer-a"))
    return given


def lent_role(world: World) -> str:
    """Give a role, which its holder lends to who signs what opens the gate."""
    given = others(world, f.GrantGive("principals/evaluator", "owner", "*"))
    world.delegate("evaluator", "owner", "engineer")
    world.enact(f.GrantGive("principals/auditor", "requester", "*"))
    alone(world, "owner-a", f.HoldPlace(MODEL))
    change = world.propose("auditor", f.HoldLift("holds/1"))
    assert isinstance(world.sign("engineer", change, on_behalf_of="evaluator", roles=["owner"]), Accepted)
    assert isinstance(world.sign("reviewer-a", change), Accepted)
    return given


def policy_version(world: World) -> str:
    """Put another version of the policy in force."""
    return world.adopt(version(of={"policy.yaml": PACK}), signers=OTHERS)


def judged_by_a_version(world: World) -> str:
    """Put another version in force, by whose rule fewer sign what opens the gate."""
    slots = "- {role: owner, distinct_from: [requester]}\n    - {role: rev"
    fewer = version((slots, "- {role: reviewer}\n    - {role: rev"), of={"policy.yaml": PACK})
    given = world.adopt(fewer, signers=OTHERS)
    alone(world, "owner-a", f.HoldPlace(MODEL))
    world.enact(f.HoldLift("holds/1"), signers=("reviewer-a", "both"))
    return given


def measure(world: World) -> str:
    """Put an interim measure in the place of a safeguard that is degraded."""
    alone(world, "owner-a", f.SafeguardDegrade(FILTER))
    until = world.now + 40 * DAY_US
    return others(world, f.InterimMeasurePutInForce(MODEL, ("input-filter",), ("api",), until))


def exception(world: World) -> str:
    """Use break-glass on a safeguard that is degraded."""
    alone(world, "owner-a", f.SafeguardDegrade(FILTER))
    name, end = world.state.next_name("changes"), world.now + DAY_US // 2
    content = drafting.draft(
        rules.current(), world.policy, world.state, name=name, revision=1,
        triggers=(f.BreakGlassOpen(FILTER, end),), texts=(("summary", bytes(32)),),
    )  # fmt: skip
    assert isinstance(content, e.Content), content
    world.must("evaluator", c.ProposeChange(codec.encode_content(content)))
    for who in OTHERS:
        assert isinstance(world.sign(who, name), Accepted)
    return name


def log_key(world: World) -> str:
    """Rotate the log's key."""
    return others(world, rotation())


FACTS: Final[dict[str, tuple[Callable[[World], str], str]]] = {
    "conclusion": (conclusion, MISUSE),
    "confirmation": (confirmation, MISUSE),
    "lapse instant": (lapse_instant, MISUSE),
    "level": (level, LEVEL),
    "activation": (activation, FILTER),
    "attestation": (attestation, FILTER),
    "remembered state": (remembered_state, FILTER),
    "resumption": (resumption, FILTER),
    "artifact": (artifact, f"{MODEL}/artifacts/{WEIGHTS}"),
    "lift": (lift, "holds/1"),
    "lift of a hold on everything": (lift_of_everything, "holds/1"),
    "waiver": (waiver, PERIOD),
    "fulfilment": (fulfilment, PERIOD),
    "closing": (closing, "incidents/1"),
    "severity": (lower_severity, "incidents/1"),
    "dismissal": (dismissal, "findings/1"),
    "grant": (grant, "holds/1"),
    "grant, and a policy signed by it": (adoption_by_a_granted_role, "policies/minimal/versions/2.0"),
    "credential": (credential, "holds/1"),
    "account": (restored_account, "holds/1"),
    "delegation": (lent_role, "holds/1"),
    "policy version": (policy_version, "policies/minimal/versions/2.0"),
    "policy version, and a rule of it": (judged_by_a_version, "holds/1"),
    "interim measure": (measure, "interimMeasures/1"),
    "exception": (exception, "exceptions/1"),
    "log key": (log_key, "log"),
}
"""Each fact with how it is given, and the resource that the gate names."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the gate says on the one question that every case is about."""

    world: World
    resource: str

    @property
    def reasons(self) -> list[tuple[int, Code, str]]:
        """Rule, code and resource of each reason."""
        weights = WEIGHTS if "/artifacts/" in self.resource else ""
        found = self.world.verdict(MODEL, "api", weights).reasons
        return [(row.rule, row.code, row.resource) for row in found]

    def everywhere(self) -> dict[str, bool]:
        """Return whether each context allows."""
        return {place.id: self.world.verdict(MODEL, place.id).allowed for place in self.world.policy.contexts}


def lose(world: World, who: str, change: str) -> None:
    """Learn that somebody's key was lost before a change was proposed."""
    fingerprint = keys.fingerprint(public_of(f"principals/{who}", "signoff"))
    since = world.state.need(change, r.Change).proposed_at
    alone(world, "admin", f.CredentialRevoke(f"principals/{who}/credentials/{fingerprint}", since))


def opened(before: dict[str, bool], after: dict[str, bool]) -> list[str]:
    """Return where a DENY became an ALLOW."""
    return [place for place in before if after[place] and not before[place]]


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_of_a_tainted_change_denies_until_it_is_ratified(fact: str, world: World) -> None:
    """Denied by rule 8 and by nothing else; cleared by the rule of that day; nothing loosens on the way."""
    give, resource = FACTS[fact]
    change = give(world)
    asked = Asked(world, resource)
    assert asked.reasons == []
    before = asked.everywhere()

    lose(world, "owner-b", change)

    reasons = asked.reasons
    assert (8, Code.TAINTED, resource) in reasons
    assert {(rule, code) for rule, code, _ in reasons} == {(8, Code.TAINTED)}
    assert change in world.state.tainted.values()
    assert not opened(before, asked.everywhere())

    document = world.upload("engineer", "evaluation_results")
    asking = world.propose("evaluator", ratifying(world, change), evidence=[document])
    assert codes(world.sign("owner-b", asking)) == [Code.SIGN_OFF_KEY]
    for who in ("owner-a", "reviewer-a"):
        assert isinstance(world.sign(who, asking), Accepted)
    assert asked.reasons == []
    assert not world.state.tainted

    lose(world, "reviewer-b", change)
    assert asked.reasons == []
    twice = world.attempt("evaluator", c.ProposeChange(world.content(ratifying(world, change))))
    assert Code.NOT_TAINTED in codes(twice)


def test_every_kind_of_fact_is_here() -> None:
    """The design's list, to the word."""
    listed = (
        "conclusion, confirmation, lapse instant, level, activation, attestation, remembered state, artifact, lift, "
        "waiver, grant, credential, policy version"
    )

    assert set(listed.split(", ")) <= set(FACTS)


def test_a_fact_of_two_that_are_linked_and_parted(world: World) -> None:
    """Linked, both words are one and the fact denies; parted by others it stands; by a tainted change it does not."""
    change = lift(world)
    asked = Asked(world, "holds/1")
    alone(world, "admin", f.PrincipalLink("principals/owner-b", "principals/reviewer-b"))
    assert asked.reasons == [(8, Code.TAINTED, "holds/1")]

    parted = world.enact(f.PrincipalUnlink("principals/reviewer-b", "persons/parted"), signers=("both", "reviewer-a"))
    assert asked.reasons == []

    lose(world, "both", parted)
    assert asked.reasons == [(8, Code.TAINTED, "holds/1")]
    assert set(world.state.tainted.values()) == {change, parted}
