"""Kill -9 of a process that writes: what it answered is there afterwards, and the log opens healthy."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from interlock.statemachine import codec
from tests.unit.ledger.place import Place, place_hold

ROUNDS = 6
WRITERS = 16


async def write_for_ever(folder: Path) -> None:
    """Place holds without end, and say each position once it is answered."""
    async with Place(folder).running() as ledger:
        numbers = iter(range(10**9))

        async def work() -> None:
            for number in numbers:
                place = place_hold(request_id=f"{os.getpid()}-{number}")
                await ledger.committer.submit(place)
                sys.stdout.write(f"{place.request_id}\n")
                sys.stdout.flush()

        await asyncio.gather(*(work() for _ in range(WRITERS)))


@pytest.mark.fault
@pytest.mark.slow
def test_nothing_that_was_answered_is_lost(tmp_path: Path) -> None:
    """Killed at any moment, again and again: each answered request is in the log, once, and the mark is not ahead."""
    place, dice = Place(tmp_path), random.Random(9)
    asyncio.run(place.found())
    answered: set[str] = set()

    for _ in range(ROUNDS):
        answered |= _run_and_kill(tmp_path, after_lines=dice.randrange(1, 400))

        store = place.store()
        opened = place.open_log(store)
        store.close()
        assert opened.health.ok, opened.health

    kept = asyncio.run(_request_ids(place))
    assert len(kept) == len(set(kept))
    assert answered <= set(kept)


def _run_and_kill(folder: Path, *, after_lines: int) -> set[str]:
    """Run a writer until it has answered so many requests, kill it, and return all that it answered."""
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        [sys.executable, __file__, str(folder)], stdout=subprocess.PIPE, text=True, cwd=root, env=environment
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after_lines)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    return {line.strip() for line in lines if line.endswith("\n")}


async def _request_ids(place: Place) -> list[str]:
    def none(digest: bytes) -> bytes:
        raise LookupError(digest)

    async with place.running() as ledger:
        return [codec.decode_entry(stored.data, none).request_id async for stored in ledger.committer.tail(1)]


if __name__ == "__main__":
    asyncio.run(write_for_ever(Path(sys.argv[1])))
