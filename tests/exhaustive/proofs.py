"""`make proofs-exhaustive`: all pairs up to 1,100 leaves, and trees on both sides of 65,536, beside pymerkle."""

from __future__ import annotations

import sys
import time
from typing import Final

from tests.support.vectors import compare

RUNS: Final = ((1, 1100, 1), (65_530, 65_544, 97))
"""First size, last size, and how far positions and older sizes are apart."""


def main() -> int:
    """Compare, and say how long each run took."""
    failed = False
    for first, last, step in RUNS:
        started = time.monotonic()
        compared, differing = compare(first, last, step)
        took = time.monotonic() - started
        sys.stdout.write(f"{first} to {last} leaves: {compared:,} proofs compared in {took:.0f} s, ")
        sys.stdout.write(f"{len(differing)} differ {differing[:5] if differing else ''}\n".replace(" \n", "\n"))
        failed = failed or bool(differing)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
