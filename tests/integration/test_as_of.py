"""Time travel through the real server: every resource as it was, at a position or a time, judged at that instant."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from interlock.client.sdk import Interlock
from interlock.v1 import (
    assessment_pb2,
    audit_pb2,
    change_pb2,
    evidence_pb2,
    hold_pb2,
    identity_pb2,
    ledger_pb2,
    policy_pb2,
    safeguard_pb2,
    trigger_pb2,
)
from tests.integration.cli_runner import Cli, command_line
from tests.support.people import People, Subject, refused, trigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.server import ServerThread


@dataclass(frozen=True, slots=True)
class Story:
    """A model that was held, ruled out, given a level and let go of again."""

    subject: Subject
    hold: str
    change: str
    lift: str
    evidence: str
    assessment: str
    positions: dict[str, int]


@pytest.fixture(scope="module")
def people(shared_server: ServerThread) -> Iterator[People]:
    """Give everybody of one server."""
    with People(shared_server) as everybody:
        yield everybody


@pytest.fixture(scope="module")
def story(people: People) -> Story:
    """Tell the story once; each step's name is that of the position after it."""
    positions: dict[str, int] = {}

    def mark(step: str) -> None:
        positions[step] = people["auditor"].checkpoint().size - 1

    subject = people.new_model()
    mark("registered")
    hold = people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model, reason="odd outputs"))
    mark("held")
    opened = people["evaluator"].assessments.OpenAssessment(
        assessment_pb2.OpenAssessmentRequest(model=subject.model, thresholds=["misuse"], reason="first")
    )
    mark("opened")
    document = people["evaluator"].upload("evaluation_results", subject.model.encode(), title="What we saw")
    people["evaluator"].assessments.ReportDetermination(
        assessment_pb2.ReportDeterminationRequest(
            name=subject.determination,
            conclusion=trigger_pb2.CONCLUSION_CANNOT_RULE_OUT,
            assessment=opened.name,
            evidence=[document.name],
        )
    )
    mark("reported")
    people["evaluator"].assessments.ConcludeAssessment(
        assessment_pb2.ConcludeAssessmentRequest(name=opened.name, reports=[])
    )
    people["engineer"].safeguards.StartSafeguard(safeguard_pb2.StartSafeguardRequest(name=subject.filter))
    mark("started")
    people["admin"].safeguards.ReplanSafeguard(
        safeguard_pb2.ReplanSafeguardRequest(name=subject.filter, reason="another vendor")
    )
    change = people["evaluator"].propose(subject.rule_out(), subject.assign(), evidence=[document.name])
    mark("proposed")
    people["owner"].sign(change.name, "owner")
    people["reviewer"].sign(change.name, "reviewer")
    mark("applied")
    lift = people.enact(trigger(hold_lift=trigger_pb2.HoldLift(hold=hold.name)))
    mark("lifted")
    return Story(subject, hold.name, change.name, lift.name, document.name, opened.name, positions)


def time_of(people: People, position: int) -> Timestamp:
    """Return when an entry was made."""
    record = people["auditor"].audit.GetEntry(audit_pb2.GetEntryRequest(name=f"entries/{position}"))
    made = Timestamp()
    made.FromMicroseconds(ledger_pb2.LedgerEntry.FromString(record.entry).time)
    return made


def both(people: People, step: int, ask: Callable[..., Any]) -> Any:  # noqa: ANN401  # any resource
    """Ask for a position, and for the time of its entry: the answers are the same."""
    by_position, by_time = ask(position=step), ask(time=time_of(people, step))
    assert by_position == by_time
    return by_position


def test_a_hold_is_placed_until_it_is_lifted(people: People, story: Story) -> None:
    """The hold then, with its reason; one that was not placed yet is not found."""

    def ask(**when: Any) -> hold_pb2.Hold:  # noqa: ANN401  # position or time
        found: hold_pb2.Hold = people["auditor"].holds.GetHold(hold_pb2.GetHoldRequest(name=story.hold, **when))
        return found

    then = both(people, story.positions["applied"], ask)
    assert (then.placed, then.reason, then.position) == (True, "odd outputs", story.positions["held"])
    assert not both(people, story.positions["lifted"], ask).placed
    with refused("NOT_FOUND"):
        ask(position=story.positions["registered"])


def test_a_listing_of_holds_is_of_that_moment(people: People, story: Story) -> None:
    """Which holds stood then, not which stand now."""

    def placed(step: str) -> list[str]:
        request = hold_pb2.ListHoldsRequest(model=story.subject.model, placed_only=True, position=story.positions[step])
        return [row.name for row in people["auditor"].holds.ListHolds(request).holds]

    assert placed("registered") == []
    assert placed("held") == placed("applied") == [story.hold]
    assert placed("lifted") == []


def test_a_safeguard_is_where_it_was(people: People, story: Story) -> None:
    """Implementing between the two entries that moved it, planned before and after."""

    def ask(**when: Any) -> safeguard_pb2.Safeguard:  # noqa: ANN401  # position or time
        request = safeguard_pb2.GetSafeguardRequest(name=story.subject.filter, **when)
        found: safeguard_pb2.Safeguard = people["auditor"].safeguards.GetSafeguard(request)
        return found

    states = [both(people, story.positions[step], ask).state for step in ("reported", "started", "proposed")]

    assert states == [
        safeguard_pb2.SAFEGUARD_STATE_PLANNED,
        safeguard_pb2.SAFEGUARD_STATE_IMPLEMENTING,
        safeguard_pb2.SAFEGUARD_STATE_PLANNED,
    ]


def test_a_change_is_unsigned_before_it_was_signed(people: People, story: Story) -> None:
    """In review with everything that was unmet then; applied with its sign-offs later."""

    def ask(**when: Any) -> change_pb2.Change:  # noqa: ANN401  # position or time
        found: change_pb2.Change = people["auditor"].changes.GetChange(
            change_pb2.GetChangeRequest(name=story.change, **when)
        )
        return found

    before, after = (both(people, story.positions[step], ask) for step in ("proposed", "applied"))

    assert before.state == change_pb2.CHANGE_STATE_IN_REVIEW
    assert {row.code for row in before.unmet} == {"SIGN_OFF_MISSING"}
    assert not before.sign_offs
    assert after.state == change_pb2.CHANGE_STATE_APPLIED
    assert [row.signer for row in after.sign_offs] == ["principals/owner", "principals/reviewer"]


def test_a_determination_and_its_assessment_are_what_was_known(people: People, story: Story) -> None:
    """Undetermined, then reported, then ruled out; an open assessment is open then, however it ended."""
    assessments = people["auditor"].assessments

    def determined(**when: Any) -> Any:  # noqa: ANN401  # a message
        request = assessment_pb2.GetDeterminationRequest(name=story.subject.determination, **when)
        return assessments.GetDetermination(request)

    def assessed(**when: Any) -> Any:  # noqa: ANN401  # a message
        return assessments.GetAssessment(assessment_pb2.GetAssessmentRequest(name=story.assessment, **when))

    at = story.positions
    found = [both(people, at[step], determined) for step in ("opened", "reported", "applied")]

    assert [row.conclusion for row in found] == [
        trigger_pb2.CONCLUSION_UNSPECIFIED,
        trigger_pb2.CONCLUSION_CANNOT_RULE_OUT,
        trigger_pb2.CONCLUSION_RULED_OUT,
    ]
    assert [row.confirmed for row in found] == [False, False, True]
    assert both(people, at["opened"], assessed).state == assessment_pb2.ASSESSMENT_STATE_OPEN
    assert both(people, at["started"], assessed).state == assessment_pb2.ASSESSMENT_STATE_CONCLUDED


def test_a_record_an_account_and_a_policy_are_of_that_moment(people: People, story: Story) -> None:
    """Documents, principals and the policy in force answer for the past as well."""
    auditor, at = people["auditor"], story.positions

    def document(**when: Any) -> Any:  # noqa: ANN401  # a message
        return auditor.evidence.GetEvidence(evidence_pb2.GetEvidenceRequest(name=story.evidence, **when))

    def account(**when: Any) -> Any:  # noqa: ANN401  # a message
        return auditor.identity.GetPrincipal(identity_pb2.GetPrincipalRequest(name="principals/owner", **when))

    def policy(**when: Any) -> Any:  # noqa: ANN401  # a message
        return auditor.policies.GetPolicy(policy_pb2.GetPolicyRequest(name="policies/-", **when))

    assert both(people, at["reported"], document).title == "What we saw"
    with refused("NOT_FOUND"):
        document(position=at["opened"])
    assert [row.role for row in both(people, 0, account).grants] == ["owner"]
    assert both(people, at["held"], policy).in_force


@pytest.mark.parametrize("when", [{"position": 10**9}, {"time": Timestamp(seconds=1)}])
def test_there_is_no_answer_outside_the_log(people: People, story: Story, when: dict[str, Any]) -> None:
    """Past the head and before the founding there is no such moment: the field that names it is wrong."""
    with refused("INVALID_FIELD") as held:
        people["auditor"].holds.GetHold(hold_pb2.GetHoldRequest(name=story.hold, **when))
    with refused("INVALID_FIELD") as stated:
        people["auditor"].audit.GetStateAt(audit_pb2.GetStateAtRequest(**when))

    assert held.fields == stated.fields == tuple(when)


def test_the_future_can_not_be_asked(people: People) -> None:
    """A moment that has not come names its field."""
    with refused("INVALID_FIELD") as said:
        people["auditor"].audit.GetStateAt(audit_pb2.GetStateAtRequest(time=Timestamp(seconds=4_000_000_000)))

    assert said.fields == ("time",)


def test_the_whole_state_is_paged_at_one_position(people: People, story: Story) -> None:
    """Pages of one listing agree on the position, also where the first one asked for now and others write on."""
    audit = people["auditor"].audit
    first = audit.GetStateAt(audit_pb2.GetStateAtRequest(page_size=3))
    people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=story.subject.model))
    rows, token = list(first.resources), first.next_page_token
    while token:
        page = audit.GetStateAt(audit_pb2.GetStateAtRequest(page_size=3, page_token=token))
        assert (page.position, page.instant) == (first.position, first.instant)
        rows += page.resources
        token = page.next_page_token

    names = [row.name for row in rows]
    whole = audit.GetStateAt(audit_pb2.GetStateAtRequest(page_size=1000, position=first.position))
    assert names == sorted(set(names))
    assert rows == list(whole.resources)
    assert max(row.position for row in rows) == first.position


def test_a_forged_page_of_states_is_refused(people: People) -> None:
    """A token of another listing is none of this one."""
    token = people["auditor"].audit.GetStateAt(audit_pb2.GetStateAtRequest(page_size=1)).next_page_token
    with refused("INVALID_FIELD") as said:
        people["auditor"].audit.GetStateAt(
            audit_pb2.GetStateAtRequest(page_size=1, page_token=token, resource="models/*")
        )

    assert said.fields == ("page_token",)


def test_the_sdk_gives_a_resource_with_what_is_below_it(people: People, story: Story) -> None:
    """`state_at` has the model's parts that entries had written by then, decoded from their canonical form."""
    with Interlock.from_profile(str(people.server.home / "auditor")) as client:
        before = client.audit.state_at(story.subject.model, as_of=story.positions["held"])
        after = client.audit.state_at(story.subject.model, as_of=story.positions["applied"])

    assert [row.name for row in before.resources] == [story.subject.model]
    assert {row.name for row in after.resources} == {
        story.subject.model,
        story.subject.determination,
        story.subject.level,
        story.subject.filter,
    }
    level = next(row for row in after.resources if row.name == story.subject.level)
    assert json.loads(level.state)["Level"]["assigned"] == "basic"


def test_the_command_line_travels(
    people: People,
    story: Story,
    shared_server: ServerThread,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every `show` takes `--as-of`, by position and by time."""
    cli: Cli = command_line(shared_server, capsys, tmp_path, monkeypatch)
    at = story.positions
    made = time_of(people, at["applied"]).ToJsonString()
    model = story.subject.model.removeprefix("models/")

    def shown(*words: str) -> Any:  # noqa: ANN401  # any document
        return cli.must("auditor", *words, "--json").json

    assert shown("hold", "show", story.hold, "--as-of", made)["placed"] is True
    assert shown("hold", "show", story.hold)["placed"] is False
    assert [row["placed"] for row in shown("hold", "list", "-m", model, "--as-of", made)["holds"]] == [True]
    assert shown("changes", "show", story.change, "--as-of", str(at["proposed"]))["state"] == "CHANGE_STATE_IN_REVIEW"
    safeguard = shown("safeguards", "show", model, "input-filter", "--as-of", str(at["started"]))["safeguards"][0]
    assert safeguard["state"] == "SAFEGUARD_STATE_IMPLEMENTING"
    assert shown("assessments", "show", story.assessment, "--as-of", str(at["opened"]))["state"].endswith("OPEN")
    determination = shown("assessments", "determination", model, "misuse", "--as-of", str(at["reported"]))
    assert determination["conclusion"] == "CONCLUSION_CANNOT_RULE_OUT"
    assert shown("evidence", "show", story.evidence, "--as-of", made)["title"] == "What we saw"
    assert shown("principals", "show", "owner", "--as-of", "0")["name"] == "principals/owner"
    assert shown("policy", "show", "--as-of", "0")["in_force"] is True
    state = shown("audit", "state", story.hold, "--as-of", made)
    assert [(row["kind"], row["state"]["state"]) for row in state["resources"]] == [("Hold", "placed")]
    assert story.hold in cli.must("auditor", "audit", "state", "holds/*").out
    assert cli("auditor", "hold", "show", story.hold, "--as-of", "999999999").code == 2
