"""The server is killed while its log's key is rotated: it has whichever key the log names by then, and signs by it.

One data folder lives through all the kills, at moments around the sign-off that applies the rotation: before, between
the entry and the files of the keys, after them.
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Final

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from interlock.proofs import keys, note
from interlock.statemachine.log_keys import proof_bytes, rotation_bytes
from interlock.v1 import change_pb2, trigger_pb2
from tests.faults.test_crashes import GONE, check_stored
from tests.support.people import People
from tests.support.server import ForkedServer

if TYPE_CHECKING:
    from pathlib import Path

KILLS: Final = 12


def waiting(data: Path, log_id: bytes) -> trigger_pb2.Trigger:
    """Put a new key beside the server's; return the trigger that rotates to it."""
    old = load_pem_private_key((data / "keys" / "log.key").read_bytes(), None)
    assert isinstance(old, Ed25519PrivateKey)
    new, path = Ed25519PrivateKey.generate(), data / "keys" / "log-next.key"
    path.write_bytes(new.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    public = keys.public_bytes(new)
    words = new.sign(proof_bytes(log_id, public)), old.sign(rotation_bytes(log_id, public))
    firing = trigger_pb2.LogRotateKey(public_key=public, proof=words[0], replaces_proof=words[1])
    return trigger_pb2.Trigger(log_rotate_key=firing)


def in_place(data: Path) -> str:
    """Return the verifier key of the key in the first place, which `log.pub` has to name too."""
    key = load_pem_private_key((data / "keys" / "log.key").read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    named = (data / "log.pub").read_text().strip()
    assert note.vkey_of(named.partition("+")[0], keys.public_bytes(key)) == named
    return named


@pytest.mark.fault
def test_killed_while_a_key_is_rotated(data: Path) -> None:
    """After each kill the server has the key that the log names, in its place, and goes on; the log is whole."""
    moments, applied = random.Random(73), 0
    for _ in range(KILLS):
        server = ForkedServer(data, may_fail=True).start()
        assert server.ready["ledger"] == "ok"
        assert server.ready["checkpoint"]
        assert server.ready["log_key"] == in_place(data)
        killer = threading.Timer(moments.uniform(0.0, 0.04), server.kill)
        with People(server) as people:
            try:
                change = people["requester"].propose(waiting(data, bytes.fromhex(server.ready["log_id"])))
                people["owner"].sign(change.name, "owner")
                statement = people["reviewer"].statement(change, "reviewer")
                request = change_pb2.SignOffRequest(name=change.name, envelope=people["reviewer"].envelope(statement))
                killer.start()
                people["reviewer"].changes.SignOff(request)
                applied += 1
            except grpc.RpcError as error:
                assert error.code() in GONE  # noqa: PT017  # either outcome is fine, half of one is not
            finally:
                killer.join()
                server.kill()

    with ForkedServer(data, may_fail=True) as server:
        assert server.ready["log_key"] == in_place(data)
        assert not (data / "keys" / "log-next.key").exists() or server.ready["checkpoint"]
    check_stored(data)
    assert applied
