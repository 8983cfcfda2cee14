"""Bytes flipped in the database file itself: found, or in a place that says nothing of the log."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from interlock.service.ledger.startup import LogUnreadableError
from interlock.service.storage import StorageError
from tests.unit.ledger.place import Place
from tests.unit.ledger.story import tell
from tests.unit.ledger.told import write_story

if TYPE_CHECKING:
    from pathlib import Path

TABLES = (
    "entries",
    "entry_resources",
    "entry_triggers",
    "entry_models",
    "tiles",
    "snapshots",
    "objects",
    "checkpoints",
)
FLIPS = 120


def content(database: Path) -> list[list[Any]]:
    """Return everything that is the log or a fold of it."""
    connection = sqlite3.connect(database)
    rows = [connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES]  # noqa: S608
    connection.close()
    return rows


@pytest.mark.fault
@pytest.mark.slow
def test_a_flipped_byte_is_found_or_harmless(tmp_path: Path) -> None:
    """Wherever a byte of the file is flipped: the log does not open healthy, unless all of it reads as it was."""
    world, _ = tell()
    good = Place(tmp_path / "good")
    good.folder.mkdir()
    asyncio.run(write_story(good, world, checkpoints=True))
    whole, original = good.database.read_bytes(), content(good.database)
    dice, found = random.Random(21), 0

    for _ in range(FLIPS):
        bad = Place(tmp_path / "bad")
        shutil.copytree(good.folder, bad.folder)
        at = dice.randrange(len(whole))
        bad.database.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << dice.randrange(8))]) + whole[at + 1 :])
        try:
            store = bad.store()
            healthy = bad.open_log(store).health.ok
            store.close()
        except (StorageError, LogUnreadableError):
            healthy = False
        if healthy:
            assert content(bad.database) == original, f"byte {at}"
        else:
            found += 1
        shutil.rmtree(bad.folder)

    assert found > FLIPS // 4
