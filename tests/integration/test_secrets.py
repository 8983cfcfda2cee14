"""No secret is in a server's log: what every test of the suite checks when its server stops can fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interlock.v1 import hold_pb2
from tests.support.people import People
from tests.support.secrets import assert_keeps_secrets
from tests.support.server import ServerThread

if TYPE_CHECKING:
    from pathlib import Path

REASON = "the filter lets everything through"


def test_each_kind_would_be_found(data: Path) -> None:
    """A token, a passphrase, a line of a key, a reason and a document, each alone in a log."""
    with ServerThread(data) as server, People(server) as people:
        people["admin"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target="-", reason=REASON))
        document = b"nobody's business but the reader's"
        people["evaluator"].upload("evaluation_results", document)
        token = people["admin"].metadata[0][1].removeprefix("Bearer ")
    person = data / "principals" / "admin"
    secrets = (token, (person / "passphrase").read_text().strip(), (person / "login.key").read_text().split("\n")[1])

    for secret in (*secrets, REASON, document.decode()):
        with pytest.raises(AssertionError, match="server's log"):
            assert_keeps_secrets(f'{{"event": "x", "why": "{secret}"}}', data, [token])
