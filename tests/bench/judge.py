"""Judges one bundle in this process and tells what it took: `python -m tests.bench.judge FILE KEY`.

Imports the verifier and nothing else, for its peak memory is measured.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from interlock.client.verify import Trust, verify_bundle


def main() -> None:
    """Print entries, seconds of CPU and the peak memory as JSON. The log key is the second argument."""
    started = time.process_time()
    with Path(sys.argv[1]).open("rb") as file:
        report = verify_bundle(file.read, Trust(sys.argv[2]))
    seconds = time.process_time() - started
    if not report.verified:
        raise AssertionError(report.findings)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(json.dumps({"entries": report.entries, "seconds": seconds, "peak_mib": peak_kib / 1024}))


main()
