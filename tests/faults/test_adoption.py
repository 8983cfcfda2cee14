"""The server is killed while a policy is adopted: it comes back wholly before or wholly after.

Each version calls the only threshold otherwise, so that an adoption also carries a determination over: half of one
would be a version in force without its facts, or facts without their version.
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Final

import grpc
import pytest

from interlock.statemachine.policy import load_pack
from interlock.v1 import change_pb2, gate_pb2, model_pb2, policy_pb2, trigger_pb2
from tests.faults.test_crashes import GONE, check_stored
from tests.support.people import People
from tests.support.server import ForkedServer
from tests.support.versions import version

if TYPE_CHECKING:
    from pathlib import Path

MODEL: Final = "models/m1"
KILLS: Final = 5
SPAN_SECONDS: Final = 0.06
"""How long after the last sign-off is sent the latest kill comes: past its commit, on any machine that runs this."""


def renamed(number: int, old: str, new: str) -> dict[str, bytes]:
    """Return a version that calls the threshold otherwise, and carries it over."""
    says = f"succeeds: [{{policy: minimal, thresholds: {{{new}: [{old}]}}}}]\nobligations:\n"
    files = version(("  misuse:\n", f"  {new}:\n"), called=f"{number}.0")
    return version(("obligations:\n", says), of=files, called=f"{number}.0")


def propose(people: People, files: dict[str, bytes]) -> str:
    """Propose to adopt a pack, and have the first of two sign; return the change's name."""
    policy = load_pack(files)
    pack = policy_pb2.PolicyPack(files=[policy_pb2.PolicyFile(path=path, content=files[path]) for path in files])
    adopt = trigger_pb2.PolicyAdopt(policy=policy.name, pack_digest=policy.digest)
    request = change_pb2.ProposeChangeRequest(
        triggers=[trigger_pb2.Trigger(policy_adopt=adopt)], title="another version", pack=pack
    )
    change = people["evaluator"].changes.ProposeChange(request)
    people["owner"].sign(change.name, "owner")
    name: str = change.name
    return name


def in_force(people: People) -> tuple[str, str]:
    """Return the version in force and its threshold, and check that the released model has been carried to it."""
    reader = people["evaluator"]
    policy = reader.policies.GetPolicy(policy_pb2.GetPolicyRequest(name="policies/-"))
    [threshold] = load_pack({row.path: row.content for row in policy.pack.files}).thresholds
    model = reader.models.GetModel(model_pb2.GetModelRequest(name=MODEL))
    [known] = model.determinations
    assert known.name.endswith(f"/{threshold}")
    assert known.conclusion == trigger_pb2.CONCLUSION_RULED_OUT
    assert known.confirmed
    check = gate_pb2.CheckReleaseRequest(model=model.name, context="internal")
    answer = people["release-bot"].gate.CheckRelease(check)
    assert (answer.verdict, answer.policy) == (gate_pb2.VERDICT_ALLOW, policy.name)
    return policy.name, threshold


@pytest.mark.fault
@pytest.mark.timeout(300)
def test_an_adoption_is_whole_or_not_at_all(data: Path) -> None:
    """After each kill the change, the version in force, the carried facts and the gate say the same."""
    dice = random.Random(6)
    with ForkedServer(data, may_fail=True) as server, People(server) as people:
        subject = people.new_model()
        assert subject.model == MODEL
        report = people["evaluator"].upload("evaluation_results")
        change = people["evaluator"].propose(subject.rule_out(), subject.assign(), evidence=[report.name])
        people["owner"].sign(change.name, "owner")
        people["reviewer"].sign(change.name, "reviewer")
        version_, threshold = in_force(people)
        files, name = adopt_and_be_killed(server, people, threshold, 2, dice)
    for number in range(3, 3 + KILLS):
        with ForkedServer(data, may_fail=True) as server, People(server) as people:
            after, threshold = in_force(people)
            found = people["evaluator"].changes.GetChange(change_pb2.GetChangeRequest(name=name))
            applied = found.state == change_pb2.CHANGE_STATE_APPLIED
            assert after == (load_pack(files).name if applied else version_)
            version_ = after
            files, name = adopt_and_be_killed(server, people, threshold, number, dice)
    check_stored(data)


def adopt_and_be_killed(
    server: ForkedServer, people: People, threshold: str, number: int, dice: random.Random
) -> tuple[dict[str, bytes], str]:
    """Have another version adopted by its last sign-off, under which the server is killed; return pack and change."""
    files = renamed(number, threshold, "fraud" if threshold == "misuse" else "misuse")
    name = propose(people, files)
    killer = threading.Timer(dice.uniform(0.0, SPAN_SECONDS), server.kill)
    killer.start()
    try:
        people["reviewer"].sign(name, "reviewer")
    except grpc.RpcError as error:
        assert error.code() in GONE  # noqa: PT017  # either outcome is fine, half of one is not
    killer.join()
    return files, name
