"""Rows of a batch: however many there are, each is written once, and a conflict ends as its table says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

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


@pytest.mark.parametrize("count", [1, 2, 5, 16, 64, 65, 130])
def test_every_answer_is_found_by_its_whole_key(store: Store, count: int) -> None:
    """However many request ids are asked for, each gives its own answer, and another method's or person's none."""
    wanted = [
        StoredRequest(RequestKey("principals/p", "method", f"{at}"), b"d", b"r%d" % at, at, 1) for at in range(count)
    ]
    others = [RequestKey("principals/q", "method", "0"), RequestKey("principals/p", "other", "0")]
    writes = Writes()
    for one in wanted:
        writes.add_request(one)
    flush(store, writes)

    with store.reading() as connection:
        found = queries.requests(connection, [*(one.key for one in wanted), *others, wanted[0].key], 0)

    assert found == {one.key: one for one in wanted}


def test_an_answer_that_is_too_old_is_not_found(store: Store) -> None:
    """An answer counts from ``since`` on, that very microsecond included."""
    writes = Writes()
    writes.add_request(answered(b"reply"))
    flush(store, writes)

    with store.reading() as connection:
        assert not queries.requests(connection, [answered(b"").key], 2)
        assert queries.requests(connection, [answered(b"").key], 1)


@pytest.mark.parametrize("count", [1, 2, 5, 64, 65])
def test_request_ids_are_looked_up_and_not_searched_for(store: Store, count: int) -> None:
    """The database finds each request id by the primary key: it never goes through the answers of the last day."""
    asked: list[tuple[str, Any]] = []
    keys = [RequestKey("principals/p", "method", f"{at}") for at in range(count)]

    with store.reading() as connection:
        event.listen(connection, "before_cursor_execute", lambda *heard: asked.append((heard[2], heard[3])))
        queries.requests(connection, keys, 1)
        plans = [
            str(row[3])
            for statement, words in tuple(asked)
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", words)
        ]

    looks = [plan for plan in plans if "requests" in plan]
    assert looks
    assert all("(principal=? AND method=? AND request_id=?)" in plan for plan in looks)
