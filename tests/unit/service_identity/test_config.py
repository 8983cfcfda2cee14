"""Configuration: precedence, refusals, and the example file against the code."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from interlock.service.config import KEYS, Config, ConfigError, host_and_port, load_config

EXAMPLE = Path(__file__).parents[3] / "ops" / "interlock.example.toml"


def example_values() -> dict[str, object]:
    """Read the example with every default uncommented."""
    text = re.sub(r"^#(\w+ = )", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    return tomllib.loads(text)


def test_the_example_lists_exactly_the_keys_there_are() -> None:
    """Every key of the example is a real key, and none is missing."""
    assert list(example_values()) == list(KEYS)


@pytest.mark.parametrize("key", [field.name for field in fields(Config)])
def test_the_example_shows_the_real_default(key: str) -> None:
    """The default that the example shows is the one that the code uses."""
    assert example_values()[key] == getattr(Config(), key)


def test_the_example_is_a_valid_file_as_it_stands(tmp_path: Path) -> None:
    """The example changes nothing when it is used unedited."""
    loaded = load_config({}, {}, EXAMPLE)

    assert loaded == Config()


def test_the_file_comes_over_the_default(tmp_path: Path) -> None:
    """A key in the data folder's file replaces the default."""
    (tmp_path / "interlock.toml").write_text('listen = "127.0.0.1:1"\n')

    assert load_config({"data": str(tmp_path)}, {}).listen == "127.0.0.1:1"


def test_the_environment_comes_over_the_file(tmp_path: Path) -> None:
    """A variable replaces what the file says."""
    (tmp_path / "interlock.toml").write_text('listen = "127.0.0.1:1"\n')

    loaded = load_config({"data": str(tmp_path)}, {"INTERLOCK_LISTEN": "127.0.0.1:2"})

    assert loaded.listen == "127.0.0.1:2"


def test_a_flag_comes_over_everything(tmp_path: Path) -> None:
    """A flag replaces what variable and file say; one that was not given replaces nothing."""
    (tmp_path / "interlock.toml").write_text('listen = "127.0.0.1:1"\nlog_level = "error"\n')

    loaded = load_config(
        {"data": str(tmp_path), "listen": "127.0.0.1:3", "log_level": None}, {"INTERLOCK_LISTEN": "127.0.0.1:2"}
    )

    assert (loaded.listen, loaded.log_level) == ("127.0.0.1:3", "error")


def test_the_data_folder_can_come_from_the_environment(tmp_path: Path) -> None:
    """INTERLOCK_DATA leads to the folder's own file."""
    (tmp_path / "interlock.toml").write_text("drain_seconds = 3\n")

    loaded = load_config({}, {"INTERLOCK_DATA": str(tmp_path)})

    assert (loaded.data_path, loaded.drain_seconds) == (tmp_path, 3.0)


def test_paths_of_a_file_are_relative_to_it(tmp_path: Path) -> None:
    """A data folder can be moved with its configuration."""
    (tmp_path / "interlock.toml").write_text('highwater = "second/mark.json"\n')

    assert load_config({"data": str(tmp_path)}, {}).highwater_path == tmp_path / "second" / "mark.json"


def test_variables_of_the_client_are_left_alone() -> None:
    """INTERLOCK_HOME and INTERLOCK_PROFILE are no keys of the server, and no errors."""
    assert load_config({}, {"INTERLOCK_HOME": "/x", "INTERLOCK_PROFILE": "rso"}) == Config()


@pytest.mark.parametrize(
    "text",
    [
        'lisen = "127.0.0.1:1"',
        "listen = 7443",
        "listen = ",
        'max_message_bytes = "4"',
        "max_message_bytes = true",
        "max_message_bytes = 1.5",
        "[server]\nlisten = 'x'",
        'listen = "localhost"',
        'listen = "127.0.0.1:70000"',
        'listen = "::1:7443"',
        'listen = "unix:/run/x"',
        "insecure = true",
        'log_level = "loud"',
        'log_format = "xml"',
        'server_name = ""',
        "streams_per_principal = 0",
        "deadline_seconds = 0",
        'metrics_listen = "9090"',
    ],
)
def test_what_makes_no_server_is_refused(tmp_path: Path, text: str) -> None:
    """Unknown keys, other types, and values that can't be served are errors at the start."""
    (tmp_path / "interlock.toml").write_text(text + "\n")

    with pytest.raises(ConfigError):
        load_config({"data": str(tmp_path)}, {})


@pytest.mark.parametrize(("name", "text"), [("INTERLOCK_INSECURE", "maybe"), ("INTERLOCK_MAX_MESSAGE_BYTES", "4M")])
def test_a_variable_that_does_not_parse_is_refused(name: str, text: str) -> None:
    """The environment is held to the same types as the file."""
    with pytest.raises(ConfigError):
        load_config({}, {name: text})


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Whoever names a file wants it."""
    with pytest.raises(ConfigError):
        load_config({}, {}, tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("address", "parts"),
    [("127.0.0.1:7443", ("127.0.0.1", 7443)), ("[::1]:0", ("::1", 0)), ("gate.example:443", ("gate.example", 443))],
)
def test_addresses_are_split(address: str, parts: tuple[str, int]) -> None:
    """HOST:PORT, with brackets round an IPv6 host."""
    assert host_and_port(address) == parts
