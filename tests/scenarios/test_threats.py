"""The threats that the identity design lists, each with the tests that play it; those that stood nowhere else are here.

The table is checked: a threat whose test is gone fails. What the table does not name is somebody else's yet, and said
in `docs/reference/insiders.md`.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from interlock.v1 import change_pb2, gate_pb2, hold_pb2, model_pb2, policy_pb2, safeguard_pb2, trigger_pb2
from tests.scenarios.test_insiders import attempts, hand_in, proposal, signed
from tests.support.newcomers import give
from tests.support.people import People, refused, trigger
from tests.support.server import ServerThread, copy_of
from tests.support.world import SKETCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Install

HERE: Final = "scenarios/test_threats.py"
INSIDERS: Final = "scenarios/test_insiders.py"
APPLIED: Final = "scenarios/test_insiders_applied.py"
DATABASE: Final = "faults/test_database_attacker.py"
CLOSED: Final = "faults/test_fails_closed.py"
BAD: Final = "faults/test_bad_input.py"
THREATS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "self-approval by a second account": (
        (INSIDERS, "test_a_second_account_of_the_requester"),
        (APPLIED, "test_two_approvers_are_one_person"),
    ),
    "self-approval by a delegate": (
        (INSIDERS, "test_a_delegate_of_the_requester"),
        (INSIDERS, "test_a_delegate_of_both_approvers"),
    ),
    "an admin's fresh key on someone else's principal": (
        (INSIDERS, "test_a_key_of_ones_own_on_somebody_elses_account"),
        (APPLIED, "test_an_administrators_own_new_key_on_an_approver"),
    ),
    "a grant made a minute ago": ((INSIDERS, "test_a_grant_made_a_minute_ago"),),
    "a reject removed by suspending its author": (
        (INSIDERS, "test_who_rejected_is_taken"),
        (APPLIED, "test_who_rejected_is_taken_away"),
    ),
    "evidence swapped after sign-off": ((INSIDERS, "test_evidence_swapped_after_a_sign_off"),),
    "a sign-off replayed: other change": ((INSIDERS, "test_on_another_change"),),
    "a sign-off replayed: later revision": ((INSIDERS, "test_on_the_same_change_after_an_edit"),),
    "a sign-off replayed: after withdrawal": ((INSIDERS, "test_after_it_was_taken_back"),),
    "a sign-off replayed: another log": ((INSIDERS, "test_in_another_log"),),
    "a sign-off replayed: other key": ((INSIDERS, "test_by_another_person"),),
    "a sign-off replayed: other role": ((INSIDERS, "test_with_another_role"),),
    "a sign-off by a key revoked earlier": (
        (INSIDERS, "test_a_key_that_was_lost_before_it_signed"),
        (APPLIED, "test_a_key_lost_before_a_change_that_was_applied"),
    ),
    "an old client that would sign fields it can't show": (
        ("unit/clients/test_review.py", "test_a_field_that_this_client_does_not_know_is_refused"),
    ),
    "a stolen release-tool token": ((INSIDERS, "test_a_stolen_release_tool_token"),),
    "a stolen monitor token": ((HERE, "test_a_stolen_monitor_token"),),
    "session replay to another server": ((INSIDERS, "test_in_another_log"),),
    "a lone evaluator who renews a lapsed determination": ((INSIDERS, "test_a_lone_evaluator_renews_what_has_lapsed"),),
    "a pack with duplicate keys": ((HERE, "test_a_pack_with_a_key_twice"),),
    "two changes that are each fine and together are not": (
        ("faults/test_races.py", "test_two_changes_on_one_base_the_second_is_told_what_moved"),
        (HERE, "test_two_changes_of_which_the_second_was_signed_before_the_first"),
    ),
    "huge messages": ((BAD, "test_a_message_past_the_limit_is_refused"),),
    "path, name and file-name injection, homoglyphs, SQL through filters": (
        (BAD, "test_bad_input_gets_a_typed_error_and_writes_nothing"),
    ),
    "a database operator who edits": (
        (DATABASE, "test_an_edited_snapshot_is_never_an_answer"),
        (DATABASE, "test_an_edited_entry_is_named_by_verify_live"),
    ),
    "a database operator who inserts": (
        (DATABASE, "test_an_entry_that_the_rules_refuse_is_found_though_its_tree_is_right"),
    ),
    "a database operator who truncates": ((DATABASE, "test_a_tail_deleted_under_a_server_is_found_by_the_next_write"),),
    "a database operator who rolls back": (
        (DATABASE, "test_an_old_copy_restored_under_a_server_is_found_by_the_next_write"),
        (DATABASE, "test_an_old_copy_with_its_old_mark_is_found_by_a_client_that_saw_more"),
    ),
    "concurrent double apply": (
        (INSIDERS, "test_double_application_is_one"),
        ("faults/test_races.py", "test_32_clients_apply_a_change_once_over_the_bytes_signed"),
    ),
    "clock set back": (
        (CLOSED, "test_a_clock_behind_the_log_denies"),
        (CLOSED, "test_a_clock_that_is_set_back_brings_no_session_back"),
    ),
}
"""Each threat of the list with the tests that play it, by file below `tests/`."""


@pytest.mark.parametrize("threat", THREATS)
def test_every_threat_is_played(threat: str) -> None:
    """Its tests are there."""
    for path, name in THREATS[threat]:
        tree = ast.parse((Path(__file__).parents[1] / path).read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


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
