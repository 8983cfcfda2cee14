"""Judges one bundle in this process and tells what it took: `python -m tests.bench.judge FILE KEY`.

Imports the verifier and nothing else, for its peak memory is measured.
"""

from __future__ import annotations

import json
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
    sys.stdout.write(json.dumps({"entries": report.entries, "seconds": seconds, "peak_mib": _peak_mib()}))


def _peak_mib() -> float:
    """Return the most that was in memory (proc(5), VmHWM). getrusage would count what the parent had at the start."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


main()
