"""Request ids: the same id answers the same reply and writes once, also across a restart (AIP-155)."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc

from interlock.v1 import audit_pb2, hold_pb2, model_pb2
from tests.support.people import People, refused
from tests.support.server import ForkedServer

if TYPE_CHECKING:
    from pathlib import Path


def head(people: People) -> int:
    """Return the number of entries in the log."""
    return people["auditor"].checkpoint().size


def test_the_same_request_id_answers_the_same_hold_and_writes_once(data: Path) -> None:
    """Thirty-two sends of one request at once give thirty-two equal replies and one entry."""
    request_id = str(uuid.UUID(int=7))
    with ForkedServer(data) as server, People(server) as people:
        subject = people.new_model()
        request = hold_pb2.PlaceHoldRequest(target=subject.model, reason="once", request_id=request_id)
        owner = people["owner"]
        before = head(people)

        with ThreadPoolExecutor(32) as pool:
            replies = list(pool.map(owner.holds.PlaceHold, [request] * 32))

        assert {reply.name for reply in replies} == {"holds/1"}
        assert head(people) == before + 1


def test_a_request_id_is_remembered_across_a_restart(data: Path) -> None:
    """The server is killed and started again; the retry of a request gets the first reply."""
    request_id = str(uuid.UUID(int=8))
    with ForkedServer(data, may_fail=True) as server, People(server) as people:
        subject = people.new_model()
        request = hold_pb2.PlaceHoldRequest(target=subject.model, reason="once", request_id=request_id)
        first = people["owner"].holds.PlaceHold(request)
        server.kill()

    with ForkedServer(data) as server, People(server) as people:
        before = head(people)
        again = people["owner"].holds.PlaceHold(request)
        assert again == first
        assert head(people) == before


def test_a_request_id_belongs_to_one_request(data: Path) -> None:
    """Another body under the same id is INVALID_ARGUMENT and writes nothing; another principal's id is their own."""
    request_id = str(uuid.UUID(int=9))
    with ForkedServer(data) as server, People(server) as people:
        subject, other = people.new_model(), people.new_model()
        one = hold_pb2.PlaceHoldRequest(target=subject.model, reason="once", request_id=request_id)
        two = hold_pb2.PlaceHoldRequest(target=other.model, reason="once", request_id=request_id)
        people["owner"].holds.PlaceHold(one)

        with refused("REQUEST_ID_REUSED") as said:
            people["owner"].holds.PlaceHold(two)

        assert said.code == grpc.StatusCode.INVALID_ARGUMENT
        assert people["reviewer"].holds.PlaceHold(two).target == other.model


def test_a_refused_request_is_not_remembered(data: Path) -> None:
    """Only OK replies are remembered: the same id works once the reason for the refusal is gone."""
    request_id = str(uuid.UUID(int=10))
    with ForkedServer(data) as server, People(server) as people:
        hold = hold_pb2.PlaceHoldRequest(target="models/late", request_id=request_id)
        with refused("NOT_FOUND"):
            people["owner"].holds.PlaceHold(hold)
        people["evaluator"].models.CreateModel(model_pb2.CreateModelRequest(model_id="late"))

        assert people["owner"].holds.PlaceHold(hold).target == "models/late"


def test_a_replayed_entry_is_not_listed_twice(data: Path) -> None:
    """The log lists one entry for a request that was sent three times."""
    request_id = str(uuid.UUID(int=11))
    with ForkedServer(data) as server, People(server) as people:
        subject = people.new_model()
        request = hold_pb2.PlaceHoldRequest(target=subject.model, request_id=request_id)
        for _ in range(3):
            people["owner"].holds.PlaceHold(request)

        page = people["auditor"].audit.ListEntries(audit_pb2.ListEntriesRequest(trigger="hold.place"))
        assert len(page.entries) == 1
