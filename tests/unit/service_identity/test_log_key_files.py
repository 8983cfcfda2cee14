"""The files of the log's own key, as `log-key create` writes them and a server with a passphrase reads them."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import pytest

from interlock.client.errors import ContentError, ProfileError
from interlock.client.new_log_key import check_public_place, create_log_key, read_public
from interlock.proofs import keys, note
from interlock.service.bootstrap import running
from interlock.service.config import load_config
from interlock.service.keyfiles import KeyFileError, load_signing_key, private_pem, write_private
from interlock.service.log_key_files import KEY, NEXT, PUBLIC, LogKeyFiles
from interlock.service.logs import make_logger
from interlock.statemachine.log_keys import proof_bytes
from tests.support.server import FREE_PORT, install
from tests.support.world import key_of, public_of

if TYPE_CHECKING:
    from pathlib import Path

SECRET = b"of the server"
NAME = "interlock/00"


@pytest.fixture
def files(tmp_path: Path) -> LogKeyFiles:
    """Give a server's folder whose keys have a passphrase."""
    (tmp_path / "keys").mkdir()
    write_private(tmp_path / KEY, private_pem(key_of("log", "log"), SECRET))
    (tmp_path / PUBLIC).write_text(note.vkey_of(NAME, public_of("log", "log")) + "\n")
    return LogKeyFiles(tmp_path, SECRET)


def test_a_key_that_comes_while_the_server_runs(files: LogKeyFiles) -> None:
    """It is found when it is asked for, signs once it is named, and takes the old one's place."""
    signer = files.load_signer()
    made = create_log_key(files.data / NEXT, SECRET, bytes(16))
    (files.data / "new.json").write_bytes(made.to_json())
    keys.verify(made.public_key, proof_bytes(bytes(16), made.public_key), made.proof)

    assert read_public(files.data / "new.json") == made
    assert (files.data / NEXT).stat().st_mode & 0o777 == 0o600
    assert not files.settle(NAME, public_of("log", "log"))
    assert signer.has(made.public_key)
    assert files.settle(NAME, made.public_key)
    assert keys.public_bytes(load_signing_key(files.data / KEY, SECRET)) == made.public_key
    assert not files.settle(NAME, made.public_key)
    assert files.load_signer().has(made.public_key)


@pytest.mark.parametrize("passphrase", [b"another", None])
def test_a_key_that_the_server_can_not_open_is_none(passphrase: bytes | None, files: LogKeyFiles) -> None:
    """With another passphrase it is as good as not there; without one it is opened all the same."""
    made = create_log_key(files.data / NEXT, passphrase, bytes(16))

    assert files.load_signer().has(made.public_key) is (passphrase is None)


@pytest.mark.parametrize("place", [KEY, NEXT, PUBLIC, "keys/./log-next.key", "keys"])
def test_regression_the_public_half_takes_no_keys_place(place: str, files: LogKeyFiles) -> None:
    """One wrong word would be the end of the log's key."""
    with pytest.raises(ContentError):
        check_public_place(files.data / place, files.data / NEXT)


def test_the_public_half_takes_the_place_of_an_earlier_one(files: LogKeyFiles) -> None:
    """Or a new place."""
    public = files.data / "new.json"
    check_public_place(public, files.data / NEXT)
    public.write_bytes(create_log_key(files.data / NEXT, SECRET, bytes(16)).to_json())

    check_public_place(public, files.data / "keys" / "another.key")


def test_regression_a_log_key_without_passphrase_beside_others_that_have_one(tmp_path: Path) -> None:
    """Whoever starts the server at a terminal is asked all the same."""
    data = install(tmp_path / "data")
    decision_key = data / "keys" / "decision.key"
    decision_key.write_bytes(private_pem(load_signing_key(decision_key, None), SECRET))
    asked: list[bytes] = []

    def ask() -> bytes:
        asked.append(SECRET)
        return SECRET

    async def start() -> str:
        config = load_config({"data": str(data), "listen": FREE_PORT}, {})
        async with running(config, make_logger("info", "json", io.StringIO()), ask_passphrase=ask) as ready:
            return ready.checkpoint

    assert asyncio.run(start())
    assert asked == [SECRET]


def test_nothing_is_written_over(files: LogKeyFiles) -> None:
    """Nor is a key made without saying that it is to have no passphrase."""
    create_log_key(files.data / NEXT, SECRET, bytes(16))

    for path, passphrase in ((files.data / NEXT, SECRET), (files.data / "empty.key", b"")):
        with pytest.raises(ProfileError):
            create_log_key(path, passphrase, bytes(16))
    assert not (files.data / "empty.key").exists()


def test_a_key_that_is_not_the_one_published(files: LogKeyFiles) -> None:
    """A server that has neither the key that `log.pub` names nor one that waits does not start."""
    (files.data / PUBLIC).write_text(note.vkey_of(NAME, public_of("other", "log")) + "\n")

    with pytest.raises(KeyFileError):
        files.load_signer()
