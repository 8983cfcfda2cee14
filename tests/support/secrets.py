"""What may never be in a server's log: tokens, keys, passphrases, free text, evidence.

Every server of the suite looks for them when it stops (``server.py``), so each test is a test of this as well.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SHORTEST: Final = 12
"""Characters; what is shorter may stand in a line by chance."""

_LONGEST_DOCUMENT: Final = 1 << 20


def assert_keeps_secrets(log: str, data: Path, tokens: Iterable[str] = ()) -> None:
    """Fail where something of the data folder that is nobody's business stands in the log."""
    for kind, secret in (*_of_people(data), *_texts(data), *_documents(data), *(("a token", one) for one in tokens)):
        # As JSON writes it, for so it would stand there.
        shown = json.dumps(secret)[1:-1]
        assert len(secret) < _SHORTEST or shown not in log, f"{kind} is in the server's log"


def _of_people(data: Path) -> Iterator[tuple[str, str]]:
    for path in data.glob("principals/*/passphrase"):
        yield "a passphrase", path.read_text().strip()
    for path in data.glob("principals/*/session.json"):
        yield "a token", str(json.loads(path.read_text())["token"])
    for path in (*data.glob("principals/*/*.key"), *data.glob("keys/*.key")):
        yield from (("a key", line) for line in path.read_text().splitlines() if not line.startswith("-----"))


def _texts(data: Path) -> Iterator[tuple[str, str]]:
    """Yield the log's free texts, as far as the test has left a database that can be read."""
    try:
        with closing(sqlite3.connect(f"file:{data / 'interlock.db'}?mode=ro", uri=True)) as database:
            yield from (("a text", row) for (row,) in database.execute("SELECT text FROM texts WHERE text IS NOT NULL"))
    except sqlite3.DatabaseError:
        return


def _documents(data: Path) -> Iterator[tuple[str, str]]:
    for path in data.glob("evidence/**/*"):
        if path.is_file() and path.stat().st_size <= _LONGEST_DOCUMENT:
            yield "a document", path.read_text(errors="replace")
