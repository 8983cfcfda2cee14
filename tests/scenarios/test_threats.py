"""Threats of `docs/threats.md` whose tests stand nowhere else, each through a real server.

The table there names every test, and `tests/docs/test_threats.py` checks that each is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from interlock.v1 import (
    accountability_pb2,
    change_pb2,
    gate_pb2,
    hold_pb2,
    identity_pb2,
    model_pb2,
    policy_pb2,
    safeguard_pb2,
    trigger_pb2,
)
from tests.scenarios.test_insiders import attempts, hand_in, proposal, signed
from tests.support.newcomers import bring_in, give
from tests.support.people import People, refused, trigger
from tests.support.server import ServerThread, copy_of
from tests.support.world import SKETCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Install

CLOSE: Final = "interlock.v1.AccountabilityService/CloseIncident"


@pytest.fixture(scope="module")
def people(installations: Install, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Serve `minimal`."""
    data = copy_of(installations("minimal"), tmp_path_factory.mktemp("threats") / "data")
    with ServerThread(data) as server, People(server) as crowd:
        yield crowd


def test_a_stolen_monitor_token(people: People) -> None:
    """It degrades and suspends, which only tightens; it approves, lifts, restores and reads nothing else."""
    change = proposal(people, people.new_model())
    thief = people["monitor-bot"]

    with refused("NOT_ALLOWED"):
        thief.propose(give("monitor-bot", "owner"))
    with refused("NOT_ALLOWED"):
        hand_in(thief, change.name, signed(people, change))
    with refused("NOT_ALLOWED"):
        thief.holds.PlaceHold(hold_pb2.PlaceHoldRequest(target="-"))
    with refused("NOT_ALLOWED"):
        thief.models.ListModels(model_pb2.ListModelsRequest())
    with refused("NOT_ALLOWED"):
        thief.safeguards.StartSafeguard(safeguard_pb2.StartSafeguardRequest(name=people.new_model().filter))

    tried = {method.rpartition("/")[2] for method, _ in attempts(people, "monitor-bot")}
    assert tried >= {"ProposeChange", "SignOff", "PlaceHold", "StartSafeguard"}


def test_a_pack_with_a_key_twice(people: People) -> None:
    """A pack that could be read in two ways is not read: nobody is asked to sign for it."""
    twice = SKETCH.read_bytes().replace(b"version: ", b"version: '9.9'\nversion: ", 1)
    adopt = trigger_pb2.PolicyAdopt(policy="policies/minimal/versions/9.9", pack_digest=bytes(32))
    request = change_pb2.ProposeChangeRequest(
        triggers=[trigger(policy_adopt=adopt)],
        title="A small edit",
        pack=policy_pb2.PolicyPack(files=[policy_pb2.PolicyFile(path="policy.yaml", content=twice)]),
    )

    with refused("INVALID_FIELD") as said:
        people["evaluator"].changes.ProposeChange(request)
    assert said.fields == ("pack",)


def test_two_changes_of_which_the_second_was_signed_before_the_first(people: People) -> None:
    """Each would open nothing alone; the second is stale once the first was applied, whoever signed for it before."""
    subject = people.new_model()
    hold = people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model)).name
    report = people["evaluator"].upload("evaluation_results", b"twice")
    lift = trigger(hold_lift=trigger_pb2.HoldLift(hold=hold))
    first = people["evaluator"].propose(subject.rule_out(), subject.assign(), lift, evidence=[report.name])
    second = people["evaluator"].propose(lift, apply_separately=True)
    for change in (second, first):
        people["owner"].sign(change.name, "owner")
        people["reviewer"].sign(change.name, "reviewer")
    placed = people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model)).name

    with refused("STALE_BASE") as told:
        people["owner"].changes.ApplyChange(change_pb2.ApplyChangeRequest(name=second.name))

    assert "BASE_MOVED" in told.unmet
    said = people["release-bot"].gate.CheckRelease(
        gate_pb2.CheckReleaseRequest(model=subject.model, context="internal")
    )
    assert [reason.resource for reason in said.reasons] == [placed]


def test_a_lone_closer_of_a_blocking_incident(people: People) -> None:
    """Who may judge and mitigate it closes it alone no more than they lower it; nor does one signature."""
    subject = people.new_model()
    people.enact(
        subject.rule_out(), subject.assign(), evidence=[people["evaluator"].upload("evaluation_results", b"fine").name]
    )
    told = accountability_pb2.ReportIncidentRequest(
        target=subject.model, category="other", severity="critical", title="x"
    )
    incident = people["monitor-bot"].accountability.ReportIncident(told).name
    owner = people["owner"].accountability
    for severity in ("critical", "low"):
        request = accountability_pb2.TriageIncidentRequest(name=incident, severity=severity, reason="looked at")
        if severity == "critical":
            owner.TriageIncident(request)
            continue
        with refused("REQUIREMENTS_UNMET") as said:
            owner.TriageIncident(request)
        assert said.unmet == ("CHANGE_REQUIRED",)
    owner.MitigateIncident(accountability_pb2.MitigateIncidentRequest(name=incident, reason="switched off"))

    with refused("REQUIREMENTS_UNMET") as said:
        owner.CloseIncident(accountability_pb2.CloseIncidentRequest(name=incident, reason="done"))
    assert said.unmet == ("CHANGE_REQUIRED",)
    assert (CLOSE, ("CHANGE_REQUIRED",)) in attempts(people, "owner")
    close = trigger(incident_close=trigger_pb2.IncidentClose(incident=incident))
    change = people["evaluator"].propose(close)
    with refused("NOT_ALLOWED"):
        people["evaluator"].sign(change.name, "owner", "reviewer")
    people["owner"].sign(change.name, "owner")

    said_now = people["release-bot"].gate.CheckRelease(
        gate_pb2.CheckReleaseRequest(model=subject.model, context="internal")
    )
    assert [(row.code, row.resource) for row in said_now.reasons] == [("INCIDENT_OPEN", incident)]


def test_who_rejected_is_suspended_and_the_change_applied_by_hand(people: People) -> None:
    """Asking for it to be applied is refused with the reject that stands, and that is on record."""
    bring_in(people, "sceptic", roles=["owner"])
    change = proposal(people, people.new_model())
    people["sceptic"].sign(change.name, "owner", decision="reject")
    people["admin"].identity.SuspendPrincipal(identity_pb2.SuspendPrincipalRequest(name="principals/sceptic"))
    people["owner"].sign(change.name, "owner")
    people["reviewer"].sign(change.name, "reviewer")

    with refused("REQUIREMENTS_UNMET") as said:
        people["owner"].changes.ApplyChange(change_pb2.ApplyChangeRequest(name=change.name))

    assert said.unmet == ("SIGN_OFF_REJECTED",)
    assert ("interlock.v1.ChangeService/ApplyChange", ("SIGN_OFF_REJECTED",)) in attempts(people, "owner")
