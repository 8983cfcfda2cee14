"""Watching with the SDK and the command line: flips across kills, and an exit code that never says yes too much."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Final

import pytest

from interlock.client.errors import InvalidRequestError, LimitError, NotAllowedError, RollbackError
from interlock.client.sdk import Interlock
from interlock.v1 import gate_pb2, hold_pb2
from tests.faults.test_watch_release import CONTEXT, flips_of_the_log, hold, lift, release
from tests.support.people import People
from tests.support.server import STOP_SECONDS, ForkedServer, ServerThread, copy_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from interlock.client.errors import InterlockError
    from interlock.v1.gate_pb2 import WatchReleaseResponse
    from tests.support.server import RunningServer

KILLS: Final = 2
WATCHERS: Final = 12
FLIPS: Final = 30
MANY: Final = 10_000


def client_of(server: RunningServer, who: str = "release-bot") -> Interlock:
    """Return somebody's client."""
    return Interlock.from_profile(str(server.home / who))


def said(message: WatchReleaseResponse) -> tuple[int, int]:
    """Return position and verdict."""
    return message.answer.log_position, message.answer.verdict


@pytest.mark.fault
def test_flips_come_once_each_over_kills(data: Path) -> None:
    """The server is killed and started again under one watch: what it tells is what the log says, each flip once."""
    server = ForkedServer(data, may_fail=True).start()
    again = ("--listen", server.address)
    breaks: list[str] = []
    resumed: list[bool] = []
    try:
        with client_of(server) as client, client_of(server, "auditor") as auditor:
            with People(server) as people:
                subject = release(people)
            watch = client.gate.watch(
                subject.model,
                CONTEXT,
                on_break=lambda error: breaks.append(error.reason),
                on_resume=lambda: resumed.append(True),
            )
            models = auditor.models.watch()
            told = [said(next(watch))]
            touched = [next(models).log_position]
            for _ in range(KILLS):
                with People(server) as people:
                    lift(people, hold(people, subject.model))
                told.append(said(next(watch)))  # the other flip comes after the kill, or has come before
                server.kill()
                server = ForkedServer(data, arguments=again, may_fail=True).start()
            with People(server) as people:
                expected = flips_of_the_log(people, subject.model, told[0][0])
                told += [said(next(watch)) for _ in range(len(expected) - len(told))]
                hold(people, subject.model)
                last = flips_of_the_log(people, subject.model, told[0][0])[-1]
                assert said(next(watch)) == last
                while touched[-1] < last[0]:
                    touched.append(next(models).log_position)
    finally:
        server.kill()

    assert told == expected
    assert len(breaks) == len(resumed) == KILLS
    assert touched == sorted(set(touched))


def test_a_session_that_ends_is_renewed_without_a_word(data: Path) -> None:
    """Logging out under a watch costs a login and nothing else, however often it happens."""
    breaks: list[InterlockError] = []
    with ServerThread(data) as server, People(server) as people, client_of(server) as client:
        subject = release(people)
        watch = client.gate.watch(subject.model, CONTEXT, on_break=breaks.append)
        next(watch)
        for _ in range(8):  # more often than a call is tried
            with client_of(server) as same:
                same.identity.logout()
            name = hold(people, subject.model)
            assert next(watch).answer.verdict == gate_pb2.VERDICT_DENY
            lift(people, name)
            assert next(watch).answer.verdict == gate_pb2.VERDICT_ALLOW

    assert breaks == []


def test_what_can_not_go_on_is_a_typed_error(data: Path, tmp_path: Path) -> None:
    """A log that was rolled back, a token that is none, a caller without the right: each raises its own error."""
    copy = copy_of(data, tmp_path / "copy")
    with ServerThread(data) as server, People(server) as people:
        subject = people.new_model()
        people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model))
        with client_of(server) as client:
            token = next(client.gate.watch(subject.model, CONTEXT)).resume_token
        with client_of(server) as client, pytest.raises(InvalidRequestError):
            next(client.gate.watch(subject.model, CONTEXT, resume_token="no token"))
        with client_of(server, "monitor-bot") as client, pytest.raises(NotAllowedError):
            next(client.models.watch())
    with ServerThread(copy) as server, client_of(server) as client, pytest.raises(RollbackError):
        next(client.gate.watch(subject.model, CONTEXT, resume_token=token))


def taken(client: Interlock, model: str) -> Iterator[WatchReleaseResponse]:
    """Return a watch that the server has answered; while it is still taking leave of others, ask again."""
    for _ in range(MANY):
        watch = client.gate.watch(model, CONTEXT)
        try:
            next(watch)
        except LimitError:
            continue
        return watch
    raise AssertionError


def test_a_storm_of_reconnects_loses_nothing_and_leaves_nothing(data: Path) -> None:
    """Watchers who hang up after a few answers while the verdict flips: each has every flip once; no stream stays."""
    with ServerThread(data, streams_per_principal=2 * WATCHERS) as server, People(server) as people:
        subject = release(people)
        with client_of(server) as client:
            first = next(client.gate.watch(subject.model, CONTEXT))

        def follow(number: int) -> list[tuple[int, int]]:
            told, token = [said(first)], first.resume_token
            while len(told) <= FLIPS:
                with client_of(server) as mine:
                    watch = mine.gate.watch(subject.model, CONTEXT, resume_token=token)
                    for answer in islice(watch, min(number % 3 + 1, FLIPS + 1 - len(told))):
                        told.append(said(answer))
                        token = answer.resume_token
            return told

        with ThreadPoolExecutor(WATCHERS) as pool:
            followers = [pool.submit(follow, number) for number in range(WATCHERS)]
            for _ in range(FLIPS // 2):
                lift(people, hold(people, subject.model))
            expected = flips_of_the_log(people, subject.model, first.answer.log_position)
            told = [follower.result() for follower in followers]
        with client_of(server) as client:
            open_now = [taken(client, subject.model) for _ in range(2 * WATCHERS)]

    assert len(open_now) == 2 * WATCHERS
    assert told == [expected] * WATCHERS


class Watching:
    """`interlock gate watch --json` as a process."""

    def __init__(self, server: RunningServer, *words: str, who: str = "release-bot") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "interlock.cli", "--json", "--profile", str(server.home / who), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "INTERLOCK_HOME": str(server.home)},
        )

    def verdict(self) -> str:
        """Return the next verdict that is printed."""
        assert self.process.stdout is not None
        return str(json.loads(self.process.stdout.readline())["verdict"])

    def noted(self) -> str:
        """Return the next line of stderr."""
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def interrupt(self) -> int:
        """Press Ctrl-C, and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> int:
        """Return the exit code once it ends."""
        self.process.communicate(timeout=STOP_SECONDS)
        return self.process.returncode


@pytest.fixture
def served(data: Path) -> Iterator[tuple[ServerThread, People]]:
    """Serve a fresh log, with people."""
    with ServerThread(data) as server, People(server) as people:
        yield server, people


@pytest.mark.parametrize(
    "words",
    [
        ("gate", "watch", "MODEL", "--context", CONTEXT),
        ("models", "watch"),
        ("deployments", "watch"),
        ("audit", "tail", "--follow"),
    ],
    ids=" ".join,
)
def test_ctrl_c_is_no_answer(served: tuple[ServerThread, People], words: tuple[str, ...]) -> None:
    """130 from whatever follows a log, though the last verdict that it printed was ALLOW."""
    server, people = served
    subject = release(people)
    watching = Watching(server, *(word.replace("MODEL", subject.model) for word in words), who="auditor")
    assert watching.process.stdout is not None
    assert json.loads(watching.process.stdout.readline())

    assert watching.interrupt() == 130


def test_until_a_verdict_ends_with_it(served: tuple[ServerThread, People]) -> None:
    """`--until-deny` ends with exit 1 at the first DENY, `--until-allow` with 0 at the first ALLOW."""
    server, people = served
    subject = release(people)
    until_deny = Watching(server, "gate", "watch", subject.model, "--context", CONTEXT, "--until-deny")
    assert until_deny.verdict() == "VERDICT_ALLOW"
    name = hold(people, subject.model)
    assert until_deny.end() == 1

    until_allow = Watching(server, "gate", "watch", subject.model, "--context", CONTEXT, "--until-allow")
    assert until_allow.verdict() == "VERDICT_DENY"
    lift(people, name)
    assert until_allow.end() == 0


def test_while_disconnected_nobody_knows(data: Path) -> None:
    """The last verdict was ALLOW and the server is gone: that is said, and Ctrl-C ends with 130 as ever."""
    with ServerThread(data) as server:
        with People(server) as people:
            subject = release(people)
        watching = Watching(server, "gate", "watch", subject.model, "--context", CONTEXT)
        assert watching.verdict() == "VERDICT_ALLOW"
    assert "disconnected" in watching.noted()

    assert watching.interrupt() == 130
