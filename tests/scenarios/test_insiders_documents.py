"""Documents that only a trigger names: insiders who would have others sign for bytes that they were not shown.

Through a real server and, where a client is part of it, through the real command line.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from interlock.statemachine import codec, signoff
from interlock.v1 import change_pb2, evidence_pb2, trigger_pb2
from tests.integration.cli_runner import Cli, command_line
from tests.scenarios.test_insiders import SIGN, attempts, hand_in, read
from tests.support.people import People, Subject, refused, trigger
from tests.support.server import ServerThread, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import Install

RESTRICTED: Final = evidence_pb2.CLASSIFICATION_RESTRICTED
REACHED: Final = trigger_pb2.CONCLUSION_CANNOT_RULE_OUT


@pytest.fixture(scope="module")
def people(installations: Install, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Serve `minimal`."""
    data = copy_of(installations("minimal"), tmp_path_factory.mktemp("documents") / "data")
    with ServerThread(data) as server, People(server) as crowd:
        yield crowd


@pytest.fixture
def cli(people: People, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Give a command line for everybody of that server."""
    assert isinstance(people.server, ServerThread)
    return command_line(people.server, capsys, tmp_path, monkeypatch)


def reported(subject: Subject, *documents: str) -> trigger_pb2.Trigger:
    """Return a report that rests on documents; it may ride in a change."""
    firing = trigger_pb2.DeterminationReport(
        determination=subject.determination, conclusion=REACHED, evidence=documents
    )
    return trigger(determination_report=firing)


def proposal(people: People, *documents: str) -> tuple[Subject, change_pb2.Change]:
    """Have the evaluator propose a level together with a report that rests on documents."""
    subject = people.new_model()
    return subject, people["evaluator"].propose(reported(subject, *documents), subject.assign())


STATEMENTS: dict[str, Callable[[tuple[signoff.SeenEvidence, ...]], tuple[signoff.SeenEvidence, ...]]] = {
    "silent about it": lambda _rows: (),
    "of another digest": lambda rows: (replace(rows[0], sha256="0" * 64),),
    "about it twice": lambda rows: (*rows, *rows),
}


@pytest.mark.parametrize("what", sorted(STATEMENTS))
def test_a_statement_about_other_documents_than_triggers_name(what: str, people: People) -> None:
    """Who signs says of each document what they saw of it, attached or not, by its digest."""
    report = people["evaluator"].upload("risk_report", what.encode())
    _, change = proposal(people, report.name)
    statement = people["owner"].statement(change, "owner")
    assert [(row.evidence, row.sha256) for row in statement.evidence] == [(report.name, report.sha256)]

    with refused("SIGN_OFF_INVALID") as said:
        hand_in(
            people["owner"],
            change.name,
            people["owner"].envelope(replace(statement, evidence=STATEMENTS[what](statement.evidence))),
        )

    assert said.unmet == ("SIGN_OFF_EVIDENCE",)
    assert (SIGN, ("SIGN_OFF_EVIDENCE",)) in attempts(people, "owner")


def test_a_document_that_a_trigger_names_is_swapped_after_a_sign_off(people: People) -> None:
    """Another document in a trigger is another revision: what was signed is void, older envelopes are refused."""
    first, second = (people["evaluator"].upload("risk_report", word) for word in (b"as measured", b"kinder"))
    subject, change = proposal(people, first.name)
    people["owner"].sign(change.name, "owner")
    stale = people["reviewer"].envelope(people["reviewer"].statement(change, "reviewer"))

    triggers = [reported(subject, second.name), subject.assign()]
    people["evaluator"].changes.AmendChange(change_pb2.AmendChangeRequest(name=change.name, triggers=triggers))
    with refused("SIGN_OFF_INVALID") as said:
        hand_in(people["reviewer"], change.name, stale)

    assert set(said.unmet) == {"SIGN_OFF_SUBJECT", "SIGN_OFF_EVIDENCE"}
    swapped = read(people["auditor"], change.name)
    assert [(row.void, row.void_reason) for row in swapped.sign_offs] == [(True, "REVISION_CHANGED")]
    assert codec.decode_content(swapped.content).named_evidence == ((second.name, second.sha256),)


def test_who_never_opened_a_restricted_document_that_a_trigger_names(people: People) -> None:
    """Nobody says to have seen it in full before an entry says that they opened it; then they may."""
    secret = people["evaluator"].upload("risk_report", b"how it is done", classification=RESTRICTED)
    _, change = proposal(people, secret.name)

    with refused("SIGN_OFF_INVALID") as said:
        people["owner"].sign(change.name, "owner")
    assert said.unmet == ("SIGN_OFF_EVIDENCE",)
    assert (SIGN, ("SIGN_OFF_EVIDENCE",)) in attempts(people, "owner")

    grant = evidence_pb2.GrantAccessRequest(name=secret.name, principal="principals/owner")
    people["evaluator"].evidence.GrantAccess(grant)
    people["owner"].download(secret.name)
    people["owner"].sign(change.name, "owner")


def test_a_document_that_a_trigger_names_is_detached(people: People) -> None:
    """What it is attached to goes; that it is bound does not, and whoever signs still speaks of it."""
    report = people["evaluator"].upload("risk_report", b"twice in it")
    subject = people.new_model()
    change = people["evaluator"].propose(reported(subject, report.name), subject.assign(), evidence=[report.name])
    request = change_pb2.DetachEvidenceRequest(name=change.name, evidence=[report.name])
    detached = people["evaluator"].changes.DetachEvidence(request)

    statement = people["owner"].statement(detached, "owner")
    with refused("SIGN_OFF_INVALID") as said:
        hand_in(people["owner"], change.name, people["owner"].envelope(replace(statement, evidence=())))

    assert said.unmet == ("SIGN_OFF_EVIDENCE",)
    assert codec.decode_content(detached.content).evidence == ()


def test_more_documents_than_anybody_could_sign_for(people: People) -> None:
    """Attached and named together they are bounded, so that a statement over all of them can be handed in."""
    names = [people["evaluator"].upload("risk_report", f"part {n}".encode()).name for n in range(201)]
    subject = people.new_model()
    triggers = [reported(subject, *names[at : at + 50]) for at in range(0, 200, 50)]

    with refused("INVALID_FIELD"):
        people["evaluator"].propose(*triggers, reported(subject, names[200]), subject.assign())
    change = people["evaluator"].propose(*triggers, subject.assign())

    assert len(people["owner"].sign(change.name, "owner").sign_offs) == 1


# With the real client ------------------------------------------------------------------------------------------------

REPORT: Final = """\
title: A level, as reported
triggers:
  - determination.report:
      {{determination: models/{model}/determinations/misuse, conclusion: cannot_rule_out, evidence: [{named}]}}
  - level.assign: {{level: models/{model}/levels/deployment, to: basic}}
"""


def seen_by(cli: Cli, change: str) -> list[tuple[str, str, str]]:
    """Return what the last signer of a change said to have seen, as name, digest, and how much."""
    shown = cli.must("auditor", "changes", "show", change, "--json").json
    import base64  # noqa: PLC0415  # beside its one use

    envelope = base64.b64decode(shown["sign_offs"][-1]["envelope"])
    rows = signoff.claimed_statement(envelope).evidence
    return [(row.evidence, row.sha256, row.seen) for row in rows]


def test_the_command_line_shows_and_signs_what_a_trigger_names(cli: Cli) -> None:
    """Its digest is on the screen before it is signed, and what was seen of it is what was downloaded."""
    cli.must("evaluator", "models", "create", "seen")
    named = cli.document("risk_report")
    record = cli.must("owner", "evidence", "show", named, "--json").json
    change = cli.propose(REPORT.format(model="seen", named=named))

    told = cli.must("owner", "sign", change, "--yes").out.partition("\nsigned\n")[0]
    assert record["sha256"] in told
    assert "you have not opened it" in told
    assert seen_by(cli, change) == [(named, record["sha256"], "not_opened")]

    cli.must("reviewer", "evidence", "download", named, "--output", str(cli.folder / "report"))
    assert "you have opened it" in cli.must("reviewer", "sign", change, "--yes").out
    assert seen_by(cli, change) == [(named, record["sha256"], "full")]
    entry = json.loads(cli.must("auditor", "changes", "show", change, "--json").out)
    assert entry["decoded_content"]["named_evidence"] == [{"evidence": named, "sha256": record["sha256"]}]


def test_a_restricted_copy_of_what_somebody_has_read(cli: Cli) -> None:
    """Regression: who had read a public document could not even reject a change that names a restricted copy of it."""
    cli.must("evaluator", "models", "create", "copied")
    public = cli.document("risk_report")
    file = str(cli.folder / "risk_report.md")
    words = ("evidence", "upload", file, "--kind", "risk_report", "--classification", "restricted", "--json")
    copy = cli.must("evaluator", *words).json["name"]
    cli.must("owner", "evidence", "download", public, "--output", str(cli.folder / "read"))
    change = cli.propose(REPORT.format(model="copied", named=f"{public}, {copy}"))

    cli.must("owner", "reject", change, "--comment", "why restricted?", "--yes")

    assert [seen for _, _, seen in seen_by(cli, change)] == ["full", "not_opened"]


def test_who_read_a_redacted_version_says_so(cli: Cli) -> None:
    """Of the original they saw a redaction, and nothing of it in full."""
    cli.must("evaluator", "models", "create", "redacted")
    original = cli.document("risk_report")
    file = cli.file("bars.md", "# ████\n")
    words = ("evidence", "upload", file, "--kind", "risk_report", "--redacts", original, "--json")
    version = cli.must("evaluator", *words).json["name"]
    cli.must("owner", "evidence", "download", version, "--output", str(cli.folder / "bars"))
    change = cli.propose(REPORT.format(model="redacted", named=original))

    cli.must("owner", "sign", change, "--yes")

    assert [(name, seen) for name, _, seen in seen_by(cli, change)] == [(original, "redacted")]


def test_a_server_that_shows_another_document_than_is_bound(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that differs from what the bytes bind ends before anything is asked or signed."""
    from interlock.client.groups.evidence import EvidenceGroup  # noqa: PLC0415  # beside its one use

    cli.must("evaluator", "models", "create", "shown")
    named, kinder = cli.document("risk_report"), cli.document("internal_feedback")
    change = cli.propose(REPORT.format(model="shown", named=named))
    honest = EvidenceGroup.get

    def lies(group: EvidenceGroup, evidence: str, **rest: Any) -> evidence_pb2.Evidence:  # noqa: ANN401  # as of
        record = honest(group, kinder, **rest)
        record.name = evidence
        return record

    monkeypatch.setattr(EvidenceGroup, "get", lies)
    refused_here = cli("owner", "sign", change, "--yes", "--json")

    assert refused_here.refusal["reason"] == "DIGEST_MISMATCH"
    assert cli.must("auditor", "changes", "show", change, "--json").json.get("sign_offs", []) == []


def test_an_export_has_what_a_trigger_names(cli: Cli) -> None:
    """With documents, the whole log has its bytes, and so has a selection of the model."""
    cli.must("evaluator", "models", "create", "exported")
    named = cli.document("risk_report")
    change = cli.propose(REPORT.format(model="exported", named=named))
    cli.must("owner", "sign", change, "--yes")
    cli.must("reviewer", "sign", change, "--yes")
    cli.file("log.pub", cli.must("auditor", "audit", "key").out)

    for words in ((), ("--model", "exported")):
        out = str(cli.folder / f"export{len(words)}.ilbundle")
        cli.must("auditor", "audit", "export", "--out", out, "--with-evidence", *words)
        partial = ("--partial-ok",) if words else ()
        cli.must("nobody", "audit", "verify", out, "--key", str(cli.folder / "log.pub"), *partial)
        assert b"# risk_report\n" in Path(out).read_bytes()
