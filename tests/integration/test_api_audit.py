"""The trail through the real server: entries verbatim, in order, without gap or repetition."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from interlock.proofs.merkle import Frontier, leaf_hash
from interlock.v1 import audit_pb2, audit_pb2_grpc, hold_pb2, ledger_pb2
from tests.support.people import People, Subject, refused
from tests.support.server import CALL_SECONDS, ServerThread, answer_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def people(shared_server: ServerThread) -> Iterator[People]:
    """Give everybody of one server; each test has a model of its own."""
    with People(shared_server) as everybody:
        yield everybody


@pytest.fixture
def m(people: People) -> Subject:
    """Give a new model."""
    return people.new_model()


def hold(people: People, m: Subject) -> None:
    """Write one entry."""
    people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=m.model))


def parse(record: audit_pb2.EntryRecord) -> ledger_pb2.LedgerEntry:
    """Read an entry."""
    return ledger_pb2.LedgerEntry.FromString(record.entry)


def listed(people: People, **filters: object) -> list[ledger_pb2.LedgerEntry]:
    """Return every entry that a filter finds, over all pages."""
    found: list[ledger_pb2.LedgerEntry] = []
    token = ""
    while True:
        request = audit_pb2.ListEntriesRequest(page_token=token, **filters)  # type: ignore[arg-type]  # fields
        page = people["auditor"].audit.ListEntries(request)
        found += map(parse, page.entries)
        token = page.next_page_token
        if not token:
            return found


def tail(people: People, after: int = -1) -> list[audit_pb2.EntryRecord]:
    """Return every entry after a position."""
    return list(people["auditor"].audit.TailEntries(audit_pb2.TailEntriesRequest(after_position=after)))


def test_the_entries_give_the_checkpoint_s_root(people: People, m: Subject) -> None:
    """Hashing the bytes that a tail gives leads to the root that the log signed."""
    hold(people, m)
    checkpoint = people["auditor"].checkpoint()

    records = tail(people)

    frontier = Frontier().extend(leaf_hash(record.entry) for record in records)
    assert (frontier.size, frontier.root()) == (checkpoint.size, checkpoint.root)
    assert [parse(record).seq for record in records] == list(range(checkpoint.size))


def test_what_an_entry_names_comes_along(people: People, m: Subject) -> None:
    """The founding entry brings its pack, a proposal its content bytes, each once."""
    people["evaluator"].propose(m.assign())

    records = tail(people)

    first, last = records[0], records[-1]
    digest = parse(last).command.propose_change.content_digest
    assert [hashlib.sha256(data).digest() for data in last.objects] == [digest]
    assert len(first.objects) == 1
    assert b"policy: minimal" in first.objects[0]


def test_a_tail_begins_where_it_is_told(people: People, m: Subject) -> None:
    """A tail after the head is empty; after any other entry it begins with the next."""
    hold(people, m)
    head = people["auditor"].checkpoint().size - 1

    assert [parse(record).seq for record in tail(people, head - 2)] == [head - 1, head]
    assert tail(people, head) == []


def test_a_tail_past_the_end_is_no_empty_log(people: People) -> None:
    """Whoever knows a later entry than the server is told so."""
    with refused("POSITION_NOT_REACHED") as said:
        tail(people, 10**9)

    assert said.code is grpc.StatusCode.UNAVAILABLE


def test_a_tail_that_follows_sees_each_entry_once(people: People, m: Subject) -> None:
    """Entries written while someone follows arrive, each once and in order."""
    auditor = people["auditor"]
    start = auditor.checkpoint().size - 1
    stub = audit_pb2_grpc.AuditServiceStub(people.channel)
    call = stub.TailEntries(
        audit_pb2.TailEntriesRequest(after_position=start, follow=True),
        metadata=auditor.metadata,
        timeout=CALL_SECONDS,
    )
    people["owner"]
    writers = [threading.Thread(target=hold, args=(people, m)) for _ in range(20)]
    for writer in writers:
        writer.start()

    seen = [parse(next(call)).seq for _ in range(20)]

    for writer in writers:
        writer.join()
    call.cancel()
    assert seen == list(range(start + 1, start + 21))


def test_a_follower_is_told_that_the_server_stops(server: ServerThread) -> None:
    """A server that is told to stop ends its watchers with a reason, and does not wait for them."""
    with People(server) as people:
        auditor = people["auditor"]
        call = audit_pb2_grpc.AuditServiceStub(people.channel).TailEntries(
            audit_pb2.TailEntriesRequest(after_position=0, follow=True), metadata=auditor.metadata
        )
        next(call)
        server.stop()

        with pytest.raises(grpc.RpcError) as caught:
            list(call)

    assert answer_of(caught.value).reason == "SHUTTING_DOWN"


def test_a_model_s_trail_holds_all_that_concerns_it(people: People, m: Subject) -> None:
    """Holds on it and changes of it are in a model's trail, other models' entries are not."""
    other = people.new_model()
    hold(people, m)
    hold(people, other)
    people.enact(m.assign())

    kinds = [entry.command.WhichOneof("kind") for entry in listed(people, model=m.model)]

    assert kinds == ["fire", "fire", "propose_change", "sign_off_change", "sign_off_change"]


def test_filters_are_joined(people: People, m: Subject) -> None:
    """Actor, trigger and resource each leave out what does not match."""
    hold(people, m)
    people.enact(m.assign())

    def found(**filters: object) -> list[str]:
        return [row.trigger for entry in listed(people, model=m.model, **filters) for row in entry.transitions]

    assert found(actor="principals/owner", trigger="hold.place") == ["hold.place"]
    assert found(trigger="level.*") == ["change.sign", "level.assign", "change.apply"]
    assert found(resource=m.level) == ["change.sign", "level.assign", "change.apply"]
    assert found(actor="principals/nobody") == []


def test_a_resource_is_found_with_what_is_below_it(people: People) -> None:
    """A name finds itself and its parts, never one that only begins alike; a closing star matches any rest."""
    short, long = people.new_model(), people.new_model()
    while not long.model.startswith(short.model):
        long = people.new_model()
    for subject in (short, long):
        people.enact(subject.assign())

    def found(resource: str) -> set[str]:
        entries = listed(people, resource=resource)
        return {name for entry in entries for move in entry.transitions if "models/" in (name := move.resource)}

    assert found(short.model) == {short.model, short.level}
    assert found(f"{short.model}/levels") == {short.level}
    assert {short.model, long.model, long.level} <= found(f"{short.model}*")
    assert found(short.model[:-1]) == set()


def test_both_orders_and_pages_agree(people: People, m: Subject) -> None:
    """Any page size gives the same entries, in either order."""
    for _ in range(4):
        hold(people, m)

    up = [entry.seq for entry in listed(people, model=m.model)]
    down = [entry.seq for entry in listed(people, model=m.model, descending=True, page_size=2)]
    by_one = [entry.seq for entry in listed(people, model=m.model, page_size=1)]

    assert up == sorted(up)
    assert down[::-1] == by_one == up
    assert len(up) == 5


def test_entries_are_found_by_time(people: People, m: Subject) -> None:
    """At or after the start, before the end."""
    hold(people, m)
    hold(people, m)
    first, second, third = listed(people, model=m.model)

    def at(entry: ledger_pb2.LedgerEntry) -> Timestamp:
        return Timestamp(seconds=entry.time // 1_000_000, nanos=entry.time % 1_000_000 * 1000)

    assert listed(people, model=m.model, start_time=at(second)) == [second, third]
    assert listed(people, model=m.model, end_time=at(second)) == [first]
    assert listed(people, model=m.model, start_time=at(second), end_time=at(third)) == [second]


@pytest.mark.parametrize("field", ["start_time", "end_time"])
def test_a_time_that_is_none_is_refused(people: People, field: str) -> None:
    """A moment outside the calendar names its field."""
    with refused("INVALID_FIELD") as said:
        listed(people, **{field: Timestamp(seconds=2**62)})

    assert said.fields == (field,)


@pytest.mark.parametrize(
    "word", ["models/m%", "x' OR '1'='1", "models/_", '"; DROP TABLE entries; --', "\U0001f512", "models/m1\\"]
)
def test_filters_are_words_and_no_patterns(people: People, m: Subject, word: str) -> None:
    """Whatever is asked for is compared as it is: nothing is found, nothing breaks."""
    hold(people, m)

    assert listed(people, resource=word) == []


def test_one_entry_is_given_alone(people: People, m: Subject) -> None:
    """An entry by its name is what the tail gives."""
    hold(people, m)
    head = people["auditor"].checkpoint().size - 1

    record = people["auditor"].audit.GetEntry(audit_pb2.GetEntryRequest(name=f"entries/{head}"))

    assert record == tail(people, head - 1)[0]


@pytest.mark.parametrize("name", ["entries/999999", "entries/999999999999999999"])
def test_an_entry_that_there_is_not_is_not_found(people: People, name: str) -> None:
    """There is nothing past the head."""
    with refused("NOT_FOUND"):
        people["auditor"].audit.GetEntry(audit_pb2.GetEntryRequest(name=name))


def test_a_checkpoint_covers_what_was_acknowledged(people: People, m: Subject) -> None:
    """After each acknowledged write the checkpoint is at or past it."""
    sizes = []
    for _ in range(3):
        hold(people, m)
        sizes.append(people["auditor"].checkpoint().size)

    assert sizes == sorted(set(sizes))


def test_a_refused_attempt_is_on_record(people: People, m: Subject) -> None:
    """Who is told no at a method that writes finds that in the log."""
    with refused("NOT_ALLOWED"):
        people["auditor"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=m.model))

    attempts = [
        entry.command.attempt_refused
        for entry in listed(people, actor="principals/auditor")
        if entry.command.WhichOneof("kind") == "attempt_refused"
    ]
    assert attempts[-1].method == "interlock.v1.HoldService/PlaceHold"
    assert list(attempts[-1].codes) == ["NOT_ALLOWED"]


def test_the_trail_is_for_who_may_read_it(people: People) -> None:
    """A release tool reads no trail."""
    with refused("NOT_ALLOWED"):
        people["release-bot"].audit.GetCheckpoint(audit_pb2.GetCheckpointRequest())
