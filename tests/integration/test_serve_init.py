"""`interlock init`: what it makes, what it refuses, and that a refusal leaves nothing behind."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtensionOID
from typer.testing import CliRunner

from interlock.proofs import keys
from interlock.service.commands import init_app
from interlock.service.genesis.development import cast_of
from interlock.service.genesis.packs import read_pack
from interlock.service.keyfiles import private_pem
from interlock.service.storage import Store, queries
from interlock.service.storage.engine import sqlite_url
from interlock.statemachine import resources as r
from interlock.statemachine.policy.loader import load_pack
from interlock.statemachine.policy.shipped import shipped_pack_names
from interlock.statemachine.replay import Replay
from tests.support.server import STOP_SECONDS, ServerProcess, ServerThread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from interlock.statemachine.state import State

    Install = Callable[[str], Path]

# Exactly those of the scenario "precautionary activation", with their roles.
STORY = {
    "rso": ("rso",),
    "ceo": ("ceo",),
    "safeguards-lead": ("safeguards-lead",),
    "security-lead": ("security-lead",),
    "board": ("board",),
    "evals-lead": ("requester", "evaluator"),
    "safeguards-engineer": ("engineer",),
    "security-engineer": ("engineer",),
    "release-bot": ("release-tool",),
    "classifier-monitor": ("monitor",),
    "auditor": ("auditor",),
    "admin": ("admin",),
    "recovery-1": (),
    "recovery-2": (),
}


APPROVERS = ("rso", "ceo", "safeguards-lead", "security-lead", "board")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def init(*arguments: str | Path, **environment: str) -> Ran:
    """Run `interlock init` without a terminal."""
    result = CliRunner().invoke(init_app, list(map(str, arguments)), env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def fold_of(data: Path) -> State:
    """Re-execute the log of a data folder, and return what it says."""
    store = Store.open(sqlite_url(data / "interlock.db"))
    try:
        with store.reading() as connection:
            stored = [entry.data for entry in queries.entries_after(connection, -1, until=None, limit=10)]

            def resolve(digest: bytes) -> bytes:
                return queries.objects(connection, (digest,))[digest]

            replay = Replay(resolve)
            for entry in stored:
                replay.feed(entry)
    finally:
        store.close()
    assert not replay.findings
    return replay.state


def test_the_story_has_exactly_its_principals(installations: Install) -> None:
    """`--dev --pack rsp-2.2` makes the scenario's and the board, who signs for policies, each with their roles."""
    state = fold_of(installations("rsp-2.2"))

    accounts = {account.name: account for account in state.all_of(r.Principal)}
    assert {
        name.removeprefix("principals/"): tuple(grant.role for grant in state.grants(name)) for name in accounts
    } == STORY
    assert {name for name, account in accounts.items() if account.kind == "service"} == {
        "principals/release-bot",
        "principals/classifier-monitor",
    }
    assert {name for name, account in accounts.items() if account.recovery} == {
        "principals/recovery-1",
        "principals/recovery-2",
    }


def test_the_genesis_is_marked_and_countersigned(installations: Install) -> None:
    """`development`, closed, and every approver has proven their sign-off key over it."""
    log = fold_of(installations("rsp-2.2")).log

    assert (log.development, log.closed) == (True, True)
    assert set(log.countersigned) == {f"principals/{who}" for who in APPROVERS}


@pytest.mark.parametrize("pack", shipped_pack_names())
def test_every_shipped_pack_can_be_tried_out(installations: Install, pack: str) -> None:
    """Each gives a log that replays, with its policy in force."""
    policy = fold_of(installations(pack)).policy

    assert policy is not None
    assert policy.digest == load_pack(read_pack(pack)).digest


def test_any_pack_has_an_account_for_each_of_its_roles() -> None:
    """One principal a role, called after it, and the built-in ones."""
    ids = [member.id for member in cast_of(load_pack(read_pack("minimal")))]

    assert ids == [
        *("owner", "reviewer", "evaluator", "engineer"),
        *("requester", "release-bot", "monitor-bot", "auditor", "admin"),
    ]


def test_admin_holds_no_approving_role(installations: Install) -> None:
    """Admins administer, they do not approve."""
    state = fold_of(installations("rsp-2.2"))
    policy = load_pack(read_pack("rsp-2.2"))

    assert not any(policy.roles[grant.role].approves for grant in state.grants("principals/admin"))


def test_secrets_are_their_owners_alone(installations: Install) -> None:
    """Keys, passphrases and profiles can be read by nobody else, and neither can their folders."""
    data = installations("rsp-2.2")
    secret = [*data.glob("keys/*.key"), *data.glob("principals/*/*")]

    assert secret
    assert {path.stat().st_mode & 0o777 for path in secret} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (data, data / "keys", data / "evidence")} == {0o700}


def test_every_key_is_another_one(installations: Install) -> None:
    """Log, decisions and each person's login and sign-off: no key does two things."""
    state = fold_of(installations("rsp-2.2"))

    public = [key.public_key for account in state.all_of(r.Principal) for key in account.credentials]
    public += [state.log.log_key, state.log.decision_key]
    assert len(set(public)) == len(public) == 12 + 10 + 2 + 2


def test_private_keys_of_people_are_encrypted(installations: Install) -> None:
    """A key file alone signs nothing."""
    data = installations("rsp-2.2")

    assert all(b"ENCRYPTED" in path.read_bytes() for path in data.glob("principals/*/*.key"))


def test_the_certificate_names_the_loopback_and_the_server(installations: Install) -> None:
    """localhost, both loopback addresses, and the name that logins are bound to."""
    pem = (installations("minimal") / "keys" / "server.crt").read_bytes()
    names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    assert isinstance(names.value, x509.SubjectAlternativeName)

    assert set(names.value.get_values_for_type(x509.DNSName)) == {"interlock", "localhost"}
    assert {str(address) for address in names.value.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1"}


def test_a_profile_leads_to_its_server(installations: Install) -> None:
    """Address, pinned authority, log, genesis, and where the keys are; none for those who never log in."""
    data = installations("rsp-2.2")
    profile = json.loads((data / "principals" / "rso" / "profile.json").read_text())
    state = fold_of(data)

    assert profile["principal"] == "principals/rso"
    assert profile["ca_certificate"] == (data / "keys" / "ca.crt").read_text()
    assert profile["log_key"] == (data / "log.pub").read_text().strip()
    assert profile["genesis_digest"] == state.log.genesis_digest.hex()
    assert {profile[name] for name in ("login_key_file", "signoff_key_file", "passphrase_file")} == {
        "login.key",
        "signoff.key",
        "passphrase",
    }
    assert not (data / "principals" / "recovery-1" / "profile.json").exists()


def test_it_says_what_it_made_and_what_comes_next(tmp_path: Path) -> None:
    """Log id, genesis digest, everyone's names, the command that serves and the line for clients."""
    data = tmp_path / "d"
    told = init(data, "--dev").stdout

    assert all(
        word in told
        for word in (
            *("genesis", "recovery-2", f"interlock serve --data {data}"),
            f"export INTERLOCK_HOME={data / 'principals'}",
        )
    )


def test_it_is_a_command_of_its_own(tmp_path: Path) -> None:
    """`python -m interlock.service init`, as a process without a terminal."""
    command = [sys.executable, "-m", "interlock.service", "init", str(tmp_path / "d")]

    bare = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=STOP_SECONDS, check=False)
    made = subprocess.run([*command, "--dev"], capture_output=True, timeout=STOP_SECONDS, check=False)

    assert (bare.returncode, made.returncode) == (2, 0)


def test_it_says_the_same_as_json(tmp_path: Path) -> None:
    """One object, for scripts."""
    facts = json.loads(init("--data", tmp_path / "d", "--dev", "--pack", "rsp-2.2", "--json").stdout)

    assert set(facts["principals"]) == set(STORY)
    assert facts["development"] is True
    assert facts["genesis_digest"] == fold_of(tmp_path / "d").log.genesis_digest.hex()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--dev", "--genesis", "x.yaml"),
        ("--dev", "--pack", "no-such-pack"),
        ("--dev", "--listen", "nowhere"),
        ("--dev", "--countersign", "a=b"),
        ("--genesis", "no-such-file.yaml"),
        ("--dev", "--passphrase-file", "no-such-file"),
    ],
)
def test_what_can_not_be_is_a_usage_error(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Exit code 2, and no trace on the disk. Bare `init` needs a terminal to ask."""
    result = init(tmp_path / "d", *arguments)

    assert result.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    """Refused, and what was there is as it was."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "mine").write_text("mine")

    result = init(tmp_path / "d", "--dev")

    assert result.returncode == 3
    assert [path.name for path in tmp_path.rglob("*")] == ["d", "mine"]


def test_a_log_is_never_made_twice_in_one_place(tmp_path: Path) -> None:
    """The second init changes nothing of the first."""
    init(tmp_path / "d", "--dev")
    before = fold_of(tmp_path / "d").log

    assert init(tmp_path / "d", "--dev").returncode == 3
    assert fold_of(tmp_path / "d").log == before


def test_an_empty_folder_may_be_there(tmp_path: Path) -> None:
    """An empty mount point is as good as none."""
    (tmp_path / "d").mkdir()

    assert init(tmp_path / "d", "--dev").returncode == 0


def test_a_pack_with_an_error_says_where(tmp_path: Path) -> None:
    """File, line, column; and nothing is made."""
    pack = tmp_path / "pack"
    pack.mkdir()
    text = read_pack("minimal")["policy.yaml"].decode().replace("levels: [", "levels: [basic, ", 1)
    (pack / "policy.yaml").write_text(text)

    result = init(tmp_path / "d", "--dev", "--pack", pack)

    assert result.returncode == 2
    assert "policy.yaml:" in result.stderr
    assert not (tmp_path / "d").exists()


def test_a_pack_of_links_is_refused(tmp_path: Path) -> None:
    """A link could lead anywhere, and elsewhere tomorrow."""
    pack = tmp_path / "pack"
    pack.mkdir()
    (tmp_path / "elsewhere.yaml").write_bytes(read_pack("minimal")["policy.yaml"])
    (pack / "policy.yaml").symlink_to(tmp_path / "elsewhere.yaml")

    assert init(tmp_path / "d", "--dev", "--pack", pack).returncode == 2


# A reviewed file --------------------------------------------------------------------------------------------------


class Founders:
    """People who found a real log: their keys, and the file that they reviewed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys: dict[tuple[str, str], Ed25519PrivateKey] = {}
        self.document: dict[str, Any] = {
            "format": 1,
            "policy": "minimal",
            "principals": [
                self.account("alice", "human", [{"role": "owner"}], "login", "signoff"),
                self.account("bob", "human", [{"role": "reviewer"}], "login", "signoff"),
                self.account("carol", "human", [{"role": "requester", "scope": "aurora-*"}], "login"),
                self.account("root", "human", [{"role": "admin"}], "login"),
                self.account("bot", "service", [{"role": "release-tool"}], "login"),
                self.account("recovery-1", "human", [], "recovery"),
                self.account("recovery-2", "human", [], "recovery"),
            ],
        }

    def account(self, who: str, kind: str, grants: list[dict[str, str]], *uses: str) -> dict[str, Any]:
        """Return an account of the file, with new keys."""
        for use in uses:
            self.keys[who, use] = Ed25519PrivateKey.generate()
        account: dict[str, Any] = {
            "id": who,
            "kind": kind,
            "grants": grants,
            "keys": {use: keys.public_bytes(self.keys[who, use]).hex() for use in uses},
        }
        if kind != "service":
            account["person"] = f"person-{who}"
        if "recovery" in uses:
            account["recovery"] = True
        return account

    def of(self, who: str) -> dict[str, Any]:
        """Return somebody's account in the file, to be changed."""
        account: dict[str, Any] = next(one for one in self.document["principals"] if one["id"] == who)
        return account

    def file(self) -> Path:
        """Write the file; JSON is YAML."""
        path = self.folder / "genesis.yaml"
        path.write_text(json.dumps(self.document))
        return path

    def key_file(self, who: str, use: str = "signoff") -> Path:
        """Write somebody's private key, with its passphrase beside it."""
        path = self.folder / f"{who}.{use}.key"
        path.write_bytes(private_pem(self.keys[who, use], b"correct horse"))
        path.chmod(0o600)
        path.with_name(f"{path.name}.passphrase").write_text("correct horse\n")
        return path


@pytest.fixture
def founders(tmp_path: Path) -> Founders:
    """Give people who found a log."""
    return Founders(tmp_path)


def test_a_reviewed_file_founds_a_log(founders: Founders, tmp_path: Path) -> None:
    """Everyone it names, no development mark, no private key of anybody on the server."""
    result = init(tmp_path / "d", "--genesis", founders.file())
    state = fold_of(tmp_path / "d")

    assert result.returncode == 0
    assert not state.log.development
    assert state.log.countersigned == ()
    assert [grant.scope for grant in state.grants("principals/carol")] == ["aurora-*"]
    assert not list((tmp_path / "d" / "principals").glob("*/*.key"))


def test_approvers_at_hand_countersign(founders: Founders, tmp_path: Path) -> None:
    """Their keys sign the genesis digest, which proves that they hold them."""
    result = init(
        *(tmp_path / "d", "--genesis", founders.file()),
        *("--countersign", f"alice={founders.key_file('alice')}"),
        *("--countersign", f"bob={founders.key_file('bob')}"),
    )

    assert result.returncode == 0
    assert fold_of(tmp_path / "d").log.countersigned == ("principals/alice", "principals/bob")


def test_nobody_countersigns_with_another_key(founders: Founders, tmp_path: Path) -> None:
    """The key must be the sign-off key that the file gives that person."""
    result = init(*(tmp_path / "d", "--genesis", founders.file()), "--countersign", f"alice={founders.key_file('bob')}")

    assert result.returncode == 2
    assert not (tmp_path / "d").exists()


def test_the_servers_own_keys_can_have_a_passphrase(founders: Founders, tmp_path: Path) -> None:
    """Then it starts with the passphrase and not without."""
    secret = tmp_path / "secret"
    secret.write_text("a passphrase\n")
    data = tmp_path / "d"

    assert init(data, "--genesis", founders.file(), INTERLOCK_PASSPHRASE_FILE=str(secret)).returncode == 0

    assert b"ENCRYPTED" in (data / "keys" / "log.key").read_bytes()
    with pytest.raises(AssertionError, match="encrypted"):
        ServerProcess(data).start()
    with ServerProcess(data, environment={"INTERLOCK_PASSPHRASE_FILE": str(secret)}) as server:
        assert server.ready["development"] is False


def at_a_terminal(answers: tuple[str, ...], *arguments: str | Path) -> tuple[int, str]:
    """Run a command with a terminal as its input, and answer each question when it is asked."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "interlock.service", *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0, start_new_session=True
    ) as process:
        watchdog = threading.Timer(STOP_SECONDS, process.kill)
        watchdog.start()
        assert process.stdout is not None
        told, waiting = b"", list(answers)
        while part := process.stdout.read(1):
            told += part
            if waiting and told.endswith(b"]: " if b"[dev]" in told else b": "):
                os.write(ours, waiting.pop(0).encode() + b"\n")
            if part == b"\n" and told.splitlines()[-1].startswith(b"ready "):
                process.terminate()
        code = process.wait()
        watchdog.cancel()
    os.close(ours)
    os.close(theirs)
    return code, told.decode()


def test_bare_init_asks_at_a_terminal(tmp_path: Path) -> None:
    """`dev`, typed, is `--dev`."""
    code, _told = at_a_terminal(("dev",), "init", tmp_path / "d")

    assert code == 0
    assert fold_of(tmp_path / "d").log.development


def test_a_terminal_is_asked_for_the_passphrase(founders: Founders, tmp_path: Path) -> None:
    """`init --genesis` asks twice, `serve` once; the keys are encrypted in between."""
    code, _told = at_a_terminal(("secret", "secret"), "init", tmp_path / "d", "--genesis", founders.file())
    assert code == 0
    assert b"ENCRYPTED" in (tmp_path / "d" / "keys" / "log.key").read_bytes()

    code, told = at_a_terminal(("secret",), "serve", "--data", tmp_path / "d", "--listen", "127.0.0.1:0")
    assert (code, told.count("\nready ")) == (0, 1)


def test_two_different_passphrases_are_none(founders: Founders, tmp_path: Path) -> None:
    """A slip at the keyboard must not lock the log."""
    code, _told = at_a_terminal(("secret", "secrte"), "init", tmp_path / "d", "--genesis", founders.file())

    assert code == 2
    assert not (tmp_path / "d").exists()


def _suspend_recovery(founders: Founders) -> None:
    founders.document["principals"].pop()


def _same_person(founders: Founders) -> None:
    founders.of("recovery-1")["person"] = founders.of("recovery-2")["person"]


def _approving_service(founders: Founders) -> None:
    founders.of("bot")["grants"].append({"role": "owner"})


def _approving_admin(founders: Founders) -> None:
    founders.of("root")["grants"].append({"role": "owner"})


def _admin_who_approves_by_another_account(founders: Founders) -> None:
    founders.of("root")["person"] = founders.of("alice")["person"]


def _recovery_with_a_role(founders: Founders) -> None:
    founders.of("recovery-1")["grants"].append({"role": "auditor"})


def _two_of_one_name(founders: Founders) -> None:
    founders.document["principals"].append(founders.of("alice") | {"keys": {}})


def _one_key_for_two(founders: Founders) -> None:
    founders.of("bob")["keys"] = founders.of("alice")["keys"]


def _login_key_that_signs(founders: Founders) -> None:
    keys_of = founders.of("alice")["keys"]
    keys_of["signoff"] = keys_of["login"]


def _small_order_key(founders: Founders) -> None:
    founders.of("alice")["keys"]["login"] = "00" * 32


def _unknown_role(founders: Founders) -> None:
    founders.of("alice")["grants"] = [{"role": "emperor"}]


def _unknown_field(founders: Founders) -> None:
    founders.of("alice")["rolez"] = []


def _id_with_a_slash(founders: Founders) -> None:
    founders.of("alice")["id"] = "../alice"


def _person_behind_a_service(founders: Founders) -> None:
    founders.of("bot")["person"] = "somebody"


def _nobody_behind_a_human(founders: Founders) -> None:
    del founders.of("alice")["person"]


def _quorum_of_one(founders: Founders) -> None:
    founders.document["recovery_threshold"] = 1


def _later_format(founders: Founders) -> None:
    founders.document["format"] = 2


@pytest.mark.parametrize(
    "spoil",
    [
        *(_suspend_recovery, _same_person, _approving_service, _approving_admin, _recovery_with_a_role),
        *(_admin_who_approves_by_another_account, _two_of_one_name, _one_key_for_two, _login_key_that_signs),
        *(_small_order_key, _unknown_role, _unknown_field, _id_with_a_slash, _person_behind_a_service),
        *(_nobody_behind_a_human, _quorum_of_one, _later_format),
    ],
    ids=lambda spoil: spoil.__name__.lstrip("_"),
)
def test_a_founding_that_can_not_be_is_refused(
    founders: Founders, tmp_path: Path, spoil: Callable[[Founders], None]
) -> None:
    """Whatever is wrong with the file, nothing is left on the disk."""
    spoil(founders)
    file = founders.file()

    result = init(tmp_path / "d", "--genesis", file)

    assert result.returncode in {2, 3}
    assert result.stderr.strip()
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_equal_keys_in_the_file_are_refused(founders: Founders, tmp_path: Path) -> None:
    """The reader who takes the first and the server that takes the last would see two files."""
    file = founders.file()
    file.write_text(file.read_text().replace('"kind": "human"', '"kind": "human", "kind": "external"', 1))

    assert init(tmp_path / "d", "--genesis", file).returncode == 2


def test_the_policy_can_be_a_folder_beside_the_file(founders: Founders, tmp_path: Path) -> None:
    """Its path is relative to the file, wherever the command runs."""
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "policy.yaml").write_bytes(read_pack("minimal")["policy.yaml"])
    founders.document["policy"] = "house"

    assert init(tmp_path / "d", "--genesis", founders.file()).returncode == 0


def test_a_high_water_mark_of_another_log_is_not_overwritten(tmp_path: Path) -> None:
    """The place is taken: refused, and the mark is as it was."""
    mark = tmp_path / "mark.json"
    assert init(tmp_path / "one", "--dev", "--highwater", mark).returncode == 0
    before = mark.read_bytes()

    assert init(tmp_path / "two", "--dev", "--highwater", mark).returncode == 3
    assert mark.read_bytes() == before
    assert not (tmp_path / "two").exists()


def test_a_data_folder_can_be_moved(installations: Install, tmp_path: Path) -> None:
    """Nothing in it names the place where it was made."""
    data = installations("minimal")
    made_at = str(data).encode()
    assert not any(made_at in path.read_bytes() for path in data.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("listen", "hosts", "told"),
    [
        ("0.0.0.0:7555", ("gate.example", "other.example"), "gate.example:7555"),
        ("[::]:7555", ("2001:db8::1",), "[2001:db8::1]:7555"),
        ("127.0.0.2:7555", ("gate.example",), "127.0.0.2:7555"),
    ],
    ids=["every address", "every IPv6 address", "one address"],
)
def test_profiles_name_a_place_to_go_to(tmp_path: Path, listen: str, hosts: tuple[str, ...], told: str) -> None:
    """The address that the server listens on, or, where that is every one, the first `--host`."""
    named = (word for host in hosts for word in ("--host", host))
    assert init(tmp_path / "d", "--dev", "--listen", listen, *named).returncode == 0

    profile = json.loads((tmp_path / "d" / "principals" / "owner" / "profile.json").read_text())

    assert profile["address"] == told


def test_a_custom_address_is_served(tmp_path: Path) -> None:
    """`--listen` is in the configuration, the certificate and every profile."""
    data = tmp_path / "d"
    assert init(data, "--dev", "--listen", "127.0.0.2:0", "--host", "gate.example").returncode == 0

    with ServerThread(data, listen="127.0.0.2:0") as server, server.channel() as channel:
        assert server.address.startswith("127.0.0.2:")
        assert server.login(channel, "owner")
    certificate = x509.load_pem_x509_certificate((data / "keys" / "server.crt").read_bytes())
    assert "gate.example" in str(certificate.extensions)
    assert 'listen = "127.0.0.2:0"' in (data / "interlock.toml").read_text()
