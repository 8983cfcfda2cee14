"""A live verification goes on where the last one without findings ended, and is then as good as one from the start."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable  # noqa: TC003  # the type of a table
from dataclasses import fields, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pytest
from immutables import Map

from interlock.client.verify import Counts, VerifyReport, kept, kept_state
from interlock.client.verify import fold as folds
from interlock.client.verify.fold import Fold
from interlock.client.verify.live import FOLDER, LiveVerification
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine.replay import Replay
from interlock.statemachine.state import State
from tests.support.bundles import Parts, codes, root_of, signed_head, trust_in
from tests.support.stories import every_command, propose, sign, whole_bundle, whole_trust
from tests.support.versions import version
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from interlock.client.verify import Trust
    from interlock.v1.bundle_pb2 import BundleEntry


def verify(
    folder: Path, rows: Sequence[BundleEntry], trust: Trust | None = None, *, full: bool = False
) -> tuple[VerifyReport, int]:
    """Verify a log that a server shows; return the report, and the first entry that was asked for."""
    head = signed_head([row.entry for row in rows])
    with LiveVerification(folder, head, trust or whole_trust(), full=full) as verification:
        start = verification.start
        return verification.judge(rows[start:]), start


def settled(report: VerifyReport) -> VerifyReport:
    """Return a report without what tells how its work was divided."""
    steps = tuple(replace(step, detail="") for step in report.steps)
    return replace(report, before=Counts(), now=Counts(), steps=steps)


@lru_cache(maxsize=1)
def whole() -> tuple[BundleEntry, ...]:
    """Return the log in which every command occurs."""
    return whole_bundle().rows


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """Give a profile's folder in which the first twenty entries were verified."""
    assert verify(tmp_path, whole()[:20])[0].verified
    return tmp_path


def test_a_log_verified_entry_by_entry_is_judged_as_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the fold needs was kept: the report after each entry is that of a verification from the first one."""
    monkeypatch.setattr(folds, "KEPT", 1)
    sizes = range(1, len(whole()) + 1)
    (tmp_path / "none").mkdir()
    assert verify(tmp_path, whole()[:1])[1] == 0

    for before, size in pairwise(sizes):
        report, start = verify(tmp_path, whole()[:size])
        assert start == before
        assert report.verified, report.findings
        assert (report.before.entries, report.now.entries) == (before, 1)
        in_one_go, _ = verify(tmp_path / "none", whole()[:size], full=True)
        assert settled(report) == settled(in_one_go)


def test_the_kept_state_is_the_state(tmp_path: Path) -> None:
    """Every field of it, those in memory and those on disk; the documents as well."""
    world, fold = every_command(), Fold()
    replay = Replay(world.resolve, fold.begin())
    for data in world.encoded():
        assert replay.feed(data) is not None
    fold.note_document("ab", "evidence/1", 5)

    state, warm = fold.keep(replay.state, tmp_path / "kept.fold")
    text = json.loads(json.dumps([kept_state.to_json(state, fold.on_disk), kept_state.write_resources(warm)]))
    other = Fold()
    back = other.resume(
        tmp_path / "kept.fold", kept_state.read_resources(text[1]), kept_state.from_json(text[0], other.on_disk)
    )

    for item in fields(State):
        wanted, found = getattr(world.state, item.name), getattr(back, item.name)
        if isinstance(wanted, Map):
            wanted, found = dict(wanted.items()), dict(found.items())
        assert found == wanted, item.name
    assert other.documents("ab") == [("evidence/1", 5)]
    fold.close()
    other.close()


def test_a_verification_with_nothing_new_is_verified_again(half: Path) -> None:
    """The same head again: nothing is read, and what was judged before is said."""
    report, start = verify(half, whole()[:20])

    assert (report.verified, start, report.entries, report.now) == (True, 20, 20, Counts())
    assert report.before.entries == 20


def test_full_starts_anew(half: Path) -> None:
    """`--full` reads from the first entry on, and says nothing of what was kept."""
    report, start = verify(half, whole(), full=True)

    assert (report.verified, start, report.before, report.anew) == (True, 0, Counts(), "")


def test_what_is_kept_is_for_its_owner_alone(half: Path) -> None:
    """The folder and each file in it."""
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (half / FOLDER).iterdir()}

    assert stat.S_IMODE((half / FOLDER).stat().st_mode) == 0o700
    assert modes == {0o600}
    assert len(list((half / FOLDER).iterdir())) == 3


def test_only_the_newest_is_kept(half: Path) -> None:
    """Files of the verification before are gone."""
    verify(half, whole())

    assert len(list((half / FOLDER).iterdir())) == 3


def _flipped(data: bytes) -> bytes:
    return data[:-7] + bytes((data[-7] ^ 1,)) + data[-6:]


@pytest.mark.parametrize("kind", ["json", "fold", "roots"])
@pytest.mark.parametrize(
    "harm",
    [_flipped, lambda data: data[:-1], lambda data: data + b"\0", lambda _: b""],
    ids=["bit", "shorter", "longer", "empty"],
)
def test_what_is_damaged_is_not_gone_on_from(half: Path, kind: str, harm: Callable[[bytes], bytes]) -> None:
    """A bit, a byte less, one more, nothing: everything is judged from the first entry, and it is said why."""
    (path,) = (half / FOLDER).glob(f"*.{kind}")
    path.write_bytes(harm(path.read_bytes()))

    report, start = verify(half, whole())

    assert (report.verified, start) == (True, 0)
    assert "damaged" in report.anew or "can't be read" in report.anew
    assert verify(half, whole())[1] == len(whole())


EDITS: Final[dict[str, Callable[[dict[str, Any]], object]]] = {
    "a list": lambda _: [],
    "nothing in it": lambda _: {},
    "deep": lambda text: {**text, "made_by": json.loads("[" * 500 + "]" * 500)},
    "no log id": lambda text: {**text, "log_id": None},
    "no founding": lambda text: {key: value for key, value in text.items() if key != "genesis"},
    "keys": lambda text: {**text, "keys": 3},
    "note": lambda text: {**text, "note": 3},
    "resources": lambda text: {**text, "warm": 3},
    "state": lambda text: {**text, "state": []},
    "frontier": lambda text: {**text, "frontier": [7]},
    "roots": lambda text: {**text, "roots": "../../seen.json"},
    "infinite": lambda text: {**text, "first_asserted": 1e999},
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_was_edited_with_a_digest_that_fits_is_not_gone_on_from(half: Path, edit: str) -> None:
    """Any JSON can stand there: everything is judged from the first entry, and it is said why."""
    (path,) = (half / FOLDER).glob("*.json")
    _, _, body = path.read_bytes().partition(b"\n")
    edited = json.dumps(EDITS[edit](json.loads(body))).encode()
    path.write_bytes(hashlib.sha256(edited).hexdigest().encode() + b"\n" + edited)

    report, start = verify(half, whole()[:20])

    assert (report.verified, start) == (True, 0)
    assert report.anew


@pytest.mark.parametrize("kind", ["fold", "roots"])
def test_what_is_gone_is_not_gone_on_from(half: Path, kind: str) -> None:
    """A file that was removed."""
    (path,) = (half / FOLDER).glob(f"*.{kind}")
    path.unlink()

    report, start = verify(half, whole())

    assert (report.verified, start) == (True, 0)
    assert "can't be read" in report.anew


@pytest.mark.parametrize("field", ["genesis_digest", "log_id"])
def test_another_pin_than_the_one_it_was_verified_under_starts_anew(half: Path, field: str) -> None:
    """And then finds what it would have found."""
    trust = whole_trust()
    trust = replace(trust, genesis_digest=bytes(32)) if field == "genesis_digest" else replace(trust, log_id=bytes(16))

    report, start = verify(half, whole(), trust)

    assert start == 0
    assert "another log, key or founding" in report.anew
    assert {code for _, _, code in codes(report)} == {"GENESIS_DIFFERS" if field == "genesis_digest" else "OTHER_LOG"}


def test_another_version_of_the_program_starts_anew(half: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other code has judged is judged again."""
    monkeypatch.setattr(kept, "_FORMAT", 2)

    report, start = verify(half, whole())

    assert (report.verified, start) == (True, 0)
    assert "another version" in report.anew


def test_a_log_that_is_shorter_than_what_was_verified_is_found(half: Path) -> None:
    """By the size that was kept, whatever else is known; all of it is judged."""
    report, start = verify(half, whole()[:15])

    assert start == 0
    assert codes(report) == [("checkpoint", -1, "LOG_ROLLED_BACK")]
    assert "below the 20 entries" in report.anew


def test_another_log_of_the_same_length_is_found(half: Path) -> None:
    """Nothing is read, and still the head is none that follows from what was verified."""
    report, start = verify(half, _rewritten()[:20])

    assert start == 20
    assert codes(report) == [("tree", -1, "ROOT_MISMATCH")]


def test_a_log_rewritten_below_what_was_verified_is_found(half: Path) -> None:
    """With a tree and a signature that are right, and rows that follow: they do not lead to the head from here."""
    report, start = verify(half, _rewritten())

    assert start == 20
    assert ("tree", -1, "ROOT_MISMATCH") in codes(report)


def _rewritten() -> tuple[BundleEntry, ...]:
    """Return the log with another text of one entry, as an operator with the log's key can sign it."""
    rows = list(whole())
    other = type(rows[3])()
    other.CopyFrom(rows[3])
    other.entry = rows[3].entry.replace(b"models/m", b"models/n")
    return (*rows[:3], other, *rows[4:])


def test_what_has_findings_is_not_kept(tmp_path: Path) -> None:
    """The next verification begins at the first entry again."""
    trust = replace(whole_trust(), heads=((5, bytes(32)),))

    report, _ = verify(tmp_path, whole(), trust)

    assert codes(report) == [("history", -1, "LOG_FORKED")]
    assert not (tmp_path / FOLDER).exists()


def test_a_head_from_before_is_held_against_what_was_kept(half: Path) -> None:
    """`--since-checkpoint` with a head below what was verified: every root is there."""
    entries = [row.entry for row in whole()]
    good = replace(whole_trust(), heads=((7, root_of(entries[:7])),))
    bad = replace(whole_trust(), heads=((7, root_of(entries[:6])),))

    assert verify(half, whole()[:25], good)[0].verified
    report, start = verify(half, whole(), bad)

    assert start == 25
    assert codes(report) == [("history", -1, "LOG_FORKED")]


def test_asserted_steps_are_remembered(tmp_path: Path) -> None:
    """What was taken on the server's word once is a finding for who does not take it, at its entry."""
    world = World.found()  # nobody countersigned it
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    world.must("owner-a", c.Fire(f.HoldPlace("models/m")))
    lift = propose(world, f.HoldLift("holds/1"))
    for who in ("owner-a", "reviewer-a"):
        sign(world, who, lift)
    rows, trust = Parts.of(world).rows, trust_in(world)
    first, _ = verify(tmp_path, rows, replace(trust, accept_asserted=True))

    report, start = verify(tmp_path, rows, trust)

    assert start == len(rows)
    assert (first.verified, first.asserted, report.asserted) == (True, 1, 1)
    assert codes(report) == [("consent", len(rows) - 1, "ASSERTED")]


def test_a_folder_that_is_not_ours_to_write_is_no_failure(tmp_path: Path) -> None:
    """The log is verified; it is said that nothing was kept."""
    (tmp_path / FOLDER).write_text("a file where the folder should be")

    report, _ = verify(tmp_path, whole())

    assert report.verified
    assert report.not_kept
    assert report.anew


def test_every_field_of_the_state_has_a_form() -> None:
    """A new index is kept with the others, or this fails."""
    assert kept_state.to_json(State(), ()).keys() == {item.name for item in fields(State)}


def test_the_first_line_is_the_digest_of_the_rest(half: Path) -> None:
    """As the module says."""
    digest, _, body = (half / FOLDER / "verified.json").read_bytes().partition(b"\n")

    assert digest.decode() == hashlib.sha256(body).hexdigest()
    assert json.loads(body)["note"] == signed_head([row.entry for row in whole()[:20]])


def test_a_policy_that_was_adopted_is_in_force_again(tmp_path: Path) -> None:
    """Whether its pack came before or after what was kept: entry by entry, over two adoptions."""
    world = World.found(countersigned_by=["owner-a"])
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    for called, lasts in (("2.0", "30d"), ("3.0", "90d")):
        files = version(("attested_for: 180d", f"attested_for: {lasts}"), called=called)
        change = world.propose_policy("evaluator", files)
        for who in ("owner-a", "reviewer-a"):
            sign(world, who, change)
        world.must("owner-a", c.Fire(f.HoldPlace("models/m")))
    rows, trust = Parts.of(world).rows, trust_in(world)

    reports = [verify(tmp_path, rows[:size], trust) for size in range(1, len(rows) + 1)]

    assert [start for _, start in reports] == list(range(len(rows)))
    assert all(report.verified for report, _ in reports), [report.findings for report, _ in reports]
