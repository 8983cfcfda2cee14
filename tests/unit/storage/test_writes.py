"""Rows of a batch: however many there are, each is written once, and a conflict ends as its table says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interlock.service.storage import Store, Text, queries
from interlock.service.storage.engine import sqlite_url
from interlock.service.storage.rows import RequestKey, StoredRequest
from interlock.service.storage.writes import Writes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    opened = Store.open(sqlite_url(tmp_path / "a.db"))
    yield opened
    opened.close()


def text(number: int, word: str = "word") -> Text:
    """Return a text under a digest of its own."""
    return Text(number.to_bytes(32), b"salt", f"{word} {number}", "reason")


def answered(reply: bytes) -> StoredRequest:
    """Return an answer under always the same key."""
    return StoredRequest(RequestKey("principals/p", "method", "id"), b"digest", reply, 1, 1)


def flush(store: Store, writes: Writes) -> None:
    """Write and commit."""
    with store.transaction() as connection:
        writes.flush(connection)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 63, 64, 65, 200])
def test_every_row_is_written(store: Store, count: int) -> None:
    """No number of rows loses one between two statements."""
    wanted = {text(number).digest: text(number) for number in range(count)}
    writes = Writes()
    for one in wanted.values():
        writes.add_text(one)

    flush(store, writes)

    with store.reading() as connection:
        assert queries.texts(connection, wanted) == wanted


def test_the_first_of_two_equal_digests_stays(store: Store) -> None:
    """What is kept by digest is not written again."""
    for word in ("first", "second"):
        writes = Writes()
        writes.add_text(text(1, word))
        flush(store, writes)

    with store.reading() as connection:
        assert queries.texts(connection, [text(1).digest])[text(1).digest].text == "first 1"


def test_the_last_of_two_answers_counts(store: Store) -> None:
    """An answer replaces an older one under the same request id."""
    for reply in (b"old", b"new"):
        writes = Writes()
        writes.add_request(answered(reply))
        flush(store, writes)

    with store.reading() as connection:
        assert queries.requests(connection, [answered(b"").key], 0)[answered(b"").key].reply == b"new"
