"""`make bench`: every row beside its peer in the same run; a table, and `tests/bench/results.json`.

``make bench ARGS="gate commit --rounds 7 --seconds 5"`` measures some rows, and longer.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench import commit, cycle, gate, machine, proofs, start, verify
from tests.bench.rounds import Bar, Row, Settings

ROWS: Final = {
    "gate": gate.run,
    "commit": commit.run,
    "cycle": cycle.run,
    "proofs": proofs.run,
    "start": start.run,
    "verify": verify.run,
}
RESULTS: Final = Path(__file__).with_name("results.json")
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "interlock-bench"


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement in a round")
    parser.add_argument("--output", type=Path, default=RESULTS)
    asked = parser.parse_args()
    if unknown := set(asked.rows) - ROWS.keys():
        parser.error(f"no row {', '.join(sorted(unknown))}")
    # A run that is told to stop ends its servers: without this they would outlive it and be measured by the next.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    found = {"machine": machine.facts(), "rounds": asked.rounds, "seconds": asked.seconds, "rows": []}
    rows = []
    for name in asked.rows or ROWS:
        sys.stderr.write(f"{name} …\n")
        with tempfile.TemporaryDirectory(prefix="interlock-bench-") as scratch:
            settings = Settings(asked.rounds, asked.seconds, Path(scratch), CACHE)
            rows.append(ROWS[name](settings))
        found["rows"] = [row.as_json() for row in rows]
        asked.output.write_text(json.dumps(found, indent=2) + "\n")
    _print(found["machine"], rows)
    return 0


def _print(facts: object, rows: list[Row]) -> None:
    out = Console(highlight=False, width=132)
    out.print(facts)
    table = Table("row", "ours", "peer", "ratios", "spread", "bars")
    for row in rows:
        bars = [
            f"{bar.ratio} {'≤' if bar.at_most else '≥'} {bar.limit}: " + _said(bar, row.ratios.get(bar.ratio))
            for bar in row.bars
        ]
        columns = (
            _lines(row.ours),
            _lines(row.peer),
            _lines(row.ratios),
            f"{row.spread:.0%}" + ("" if row.quotable else "\nTOO WIDE"),
            "\n".join(bars),
        )
        table.add_row(f"{row.row}\n({row.unit})", *columns, end_section=True)
    out.print(table)
    for row in rows:
        for note in row.notes:
            out.print(f"{row.row}: {note}")


def _said(bar: Bar, value: float | None) -> str:
    if value is None:
        return "NOT MEASURED"
    return "met" if bar.met(value) else "SHORT"


def _lines(numbers: dict[str, float]) -> str:
    return "\n".join(f"{name} {value:,.2f}" for name, value in numbers.items())


sys.exit(main())
