"""WatchRelease on a real server: now and every flip, across breaks and restarts, and an end with whoever watches."""

from __future__ import annotations

import base64
import hashlib
import struct
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import grpc
import pytest

from interlock.service.api.times import to_microseconds
from interlock.v1 import audit_pb2, gate_pb2, gate_pb2_grpc, hold_pb2, identity_pb2, model_pb2, trigger_pb2
from tests.support.people import People, Person, Subject, refused, trigger
from tests.support.server import CALL_SECONDS, ForkedServer, ServerThread, copy_of, install
from tests.support.service import HandClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.server import RunningServer

ALLOW, DENY = gate_pb2.VERDICT_ALLOW, gate_pb2.VERDICT_DENY
CONTEXT: Final = "internal"
SECOND_US: Final = 1_000_000


class Watcher:
    """A raw stream, and what came out of it."""

    def __init__(self, who: Person, model: str, token: str = "", context: str = CONTEXT) -> None:
        request = gate_pb2.WatchReleaseRequest(model=model, context=context, resume_token=token)
        self.call: Any = who.gate.WatchRelease(request, timeout=CALL_SECONDS)
        self.token = token

    def next(self) -> gate_pb2.CheckReleaseResponse:
        """Return the next answer."""
        message = next(self.call)
        self.token = message.resume_token
        answer: gate_pb2.CheckReleaseResponse = message.answer
        return answer

    def flips(self, number: int) -> list[tuple[int, int]]:
        """Return so many answers as (position, verdict)."""
        return [(answer.log_position, answer.verdict) for answer in (self.next() for _ in range(number))]


def release(people: People) -> Subject:
    """Return a new model that is allowed."""
    return release_of(people, people.new_model())


def release_of(people: People, subject: Subject) -> Subject:
    """Bring a model to where the gate allows it."""
    report = people["engineer"].upload("evaluation_results", subject.model.encode())
    people.enact(subject.rule_out(), subject.assign(), evidence=[report.name])
    return subject


def hold(people: People, target: str) -> str:
    """Place a hold and return its name."""
    name: str = people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=target)).name
    return name


def lift(people: People, name: str) -> int:
    """Lift a hold and return the position of the entry that did."""
    change = people.enact(trigger(hold_lift=trigger_pb2.HoldLift(hold=name)))
    return change.log_position


def head_of(people: People) -> int:
    """Return the log's last position."""
    return people["auditor"].checkpoint().size - 1


@contextmanager
def serving(data: Path, **settings: Any) -> Iterator[tuple[ServerThread, People]]:  # noqa: ANN401  # as ServerThread
    """Serve a folder, with people."""
    with ServerThread(data, **settings) as server, People(server) as people:
        yield server, people


@pytest.fixture(scope="module")
def other_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return another log's data folder."""
    return install(tmp_path_factory.mktemp("other") / "data")


def test_now_and_then_each_flip(data: Path) -> None:
    """First the verdict that holds, then each turn at the position of the entry that made it, with its reasons."""
    with serving(data) as (_, people):
        subject = release(people)
        watcher = Watcher(people["release-bot"], subject.model)
        first = watcher.next()

        name = hold(people, subject.model)
        held = watcher.next()
        lifted = lift(people, name)
        freed = watcher.next()

        assert (first.verdict, held.verdict, freed.verdict) == (ALLOW, DENY, ALLOW)
        assert [reason.code for reason in held.reasons] == ["HOLD_PLACED"]
        assert held.log_position < freed.log_position == lifted


def test_an_answer_of_a_stream_is_the_answer_of_a_check(data: Path) -> None:
    """At the same position and instant, stream and CheckRelease give the same message."""
    clock = HandClock(time.time_ns() // 1000)
    with serving(data, clock=clock) as (_, people):
        subject = release(people)
        hold(people, subject.model)
        clock.move(5)
        first = Watcher(people["release-bot"], subject.model).next()

        request = gate_pb2.CheckReleaseRequest(model=subject.model, context=CONTEXT)
        assert people["release-bot"].gate.CheckRelease(request) == first


def test_what_concerns_another_model_is_not_told(data: Path) -> None:
    """Holds on another model, and entries that turn nothing, give no message: the next is the next flip."""
    with serving(data) as (_, people):
        subject, other = release(people), release(people)
        watcher = Watcher(people["release-bot"], subject.model)
        watcher.next()
        hold(people, other.model)
        people["engineer"].upload("red_team_report", b"of no concern")
        hold(people, subject.model)

        assert watcher.next().log_position == head_of(people)


def test_time_alone_turns_an_allow_at_its_very_end(data: Path) -> None:
    """With nobody writing, DENY comes when the ALLOW ends, judged at exactly that moment; also to one who was away."""
    clock = HandClock(time.time_ns() // 1000)
    with serving(data, clock=clock) as (server, people):
        subject = release(people)
        away = Watcher(people["release-bot"], subject.model)
        end = to_microseconds(away.next().valid_until_time, "valid_until_time")
        clock.move_to(end - 60 * SECOND_US)
        with People(server) as later:  # the sessions from before have ended
            watcher = Watcher(later["release-bot"], subject.model)
            assert watcher.next().verdict == ALLOW
            clock.move_to(end + SECOND_US)
            live = watcher.next()
            clock.move_to(end + 60 * SECOND_US)
            resumed = Watcher(later["release-bot"], subject.model, away.token).next()

        assert live == resumed
        assert live.verdict == DENY
        assert [reason.code for reason in live.reasons] == ["DETERMINATION_LAPSED"]
        assert to_microseconds(live.instant, "instant") == end


def test_a_clock_behind_the_log_denies_and_allows_again_after(data: Path) -> None:
    """Serving conditions are flips too: DENY with CLOCK while the clock is behind, ALLOW once it is not."""
    clock = HandClock(time.time_ns() // 1000)
    with serving(data, clock=clock) as (_, people):
        subject = release(people)
        watcher = Watcher(people["release-bot"], subject.model)
        watcher.next()
        clock.move(-30)
        behind = watcher.next()
        clock.move(30)
        after = watcher.next()

        assert [reason.code for reason in behind.reasons] == ["CLOCK"]
        assert (behind.verdict, after.verdict) == (DENY, ALLOW)


def test_conditions_that_come_and_go_are_told_however_fast(data: Path) -> None:
    """What turns between two looks of the server is told too: no watcher is left with a verdict that is over."""
    clock = HandClock(time.time_ns() // 1000)
    with serving(data, clock=clock) as (_, people):
        subject = release(people)
        watcher = Watcher(people["release-bot"], subject.model)
        verdicts = [watcher.next().verdict]
        for move in [-30, 30] * 10:
            clock.move(move)
            verdicts.append(watcher.next().verdict)

    assert verdicts == [ALLOW, *[DENY, ALLOW] * 10]


# Going on -----------------------------------------------------------------------------------------------------------


def test_flips_while_away_are_told_once_across_a_crash(data: Path) -> None:
    """Who comes back after any message, over a server that was killed and started again, gets what the log says."""
    with ForkedServer(data) as server:
        with People(server) as people:
            subject = release(people)
            watcher = Watcher(people["release-bot"], subject.model)
            told = watcher.flips(1)
            tokens = [watcher.token]
            for _ in range(3):
                lift(people, hold(people, subject.model))
                hold(people, subject.model)  # a second hold turns nothing, nor does lifting the first of two
                name = hold(people, subject.model)
                lift(people, name)
                lift(people, hold_before(name))
            told += watcher.flips(4)
            tokens.append(watcher.token)
        server.kill()
        with server, People(server) as people:
            expected = flips_of_the_log(people, subject.model, told[0][0])
            resumed = [Watcher(people["release-bot"], subject.model, token) for token in tokens]
            assert told == expected[:5]
            assert resumed[0].flips(len(expected) - 1) == expected[1:]
            assert resumed[1].flips(len(expected) - 5) == expected[5:]
            hold(people, subject.model)
            assert [watch.next().log_position for watch in resumed] == [head_of(people)] * 2


def hold_before(name: str) -> str:
    """Return the hold that was placed before one."""
    return f"holds/{int(name.partition('/')[2]) - 1}"


def flips_of_the_log(people: People, model: str, first: int) -> list[tuple[int, int]]:
    """Judge a model at each position of the log from ``first`` on, and return where the verdict is another."""
    found: list[tuple[int, int]] = []
    for position in range(first, head_of(people) + 1):
        request = model_pb2.GetModelRequest(name=model, position=position)
        (word,) = (w for w in people["auditor"].models.GetModel(request).verdicts if w.context == CONTEXT)
        verdict = ALLOW if word.allowed else DENY
        if not found or found[-1][1] != verdict:
            found.append((position, verdict))
    return found


def test_a_token_of_another_question_or_log_or_none_is_refused(data: Path, other_data: Path) -> None:
    """What was not given out for this very question by this very log is INVALID_ARGUMENT on the token."""
    with serving(data) as (_, people), serving(other_data) as (_, others):
        subject, same = people.new_model(), others.new_model()
        watcher = Watcher(people["release-bot"], subject.model)
        watcher.next()
        elsewhere = Watcher(others["release-bot"], same.model)
        elsewhere.next()
        assert subject.model == same.model
        for model, context, token in (
            (subject.model, "api", watcher.token),
            ("models/other", CONTEXT, watcher.token),
            (subject.model, CONTEXT, elsewhere.token),
            (subject.model, CONTEXT, watcher.token[:-2]),
            (subject.model, CONTEXT, "A" * 64),
            (subject.model, CONTEXT, "no token"),
        ):
            with refused("INVALID_FIELD") as said:
                Watcher(people["release-bot"], model, token, context).next()
            assert said.fields == ("resume_token",)


def test_a_token_that_nobody_gave_out_tells_nothing_of_the_past(data: Path) -> None:
    """Regression: a release tool, which may not read, made one up of an earlier place and was told all flips since."""
    with serving(data) as (_, people):
        subject = people.new_model()
        watcher = Watcher(people["release-bot"], subject.model)
        watcher.next()
        raw = base64.urlsafe_b64decode(watcher.token + "=" * (-len(watcher.token) % 4))
        form = struct.Struct(">B16sqq?")
        version, log, *_ = form.unpack(raw[-form.size :])
        earlier = form.pack(version, log, 0, 0, 0)
        question = f"{subject.model}\0{CONTEXT}\0".encode()
        for check in (raw[: -form.size], hashlib.sha256(question + earlier).digest()[: len(raw) - form.size], b""):
            token = base64.urlsafe_b64encode(check + earlier).rstrip(b"=").decode()
            with refused("INVALID_FIELD") as said:
                Watcher(people["release-bot"], subject.model, token).next()
            assert said.fields == ("resume_token",)


def test_a_token_from_ahead_of_the_log_is_refused(data: Path, tmp_path: Path) -> None:
    """A server whose log is shorter than what the watcher has seen says so and tells nothing."""
    copy = copy_of(data, tmp_path / "copy")
    with serving(data) as (_, people):
        subject = people.new_model()
        hold(people, subject.model)
        watcher = Watcher(people["release-bot"], subject.model)
        watcher.next()
    with serving(copy) as (_, people), refused("POSITION_NOT_REACHED"):
        Watcher(people["release-bot"], subject.model, watcher.token).next()


# Ending -------------------------------------------------------------------------------------------------------------


def test_the_end_of_the_session_ends_an_idle_stream(data: Path) -> None:
    """Logging out ends the streams of that session though nothing is written; the token goes on in a new one."""
    with serving(data) as (server, people):
        subject = people.new_model()
        watcher = Watcher(people["release-bot"], subject.model)
        watcher.next()
        tail = people["auditor"].audit.TailEntries(audit_pb2.TailEntriesRequest(after_position=-1, follow=True))
        next(tail)

        people["release-bot"].identity.Logout(identity_pb2.LogoutRequest())
        people["auditor"].identity.Logout(identity_pb2.LogoutRequest())
        with refused("UNAUTHENTICATED"):
            watcher.next()
        with refused("UNAUTHENTICATED"):
            list(tail)

        with People(server) as again:
            resumed = Watcher(again["release-bot"], subject.model, watcher.token)
            release_of(again, subject)
            assert resumed.next().verdict == ALLOW


def test_a_session_that_runs_out_ends_its_stream(data: Path) -> None:
    """An open stream does not renew its session: when that ends, so does the stream."""
    clock = HandClock(time.time_ns() // 1000)
    with serving(data, clock=clock) as (_, people):
        subject = people.new_model()
        watcher = Watcher(people["release-bot"], subject.model)
        watcher.next()
        clock.move(16 * 60)

        with refused("UNAUTHENTICATED"):
            watcher.next()


def test_who_does_not_read_is_dropped_and_goes_on_later(data: Path) -> None:
    """A stream whose reader takes nothing ends and frees its place; what it has not read is told when it comes back."""
    with serving(data, stream_write_seconds=0.2, streams_per_principal=1) as (server, people):
        subject = release(people)
        channel = narrow_channel(server)
        request = gate_pb2.WatchReleaseRequest(model=subject.model, context=CONTEXT)
        stub = gate_pb2_grpc.GateServiceStub(channel)
        stream = stub.WatchRelease(request, timeout=CALL_SECONDS, metadata=people["release-bot"].metadata)
        first = next(stream)
        for _ in range(8):
            lift(people, hold(people, subject.model))
        expected = flips_of_the_log(people, subject.model, first.answer.log_position)
        dropped(server)

        told, token = [(first.answer.log_position, first.answer.verdict)], first.resume_token
        with refused("SLOW_CONSUMER") as said:
            for message in stream:
                told.append((message.answer.log_position, message.answer.verdict))
                token = message.resume_token
        channel.close()
        assert said.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert len(told) < len(expected)
        rest = Watcher(people["release-bot"], subject.model, token).flips(len(expected) - len(told))
        assert told + rest == expected


def test_256_watches_are_open_at_once_and_all_are_told(data: Path) -> None:
    """One principal holds as many streams as the default allows, and all hear of a flip; one more is refused."""
    with serving(data) as (_, people):
        subject = release(people)
        watchers = [Watcher(people["release-bot"], subject.model) for _ in range(256)]
        assert {watcher.next().verdict for watcher in watchers} == {ALLOW}
        with refused("LIMIT_EXCEEDED") as said:
            Watcher(people["release-bot"], subject.model).next()

        hold(people, subject.model)

        assert said.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert {watcher.next().verdict for watcher in watchers} == {DENY}


def narrow_channel(server: RunningServer) -> grpc.Channel:
    """Open a channel that leaves room for a few messages only while nobody reads."""
    options = (
        ("grpc.ssl_target_name_override", "interlock"),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 2048),
    )
    certificate = (server.data / "keys" / "ca.crt").read_bytes()
    return grpc.secure_channel(server.address, grpc.ssl_channel_credentials(certificate), options)


def dropped(server: ServerThread) -> None:
    """Return once the server has dropped a slow reader, which it logs."""
    end = time.monotonic() + CALL_SECONDS
    while not any(line.get("error") == "SlowConsumer" for line in server.lines()):
        assert time.monotonic() < end
        threading.Event().wait(0.02)
