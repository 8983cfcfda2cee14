"""Many clients race for the same change: it is applied exactly once, and only over the bytes that were signed."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final

import grpc

from interlock.proofs.dsse import RawEnvelope
from interlock.statemachine.policy import load_pack
from interlock.v1 import audit_pb2, change_pb2, ledger_pb2, policy_pb2, safeguard_pb2
from tests.faults.test_adoption import propose as propose_policy
from tests.support.people import People, refused
from tests.support.server import ForkedServer, answer_of
from tests.support.versions import version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLIENTS: Final = 32
EXPECTED_REASONS: Final = {
    "REQUIREMENTS_UNMET",
    "SIGN_OFF_INVALID",
    "STALE_BASE",
    "ETAG_MISMATCH",
    "NOT_ALLOWED",
}


def attempt(action: Callable[[], object]) -> str:
    """Return ``done``, or the reason why an action was refused."""
    try:
        action()
    except grpc.RpcError as error:
        return answer_of(error).reason
    return "done"


def entries_of(people: People, change: str) -> list[ledger_pb2.LedgerEntry]:
    """Return the entries that wrote a change, in order."""
    request = audit_pb2.ListEntriesRequest(resource=change, page_size=1000)
    page = people["auditor"].audit.ListEntries(request)
    return [ledger_pb2.LedgerEntry.FromString(record.entry) for record in page.entries]


def test_32_clients_apply_a_change_once_over_the_bytes_signed(data: Path) -> None:
    """Signers, editors and appliers race; one entry applies the change, and its sign-offs name the applied bytes."""
    with ForkedServer(data) as server, People(server) as people:
        subject = people.new_model()
        report = people["evaluator"].upload("evaluation_results")
        change = people["evaluator"].propose(
            subject.rule_out(), subject.assign(), evidence=[report.name], apply_separately=True
        )
        for who in ("owner", "reviewer", "evaluator", "auditor"):
            people[who]
        start = threading.Barrier(CLIENTS)
        amend = partial(change_pb2.AmendChangeRequest, name=change.name)
        apply = change_pb2.ApplyChangeRequest(name=change.name)
        actions: tuple[Callable[[str], object], ...] = (
            lambda _: people["owner"].sign(change.name, "owner"),
            lambda _: people["reviewer"].sign(change.name, "reviewer"),
            lambda word: people["evaluator"].changes.AmendChange(amend(summary=word)),
            lambda _: people["owner"].changes.ApplyChange(apply),
        )

        def race(number: int) -> list[str]:
            action = actions[number % len(actions)]
            start.wait()
            return [attempt(partial(action, f"client {number}, {turn}")) for turn in range(6)]

        with ThreadPoolExecutor(CLIENTS) as pool:
            outcomes = {word for said in pool.map(race, range(CLIENTS)) for word in said}
        attempt(lambda: people["owner"].sign(change.name, "owner"))
        attempt(lambda: people["reviewer"].sign(change.name, "reviewer"))
        attempt(lambda: people["owner"].changes.ApplyChange(change_pb2.ApplyChangeRequest(name=change.name)))

        final = people["auditor"].changes.GetChange(change_pb2.GetChangeRequest(name=change.name))
        assert final.state == change_pb2.CHANGE_STATE_APPLIED
        assert outcomes <= EXPECTED_REASONS | {"done"}
        applied = [
            entry
            for entry in entries_of(people, change.name)
            if any(row.trigger == "change.apply" for row in entry.transitions)
        ]
        assert [entry.seq for entry in applied] == [final.applied_position]
        digest = hashlib.sha256(final.content).hexdigest()
        counted = [row for row in final.sign_offs if not row.void]
        assert {row.signer for row in counted} == {"principals/owner", "principals/reviewer"}
        assert all(
            row.revision == final.revision and digest.encode() in RawEnvelope.from_json(row.envelope).payload
            for row in counted
        )


def test_two_changes_on_one_base_the_second_is_told_what_moved(data: Path) -> None:
    """Of two approved-in-parallel changes only the first applies; signing the other is ABORTED and names what moved."""
    with ForkedServer(data) as server, People(server) as people:
        subject = people.new_model()
        people.verify_filter(subject)
        report = people["evaluator"].upload("evaluation_results")
        first = people["evaluator"].propose(subject.rule_out(), subject.assign(), evidence=[report.name])
        second = people["evaluator"].propose(subject.rule_out(), subject.activate(), evidence=[report.name])
        people["owner"].sign(second.name, "owner")
        people["owner"].sign(first.name, "owner")
        people["reviewer"].sign(first.name, "reviewer")

        with refused("STALE_BASE") as said:
            people["reviewer"].sign(second.name, "reviewer")

        assert said.code == grpc.StatusCode.ABORTED
        assert "BASE_MOVED" in said.unmet
        seen = people["reviewer"].changes.GetChange(change_pb2.GetChangeRequest(name=second.name))
        assert seen.stale
        assert subject.determination in seen.moved


def test_a_tightening_is_seen_by_the_very_next_read_of_everybody(data: Path) -> None:
    """An acknowledged degrade moves the base: nobody's later sign-off can apply over it."""
    with ForkedServer(data) as server, People(server) as people:
        subject = people.new_model()
        people.verify_filter(subject)
        report = people["evaluator"].upload("evaluation_results")
        change = people["evaluator"].propose(
            subject.rule_out(), subject.assign("guarded"), subject.activate(), evidence=[report.name]
        )
        people["owner"].sign(change.name, "owner")
        people["owner"].safeguards.DegradeSafeguard(safeguard_pb2.DegradeSafeguardRequest(name=subject.filter))

        with refused("STALE_BASE") as said:
            people["reviewer"].sign(change.name, "reviewer")

        assert "BASE_MOVED" in said.unmet


def test_of_two_adoptions_that_race_one_is_applied(data: Path) -> None:
    """Both lack one signature, which come at once: one version is in force, the other change is stale and says so."""
    with ForkedServer(data) as server, People(server) as people:
        packs = [version(("attested_for: 180d", f"attested_for: {days}d"), called=f"{days}.0") for days in (30, 60)]
        changes = [propose_policy(people, files) for files in packs]
        people["reviewer"]
        start = threading.Barrier(len(changes))

        def finish(change: str) -> str:
            start.wait()
            return attempt(partial(people["reviewer"].sign, change, "reviewer"))

        with ThreadPoolExecutor(len(changes)) as pool:
            ended = list(pool.map(finish, changes))
        states = [people["auditor"].changes.GetChange(change_pb2.GetChangeRequest(name=name)) for name in changes]
        in_force = people["auditor"].policies.GetPolicy(policy_pb2.GetPolicyRequest(name="policies/-")).name

    assert sorted(ended) == ["STALE_BASE", "done"]
    won = ended.index("done")
    assert [found.state == change_pb2.CHANGE_STATE_APPLIED for found in states] == [won == 0, won == 1]
    assert in_force == load_pack(packs[won]).name
    assert in_force in states[1 - won].moved
