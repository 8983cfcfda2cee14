"""WatchDeployments on a real server: what is out of compliance now and each turn, across breaks, restarts and time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from interlock.service.api import deployment_watch
from interlock.service.api.times import to_microseconds
from interlock.v1 import gate_pb2, hold_pb2, identity_pb2
from tests.faults.test_watch_release import head_of, hold, lift, release, serving
from tests.support.people import People, Person, refused
from tests.support.server import CALL_SECONDS, ForkedServer, copy_of
from tests.support.service import HandClock

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SECOND_US: Final = 1_000_000
ENDED = gate_pb2.DEPLOYMENT_STATE_ENDED


class Watcher:
    """A raw stream, and what came out of it."""

    def __init__(self, who: Person, model: str = "", token: str = "") -> None:
        request = gate_pb2.WatchDeploymentsRequest(model=model, resume_token=token)
        self.call: Any = who.gate.WatchDeployments(request, timeout=CALL_SECONDS)
        self.token = token

    def next(self) -> gate_pb2.WatchDeploymentsResponse:
        """Return the next message."""
        message: gate_pb2.WatchDeploymentsResponse = next(self.call)
        self.token = message.resume_token
        return message

    def turns(self, number: int) -> list[tuple[int, str, bool]]:
        """Return so many messages as (position, name, out of compliance)."""
        messages = [self.next() for _ in range(number)]
        return [(m.log_position, m.deployment.name, m.deployment.out_of_compliance) for m in messages]


def record(people: People, model: str) -> str:
    """Record a deployment and return its name."""
    request = gate_pb2.RecordDeploymentRequest(model=model, context="internal", location="cluster-a")
    name: str = people["release-bot"].gate.RecordDeployment(request).name
    return name


def end(people: People, name: str) -> None:
    """End a deployment."""
    people["release-bot"].gate.EndDeployment(gate_pb2.EndDeploymentRequest(name=name))


def test_what_is_out_now_then_each_turn_and_end(data: Path) -> None:
    """A hold turns each deployment of its model at its own entry, lifting it turns them back, an ended one is told."""
    with serving(data) as (_, people):
        subject, other = release(people), release(people)
        watcher = Watcher(people["release-bot"])
        first = watcher.next()
        one, two, unheld = (record(people, model) for model in (subject.model, subject.model, other.model))

        placed = hold(people, subject.model)
        held_at = head_of(people)
        turned = watcher.turns(2)
        end(people, one)
        ended = watcher.next()
        lifted_at = lift(people, placed)
        back = watcher.turns(1)

        assert (first.HasField("deployment"), first.complete) == (False, True)
        assert turned == [(held_at, one, True), (held_at, two, True)]
        assert (ended.deployment.name, ended.deployment.state) == (one, ENDED)
        assert back == [(lifted_at, two, False)]
        assert unheld not in {name for _, name, _ in turned + back}


def test_a_stream_begins_with_all_that_is_out(data: Path) -> None:
    """Everything that the gate denies now comes first, by number, and the last of it says that it is all."""
    with serving(data) as (_, people):
        subject = release(people)
        names = [record(people, subject.model) for _ in range(3)]
        hold(people, subject.model)
        names.append(record(people, subject.model))
        watcher = Watcher(people["monitor-bot"], subject.model)

        messages = [watcher.next() for _ in names]

        assert [message.deployment.name for message in messages] == names
        assert [message.complete for message in messages] == [False, False, False, True]
        assert {reason.code for m in messages for reason in m.deployment.reasons} == {"HOLD_PLACED"}


def test_a_deployment_that_is_denied_from_the_start_is_told(data: Path) -> None:
    """A record that the gate denies is out of compliance with its own entry."""
    with serving(data) as (_, people):
        subject = people.new_model()
        watcher = Watcher(people["release-bot"], subject.model)
        watcher.next()

        name = record(people, subject.model)

        assert watcher.turns(1) == [(head_of(people), name, True)]


def test_time_alone_turns_a_deployment_at_its_very_moment(data: Path) -> None:
    """With nobody writing it is told when its ALLOW ends, judged at exactly that moment; also to one who was away."""
    clock = HandClock(time.time_ns() // 1000)
    with serving(data, clock=clock) as (server, people):
        subject = release(people)
        name = record(people, subject.model)
        away = Watcher(people["release-bot"])
        away.next()
        ask = gate_pb2.CheckReleaseRequest(model=subject.model, context="internal")
        end_us = to_microseconds(people["release-bot"].gate.CheckRelease(ask).valid_until_time, "valid_until_time")
        clock.move_to(end_us - 60 * SECOND_US)
        with People(server) as later:  # the sessions from before have ended
            watcher = Watcher(later["release-bot"])
            watcher.next()
            clock.move_to(end_us + SECOND_US)
            live = watcher.next()
            resumed = Watcher(later["release-bot"], token=away.token).next()

        assert live.deployment == resumed.deployment
        assert (live.deployment.name, live.deployment.out_of_compliance) == (name, True)
        assert [reason.code for reason in live.deployment.reasons] == ["DETERMINATION_LAPSED"]
        assert to_microseconds(live.instant, "instant") == to_microseconds(resumed.instant, "instant") == end_us


def test_turns_while_away_are_told_once_across_a_crash(data: Path) -> None:
    """Who comes back after any message, over a server that was killed and started again, gets the rest."""
    with ForkedServer(data) as server:
        with People(server) as people:
            subject = release(people)
            for _ in range(3):
                record(people, subject.model)
            watcher = Watcher(people["release-bot"])
            watcher.next()
            tokens, told = [watcher.token], []
            for _ in range(2):
                lift(people, hold(people, subject.model))
            for _ in range(12):
                told += watcher.turns(1)
                tokens.append(watcher.token)
        server.kill()
        with server, People(server) as people:
            for index, token in enumerate(tokens[:-1]):
                assert Watcher(people["release-bot"], token=token).turns(len(told) - index) == told[index:]
            last = Watcher(people["release-bot"], token=tokens[-1])
            hold(people, subject.model)
            assert [position for position, _, _ in last.turns(3)] == [head_of(people)] * 3


def test_many_releases_are_judged_beside_the_loop(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hold on everything turns what runs of every model; calls are answered while that is judged."""
    monkeypatch.setattr(deployment_watch, "INLINE", 1)
    with serving(data) as (_, people):
        subjects = [release(people) for _ in range(3)]
        names = [record(people, subject.model) for subject in subjects]
        watcher = Watcher(people["release-bot"])
        watcher.next()

        people["admin"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target="-"))

        assert [name for _, name, _ in watcher.turns(3)] == names


def test_a_token_of_another_question_or_none_is_refused(data: Path) -> None:
    """What was not given out for this very question is INVALID_ARGUMENT on the token."""
    with serving(data) as (_, people):
        watcher = Watcher(people["release-bot"])
        watcher.next()
        for model, token in (("models/m", watcher.token), ("", watcher.token[:-2]), ("", "A" * 88), ("", "no token")):
            with refused("INVALID_FIELD") as said:
                Watcher(people["release-bot"], model, token).next()
            assert said.fields == ("resume_token",)


def test_a_token_from_ahead_of_the_log_is_refused(data: Path, tmp_path: Path) -> None:
    """A server whose log is shorter than what the watcher was told says so and tells nothing."""
    copy = copy_of(data, tmp_path / "copy")
    with serving(data) as (_, people):
        people.new_model()
        watcher = Watcher(people["release-bot"])
        watcher.next()
    with serving(copy) as (_, people), refused("POSITION_NOT_REACHED"):
        Watcher(people["release-bot"], token=watcher.token).next()


def test_the_end_of_the_session_ends_the_stream(data: Path) -> None:
    """Logging out ends it though nothing is written."""
    with serving(data) as (_, people):
        watcher = Watcher(people["release-bot"])
        watcher.next()

        people["release-bot"].identity.Logout(identity_pb2.LogoutRequest())

        with refused("UNAUTHENTICATED"):
            watcher.next()


def test_watchers_at_once_are_told_the_same(data: Path) -> None:
    """However writes and watchers overlap, each watcher is told every turn in the log's order."""
    with serving(data) as (_, people):
        subject = release(people)
        record(people, subject.model)
        watchers = [Watcher(people["release-bot"]) for _ in range(3)]
        for watcher in watchers:
            watcher.next()
        told: list[list[tuple[int, str, bool]]] = []
        readers = [threading.Thread(target=lambda w=watcher: told.append(w.turns(8))) for watcher in watchers]
        for reader in readers:
            reader.start()
        for _ in range(4):
            lift(people, hold(people, subject.model))
        for reader in readers:
            reader.join()

        assert told[0] == told[1] == told[2]
        assert [outside for _, _, outside in told[0]] == [True, False] * 4
        assert [position for position, _, _ in told[0]] == sorted(position for position, _, _ in told[0])
