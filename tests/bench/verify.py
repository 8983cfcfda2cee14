"""The row `verify`: a bundle judged whole, replay and all, beside parsing, hashing and checking the signatures of it.

The log is one of change cycles: a hold, three documents, a change, the documents attached one by one, two sign-offs,
the hold lifted. ``python -m tests.bench.verify 1000000`` makes such a log of any length, and judges it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from interlock.proofs import bundle, dsse, merkle, note
from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.v1 import bundle_pb2, ledger_pb2
from tests.bench.gate import pairs
from tests.bench.rounds import Bar, Row, Settings, medians, ratio, spread
from tests.support.bundles import NAME, VKEY
from tests.support.world import World, envelope, key_of, public_of

if TYPE_CHECKING:
    from collections.abc import Iterator

BARS: Final = (Bar("ratio", 3.0, at_most=True), Bar("ratio_memory", 1.5, at_most=True))
SHORT: Final = 10_000
LONG: Final = 100_000
"""Lengths of log between which the peak memory is compared; a longer one is made by hand, see above."""

MODELS: Final = 50


def run(settings: Settings) -> Row:
    """Measure both on the short log by turns; memory on both logs, once."""
    short, long = (_bundle(settings.scratch, size) for size in (SHORT, LONG))
    rounds = [(judge(short), check(short)) for _ in range(settings.rounds)]
    ours = [{"entries_per_second": SHORT / one["seconds"], "seconds": one["seconds"]} for one, _ in rounds]
    peer = [{"entries_per_second": SHORT / seconds, "seconds": seconds} for _, seconds in rounds]
    low, high = rounds[0][0]["peak_mib"], judge(long)["peak_mib"]
    return Row(
        "verify",
        "entries/s",
        {**medians(ours), f"peak_mib_{SHORT}": low, f"peak_mib_{LONG}": high},
        medians(peer),
        {"ratio": ratio(pairs(ours, peer, "seconds")), "ratio_memory": high / low},
        spread(pairs(ours, peer, "seconds")),
        BARS,
        ("the peer parses each entry, takes its SHA-256, and checks each envelope's signature; it decides nothing",),
    )


def judge(path: Path) -> dict[str, float]:
    """Judge a bundle in a process of its own: seconds of CPU, and its peak memory in MiB."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.judge", str(path), VKEY], check=True, capture_output=True, text=True
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


def check(path: Path) -> float:
    """Parse, hash and check the signatures of a bundle's entries; return the seconds of CPU that took."""
    known = {
        f"principals/{who}": Ed25519PublicKey.from_public_bytes(public_of(f"principals/{who}", "signoff"))
        for who in ("owner-a", "reviewer-a")
    }
    started = time.process_time()
    with path.open("rb") as file:
        for segment in bundle.read_segments(file.read):
            if segment.kind is not bundle.Kind.ENTRY:
                continue
            row = bundle_pb2.BundleEntry.FromString(segment.data)
            merkle.leaf_hash(row.entry)
            entry = ledger_pb2.LedgerEntry.FromString(row.entry)
            for data in entry.facts.envelopes:
                if entry.actor.principal in known:
                    _check(data, known[entry.actor.principal])
    return time.process_time() - started


def _check(data: bytes, key: Ed25519PublicKey) -> None:
    signed = dsse.RawEnvelope.from_json(data)
    key.verify(signed.signature, dsse.pae(signed.payload_type, signed.payload))


def _bundle(folder: Path, size: int) -> Path:
    """Return a bundle of a log of at least ``size`` entries, made where it is missing, by one pass over the log."""
    path = folder / f"{size}.ilbundle"
    if path.exists():
        return path
    part = path.with_suffix(".part")
    with tempfile.TemporaryFile(dir=folder) as rows, part.open("wb") as file:
        head = _put_rows(rows, size)
        for data in written(rows, head):
            file.write(data)
    part.rename(path)
    return path


def written(rows: BinaryIO, head: note.Checkpoint) -> Iterator[bytes]:
    """Yield the bytes of a bundle. The head stands in front, so the entries, which it covers, wait in a file."""
    writer = bundle.BundleWriter()
    yield writer.begin()
    header = bundle_pb2.BundleHeader(kind=bundle_pb2.BUNDLE_KIND_FULL, origin=NAME, size=head.size)
    yield writer.segment(bundle.Kind.HEADER, header.SerializeToString(deterministic=True))
    text = note.sign_checkpoint(head, NAME, key_of("log", "log"))
    yield writer.segment(bundle.Kind.HEAD, bundle_pb2.BundleCheckpoint(note=text).SerializeToString(deterministic=True))
    rows.seek(0)
    while length := rows.read(bundle.LENGTH_BYTES):
        yield writer.segment(bundle.Kind.ENTRY, rows.read(int.from_bytes(length)))
    yield writer.end()


def _put_rows(rows: BinaryIO, size: int) -> note.Checkpoint:
    """Write the entries' segments, each after its length, and return the head over them."""
    tree = merkle.Frontier()
    for after, row in _cycles(size):
        tree, data = after, row.SerializeToString(deterministic=True)
        rows.write(len(data).to_bytes(bundle.LENGTH_BYTES) + data)
    return note.Checkpoint(NAME, tree.size, tree.root())


def _cycles(size: int) -> Iterator[tuple[merkle.Frontier, bundle_pb2.BundleEntry]]:
    """Yield the entries of change cycles, and the tree after each; the same ones each time."""
    log = _Log(World.found(countersigned_by=["owner-a"]))
    for _ in log.acts(size):
        for entry in log.world.entries:
            data = codec.encode_entry(entry)
            objects = [log.world.objects[digest] for digest in codec.content_digests(data)]
            log.tree = log.tree.append(merkle.leaf_hash(data))
            yield log.tree, bundle_pb2.BundleEntry(entry=data, objects=objects)
        log.world.entries.clear()
        log.world.objects.clear()


@dataclass(slots=True)
class _Log:
    """A log in the making, and its tree so far, which is what signers have seen."""

    world: World
    tree: merkle.Frontier = field(default_factory=merkle.Frontier)

    def acts(self, size: int) -> Iterator[None]:
        """Do one thing after the other until there are ``size`` entries or a few more; yield after each."""
        yield  # the founding
        for number in range(MODELS):
            self.world.must("evaluator", c.Fire(f.ModelRegister(f"models/m-{number}")))
            yield
        count = 0
        while self.world.state.size < size:
            yield from self._cycle(f"models/m-{count % MODELS}")
            count += 1

    def _cycle(self, model: str) -> Iterator[None]:
        world = self.world
        hold = world.state.next_name("holds")
        world.must("owner-a", c.Fire(f.HoldPlace(model)))
        yield
        papers: list[str] = []
        for kind in ("evaluation_results", "red_team_report", "risk_report"):
            papers.append(world.upload("evaluator", kind))
            yield
        change = world.propose("evaluator", f.HoldLift(hold))
        yield
        for count in range(len(papers)):
            content = world.revised(change, evidence=papers[: count + 1])
            world.must("evaluator", c.AttachEvidence(change, content))
            yield
        for who in ("owner-a", "reviewer-a"):
            statement = replace(
                world.statement(who, change), checkpoint_size=self.tree.size, checkpoint_root=self.tree.root().hex()
            )
            world.must(who, c.SignOffChange(change), envelopes=(envelope(who, statement),))
            yield


def main() -> None:
    """Make a bundle of a length, in a folder, and judge it."""
    path = _bundle(Path(sys.argv[2] if len(sys.argv) > 2 else "."), int(sys.argv[1]))  # arguments
    sys.stdout.write(f"{path}: {path.stat().st_size} bytes\nours {judge(path)}\npeer {check(path):.1f} s\n")


if __name__ == "__main__":
    main()
