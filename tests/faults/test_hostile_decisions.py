"""`gate verify` against files that somebody made to pass: edited, signed by others, cut, huge, deep, of another time.

The decision that is attacked is an ALLOW that holds; each attack leaves at least one thing of it wrong, and ends in 1.
"""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any, Final

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from interlock.proofs import dsse
from interlock.statemachine import moments
from tests.integration.cli_runner import SHA256, Cli, Outcome, command_line
from tests.support.server import ServerThread, copy_of, install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

OTHER: Final = "ab" * 32
QUESTION: Final = ("-c", "internal", "-a", SHA256)


@pytest.fixture
def cli(
    installations: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cli]:
    """Give a command line for everybody of a server that allows `m`."""
    with ServerThread(copy_of(installations("minimal"), tmp_path / "data")) as server:
        line = command_line(server, capsys, tmp_path, monkeypatch)
        line.release("m")
        yield line


@pytest.fixture
def file(cli: Cli) -> Path:
    """Give a decision that allows, and holds."""
    path = cli.folder / "m.decision"
    cli.must("release-bot", "gate", "check", "m", *QUESTION, "--decision", str(path))
    assert verify(cli, path).code == 0
    return path


def verify(cli: Cli, file: Path, *words: str) -> Outcome:
    """Judge a file."""
    return cli("release-bot", "gate", "verify", str(file), *QUESTION, "--model", "m", "--json", *words)


def faults(outcome: Outcome) -> list[str]:
    """Return the faults of a no."""
    assert (outcome.code, outcome.json["verdict"]) == (1, "DENY"), outcome
    return [fault["code"] for fault in outcome.json["faults"]]


def payload_of(file: Path) -> dict[str, Any]:
    """Return the statement."""
    return dict(json.loads(base64.b64decode(json.loads(file.read_bytes())["payload"])))


def signed(statement: object, key: Ed25519PrivateKey, keyid: str = "") -> bytes:
    """Sign a statement as the server would."""
    payload = json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    signature = key.sign(dsse.pae(dsse.IN_TOTO_TYPE, payload))
    return enveloped(payload, [{"keyid": keyid, "sig": base64.b64encode(signature).decode()}])


def enveloped(payload: bytes, signatures: list[dict[str, str]]) -> bytes:
    """Put an envelope round a payload."""
    text = base64.b64encode(payload).decode()
    return json.dumps({"payload": text, "payloadType": dsse.IN_TOTO_TYPE, "signatures": signatures}).encode()


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401  # JSON
    """Give the path of every value that holds no other."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = False
    for key, item in items:
        found = True
        yield from leaves(item, (*path, key))
    if not found:
        yield path


def edited(statement: dict[str, Any], path: tuple[str | int, ...], change: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a statement with one value changed."""
    copy: Any = json.loads(json.dumps(statement))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = change(place[path[-1]])
    return dict(copy)


def another(value: object) -> object:
    """Return another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value + "x"
        case _:
            return [*value, "x"] if isinstance(value, list) else None


def key_of(path: Path) -> Ed25519PrivateKey:
    """Return a key of the server."""
    key: Any = load_pem_private_key(path.read_bytes(), None)
    return key  # type: ignore[no-any-return]  # what it was made as


def test_no_field_can_be_edited(cli: Cli, file: Path) -> None:
    """Each value changed by itself, under the signature that was there: nothing in the file is relied on."""
    statement, envelope = payload_of(file), json.loads(file.read_bytes())
    paths = list(leaves(statement))
    assert len(paths) > 20

    for path in paths:
        changed = json.dumps(edited(statement, path, another), sort_keys=True, separators=(",", ":")).encode()
        file.write_bytes(enveloped(changed, envelope["signatures"]))

        assert faults(verify(cli, file)) == ["DECISION_SIGNATURE"], path


def test_the_decision_key_itself_signs_no_other_form(cli: Cli, file: Path) -> None:
    """Whoever had the key could still not say one thing to us and another to a tool that reads other fields."""
    statement, key = payload_of(file), key_of(cli.server.data / "keys" / "decision.key")
    taken = []

    for path in leaves(statement):
        file.write_bytes(signed(edited(statement, path, another), key))
        if verify(cli, file).code != 1:
            taken.append(path)

    assert taken == [("predicate", "urn:interlock:decision:v1", "expires")]  # it stands in one place alone


def test_no_other_key_signs_a_decision(cli: Cli, file: Path, tmp_path: Path) -> None:
    """Not the log's, not the one of TLS, not an approver's, not that of another server, whatever key id is claimed."""
    keys = cli.server.data / "keys"
    statement, keyid = payload_of(file), json.loads(file.read_bytes())["signatures"][0]["keyid"]
    foreign = install(tmp_path / "foreign")
    signers = (
        key_of(keys / "log.key"),
        key_of(foreign / "keys" / "decision.key"),
        key_of(foreign / "keys" / "log.key"),
        cli.server.key("owner", "signoff"),
        cli.server.key("release-bot", "login"),
    )

    for signer in signers:
        for claimed in ("", keyid, "0" * 64):
            file.write_bytes(signed(statement, signer, claimed))

            assert faults(verify(cli, file)) == ["DECISION_SIGNATURE"]


def test_no_cut_or_padded_file_passes(cli: Cli, file: Path) -> None:
    """Cut anywhere, with bytes before or after, twice in a row, with a byte order mark, in UTF-16."""
    whole = file.read_bytes()
    step = max(len(whole) // 25, 1)
    hostile = [whole[:end] for end in range(0, len(whole.rstrip()), step)]
    hostile += [
        whole.rstrip()[:-1],
        whole + whole,
        whole + b"{}",
        b"\xef\xbb\xbf" + whole,
        whole.decode().encode("utf-16"),
    ]
    hostile += [b"\0" + whole, whole + b"\0", b"[" + whole + b"]", b'"' + base64.b64encode(whole) + b'"']

    for data in hostile:
        file.write_bytes(data)

        assert faults(verify(cli, file)) == ["DECISION_SIGNATURE"], data[:40]


def test_no_file_says_two_things(cli: Cli, file: Path) -> None:
    """Keys that stand twice, a second signature, a key of ours in a list of others', another payload type."""
    envelope = json.loads(file.read_bytes())
    (own,) = envelope["signatures"]
    text = json.dumps(envelope)
    forged = base64.b64encode(
        json.dumps(edited(payload_of(file), ("predicate", "verificationResult"), another)).encode()
    )
    twice = [
        text[:-1] + f', "payload": "{forged.decode()}"}}',
        f'{{"payload": "{forged.decode()}", ' + text[1:],
        text[:-1] + ', "signatures": []}',
        text.replace('"keyid"', '"keyid": "x", "keyid"'),
        json.dumps(envelope | {"signatures": [own, own]}),
        json.dumps(envelope | {"signatures": [own, own | {"keyid": "x"}]}),
        json.dumps(envelope | {"signatures": [own | {"sig": base64.b64encode(bytes(64)).decode()}, own]}),
        json.dumps(envelope | {"signatures": []}),
        json.dumps(envelope | {"signatures": own}),
        json.dumps(envelope | {"payloadType": "application/json"}),
        json.dumps(envelope | {"payload": None}),
        json.dumps(envelope | {"more": 1}),
    ]

    for data in twice:
        file.write_text(data)

        assert faults(verify(cli, file)) == ["DECISION_SIGNATURE"], data[:60]


def test_no_file_is_too_large_or_too_deep_to_be_refused(cli: Cli, file: Path) -> None:
    """A mebibyte and more, gibibytes that are not there, brackets without end: refused at once, with little read."""
    whole = file.read_bytes()
    for data in (
        whole + b" " * (1 << 20),
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'{"payload":"' + b"A" * 1_000_000,
        b"9" * 1_000_000,
        b'{"payload": ' + b"-" * 10 + b"1e999999999}",
    ):
        file.write_bytes(data)
        assert faults(verify(cli, file)) == ["DECISION_SIGNATURE"]

    with file.open("wb") as sparse:
        sparse.truncate(8 << 30)
    assert faults(verify(cli, file)) == ["DECISION_SIGNATURE"]


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", "/proc/self/mem", "/"])
def test_what_is_no_file_is_no_decision(cli: Cli, name: str) -> None:
    """A device, a folder, one's own memory: a no or usage."""
    outcome = cli("release-bot", "gate", "verify", name, *QUESTION, "--json")

    assert outcome.code in {1, 2}


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(0, []), (2, ["DECISION_NOT_YET"]), (-14, []), (-16, ["DECISION_EXPIRED"]), (-30 * 24 * 60, ["DECISION_EXPIRED"])],
)
def test_a_decision_of_another_time_does_not_hold(cli: Cli, file: Path, minutes: int, expected: list[str]) -> None:
    """Genuine and about the right thing, but made so many minutes from now: ended, or yet to come."""
    statement = payload_of(file)
    own = statement["predicate"]["urn:interlock:decision:v1"]
    own["instant"] = (int(time.time()) + minutes * 60) * 1_000_000
    own["expires"] = own["instant"] + 15 * 60 * 1_000_000
    statement["predicate"]["timeVerified"] = moments.to_text(own["instant"])
    file.write_bytes(signed(statement, key_of(cli.server.data / "keys" / "decision.key")))

    outcome = verify(cli, file)

    assert (outcome.code, [fault["code"] for fault in outcome.json["faults"]]) == (1 if expected else 0, expected)


def test_decisions_of_others_are_told_apart(cli: Cli, file: Path) -> None:
    """Of another log with a model of the same name and artifact, of another model, of another context."""
    cli.must("evaluator", "models", "create", "n", "--artifact", OTHER)
    of_n = cli.folder / "n.decision"
    denied = cli("release-bot", "gate", "check", "n", "-c", "internal", "-a", OTHER, "--decision", str(of_n))
    elsewhere = cli.folder / "api.decision"
    cli("release-bot", "gate", "check", "m", "-c", "api", "-a", SHA256, "--decision", str(elsewhere))

    assert denied.code == 1
    assert set(faults(verify(cli, of_n))) == {"DECISION_ARTIFACT", "DECISION_MODEL", "DECISION_FAILED"}
    assert "DECISION_CONTEXT" in faults(verify(cli, elsewhere))
    assert verify(cli, file).code == 0
    assert "DECISION_LOG" in faults(verify(cli, file, "--log-id", "0" * 32))
