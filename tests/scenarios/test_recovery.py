"""A rogue administrator took everybody's account: the recovery quorum brings them back, through a real server.

Its two people have keys of the founding, and no session. What they sign offline is handed in by whoever can reach the
server; everything is held with it, until the people who are back lift that by a change.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import grpc
import pytest

from interlock.proofs import dsse
from interlock.statemachine import codec
from interlock.statemachine.entry import RecoveryDocument
from interlock.statemachine.recovery import build_consent
from interlock.v1 import gate_pb2, identity_pb2, identity_pb2_grpc, trigger_pb2
from tests.support.newcomers import give, registrations
from tests.support.people import People, refused, trigger
from tests.support.server import CALL_SECONDS, ServerThread, answer_of, copy_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Install

DAY_US: Final = 86_400_000_000


def recover(people: People, *triggers: trigger_pb2.Trigger, by: tuple[str, ...]) -> identity_pb2.RecoverResponse:
    """Have members of the recovery quorum sign a recovery, and hand it in without a session."""
    log_id = bytes.fromhex(people.server.profile("auditor").log_id)
    now = time.time_ns() // 1000
    wanted = RecoveryDocument(log_id, tuple(map(codec.firing_of, triggers)), now + DAY_US, b"%d" % now)
    data = codec.encode_recovery(wanted)
    envelopes = [
        dsse.sign(
            dsse.IN_TOTO_TYPE, build_consent(data, f"principals/{who}"), people.server.key(who, "recovery")
        ).to_json()
        for who in by
    ]
    stub = identity_pb2_grpc.IdentityServiceStub(people.channel)
    return stub.Recover(identity_pb2.RecoverRequest(document=data, envelopes=envelopes), timeout=CALL_SECONDS)


def back(people: People, who: str, role: str) -> list[trigger_pb2.Trigger]:
    """Return what brings an account back: restored, with keys that its owner made anew, in its role."""
    restore = trigger_pb2.PrincipalRestore(principal=f"principals/{who}")
    return [trigger(principal_restore=restore), *registrations(people, f"{who}-again", owner=who), give(who, role)]


def test_a_rogue_administrator_took_everybodys_account(installations: Install, tmp_path: Path) -> None:
    """One person of the quorum brings nobody back; two do, everything is held, and the people who are back lift it."""
    with ServerThread(copy_of(installations("minimal"), tmp_path / "data")) as server, People(server) as people:
        subject = people.new_model()
        report = people["evaluator"].upload("evaluation_results")
        people.enact(subject.rule_out(), subject.assign(), evidence=[report.name])
        for who in ("owner", "reviewer", "evaluator", "engineer", "requester"):
            people["admin"].identity.RemovePrincipal(identity_pb2.RemovePrincipalRequest(name=f"principals/{who}"))
        with refused("UNAUTHENTICATED"):
            people["owner"].identity.WhoAmI(identity_pb2.WhoAmIRequest())
        wanted = [*back(people, "owner", "owner"), *back(people, "reviewer", "reviewer")]
        wanted += back(people, "evaluator", "evaluator")

        with refused("REQUIREMENTS_UNMET") as said:
            recover(people, *wanted, by=("recovery-1",))
        assert said.unmet == ("SIGN_OFF_MISSING",)
        done = recover(people, *wanted, by=("recovery-1", "recovery-2"))

        for who in ("owner", "reviewer", "evaluator"):
            (server.home / who).rename(server.home / f"{who}-lost")
            (server.home / f"{who}-again").rename(server.home / who)
            profile = (server.home / f"{who}-lost" / "profile.json").read_bytes()
            (server.home / who / "profile.json").write_bytes(profile)
    with ServerThread(tmp_path / "data") as server, People(server) as people:
        request = gate_pb2.CheckReleaseRequest(model=subject.model, context="internal")
        assert [row.code for row in people["release-bot"].gate.CheckRelease(request).reasons] == ["HOLD_PLACED"]
        people.enact(trigger(hold_lift=trigger_pb2.HoldLift(hold=done.hold)))
        assert people["release-bot"].gate.CheckRelease(request).verdict == gate_pb2.VERDICT_ALLOW


def test_whoever_has_no_session_does_not_keep_the_server_busy(installations: Install, tmp_path: Path) -> None:
    """Signatures of recoveries are checked so often and no more for one caller; others log in meanwhile."""
    with ServerThread(copy_of(installations("minimal"), tmp_path / "data")) as server, People(server) as people:
        stub = identity_pb2_grpc.IdentityServiceStub(people.channel)
        request = identity_pb2.RecoverRequest(document=b"none", envelopes=[b"{}", b"{}"])
        reasons = set()
        for _ in range(1000):
            with pytest.raises(grpc.RpcError) as caught:
                stub.Recover(request, timeout=CALL_SECONDS)
            reasons.add(answer_of(caught.value).reason)
            if "LIMIT_EXCEEDED" in reasons:
                break

        assert "LIMIT_EXCEEDED" in reasons
        assert len(reasons) == 2
        assert people["owner"].name == "principals/owner"
