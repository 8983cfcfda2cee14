"""Somebody with the database rewrites an entry under a running server: whoever reads the trail finds it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

from interlock.v1 import hold_pb2
from tests.support.people import People
from tests.support.server import ForkedServer

if TYPE_CHECKING:
    from pathlib import Path


def test_verify_names_an_entry_that_is_no_entry_any_more(data: Path) -> None:
    """`audit verify` against the running server ends in 1 and names the position; the server does not fall over."""
    with ForkedServer(data) as server, People(server) as people:
        subject = people.new_model()
        held = people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model))
        people.new_model()  # were it the last entry, the server itself would know before it signed another checkpoint
        with sqlite3.connect(data / "interlock.db") as database:
            database.execute("UPDATE entries SET bytes = ? WHERE seq = ?", (b"\xff\xff\xff", held.position))
        database.close()

        command = [sys.executable, "-m", "interlock.cli", "--profile", str(server.home / "auditor"), "audit", "verify"]
        verified = subprocess.run(command, capture_output=True, text=True, check=False)

        assert verified.returncode == 1, verified
        assert str(held.position) in verified.stdout
        assert "verified:" not in verified.stdout
