"""What a profile knows of its log's keys: kept beside it, bound to it, and refused where it is damaged."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from interlock.client.errors import DataLossError, ProfileError
from interlock.client.log_keys import FILE, keep_keys, known_keys
from interlock.client.profile import Profile
from interlock.proofs import note
from interlock.proofs.log_keys import LogKey, LogKeys
from tests.support.world import public_of

if TYPE_CHECKING:
    from pathlib import Path

NAME = "interlock/00"
FIRST, SECOND = (note.vkey_of(NAME, public_of(word, "log")) for word in ("log", "second"))
BOTH = (LogKey(public_of("log", "log"), 7), LogKey(public_of("second", "log")))


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    """Give a profile that pins the first key."""
    return Profile(tmp_path, "principals/a", "", "", b"", bytes(16), FIRST, bytes(32), None, None, None)


def test_the_pinned_key_alone_and_then_what_was_learned(profile: Profile) -> None:
    """A file is written where there is something new, and nowhere else."""
    keep_keys(profile, known_keys(profile).keys)
    assert not (profile.folder / FILE).exists()
    assert known_keys(profile).vkey == FIRST

    keep_keys(profile, BOTH)

    assert known_keys(profile) == LogKeys(NAME, BOTH)
    assert known_keys(replace(profile, log_key=SECOND)).vkey == SECOND
    assert (profile.folder / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "other",
    [{"log_id": b"1" * 16}, {"log_key": note.vkey_of(NAME, public_of("third", "log"))}],
)
def test_what_is_of_another_log_is_not_believed(other: dict[str, object], profile: Profile) -> None:
    """A profile that was made anew is what it pins."""
    keep_keys(profile, BOTH)
    another = replace(profile, **other)  # type: ignore[arg-type]  # fields of a profile

    assert known_keys(another) == LogKeys.from_vkey(another.log_key)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"log_id": "00", "keys": [{"key": "x", "last_size": null}]}'])
def test_a_damaged_file_is_no_memory(data: bytes, profile: Profile) -> None:
    """It is told, and not taken for an empty one: an old key might come back to life."""
    (profile.folder / FILE).write_bytes(data)

    with pytest.raises(ProfileError) as refused:
        known_keys(profile)
    assert refused.value.reason == "LOG_KEYS"


def test_a_size_that_is_none(profile: Profile) -> None:
    """A key that never ends because its end can't be read would be the thief's."""
    keep_keys(profile, BOTH)
    kept = json.loads((profile.folder / FILE).read_text())
    kept["keys"][0]["last_size"] = "7"
    (profile.folder / FILE).write_text(json.dumps(kept))

    with pytest.raises(ProfileError):
        known_keys(profile)


def test_a_profile_whose_key_is_none(profile: Profile) -> None:
    """Nothing that a server shows can be checked."""
    with pytest.raises(DataLossError):
        known_keys(replace(profile, log_key="log"))
