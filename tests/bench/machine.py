"""Facts of the machine and of its processes, from the kernel: no package is needed for them."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib import metadata
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12
"""Fields of ``/proc/PID/stat`` after the command's name (proc(5))."""


def cpu_seconds(process: int) -> float:
    """Return the CPU time, user and system, that a process has used with all its threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS


def facts() -> dict[str, object]:
    """Return what a reader has to know of the machine and of the versions that ran."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load_average_at_start": os.getloadavg()[0],
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: metadata.version(name) for name in ("interlock", "grpcio", "protobuf", "sqlalchemy", "cryptography")},
    }
