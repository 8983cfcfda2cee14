"""Profiles: found by name, by path or because there is only one, and read strictly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from interlock.client.errors import ProfileError
from interlock.client.profile import find_profile, load_profile, profile_names, profiles_home

if TYPE_CHECKING:
    from pathlib import Path

GOOD: dict[str, Any] = {
    "principal": "principals/rso",
    "address": "127.0.0.1:7443",
    "serverName": "interlock",
    "caCertificate": "-----BEGIN CERTIFICATE-----",
    "logId": "00" * 16,
    "logKey": "log+00000000+AA==\n",
    "genesisDigest": "11" * 32,
    "loginKeyFile": "login.key",
}


def _profile(home: Path, name: str, **changed: object) -> Path:
    folder = home / name
    folder.mkdir(parents=True)
    (folder / "profile.json").write_text(json.dumps({**GOOD, **changed}))
    return folder


def test_a_profile_is_read_with_paths_beside_it(tmp_path: Path) -> None:
    """Files that a profile names are relative to its own folder; what it does not name is None."""
    folder = _profile(tmp_path, "rso", signoffKeyFile="signoff.key")

    profile = load_profile(folder / "profile.json")

    assert profile.name == "rso"
    assert profile.log_id == bytes(16)
    assert profile.log_key == "log+00000000+AA=="
    assert profile.login_key_file == folder / "login.key"
    assert profile.signoff_key_file == folder / "signoff.key"
    assert profile.passphrase_file is None


@pytest.mark.parametrize("field", ["principal", "address", "serverName", "caCertificate", "logKey", "loginKeyFile"])
def test_a_profile_without_a_needed_field_is_refused(tmp_path: Path, field: str) -> None:
    """Nothing that the connection's safety rests on can be left out."""
    folder = _profile(tmp_path, "rso", **{field: ""})

    with pytest.raises(ProfileError) as caught:
        load_profile(folder / "profile.json")

    assert caught.value.reason == "BAD_PROFILE"


@pytest.mark.parametrize(
    "changed", [{"logId": "00"}, {"logId": "zz" * 16}, {"genesisDigest": ""}, {"address": 7}, {"unknownField": 1}]
)
def test_a_profile_with_a_malformed_field_is_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    """Wrong lengths, wrong types and unknown fields are mistakes, not hints."""
    folder = _profile(tmp_path, "rso", **changed)

    with pytest.raises(ProfileError) as caught:
        load_profile(folder / "profile.json")

    assert caught.value.reason == "BAD_PROFILE"


@pytest.mark.parametrize(
    "address", ["127.0.0.1:65536", "127.0.0.1:99999999999", "localhost", "localhost:", ":7443", "a:x", "a:٧", "a:-1"]
)
def test_an_address_without_a_port_that_there_is(address: str, tmp_path: Path) -> None:
    """Regression: gRPC cut the port down or chose one, and the server "could not be reached"."""
    folder = _profile(tmp_path, "rso", address=address)

    with pytest.raises(ProfileError) as caught:
        load_profile(folder / "profile.json")

    assert caught.value.reason == "BAD_PROFILE"
    assert "65535" in caught.value.message


@pytest.mark.parametrize("address", ["127.0.0.1:65535", "[::1]:7443", "gate.example:443", "unix:/run/interlock.sock"])
def test_addresses_of_servers(address: str, tmp_path: Path) -> None:
    """A host with a port, or a socket of this machine."""
    assert load_profile(_profile(tmp_path, "rso", address=address) / "profile.json").address == address


def test_a_profile_is_found_by_name_folder_and_file(tmp_path: Path) -> None:
    """`--profile` takes a name under the home, a folder, or the file itself."""
    folder = _profile(tmp_path / "home", "rso")
    around = {"INTERLOCK_HOME": str(tmp_path / "home")}

    for which in ("rso", str(folder), str(folder / "profile.json")):
        assert find_profile(which, around) == folder / "profile.json"


def test_the_environment_names_the_profile(tmp_path: Path) -> None:
    """INTERLOCK_PROFILE counts where nothing else is said, and yields to what is said."""
    _profile(tmp_path, "rso")
    _profile(tmp_path, "ceo")
    around = {"INTERLOCK_HOME": str(tmp_path), "INTERLOCK_PROFILE": "rso"}

    assert find_profile(None, around).parent.name == "rso"
    assert find_profile("ceo", around).parent.name == "ceo"


def test_the_only_profile_needs_no_name(tmp_path: Path) -> None:
    """With one profile there is nothing to choose."""
    folder = _profile(tmp_path, "rso")

    assert find_profile(None, {"INTERLOCK_HOME": str(tmp_path)}) == folder / "profile.json"


def test_several_profiles_leave_the_choice_to_the_caller(tmp_path: Path) -> None:
    """Whose word it is must never be a guess."""
    _profile(tmp_path, "rso")
    _profile(tmp_path, "ceo")

    with pytest.raises(ProfileError) as caught:
        find_profile(None, {"INTERLOCK_HOME": str(tmp_path)})

    assert caught.value.reason == "SEVERAL_PROFILES"


@pytest.mark.parametrize("which", [None, "nobody", "../nobody"])
def test_a_missing_profile_is_said_to_be_missing(tmp_path: Path, which: str | None) -> None:
    """No profile, no connection."""
    with pytest.raises(ProfileError) as caught:
        find_profile(which, {"INTERLOCK_HOME": str(tmp_path)})

    assert caught.value.reason == "NO_PROFILE"


def test_profiles_are_listed_by_name(tmp_path: Path) -> None:
    """Only folders that hold a profile are profiles."""
    _profile(tmp_path, "rso")
    _profile(tmp_path, "ceo")
    (tmp_path / "empty").mkdir()

    assert profile_names({"INTERLOCK_HOME": str(tmp_path)}) == ("ceo", "rso")
    assert profile_names({"INTERLOCK_HOME": str(tmp_path / "nowhere")}) == ()


def test_without_a_word_profiles_are_in_the_users_configuration() -> None:
    """The default home is a folder of the user's configuration, called after the program."""
    assert profiles_home({}).parts[-2:] == ("interlock", "profiles")
