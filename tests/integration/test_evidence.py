"""Evidence through the real server: uploaded, checked, kept, recorded, downloaded, guarded."""

from __future__ import annotations

import hashlib
import os
import threading
import uuid
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from interlock.v1 import audit_pb2, evidence_pb2, evidence_pb2_grpc, ledger_pb2, model_pb2
from tests.support.people import People, chunks_of, metadata_of, refused
from tests.support.server import CALL_SECONDS, ServerThread, answer_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIND = "evaluation_results"
LARGE = os.urandom(3 * (1 << 20) + 17)


@pytest.fixture(scope="module")
def people(shared_server: ServerThread) -> Iterator[People]:
    """Give everybody of one server."""
    with People(shared_server) as everybody:
        yield everybody


def files(people: People) -> set[Path]:
    """Return every file in the evidence folder."""
    return {path for path in (people.server.data / "evidence").rglob("*") if path.is_file()}


def size_of_log(people: People) -> int:
    """Return how many entries the log has."""
    return people["auditor"].checkpoint().size


def last_command(people: People) -> str:
    """Return what the newest entry's command is called."""
    newest = audit_pb2.ListEntriesRequest(descending=True, page_size=1)
    (record,) = people["auditor"].audit.ListEntries(newest).entries
    return str(ledger_pb2.LedgerEntry.FromString(record.entry).command.WhichOneof("kind"))


def test_a_document_comes_back_as_it_was(people: People) -> None:
    """What is uploaded in chunks is recorded with its digest and size, and downloads to the same bytes."""
    record = people["evaluator"].upload(KIND, LARGE, title="Results", media_type="application/pdf")

    assert (record.sha256, record.size_bytes) == (hashlib.sha256(LARGE).hexdigest(), len(LARGE))
    assert (record.title, record.media_type, record.uploader) == (
        "Results",
        "application/pdf",
        "principals/evaluator",
    )
    assert record.made_time == record.create_time
    assert people["owner"].download(record.name) == LARGE
    assert people["owner"].evidence.GetEvidence(evidence_pb2.GetEvidenceRequest(name=record.name)) == record


def test_bytes_are_kept_under_their_digest(people: People) -> None:
    """The folder holds the document by content and nothing that was on its way."""
    data = b"kept where its digest says"
    digest = hashlib.sha256(data).hexdigest()

    people["evaluator"].upload(KIND, data)

    folder = people.server.data / "evidence"
    assert (folder / "sha256" / digest[:2] / digest[2:]).read_bytes() == data
    assert not list((folder / "incoming").iterdir())


def test_equal_bytes_are_stored_once_and_recorded_twice(people: People) -> None:
    """Two records of the same bytes share one blob."""
    first = people["evaluator"].upload(KIND, b"twice")
    before = files(people)

    second = people["engineer"].upload("red_team_report", b"twice")

    assert files(people) == before
    assert first.name != second.name
    assert people["owner"].download(first.name) == people["owner"].download(second.name) == b"twice"


@pytest.mark.parametrize(("offset", "limit"), [(0, 1), (5, 0), (1 << 20, 3), (len(LARGE) - 1, 100), (len(LARGE), 0)])
def test_ranges_are_downloaded(people: People, offset: int, limit: int) -> None:
    """Any range of a document can be asked for; what is past its end is left out."""
    record = people["evaluator"].upload(KIND, LARGE)

    data = people["owner"].download(record.name, offset, limit)

    assert data == LARGE[offset : offset + limit if limit else None]


def test_an_offset_past_the_end_is_refused(people: People) -> None:
    """A range that begins past the document's end is malformed."""
    record = people["evaluator"].upload(KIND, b"short")

    with refused("INVALID_FIELD") as said:
        people["owner"].download(record.name, 6)

    assert said.fields == ("offset_bytes",)


def test_an_empty_document_is_a_document(people: People) -> None:
    """Nothing at all has a digest too."""
    record = people["evaluator"].upload(KIND, b"")

    assert people["owner"].download(record.name) == b""


@pytest.mark.parametrize(
    ("announced", "sent"),
    [(b"announced", b"different"), (b"announced", b"announced and more"), (b"announced", b"announ"), (b"x", b"")],
    ids=["other-bytes", "too-many", "too-few", "none"],
)
def test_bytes_that_were_not_announced_leave_nothing(people: People, announced: bytes, sent: bytes) -> None:
    """A document that is not what its metadata says is refused as damaged; no file and no entry is left."""
    before, size = files(people), size_of_log(people)

    with refused("DIGEST_MISMATCH") as said:
        people["evaluator"].upload_parts(metadata_of(KIND, announced), chunks_of(sent))

    assert said.code is grpc.StatusCode.DATA_LOSS
    assert (files(people), size_of_log(people)) == (before, size)


def test_an_upload_that_is_cancelled_leaves_nothing(people: People) -> None:
    """A caller who goes away in the middle of an upload leaves no file and no entry."""
    before, size = files(people), size_of_log(people)
    stub = evidence_pb2_grpc.EvidenceServiceStub(people.channel)
    go_on = threading.Event()

    def parts() -> Iterator[evidence_pb2.UploadEvidenceRequest]:
        yield evidence_pb2.UploadEvidenceRequest(metadata=metadata_of(KIND, LARGE))
        yield evidence_pb2.UploadEvidenceRequest(chunk=LARGE[: 1 << 20])
        go_on.wait(CALL_SECONDS)

    call = stub.UploadEvidence.future(parts(), metadata=people["evaluator"].metadata)
    incoming = people.server.data / "evidence" / "incoming"
    while not list(incoming.iterdir()):
        os.sched_yield()
    call.cancel()
    go_on.set()
    while list(incoming.iterdir()):
        os.sched_yield()

    assert (files(people), size_of_log(people)) == (before, size)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [evidence_pb2.UploadEvidenceRequest(chunk=b"x")],
        [evidence_pb2.UploadEvidenceRequest(metadata=metadata_of(KIND, b"x"))] * 2,
    ],
    ids=["nothing", "chunk-first", "metadata-twice"],
)
def test_an_upload_out_of_order_is_refused(people: People, parts: list[evidence_pb2.UploadEvidenceRequest]) -> None:
    """Metadata comes first and once."""
    before = files(people)

    with refused("INVALID_FIELD") as said:
        people["evaluator"].evidence.UploadEvidence(iter(parts))

    assert said.fields == ("metadata",)
    assert files(people) == before


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("EVIDENCE_KIND_UNKNOWN", {"kind": "gossip"}),
        ("EVIDENCE_MADE_LATER", {"made_time": Timestamp(seconds=4_000_000_000)}),
        ("EVIDENCE_FIELD", {"authors": ["principals/nobody"]}),
        ("EVIDENCE_UNKNOWN", {"redacts": "evidence/999999"}),
        (
            "EVIDENCE_FIELD",
            {"made_time": Timestamp(seconds=1000), "valid_until_time": Timestamp(seconds=999)},
        ),
    ],
)
def test_a_record_that_can_t_be_is_refused_before_any_byte(
    people: People, code: str, change: dict[str, object]
) -> None:
    """What no document could mend is refused by the metadata alone: nothing is read, nothing is kept."""
    before = files(people)

    metadata = metadata_of(KIND, b"data", **change)
    request = evidence_pb2.UploadEvidenceRequest(metadata=metadata)
    with refused("INVALID_FIELD") as said:
        people["evaluator"].evidence.UploadEvidence(iter([request]))

    assert said.unmet == (code,)
    assert files(people) == before


@pytest.mark.parametrize("field", ["made_time", "valid_until_time"])
@pytest.mark.parametrize(
    "moment",
    [Timestamp(seconds=2**62), Timestamp(seconds=-(2**62)), Timestamp(nanos=-1)],
    ids=["late", "early", "nanos"],
)
def test_a_time_that_is_none_is_refused(people: People, field: str, moment: Timestamp) -> None:
    """A moment outside the calendar names its field."""
    with refused("INVALID_FIELD") as said:
        people["evaluator"].upload(KIND, b"data", **{field: moment})

    assert said.fields == (field,)


def test_an_end_in_1970_does_not_mean_no_end(people: People) -> None:
    """The log's word for "no end" can't be sent as a moment."""
    with refused("INVALID_FIELD") as said:
        people["evaluator"].upload(KIND, b"data", valid_until_time=Timestamp(seconds=0))

    assert said.fields == ("valid_until_time",)


def test_a_retry_is_one_record(people: People) -> None:
    """The same upload under the same request id is recorded once."""
    request_id = str(uuid.uuid4())

    first = people["evaluator"].upload(KIND, b"once", request_id=request_id)
    size = size_of_log(people)
    second = people["evaluator"].upload(KIND, b"once", request_id=request_id)

    assert first == second
    assert size_of_log(people) == size


def test_who_may_not_upload_is_refused(people: People) -> None:
    """An auditor reads and adds nothing."""
    before = files(people)

    with refused("NOT_ALLOWED") as said:
        people["auditor"].upload(KIND, b"mine")

    assert said.code is grpc.StatusCode.PERMISSION_DENIED
    assert files(people) == before


def test_a_restricted_document_is_for_whom_it_was_opened(people: People) -> None:
    """Only the uploader, and who was given access, can read a restricted document."""
    secret = people["evaluator"].upload(KIND, b"secret", classification=evidence_pb2.CLASSIFICATION_RESTRICTED)
    with refused("NOT_ALLOWED"):
        people["reviewer"].download(secret.name)

    people["evaluator"].evidence.GrantAccess(
        evidence_pb2.GrantAccessRequest(name=secret.name, principal="principals/reviewer")
    )

    assert people["reviewer"].download(secret.name) == b"secret"
    assert people["evaluator"].download(secret.name) == b"secret"
    with refused("NOT_ALLOWED"):
        people["owner"].download(secret.name)


def test_opening_a_restricted_document_leaves_an_entry(people: People) -> None:
    """Each reading of a restricted document is on record, of others none."""
    secret = people["evaluator"].upload(KIND, b"secret too", classification=evidence_pb2.CLASSIFICATION_RESTRICTED)
    open_one = people["evaluator"].upload(KIND, b"for all", classification=evidence_pb2.CLASSIFICATION_PUBLIC)
    size = size_of_log(people)

    people["evaluator"].download(open_one.name)
    between = size_of_log(people)
    people["evaluator"].download(secret.name)

    assert (between, size_of_log(people)) == (size, size + 1)
    assert last_command(people) == "open_evidence"


def test_a_document_without_a_class_is_internal(people: People) -> None:
    """What nobody classified is neither public nor withheld from those who sign."""
    record = people["evaluator"].upload(KIND, b"plain", classification=0)

    assert record.classification == evidence_pb2.CLASSIFICATION_INTERNAL


def test_documents_are_listed_newest_first_by_kind(people: People) -> None:
    """A listing goes back in time, page by page, and can be of one kind."""
    names = [people["engineer"].upload("vulnerability_disclosure", bytes([n])).name for n in range(3)]
    service = people["owner"].evidence

    first = service.ListEvidence(evidence_pb2.ListEvidenceRequest(kind="vulnerability_disclosure", page_size=2))
    second = service.ListEvidence(
        evidence_pb2.ListEvidenceRequest(kind="vulnerability_disclosure", page_size=2, page_token=first.next_page_token)
    )

    assert [row.name for row in (*first.evidence, *second.evidence)] == names[::-1]
    assert all(row.title for row in first.evidence)


@pytest.mark.parametrize("method", ["GetEvidence", "GrantAccess"])
def test_a_document_that_there_is_not_is_not_found(people: People, method: str) -> None:
    """Each method on an unknown document says so."""
    request = getattr(evidence_pb2, f"{method}Request")(name="evidence/999999")
    if method == "GrantAccess":
        request.principal = "principals/owner"

    with refused("NOT_FOUND"):
        getattr(people["owner"].evidence, method)(request)


def test_a_download_of_nothing_is_not_found(people: People) -> None:
    """An unknown document can't be downloaded."""
    with refused("NOT_FOUND"):
        people["owner"].download("evidence/999999")


def test_a_training_run_s_figure_is_read_from_the_document(people: People) -> None:
    """The effective compute of a run comes out of its record, and the model's run is recorded by it."""
    m = people.new_model()
    record = people["evaluator"].upload("training_run_record", b'{"effective_compute_flop": "3.5e25"}')

    run = people["owner"].models.RecordRun(model_pb2.RecordRunRequest(name=m.model, evidence=record.name))

    assert record.effective_compute == "35000000000000000000000000"
    assert run.name == m.model


@pytest.mark.parametrize("document", [b"{}", b"not json", b'{"effective_compute_flop": -1}', b" " * ((1 << 20) + 1)])
def test_a_training_run_without_a_figure_leaves_nothing(people: People, document: bytes) -> None:
    """A training_run_record that says no honest figure is malformed, and is not kept."""
    before, size = files(people), size_of_log(people)

    with refused("INVALID_FIELD"):
        people["evaluator"].upload("training_run_record", document)

    assert (files(people), size_of_log(people)) == (before, size)


def test_a_damaged_blob_is_data_loss(people: People) -> None:
    """A blob that was cut behind the server's back is never given out as if it were whole."""
    record = people["evaluator"].upload(KIND, b"to be cut")
    digest = record.sha256
    blob = people.server.data / "evidence" / "sha256" / digest[:2] / digest[2:]
    blob.write_bytes(b"to be")

    with refused("DIGEST_MISMATCH") as said:
        people["owner"].download(record.name)

    assert said.code is grpc.StatusCode.DATA_LOSS


def test_a_document_beyond_the_limit_is_refused_by_its_size(data: Path) -> None:
    """A document may be as large as the configuration says, and is refused before it is sent."""
    with ServerThread(data, max_evidence_bytes=10) as server, People(server) as people:
        people["evaluator"].upload(KIND, b"x" * 10)
        with refused("LIMIT_EXCEEDED") as said:
            people["evaluator"].upload(KIND, b"x" * 11)

    assert said.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_an_upload_that_says_nothing_more_is_ended(data: Path) -> None:
    """A caller who stops sending is not waited for without end, and leaves nothing."""
    with ServerThread(data, upload_idle_seconds=0.2) as server, People(server) as people:
        stub = evidence_pb2_grpc.EvidenceServiceStub(people.channel)
        ended = threading.Event()

        def parts() -> Iterator[evidence_pb2.UploadEvidenceRequest]:
            yield evidence_pb2.UploadEvidenceRequest(metadata=metadata_of(KIND, LARGE))
            ended.wait(CALL_SECONDS)

        with pytest.raises(grpc.RpcError) as caught:
            stub.UploadEvidence(parts(), metadata=people["evaluator"].metadata, timeout=CALL_SECONDS)
        ended.set()

        assert answer_of(caught.value).reason == "LIMIT_EXCEEDED"
        assert not files(people)


def test_records_and_blobs_survive_a_restart(data: Path) -> None:
    """After a restart the record and its bytes are there, and what a crash left half uploaded is not."""
    with ServerThread(data) as server, People(server) as people:
        record = people["evaluator"].upload(KIND, LARGE, title="Kept")
    (data / "evidence" / "incoming" / "left").write_bytes(b"half")

    with ServerThread(data) as server, People(server) as people:
        assert people["owner"].download(record.name) == LARGE
        again = people["owner"].evidence.GetEvidence(evidence_pb2.GetEvidenceRequest(name=record.name))
        assert again == record
    assert not list((data / "evidence" / "incoming").iterdir())
