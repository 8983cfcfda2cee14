"""The row `start`: what `interlock --help` costs beside the import of gRPC and beside an empty program."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.bench.gate import pairs
from tests.bench.rounds import Bar, Row, Settings, medians, ratio, spread

BARS: Final = (Bar("ratio", 2.0, at_most=True),)
_PYTHON: Final = sys.executable
_COMMANDS: Final = {
    "help_ms": (str(Path(_PYTHON).with_name("interlock")), "--help"),
    "import_grpc_ms": (_PYTHON, "-c", "import grpc"),
    "pass_ms": (_PYTHON, "-c", "pass"),
}
_TIMES: Final = 3
"""Starts a round; the quickest counts, for what else runs only ever adds."""


def run(settings: Settings) -> Row:
    """Measure; a first start of each warms the files."""
    for command in _COMMANDS.values():
        _milliseconds(command)
    rounds = [
        {name: min(_milliseconds(command) for _ in range(_TIMES)) for name, command in _COMMANDS.items()}
        for _ in range(settings.rounds)
    ]
    ours = [{"ms": one["help_ms"]} for one in rounds]
    grpc = [{"ms": one["import_grpc_ms"]} for one in rounds]
    bare = [{"ms": one["pass_ms"]} for one in rounds]
    return Row(
        "start",
        "ms",
        {"help_ms": medians(ours)["ms"]},
        {"import_grpc_ms": medians(grpc)["ms"], "pass_ms": medians(bare)["ms"]},
        {"ratio": ratio(pairs(ours, grpc, "ms")), "ratio_pass": ratio(pairs(ours, bare, "ms"))},
        spread(pairs(ours, grpc, "ms")),
        BARS,
    )


def _milliseconds(command: tuple[str, ...]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - started) * 1e3
