"""The whole verifier at every byte of one entry of each command: `make mutation`.

Each byte is changed in three ways, the file's own digest made to fit, and the verifier has to find it without crashing.
The suite does the same at seeded positions (``tests/unit/clients/test_mutations.py``).
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from multiprocessing import Pool, cpu_count
from typing import Final

from tests.support.bundles import codes, judged
from tests.support.stories import one_of_each, whole_bundle, whole_trust

MASKS: Final = (0x01, 0x20, 0x80)
"""One bit each: the lowest, that of letter case, and the highest, which no ASCII has."""


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


def main() -> int:
    """Run all of them; exit 1 where one is missed."""
    if not judged(whole_bundle().data, whole_trust()).verified:
        sys.stdout.write("the pristine bundle does not verify\n")
        return 1
    started, missed = time.monotonic(), 0
    with Pool(cpu_count()) as pool:
        for name, position in sorted(one_of_each().items()):
            places = [(position, byte) for byte in range(len(whole_bundle().rows[position].entry))]
            found: Counter[str] = Counter()
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
