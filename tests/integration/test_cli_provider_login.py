"""A person logs in at a real OpenID provider, in a browser that a small program plays, and what else may come back.

The command line runs in this process where the browser is opened by it, and in one of its own where a test plays the
browser, two people at once, or Ctrl-C.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from interlock.client import AsyncInterlock, Interlock, UnauthenticatedError, oidc
from interlock.v1 import trigger_pb2
from tests.integration.cli_runner import Cli, Outcome, command_line
from tests.support import browser
from tests.support.hostile_issuer import hostile_issuer
from tests.support.oidc_provider import CLIENT, Provider, provider
from tests.support.people import People, trigger
from tests.support.server import ServerThread, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SUBJECT: Final = "248289761001"
OWNER: Final = "248289761002"
ANSWERS_SECONDS: Final = 60


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Run a provider for the module."""
    with provider(tmp_path_factory.mktemp("oidc")) as running:
        yield running


@pytest.fixture(scope="module")
def server(
    at: Provider, installations: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerThread]:
    """Serve a log whose auditor and owner are bound to the provider, and have profiles without a login key."""
    folder = copy_of(installations("minimal"), tmp_path_factory.mktemp("browser") / "data")
    with ServerThread(folder, oidc_ca=str(at.ca_file)) as running:
        with People(running) as everybody:
            trust = trigger_pb2.IssuerTrust(issuer="issuers/sso", url=at.url, audience=CLIENT, algorithm="RS256")
            everybody.enact(
                trigger(issuer_trust=trust), *(bound(*who) for who in (("auditor", SUBJECT), ("owner", OWNER)))
            )
        for who in ("auditor", "owner"):
            profile_of(running, who, at)
        yield running


def bound(who: str, subject: str) -> trigger_pb2.Trigger:
    """Return what binds an account to the provider."""
    return trigger(
        credential_bind=trigger_pb2.CredentialBind(principal=f"principals/{who}", issuer="issuers/sso", subject=subject)
    )


def profile_of(server: ServerThread, who: str, at: Provider) -> None:
    """Make a profile `WHO-oidc`, which names the provider and no login key."""
    like = json.loads((server.home / who / "profile.json").read_text())
    like |= {"login_key_file": "", "oidc_issuer": at.url, "oidc_client_id": CLIENT}
    folder = server.home / f"{who}-oidc"
    folder.mkdir()
    for name in ("signoff.key", "passphrase"):
        if (server.home / who / name).exists():
            (folder / name).write_bytes((server.home / who / name).read_bytes())
    (folder / "profile.json").write_text(json.dumps(like))


@pytest.fixture
def cli(
    server: ServerThread,
    at: Provider,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Cli:
    """Give a command line on a machine that trusts the provider and has a browser, with nobody logged in."""
    monkeypatch.setenv("SSL_CERT_FILE", str(at.ca_file))
    monkeypatch.setenv("BROWSER", f"{sys.executable} {browser.__file__} %s")
    monkeypatch.setenv("PLAYED_CA", str(at.ca_file))
    monkeypatch.setenv("PLAYED_SUBJECT", SUBJECT)
    for kept in server.home.glob("*-oidc/session.json"):
        kept.unlink()
    return command_line(server, capsys, tmp_path, monkeypatch)


class Login:
    """A login in a process of its own, at a machine without a browser: ``page`` is where to log in."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stderr is not None
        self.said = ""
        while not (
            found := re.search(r"^https://\S+$|open (https://\S+) and type the code (\S+)$", self.said, re.MULTILINE)
        ):
            line = process.stderr.readline()
            assert line, self.said
            self.said += line
        self.page, self.user_code = found[1] or found[0], found[2]

    @property
    def asked(self) -> dict[str, str]:
        """What the browser is sent to the provider with."""
        return {name: text for name, [text] in parse_qs(urlsplit(self.page).query).items()}

    @property
    def port(self) -> int:
        """Where it listens."""
        return urlsplit(self.asked["redirect_uri"]).port or 0

    def end(self) -> tuple[int, str]:
        """Wait for it, and return its code and the reason of its error."""
        out, err = self.process.communicate(timeout=ANSWERS_SECONDS)
        found = re.search(r'"reason": "(\w+)"', err)
        assert "Traceback" not in err
        assert "eyJ" not in self.said + err + out  # as tokens begin
        return self.process.returncode, found[1] if found else ""


@contextmanager
def login(who: str, *words: str) -> Iterator[Login]:
    """Start a login; what is left of it ends with the block."""
    command = (sys.executable, "-m", "interlock.cli", "--json", "--profile", who, "login", *words)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield Login(process)
        finally:
            process.kill()


def reason_of(done: Outcome) -> str:
    """Return the reason of an error, which comes after the page that somebody was told."""
    assert done.out == ""
    return str(json.loads(done.err[done.err.index("{") :])["error"]["reason"])


def reaches(port: int) -> bool:
    """Say whether somebody listens on a port of loopback."""
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def test_a_person_logs_in_in_a_browser(cli: Cli, at: Provider) -> None:
    """The session is as any: kept for its owner alone, shown by `whoami`, used by every command, and logged out of."""
    done = cli.must("auditor-oidc", "login")

    assert at.url in done.err
    kept = cli.server.home / "auditor-oidc" / "session.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "eyJ" not in done.out + done.err + kept.read_text()
    shown = cli.must("auditor-oidc", "whoami").out
    assert ", by issuers/sso" in shown
    assert cli.must("auditor-oidc", "status", "--json").json["me"]["principal"]["name"] == "principals/auditor"
    cli.must("auditor-oidc", "logout")
    refused = cli("auditor-oidc", "whoami", "--json")
    assert (refused.code, refused.refusal["reason"]) == (4, "LOGIN_NEEDED")


def test_an_approver_reads_with_it_and_signs_by_key(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login at a provider signs nothing; with it and the sign-off key a change is signed."""
    monkeypatch.setenv("PLAYED_SUBJECT", OWNER)
    cli.must("owner-oidc", "login")
    change = str(cli.must("evaluator", "grants", "give", "auditor", "reviewer", "--json").json["name"])

    assert cli.must("owner-oidc", "inbox", "--json").json["changes"]
    cli.must("owner-oidc", "sign", change, "--yes")
    (cli.server.home / "owner-oidc" / "signoff.key").unlink()
    assert cli("owner-oidc", "withdraw", change).code == 2


def test_a_profile_with_a_key_chooses(cli: Cli, at: Provider) -> None:
    """`--browser` with both options takes the provider once; without any, the key goes on logging in."""
    words = ("--issuer", at.url, "--client-id", CLIENT)

    assert ", by issuers/sso" in cli.must("auditor", "login", "--browser", *words).out
    assert ", by issuers/sso" in cli.must("auditor", "login", *words).out
    assert ", by issuers/sso" not in cli.must("auditor", "login").out


@pytest.mark.parametrize(
    ("answer", "code", "reason"),
    [
        ("deny", 4, "ACCESS_DENIED"),
        ("iss", 4, "OTHER_ISSUER"),
        ("no-iss", 4, "OTHER_ISSUER"),
        ("state", 5, "LOGIN_TIMEOUT"),
        ("twice-code", 5, "LOGIN_TIMEOUT"),
        ("never", 5, "LOGIN_TIMEOUT"),
    ],
)
def test_an_answer_that_is_none(cli: Cli, answer: str, code: int, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person refuses; another issuer answers; or what comes back is for another login, so that nobody answers."""
    monkeypatch.setenv("PLAYED_ANSWER", answer)

    wait = "4s" if reason == "LOGIN_TIMEOUT" else "2m"
    done = cli("auditor-oidc", "login", "--json", "--wait", wait)

    assert (done.code, reason_of(done)) == (code, reason)
    assert not (cli.server.home / "auditor-oidc" / "session.json").exists()


@pytest.mark.parametrize(
    ("claims", "header"),
    [
        ({"nonce": "another"}, {}),
        ({"nonce": None}, {}),
        ({"aud": "another"}, {}),
        ({"aud": [CLIENT, "another"], "azp": CLIENT}, {}),
        ({"iss": "https://another.example"}, {}),
        ({}, {"alg": "none"}),
    ],
    ids=str,
)
def test_a_token_that_answers_another_login(
    cli: Cli, at: Provider, claims: dict[str, object], header: dict[str, object]
) -> None:
    """The provider's own signature makes it none for this login: it is not even sent to the server."""
    at.spoil(claims, header)
    before = len(cli.server.lines())

    done = cli("auditor-oidc", "login", "--json")

    assert (done.code, reason_of(done)) == (4, "OTHER_TOKEN")
    assert not [line for line in cli.server.lines()[before:] if line["event"].startswith("login")]


@pytest.mark.parametrize("claims", [{"sub": "somebody-else"}, {"exp": 1, "iat": 0}], ids=str)
def test_what_the_server_refuses(cli: Cli, at: Provider, claims: dict[str, object]) -> None:
    """Who is meant by a token, and when, is the server's to say."""
    at.spoil(claims)

    done = cli("auditor-oidc", "login", "--json")

    assert (done.code, reason_of(done)) == (4, "UNAUTHENTICATED")
    assert "log says why" in done.err
    assert [line for line in cli.server.lines() if line["event"] == "login_refused"]


def test_somebody_elses_login_opens_nothing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever logs in at the provider as another is not the account of the profile."""
    monkeypatch.setenv("PLAYED_SUBJECT", OWNER)

    assert cli("auditor-oidc", "login").code == 4


def test_codes_of_other_logins_give_no_token(cli: Cli, at: Provider) -> None:
    """One that was used, and one that another login asked for: it takes the verifier that is in the other's memory."""
    ca = str(at.ca_file)
    with ExitStack() as stack:
        first, second, third = (stack.enter_context(login("auditor-oidc", "--no-browser")) for _ in range(3))
        back = browser.answer_of(first.page, SUBJECT, ca)
        assert browser.visit(back) == 200
        assert first.end()[0] == 0

        for other, code in ((second, back), (third, browser.answer_of(first.page, SUBJECT, ca))):
            stolen = parse_qs(urlsplit(code).query)["code"][0]
            mine = browser.answer_of(other.page, SUBJECT, ca)
            assert browser.visit(browser.changed(mine, code=stolen)) == 200
            assert other.end() == (4, "PROVIDER_REFUSED")


def test_two_logins_at_once(cli: Cli, at: Provider) -> None:
    """Each has a port, a state and an answer of its own; one's answer at the other's door is none."""
    ca = str(at.ca_file)
    with login("auditor-oidc", "--no-browser") as one, login("owner-oidc", "--no-browser") as other:
        assert one.port != other.port
        mine, theirs = browser.answer_of(one.page, SUBJECT, ca), browser.answer_of(other.page, OWNER, ca)
        assert browser.visit(mine.replace(f":{one.port}/", f":{other.port}/")) == 400

        assert browser.visit(theirs) == browser.visit(mine) == 200
        assert (one.end(), other.end()) == ((0, ""), (0, ""))
    assert cli.must("owner-oidc", "whoami", "--json").json["principal"]["name"] == "principals/owner"


def test_a_chosen_port(cli: Cli) -> None:
    """For a provider that takes one redirect alone; while it is taken, the second login says so at once."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with login("auditor-oidc", "--no-browser", "--port", str(port)) as one:
        assert one.port == port
        second = cli("auditor-oidc", "login", "--no-browser", "--port", str(port), "--json")
    assert (second.code, second.refusal["reason"]) == (2, "PORT_TAKEN")


@pytest.mark.parametrize("words", [("--no-browser",), ("--device",)])
def test_ctrl_c_leaves_nothing(cli: Cli, words: tuple[str, ...]) -> None:
    """130, no session, nobody listens, no traceback."""
    with login("auditor-oidc", *words) as started:
        port = started.port if "--device" not in words else 0
        assert reaches(port) or "--device" in words
        started.process.send_signal(signal.SIGINT)

        assert started.end() == (130, "")
        assert not reaches(port) or "--device" in words
    assert not (cli.server.home / "auditor-oidc" / "session.json").exists()


def test_ctrl_c_while_a_provider_is_silent(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for the end of a request."""
    with hostile_issuer(tmp_path) as issuer:
        issuer.says = lambda _path: issuer.drip()
        monkeypatch.setenv("SSL_CERT_FILE", str(issuer.ca_file))
        words = ("login", "--issuer", issuer.url, "--client-id", CLIENT, "--no-browser")
        command = (sys.executable, "-m", "interlock.cli", "--profile", "auditor-oidc", *words)
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            while not issuer.asked:
                assert process.poll() is None
                issuer.over.wait(0.05)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=ANSWERS_SECONDS)

    assert process.returncode == 130
    assert "Traceback" not in err


def test_a_person_logs_in_on_another_device(cli: Cli, at: Provider) -> None:
    """The code is typed elsewhere, and no port is open here meanwhile."""
    with login("auditor-oidc", "--device") as started:
        assert started.page == f"{at.url}/device"
        at.type(started.user_code, SUBJECT)
        assert started.end() == (0, "")
    assert ", by issuers/sso" in cli.must("auditor-oidc", "whoami").out


def test_a_person_refuses_on_another_device(cli: Cli, at: Provider) -> None:
    """A no is a no there too; and a token of it that is for another client is none."""
    with login("auditor-oidc", "--device") as started:
        at.type(started.user_code, SUBJECT, approved=False)
        assert started.end() == (4, "ACCESS_DENIED")
    at.spoil({"aud": "another"})
    with login("auditor-oidc", "--device") as started:
        at.type(started.user_code, SUBJECT)
        assert started.end() == (4, "OTHER_TOKEN")
    late = cli("auditor-oidc", "login", "--device", "--wait", "2s", "--json")
    assert (late.code, reason_of(late)) == (5, "LOGIN_TIMEOUT")


def test_a_machine_without_a_browser(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page was printed, and what else there is, is said."""
    monkeypatch.setenv("BROWSER", str(cli.folder / "no-such-browser"))
    monkeypatch.setenv("PATH", str(cli.folder))
    monkeypatch.delenv("DISPLAY", raising=False)

    done = cli("auditor-oidc", "login", "--wait", "4s")

    assert done.code == 5
    assert "no browser opened" in done.err
    assert "login --device" in done.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--issuer", "https://id.example"), "NO_ISSUER"),
        (("--client-id", "x"), "NO_ISSUER"),
        (("--issuer", "http://id.example", "--client-id", "x"), "BAD_ISSUER"),
        (("--device", "--browser"), "USAGE"),
        (("--device", "--port", "1"), "USAGE"),
        (("--browser", "--no-browser"), "USAGE"),
        (("--token-file", "x", "--browser"), "USAGE"),
        (("--port", "65536"), "USAGE"),
        (("--wait", "for ever"), "USAGE"),
    ],
)
def test_what_is_usage(cli: Cli, words: tuple[str, ...], reason: str) -> None:
    """Half an issuer, one in the clear, two ways at once."""
    done = cli("auditor-oidc", "login", *words, "--json")

    assert (done.code, reason_of(done)) == (2, reason)


def test_a_provider_without_device_logins(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said at once, and nothing is asked of it."""
    with hostile_issuer(tmp_path) as issuer:
        monkeypatch.setenv("SSL_CERT_FILE", str(issuer.ca_file))
        done = cli("auditor-oidc", "login", "--device", "--issuer", issuer.url, "--client-id", CLIENT, "--json")

    assert (done.code, reason_of(done)) == (2, "NO_DEVICE_LOGIN")


def test_a_program_logs_its_user_in(cli: Cli, at: Provider) -> None:
    """The SDK, blocking: a token by a browser, and a session by it."""
    told: list[oidc.Invitation] = []
    with Interlock.from_profile("auditor-oidc", environment=os.environ) as client:
        token = oidc.token_by_browser(oidc.Wish.of(client.profile), told.append)
        me = client.identity.login(oidc_token=token)

    assert me.principal.name == "principals/auditor"
    assert told[0].page.startswith(at.url)


def test_a_program_logs_its_user_in_with_asyncio(cli: Cli, at: Provider) -> None:
    """The same, awaited; one that is cancelled listens no longer."""

    async def run() -> str:
        async with AsyncInterlock.from_profile("auditor-oidc", environment=os.environ) as client:
            wish = oidc.Wish.of(client.profile)
            told: asyncio.Queue[oidc.Invitation] = asyncio.Queue()
            given_up = asyncio.create_task(oidc.token_by_browser_async(wish, told.put_nowait, open_browser=False))
            [back] = parse_qs(urlsplit((await told.get()).page).query)["redirect_uri"]
            assert reaches(urlsplit(back).port or 0)
            given_up.cancel()
            await asyncio.gather(given_up, return_exceptions=True)
            assert not reaches(urlsplit(back).port or 0)

            token = await oidc.token_by_browser_async(wish, told.put_nowait)
            return (await client.identity.login(oidc_token=token)).principal.name

    assert asyncio.run(run()) == "principals/auditor"


def test_a_revoked_binding_ends_the_session(cli: Cli) -> None:
    """As with a key: the very next request, open streams, and no login until somebody binds again. Comes last."""
    me = cli.must("auditor-oidc", "login", "--json").json
    with Interlock.from_profile("auditor-oidc", environment=os.environ) as client:
        followed = client.audit.tail(follow=True)
        next(followed)

        cli.must("admin", "keys", "revoke", me["credential"])

        with pytest.raises(UnauthenticatedError) as caught:
            list(followed)
    assert caught.value.reason == "LOGIN_NEEDED"
    ended = cli("auditor-oidc", "whoami", "--json")
    assert (ended.code, ended.refusal["reason"]) == (4, "LOGIN_NEEDED")
    assert cli("auditor-oidc", "login").code == 4
