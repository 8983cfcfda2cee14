"""Checkpoints held to the keys that a log has had: an ended key is good up to its end and no further."""

from __future__ import annotations

import pytest

from interlock.proofs import note
from interlock.proofs.errors import Fault, NoteError
from interlock.proofs.log_keys import LogKey, LogKeys
from tests.support.world import key_of, public_of

NAME = "log.example/test"
KNOWN = LogKeys(NAME, (LogKey(public_of("log", "log"), 5), LogKey(public_of("second", "log"))))


def signed(size: int, *words: str, origin: str = NAME) -> str:
    """Return a checkpoint signed by the keys that are called by these words."""
    head = note.Checkpoint(origin, size, bytes(32))
    first, *more = (note.sign_checkpoint(head, NAME, key_of(word, "log")) for word in words)
    return first + "".join(text.partition("\n\n")[2] for text in more)


@pytest.mark.parametrize(
    ("size", "words"), [(5, ("log",)), (6, ("second",)), (3, ("second",)), (6, ("log", "second")), (9, ("second", "x"))]
)
def test_a_head_by_a_key_that_may_sign_it(size: int, words: tuple[str, ...]) -> None:
    """The old key up to its end, the key in force at any size; other keys' lines say nothing."""
    assert KNOWN.open(signed(size, *words))[0].size == size


@pytest.mark.parametrize(
    ("size", "words", "fault"),
    [
        (6, ("log",), Fault.LOG_KEY_ENDED),
        (3, ("third",), Fault.NOTE_NOT_SIGNED),
    ],
)
def test_a_head_by_a_key_that_may_not(size: int, words: tuple[str, ...], fault: Fault) -> None:
    """An old key past its end, and a key that was never the log's."""
    with pytest.raises(NoteError) as refused:
        KNOWN.open(signed(size, *words))

    assert refused.value.fault is fault


def test_a_head_of_another_log() -> None:
    """The same key may sign for two logs: the origin tells them apart."""
    with pytest.raises(NoteError) as refused:
        KNOWN.open(signed(3, "log", origin="log.example/other"))

    assert refused.value.fault is Fault.CHECKPOINT_ORIGIN


def test_one_verifier_key_is_a_history_of_one() -> None:
    """What a profile pins."""
    vkey = note.vkey_of(NAME, public_of("log", "log"))

    assert LogKeys.from_vkey(vkey).vkey == vkey
    assert LogKeys.from_vkey(vkey).open(signed(99, "log"))[0].size == 99
