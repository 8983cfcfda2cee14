"""An auditor with a laptop and no trust: a wheel, a bundle, the log's key from a printed page, a checkpoint of April.

The wheel is built from this tree and unpacked by pip without an index; what the `server` extra would bring can't be
imported in the auditor's process, and where this system allows that there is no network in it. The client's own
dependencies come from this environment: a registry is not at hand in a test.
Moments of the test's own log stand for dates; the state that the range begins with was stated in April.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from interlock.client.sdk import Interlock
from interlock.proofs import bundle, keys, merkle
from interlock.v1 import audit_pb2, bundle_pb2, hold_pb2, identity_pb2, model_pb2, trigger_pb2
from ops.demo import without_network
from tests.support.people import People, Subject, trigger
from tests.support.server import ServerThread, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT: Final = Path(__file__).parents[2]
SERVER_EXTRA: Final = [
    "alembic",
    "grpc_health",
    "grpc_reflection",
    "obstore",
    "prometheus_client",
    "protovalidate",
    "sqlalchemy",
    "structlog",
]
LAPTOP: Final = """\
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, NotInstalled())
sys.path += {paths!r}
import interlock.cli.main
sys.exit(interlock.cli.main.run(sys.argv[1:]))
"""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command on the laptop ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  # any document
        """What it printed, as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Laptop:
    """The auditor's machine: the client alone, in a folder, with no server, no profile, no network."""

    folder: Path
    script: Path

    def __call__(self, *words: str) -> Done:
        """Run a command."""
        # -S: no site-packages but those named, so no editable install of this tree. -I: no PYTHONPATH either.
        command = [*without_network(), sys.executable, "-I", "-S", str(self.script), *words]
        environment = {"INTERLOCK_HOME": str(self.folder / "nothing"), "PATH": "/usr/bin:/bin", "COLUMNS": "200"}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        return Done(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True, slots=True)
class Handed:
    """What the auditor was given, and what is known of how it came about."""

    subject: Subject
    at: dict[str, int]
    after_april: str
    document: str
    genesis: str
    folder: Path

    @property
    def trusted(self) -> tuple[str, ...]:
        """Options that name what is trusted: the key and the founding."""
        return ("--key", str(self.folder / "log.pub"), "--genesis", self.genesis)

    def bundle(self, name: str = "q2") -> str:
        """Return the path of a bundle."""
        return str(self.folder / f"{name}.ilbundle")


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Laptop:
    """Install the client from its wheel, with no index and no extra."""
    folder = tmp_path_factory.mktemp("laptop")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target"]
    subprocess.run([*install, str(folder / "client"), str(wheel)], check=True, capture_output=True)
    own = [path for path in sys.path if path.endswith("site-packages")]
    script = folder / "interlock.py.txt"
    script.write_text(LAPTOP.format(missing=SERVER_EXTRA, paths=[str(folder / "client"), *own]))
    return Laptop(folder, script)


@pytest.fixture(scope="module")
def handed(installations: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Handed:
    """Play the quarter through a real server, keep April's checkpoint, hand out the bundle; then another history."""
    folder = tmp_path_factory.mktemp("handed")
    at: dict[str, int] = {}
    with ServerThread(copy_of(installations("minimal"), folder / "data")) as server, People(server) as people:
        subject = people.new_model()
        _export(server, folder / "april.ilbundle", folder / "log.pub", models=(subject.model,))  # a digest is stated
        note = people["auditor"].audit.GetCheckpoint(audit_pb2.GetCheckpointRequest()).note
        (folder / "april.txt").write_text(note)
        at["april"] = people["auditor"].checkpoint().size - 1
    after_april = datetime.now(UTC).isoformat()
    copy_of(folder / "data", folder / "forked")
    with ServerThread(folder / "data") as server, People(server) as people:
        report = people["evaluator"].upload("evaluation_results")
        people.enact(subject.rule_out(), subject.assign(), evidence=[report.name])
        at["may"] = people["auditor"].checkpoint().size - 1
        hold = people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model))
        at["held"] = people["auditor"].checkpoint().size - 1
        lost = keys.fingerprint(keys.public_bytes(server.key("engineer")))
        name = f"principals/engineer/credentials/{lost}"
        people["admin"].identity.RevokeCredential(identity_pb2.RevokeCredentialRequest(name=name))
        at["revoked"] = people["auditor"].checkpoint().size - 1
        other = people["evaluator"].models.CreateModel(model_pb2.CreateModelRequest(model_id="wren-1"))
        people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=other.name))
        at["another"] = people["auditor"].checkpoint().size - 1
        people.enact(trigger(hold_lift=trigger_pb2.HoldLift(hold=hold.name)))
        at["june"] = people["auditor"].checkpoint().size - 1
        (folder / "june.txt").write_text(people["auditor"].audit.GetCheckpoint(audit_pb2.GetCheckpointRequest()).note)
        genesis = _export(server, folder / "q2.ilbundle", folder / "log.pub", start=at["april"])
        _export(server, folder / "aurora.ilbundle", folder / "log.pub", models=(subject.model,))
    with ServerThread(folder / "forked") as server, People(server) as people:
        for _ in range(at["june"]):
            people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model))
        _export(server, folder / "forked.ilbundle", folder / "same.pub")
    return Handed(subject, at, after_april, report.name, genesis, folder)


def _export(
    server: ServerThread, out: Path, key: Path, *, start: int | None = None, models: tuple[str, ...] = ()
) -> str:
    with Interlock.from_profile(str(server.home / "auditor")) as client:
        client.export(out, start=start, models=models)
        key.write_text(f"{client.profile.log_key}\n")
        return client.profile.genesis_digest.hex()


def test_the_laptop_has_the_client_alone(laptop: Laptop) -> None:
    """`interlock serve` is not there, and says which extra brings it; the client is."""
    serve = laptop("serve")

    assert serve.code == 2, serve
    assert "pip install '.[server]'" in serve.err
    assert laptop("audit", "--help").code == 0


def test_a_bundle_verifies_with_key_founding_and_a_checkpoint_of_april(laptop: Laptop, handed: Handed) -> None:
    """Every step holds and has its count: exit 0."""
    since = ("--since-checkpoint", str(handed.folder / "april.txt"))

    done = laptop("audit", "verify", handed.bundle(), *handed.trusted, *since, "--json")

    assert done.code == 0, done
    report = done.json
    assert report["verified"]
    assert report["genesis_pinned"]
    assert report["entries"] == handed.at["june"] + 1
    assert (report["part"]["begin"], report["part"]["last"]) == (handed.at["april"], handed.at["june"])
    assert report["part"]["models"] == []
    assert all(step["passed"] and step["detail"] for step in report["steps"])
    assert "verified:" in laptop("audit", "verify", handed.bundle(), *handed.trusted, *since).out


def test_who_let_it_go_on_which_evidence_under_which_rules(laptop: Laptop, handed: Handed) -> None:
    """The verdict of May with, for each requirement, the entry, who signed and on what; while it was held, the hold."""
    ask = ("audit", "why", handed.subject.model, "--context", "internal", "--bundle", handed.bundle(), *handed.trusted)

    may = laptop(*ask, "--at", str(handed.at["may"]), "--json")
    held = laptop(*ask, "--at", str(handed.at["held"]))

    assert may.code == 0, may
    found = may.json
    determined = next(row for row in _leaves(found["tree"]) if row["resource"] == handed.subject.determination)
    assert (found["verdict"], found["policy"]) == ("ALLOW", "policies/minimal/versions/1.0")
    assert determined["signers"] == ["principals/owner", "principals/reviewer"]
    assert determined["evidence"] == [handed.document]
    assert found["entries"][str(determined["entries"][0])]["actor"] == "principals/reviewer"
    assert held.code == 1
    assert "HOLD_PLACED" in held.out


def test_would_other_rules_have_let_it(laptop: Laptop, handed: Handed) -> None:
    """The same moment by another pack: DENY, and what that pack has no id for."""
    ask = ("audit", "why", handed.subject.model, "--context", "api", "--at", str(handed.at["may"]), "--json")

    done = laptop(*ask, "--policy", "rsp-2.2", "--bundle", handed.bundle(), *handed.trusted)

    assert done.code == 1, done
    assert (done.json["verdict"], done.json["policy_was_in_force"]) == ("DENY", False)
    assert done.json["not_carried"]


def test_what_changed_between_two_reports(laptop: Laptop, handed: Handed) -> None:
    """By model: verdicts, level, hold, and who signed."""
    span = ("--from", str(handed.at["april"]), "--to", str(handed.at["june"]))

    done = laptop("audit", "diff", *span, "--bundle", handed.bundle(), *handed.trusted, "--json")

    assert done.code == 0, done
    of_model = next(row for row in done.json["differences"] if row["subject"] == handed.subject.model)
    assert {row["kind"] for row in of_model["moved"]} >= {"determination", "level", "hold", "change"}
    assert {row["signer"] for row in of_model["sign_offs"]} == {"principals/owner", "principals/reviewer"}
    assert [row["context"] for row in of_model["verdicts"]]


def test_a_selection_verifies_as_what_it_is(laptop: Laptop, handed: Handed) -> None:
    """One model, its documents held back: exit 0 where a part is accepted, and no word that could be taken for more."""
    verify = ("audit", "verify", handed.bundle("aurora"), *handed.trusted)

    alone, accepted = laptop(*verify), laptop(*verify, "--partial-ok")
    told = laptop(*verify, "--partial-ok", "--json").json

    assert (alone.code, accepted.code) == (1, 0), (alone, accepted)
    for done in (alone, accepted):
        assert f"PARTIAL: covers {handed.subject.model} up to entry" in done.out
        assert "verified:" not in done.out
    assert told["part"]["models"] == [handed.subject.model]
    assert told["part"]["given"] < told["entries"]
    assert any("documents by digest only" in step["detail"] for step in told["steps"])


def test_a_selection_answers_what_the_range_answers(laptop: Laptop, handed: Handed) -> None:
    """Why, and what changed: the same leaves, the same signers, of the one model that it covers."""
    why = ("audit", "why", handed.subject.model, "--context", "internal", "--at", str(handed.at["may"]), "--json")
    diff = ("audit", "diff", "--from", handed.after_april, "--to", str(handed.at["june"]), "--json")
    range_, part = (("--bundle", handed.bundle(name), *handed.trusted) for name in ("q2", "aurora"))

    whys = [laptop(*why, *range_).json, laptop(*why, *part, "--partial-ok").json]
    diffs = [laptop(*diff, *range_).json["differences"], laptop(*diff, *part, "--partial-ok").json["differences"]]

    assert whys[0]["tree"] == whys[1]["tree"]
    assert whys[0]["entries"] == whys[1]["entries"]
    of_model = [next(row for row in rows if row["subject"] == handed.subject.model) for rows in diffs]
    assert of_model[0] == of_model[1]
    assert laptop(*why, *part).code == 1


@pytest.mark.parametrize("which", ["held", "revoked"])
def test_a_selection_that_leaves_out_a_hold_or_a_revocation_is_not_decidable(
    laptop: Laptop, handed: Handed, which: str
) -> None:
    """The entry is in a gap, with the very hash of its leaf, and the file's own digest fits: exit 1, and why."""
    path = handed.folder / f"without-{which}.ilbundle"
    path.write_bytes(_without(Path(handed.bundle("aurora")).read_bytes(), handed.at[which]))

    done = laptop("audit", "verify", str(path), *handed.trusted, "--partial-ok", "--json")

    assert done.code == 1, done
    assert "NOT_DECIDABLE" in {row["code"] for row in done.json["findings"]}


def _without(data: bytes, left_out: int) -> bytes:
    """Return a bundle with one entry in a gap of its own."""
    writer, position = bundle.BundleWriter(), 0
    parts = [writer.begin()]
    for segment in bundle.read_segments(io.BytesIO(data).read):
        kind, part = segment.kind, segment.data
        if kind is bundle.Kind.GAP:
            position += bundle_pb2.BundleGap.FromString(part).size
        elif kind is bundle.Kind.ENTRY:
            if position == left_out:
                leaf = merkle.leaf_hash(bundle_pb2.BundleEntry.FromString(part).entry)
                kind, part = bundle.Kind.GAP, bundle_pb2.BundleGap(size=1, hashes=[leaf]).SerializeToString()
            position += 1
        parts.append(writer.segment(kind, part))
    return b"".join((*parts, writer.end()))


def test_a_history_that_disagrees_with_a_kept_checkpoint_is_caught(laptop: Laptop, handed: Handed) -> None:
    """A bundle of the same key, as long, each signature right, forked after April: exit 1 for who kept June's head."""
    june = ("--since-checkpoint", str(handed.folder / "june.txt"))

    alone = laptop("audit", "verify", handed.bundle("forked"), *handed.trusted, "--json")
    caught = laptop("audit", "verify", handed.bundle("forked"), *handed.trusted, *june, "--json")

    assert alone.code == 0, alone
    assert caught.code == 1, caught
    assert [row["code"] for row in caught.json["findings"]] == ["LOG_FORKED"]


def _leaves(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the requirements that have none below them."""
    return [leaf for child in tree["children"] for leaf in _leaves(child)] if tree["children"] else [tree]
