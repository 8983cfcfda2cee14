"""The whole verifier at every byte of one entry of each command, and of what only parts of a log have: `make mutation`.

Each byte is changed in three ways, the file's own digest made to fit, and the verifier has to find it without crashing.
The suite does the same at seeded positions (``tests/unit/clients/test_mutations.py``).
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from multiprocessing import Pool, cpu_count
from typing import TYPE_CHECKING, Final

from interlock.proofs import bundle
from interlock.v1 import bundle_pb2
from tests.support.bundles import codes, framed, judged, trust_in
from tests.support.parted import a_range, a_selection, story
from tests.support.stories import one_of_each, whole_bundle, whole_trust

if TYPE_CHECKING:
    from interlock.client.verify import Trust

MASKS: Final = (0x01, 0x20, 0x80)
"""One bit each: the lowest, that of letter case, and the highest, which no ASCII has."""

PARTS: Final = {"range": a_range, "selection": a_selection}


@lru_cache(maxsize=1)
def trust_in_parts() -> Trust:
    """Return what an auditor believes of the log that the parts are of."""
    return replace(trust_in(story()[0]), partial_ok=True)


def judge_byte(place: tuple[int, int]) -> Counter[str]:
    """Return what is found when one byte of an entry is another, by step and code; `MISSED` where nothing is."""
    position, byte = place
    parts = whole_bundle()
    found: Counter[str] = Counter()
    for mask in MASKS:
        entry = bytearray(parts.rows[position].entry)
        entry[byte] ^= mask
        report = judged(parts.with_row(position, entry=bytes(entry)).data, whole_trust())
        found["MISSED" if report.verified else codes(report)[0][0] + " " + codes(report)[0][2]] += 1
    return found


def judge_part(place: tuple[str, int, int]) -> Counter[str]:
    """Return what is found when one byte of a segment of a part of a log is another."""
    kind, at, byte = place
    segments = list(PARTS[kind]().segments())
    found: Counter[str] = Counter()
    for mask in MASKS:
        data = bytearray(segments[at][1])
        data[byte] ^= mask
        report = judged(framed([*segments[:at], (segments[at][0], bytes(data)), *segments[at + 1 :]]), trust_in_parts())
        found["MISSED" if report.verified else codes(report)[0][0] + " " + codes(report)[0][2]] += 1
    return found


def places_in_parts() -> dict[str, list[tuple[str, int, int]]]:
    """Return every byte of header and gaps, and of the first leaf with its form and without it, of each kind."""
    found: dict[str, list[tuple[str, int, int]]] = {}
    for kind, part in PARTS.items():
        seen: set[tuple[bundle.Kind, bool]] = set()
        for at, (each, data) in enumerate(part().segments()):
            once = each is bundle.Kind.RESOURCE and (each, bundle_pb2.BundleResource.FromString(data).form != b"")
            if each in {bundle.Kind.HEADER, bundle.Kind.GAP, bundle.Kind.RESOURCE_GAP} or (once and once not in seen):
                seen |= {once} if once else set()
                found.setdefault(f"{kind} {each.name}", []).extend((kind, at, byte) for byte in range(len(data)))
    return found


def main() -> int:
    """Run all of them; exit 1 where one is missed."""
    if not judged(whole_bundle().data, whole_trust()).verified:
        sys.stdout.write("the pristine bundle does not verify\n")
        return 1
    started, missed = time.monotonic(), 0
    with Pool(cpu_count()) as pool:
        for name, parts in places_in_parts().items():
            found = sum(pool.imap_unordered(judge_part, parts, chunksize=16), Counter[str]())
            missed += found["MISSED"]
            told = ", ".join(f"{code} {count}" for code, count in found.most_common())
            sys.stdout.write(f"{name:24} {len(parts):5} bytes: {told}\n")
            sys.stdout.flush()
        for name, position in sorted(one_of_each().items()):
            places = [(position, byte) for byte in range(len(whole_bundle().rows[position].entry))]
            found = Counter()
            for row in pool.imap_unordered(judge_byte, places, chunksize=16):
                found += row
            missed += found["MISSED"]
            told = ", ".join(f"{code} {count}" for code, count in found.most_common())
            sys.stdout.write(f"{name:24} entry {position:2}, {len(places):5} bytes: {told}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{missed} missed; {time.monotonic() - started:.0f} s\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
