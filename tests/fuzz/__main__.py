"""Fuzz what reads bytes of somebody else, guided by coverage: `make fuzz`.

`python -m tests.fuzz [TARGET…] [--seconds N] [--keep]`. Every target runs for N seconds, from its seeds and its corpus
in ``tests/fuzz/corpus``; with ``--keep`` inputs that reach more code are kept there, as few as do. A finding ends its
target and is kept as ``corpus/TARGET/found-…``: the suite plays it from then on (``tests/unit/test_fuzz_corpus.py``).
Exit code: 0 where nothing was found, 1 where something was, 2 for a wrong command line, 3 where atheris can't be had.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.fuzz.targets import TARGETS, seeds
from tests.support.peers import PeerUnavailableError, python_of

ROOT: Final = Path(__file__).parents[2]
CORPUS: Final = Path(__file__).parent / "corpus"
LIMITS: Final = ("-timeout=20", "-rss_limit_mb=1024", "-max_len=65536", "-verbosity=0", "-print_final_stats=1")
LONGEST_KEPT: Final = 4096  # bytes
MOST_KEPT: Final = 16  # the shortest; a corpus is a beginning, and a repository no place for thousands of files
TOLD: Final = ("stat::number_of_executed_units:", "stat::peak_rss_mb:", "stat::average_exec_per_sec:")


def fuzz(name: str, seconds: int, atheris: Path, *, keep: bool) -> bool:
    """Fuzz one target; return whether nothing was found."""
    kept = CORPUS / name
    with tempfile.TemporaryDirectory() as folder:
        fresh, begin = Path(folder, "fresh"), Path(folder, "seeds")
        fresh.mkdir()
        begin.mkdir()
        for data in seeds(name):
            (begin / hashlib.sha256(data).hexdigest()).write_bytes(data)
        folders = [str(fresh), str(begin), *([str(kept)] if kept.is_dir() else [])]
        found = f"-artifact_prefix={kept}/found-"
        kept.mkdir(parents=True, exist_ok=True)
        ended = _run(atheris, name, f"-max_total_time={seconds}", found, *LIMITS, *folders)
        told = [line.strip() for line in ended.stderr.splitlines() if line.startswith(TOLD)]
        words = ", ".join(f"{row.partition('::')[2].partition(':')[0]} {row.split()[-1]}" for row in told)
        sys.stdout.write(f"{name:16} {words or 'ended early'}{'' if not ended.returncode else ': FOUND'}\n")
        sys.stdout.flush()
        if ended.returncode:
            sys.stdout.write(ended.stdout[-2000:] + ended.stderr[-4000:] + "\n")
        elif keep:
            _run(atheris, name, "-merge=1", *LIMITS, f"-max_len={LONGEST_KEPT}", str(kept), str(fresh))
            for path in sorted(kept.iterdir(), key=lambda path: path.stat().st_size)[MOST_KEPT:]:
                path.unlink()
    return not ended.returncode


def _run(atheris: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(ROOT), str(atheris), os.environ.get("PYTHONPATH", "")))
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz.one", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def main() -> int:
    """Fuzz the targets named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz what reads bytes of somebody else.")
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=10, help="how long each target runs (default: 10)")
    parser.add_argument("--keep", action="store_true", help="keep inputs that reach more code in tests/fuzz/corpus")
    wish = parser.parse_args()
    try:
        python = python_of("atheris")
    except PeerUnavailableError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    atheris = next(python.parents[1].glob("lib/python*/site-packages"))
    results = [fuzz(name, wish.seconds, atheris, keep=wish.keep) for name in wish.targets or TARGETS]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
