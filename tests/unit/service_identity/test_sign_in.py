"""Signing in: challenges, rate limits, sessions, admission. Each against a founded log, with real keys."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from interlock.proofs import keys
from interlock.service.clock import ForwardClock
from interlock.service.errors import LimitExceeded, NotAllowed, Unauthenticated
from interlock.service.identity import sessions as sessions_module
from interlock.service.identity.admission import Admission, bearer_token
from interlock.service.identity.challenges import Challenges, signed_bytes
from interlock.service.identity.jwks import KeySets
from interlock.service.identity.limits import Rate, RateLimiter
from interlock.service.identity.login import DEFAULT_RATE, Attempt, SignIn
from interlock.service.identity.permissions import METHODS
from interlock.service.identity.sessions import Sessions, digest_of
from interlock.service.identity.tokens import TokenGate
from interlock.service.logs import make_logger
from interlock.service.metrics import Metrics
from interlock.service.open_streams import OpenStreams
from interlock.statemachine import resources as r
from tests.support.service import Counted, HandClock, MemoryTable, view_of
from tests.support.world import World, key_of, public_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.service.identity.caller import Caller
    from interlock.service.ledger.view import View
    from interlock.service.open_streams import Watch

SERVER = "interlock"
READ = METHODS["interlock.v1.ModelService/GetModel"]
CREATE = METHODS["interlock.v1.ModelService/CreateModel"]
WHO_AM_I = METHODS["interlock.v1.IdentityService/WhoAmI"]
LOGIN = METHODS["interlock.v1.IdentityService/Login"]


@dataclass(slots=True)
class Door:
    """The identity parts of a server, put together."""

    clock: HandClock
    table: MemoryTable
    sessions: Sessions
    sign_in: SignIn
    admission: Admission
    view: View
    written: io.StringIO

    @classmethod
    def to(cls, world: World, *, saved: Iterable[Caller] = (), rate: Rate = DEFAULT_RATE) -> Door:
        """Put them together over a world's log."""
        clock, rng, table, written = HandClock(view_of(world).state.time), Counted(), MemoryTable(), io.StringIO()
        log = make_logger("info", "json", written)
        door = cls.__new__(cls)
        forward = ForwardClock(clock, lambda: door.view.state.time, lambda: 0)
        sessions = Sessions(table, forward, rng, log, saved)
        door.clock, door.table, door.sessions, door.written = clock, table, sessions, written
        door.view = view_of(world)
        door.sign_in = SignIn(
            challenges=Challenges(forward, rng),
            sessions=sessions,
            view=lambda: door.view,
            tokens=TokenGate(KeySets(lambda: 0), forward),
            clock=forward,
            server_name=SERVER,
            log=log,
            rate=rate,
        )
        door.admission = Admission(sessions, lambda: door.view, clock)
        return door

    def attempt(self, who: str, *, use: str = "login", nonce: bytes | None = None) -> Attempt:
        """Return a good attempt of somebody, signed by their key for ``use``."""
        name = f"principals/{who}"
        nonce = self.sign_in.challenge(name, "here") if nonce is None else nonce
        message = signed_bytes(self.view.state.log.log_id, SERVER, nonce)
        signature = key_of(name, use).sign(message)
        return Attempt(name, nonce, keys.fingerprint(public_of(name, use)), signature, "here")

    def login(self, attempt: Attempt) -> tuple[str, Caller]:
        """Try to sign in."""
        return asyncio.run(self.sign_in.login(attempt))

    def admit(self, token: str) -> Caller | None:
        """Come in with a token."""

        async def come() -> Caller | None:
            admitted = self.admission.admit(READ, (("authorization", f"Bearer {token}"),))
            await self.sessions.settle()
            return admitted

        return asyncio.run(come())

    def write(self, account: r.Principal) -> None:
        """Have the log say something else of an account, as an entry of identity would."""
        self.view = replace(self.view, state=self.view.state.put(account))


@pytest.fixture(scope="module")
def world() -> World:
    """Found a log once: nothing here changes it."""
    return World.found()


@pytest.fixture
def door(world: World) -> Door:
    """Give fresh identity parts."""
    return Door.to(world)


def account(door: Door, who: str) -> r.Principal:
    """Return an account as the log has it."""
    return door.view.state.need(f"principals/{who}", r.Principal)


def test_a_signed_nonce_opens_a_session(door: Door) -> None:
    """The login key's signature over log, server and nonce is enough."""
    token, session = door.login(door.attempt("evaluator"))

    assert door.admit(token) == session


def test_an_account_taken_while_it_logs_in_gets_no_session(door: Door) -> None:
    """What an entry takes while a session is being stored leaves none behind, so none comes back with the account."""
    taken = replace(account(door, "evaluator"), state="suspended")
    put = door.table.put

    async def put_meanwhile(session: Caller) -> None:
        door.write(taken)
        await put(session)

    door.table.put = put_meanwhile  # type: ignore[method-assign]  # what a slow store gives time for

    with pytest.raises(Unauthenticated):
        door.login(door.attempt("evaluator"))
    assert door.table.rows == {}


def test_sessions_end_with_what_is_taken(door: Door) -> None:
    """Sessions that do not stand are over, here and where they are stored; others go on."""
    gone, _ = door.login(door.attempt("evaluator"))
    stays, session = door.login(door.attempt("auditor"))

    async def end() -> None:
        door.sessions.end_fallen(lambda one: one.principal != "principals/evaluator")
        await door.sessions.settle()

    asyncio.run(end())

    assert set(door.table.rows) == {session.session_digest}
    assert door.admit(stays) == session
    with pytest.raises(Unauthenticated):
        door.admit(gone)


def test_a_session_lasts_fifteen_minutes(door: Door) -> None:
    """Unused for its whole time, it has ended."""
    token, session = door.login(door.attempt("evaluator"))
    assert session.expires_at == door.clock.now + sessions_module.LASTS_US

    door.clock.move(15 * 60)

    with pytest.raises(Unauthenticated):
        door.admit(token)


def test_a_session_that_ended_does_not_come_back_with_the_clock(world: World, door: Door) -> None:
    """Once refused it is refused for good: when the clock is set back, and by the next process."""
    token, _ = door.login(door.attempt("evaluator"))
    door.clock.move(15 * 60)
    with pytest.raises(Unauthenticated):
        door.admit(token)

    door.clock.move(-15 * 60)

    for place in (door, Door.to(world, saved=door.table.rows.values())):
        with pytest.raises(Unauthenticated):
            place.admit(token)


def test_a_session_that_ended_unseen_does_not_come_back_with_the_clock(door: Door) -> None:
    """It is enough that anything was judged by the later time, were it somebody else's login."""
    token, _ = door.login(door.attempt("evaluator"))
    door.clock.move(15 * 60)
    door.sign_in.challenge("principals/release-bot", "here")

    door.clock.move(-15 * 60)

    with pytest.raises(Unauthenticated):
        door.admit(token)


def test_a_clock_an_hour_behind_the_log_lets_people_in(door: Door) -> None:
    """A session is issued and judged by the same time, so it lasts though the clock says that it ended long ago."""
    door.clock.move(-3600)

    token, session = door.login(door.attempt("evaluator"))

    assert door.admit(token) == session


def test_a_session_ends_though_the_clock_stays_behind() -> None:
    """A clock that stands still behind the log is moved on by the ticks of one that nobody sets."""
    clock, ticks = HandClock(), [0]
    forward = ForwardClock(clock, lambda: 1 << 60, lambda: ticks[0])
    before = forward.now_us()

    ticks[0] = sessions_module.LASTS_US

    assert forward.now_us() == before + sessions_module.LASTS_US


def test_a_session_that_is_used_slides(door: Door) -> None:
    """Each use moves the end, also where it is stored."""
    token, session = door.login(door.attempt("evaluator"))

    for _ in range(4):
        door.clock.move(14 * 60)
        assert door.admit(token) is not None

    assert door.table.rows[session.session_digest].expires_at == door.clock.now + sessions_module.LASTS_US


def test_a_session_is_not_written_for_every_request(door: Door) -> None:
    """Within a minute the end stays where it is: a look-up costs no write."""
    token, session = door.login(door.attempt("evaluator"))
    door.clock.move(59)

    assert door.admit(token) == session


def test_a_session_survives_a_restart(world: World, door: Door) -> None:
    """What is stored is enough to know the token again, and holds no token."""
    token, session = door.login(door.attempt("evaluator"))

    again = Door.to(world, saved=door.table.rows.values())

    assert again.admit(token) == session
    assert digest_of(token) in door.table.rows


def test_logout_ends_the_session_for_good(world: World, door: Door) -> None:
    """Neither this process nor the next knows the token."""
    token, session = door.login(door.attempt("evaluator"))

    asyncio.run(door.sessions.close(session))

    for place in (door, Door.to(world, saved=door.table.rows.values())):
        with pytest.raises(Unauthenticated):
            place.admit(token)


def test_ended_sessions_are_forgotten(door: Door) -> None:
    """Memory and table hold what is alive: each login sweeps."""
    door.login(door.attempt("evaluator"))
    door.clock.move(16 * 60)

    _, session = door.login(door.attempt("admin"))

    assert list(door.table.rows) == [session.session_digest]


def test_one_principal_has_so_many_sessions_at_most(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes when one too many is opened."""
    monkeypatch.setattr(sessions_module, "MAX_OF_ONE_PRINCIPAL", 3)
    door = Door.to(world)
    tokens = []
    for _ in range(4):
        door.clock.move(1)
        tokens.append(door.login(door.attempt("evaluator"))[0])

    with pytest.raises(Unauthenticated):
        door.admit(tokens[0])
    assert all(door.admit(token) for token in tokens[1:])


def test_a_nonce_is_good_once(door: Door) -> None:
    """A login that was overheard can't be played again."""
    attempt = door.attempt("evaluator")
    door.login(attempt)

    with pytest.raises(Unauthenticated):
        door.login(attempt)


def test_a_nonce_is_good_for_sixty_seconds(door: Door) -> None:
    """At sixty seconds it has ended."""
    attempt = door.attempt("evaluator")
    door.clock.move(60)

    with pytest.raises(Unauthenticated):
        door.login(attempt)


def test_a_clock_that_is_set_back_lengthens_no_nonce(door: Door) -> None:
    """What had ended when anything was judged has ended."""
    attempt = door.attempt("evaluator")
    door.clock.move(60)
    door.sign_in.challenge("principals/release-bot", "here")

    door.clock.move(-30)

    with pytest.raises(Unauthenticated):
        door.login(attempt)


def test_a_nonce_of_another_process_is_not_good(world: World, door: Door) -> None:
    """A restart ends what was issued before."""

    class Other(Counted):
        def __call__(self, size: int) -> bytes:
            return bytes(reversed(super().__call__(size)))

    foreign = Challenges(door.clock, Other()).issue("principals/evaluator")

    with pytest.raises(Unauthenticated):
        door.login(door.attempt("evaluator", nonce=foreign))


def test_a_nonce_is_for_the_principal_that_asked(door: Door) -> None:
    """Nobody signs in with a nonce that was somebody else's."""
    nonce = door.sign_in.challenge("principals/admin", "here")

    with pytest.raises(Unauthenticated):
        door.login(door.attempt("evaluator", nonce=nonce))


def test_an_unknown_principal_gets_a_nonce_like_any_other(door: Door) -> None:
    """The challenge tells nobody who exists."""
    nonce = door.sign_in.challenge("principals/nobody", "here")

    assert len(nonce) == len(door.sign_in.challenge("principals/admin", "here")) == 32


def test_challenges_leave_nothing_behind(door: Door) -> None:
    """Whoever only asks for nonces makes the server remember nothing."""
    challenges = Challenges(door.clock, Counted())
    for number in range(1000):
        challenges.issue(f"principals/p{number}")

    assert not challenges._used  # noqa: SLF001  # what must not grow has no other face


def test_used_nonces_are_forgotten_when_they_would_have_ended(door: Door) -> None:
    """Memory is bounded by the logins of one minute."""
    challenges = Challenges(door.clock, Counted())
    challenges.redeem(challenges.issue("principals/a"))
    door.clock.move(61)
    kept = challenges.issue("principals/b")

    challenges.redeem(kept)

    assert list(challenges._used) == [kept]  # noqa: SLF001  # as above


def _with_bit_flipped(attempt: Attempt) -> Attempt:
    signature = bytes((attempt.signature[0] ^ 1,)) + attempt.signature[1:]
    return replace(attempt, signature=signature)


def test_a_wrong_signature_opens_nothing_and_leaves_the_nonce(door: Door) -> None:
    """A bad try does not burn the nonce of whoever asked for it."""
    attempt = door.attempt("evaluator")

    with pytest.raises(Unauthenticated):
        door.login(_with_bit_flipped(attempt))

    assert door.login(attempt)


def test_a_sign_off_key_is_no_login_key(door: Door) -> None:
    """A key has one use."""
    with pytest.raises(Unauthenticated):
        door.login(door.attempt("owner-a", use="signoff"))


def test_somebody_elses_key_is_no_key_of_mine(door: Door) -> None:
    """The key must belong to the account that is named."""
    attempt = replace(door.attempt("admin"), principal="principals/evaluator")

    with pytest.raises(Unauthenticated):
        door.login(attempt)


def test_a_login_for_another_server_is_worth_nothing_here(door: Door) -> None:
    """The signature binds the server's name and the log."""
    attempt = door.attempt("evaluator")
    other = signed_bytes(door.view.state.log.log_id, "other", attempt.nonce)

    with pytest.raises(Unauthenticated):
        door.login(replace(attempt, signature=key_of(attempt.principal, "login").sign(other)))


def test_an_unknown_principal_gets_the_answer_of_a_wrong_key(door: Door) -> None:
    """No oracle: the same error, whatever was wrong."""
    attempt = replace(door.attempt("evaluator"), principal="principals/nobody")

    with pytest.raises(Unauthenticated) as unknown:
        door.login(attempt)
    with pytest.raises(Unauthenticated) as wrong:
        door.login(_with_bit_flipped(door.attempt("evaluator")))

    assert str(unknown.value) == str(wrong.value)


@pytest.mark.parametrize("state", ["suspended", "removed"])
def test_who_is_not_active_does_not_get_in(door: Door, state: str) -> None:
    """A suspended account opens no session, and the ones it has end with the entry."""
    token, _ = door.login(door.attempt("evaluator"))
    attempt = door.attempt("evaluator")

    door.write(replace(account(door, "evaluator"), state=state))

    with pytest.raises(Unauthenticated):
        door.login(attempt)
    with pytest.raises(Unauthenticated):
        door.admit(token)


def with_key_revoked(door: Door, who: str, fingerprint: str) -> r.Principal:
    """Return an account whose key was revoked."""
    before = account(door, who)
    after = (replace(key, state="revoked") if key.fingerprint == fingerprint else key for key in before.credentials)
    return replace(before, credentials=tuple(after))


@pytest.mark.parametrize("tightening", ["account suspended", "key revoked", "logged out", "session over"])
def test_what_ends_a_session_ends_its_open_streams(door: Door, tightening: str) -> None:
    """A stream that waits is interrupted, and one that is about to speak speaks no more; others go on."""
    _, session = door.login(door.attempt("evaluator"))
    _, other = door.login(door.attempt("owner-a"))
    streams = OpenStreams(door.admission, Metrics(), 10)

    async def wait(who: Caller, opened: list[Watch]) -> None:
        async with streams.watch(who, READ) as watch:
            opened.append(watch)
            await asyncio.Event().wait()

    async def story() -> tuple[list[Watch], list[bool]]:
        opened: list[Watch] = []
        tasks = [asyncio.create_task(wait(who, opened)) for who in (session, other)]
        await asyncio.sleep(0)
        streams.review()
        assert [watch.ended for watch in opened] == [None, None]
        match tightening:
            case "account suspended":
                door.write(replace(account(door, "evaluator"), state="suspended"))
            case "key revoked":
                door.write(with_key_revoked(door, "evaluator", session.credential))
            case "logged out":
                await door.sessions.close(session)
            case _:
                door.clock.now = session.expires_at
                door.sessions._sessions[other.session_digest] = replace(other, expires_at=1 << 62)  # noqa: SLF001
        with pytest.raises(Unauthenticated):
            opened[0].review()
        streams.review()
        await asyncio.wait(tasks[:1])
        ended = [task.done() for task in tasks]
        tasks[1].cancel()
        await asyncio.wait(tasks)
        return opened, ended

    opened, ended = asyncio.run(story())

    assert isinstance(opened[0].ended, Unauthenticated)
    assert opened[1].ended is None
    assert ended == [True, False]


def test_a_role_that_ends_ends_open_streams(door: Door) -> None:
    """Who lost the right that the method needs gets NOT_ALLOWED on a stream that is open."""
    _, session = door.login(door.attempt("release-bot"))
    gate = METHODS["interlock.v1.GateService/WatchRelease"]
    door.admission.review(gate, session)
    grant = door.view.state.grants("principals/release-bot")[0]

    door.view = replace(door.view, state=door.view.state.put(replace(grant, state="revoked")))

    with pytest.raises(NotAllowed):
        door.admission.review(gate, session)


def test_a_revoked_key_ends_its_sessions(door: Door) -> None:
    """What a key opened closes with it, at once."""
    token, session = door.login(door.attempt("evaluator"))
    before = account(door, "evaluator")
    revoked = tuple(
        replace(key, state="revoked") if key.fingerprint == session.credential else key for key in before.credentials
    )

    door.write(replace(before, credentials=revoked))

    with pytest.raises(Unauthenticated):
        door.admit(token)


def test_the_time_of_the_log_ends_sessions_too(door: Door) -> None:
    """A clock that is behind the last entry does not keep a session alive."""
    token, session = door.login(door.attempt("evaluator"))

    door.view = replace(door.view, state=replace(door.view.state, time=session.expires_at))

    with pytest.raises(Unauthenticated):
        door.admit(token)


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", ""),),
        (("authorization", "Bearer "),),
        (("authorization", "Basic abc"),),
        (("authorization", "bearer abc"),),
        (("authorization", "Bearer a"), ("authorization", "Bearer a")),
        (("authorization", "Bearer " + "a" * 300),),
        (("authorization-bin", b"Bearer a"),),
        (("authorization", b"Bearer a"),),
    ],
)
def test_what_is_no_single_bearer_token_is_none(metadata: tuple[tuple[str, str | bytes], ...]) -> None:
    """Two tokens, other schemes and endless ones are treated as no token at all."""
    assert bearer_token(metadata) is None


def test_some_methods_need_no_session(door: Door) -> None:
    """There is no caller before the login."""
    assert door.admission.admit(LOGIN, ()) is None


def test_the_right_is_asked_after_the_session(door: Door) -> None:
    """A release tool may not register models, an evaluator may."""
    _, bot = door.login(door.attempt("release-bot"))
    _, evaluator = door.login(door.attempt("evaluator"))

    with pytest.raises(NotAllowed) as refused:
        door.admission.require(CREATE, bot)
    door.admission.require(CREATE, evaluator)

    assert refused.value.right == "model.register"


def test_anyone_signed_in_may_ask_who_they_are(door: Door) -> None:
    """That needs no right."""
    _, bot = door.login(door.attempt("release-bot"))

    door.admission.require(WHO_AM_I, bot)


def test_sign_in_is_limited_by_host_and_account(world: World) -> None:
    """One host can tire itself of one account, not others of it."""
    door = Door.to(world, rate=Rate(per_second=1, burst=2))
    for _ in range(2):
        door.sign_in.challenge("principals/admin", "a")

    with pytest.raises(LimitExceeded):
        door.sign_in.challenge("principals/admin", "a")

    assert door.sign_in.challenge("principals/admin", "b")
    assert door.sign_in.challenge("principals/evaluator", "a")


def test_a_bucket_fills_again_with_time() -> None:
    """A token a second comes back, never more than the burst, and none for a clock set back."""
    clock = HandClock()
    limiter = RateLimiter(Rate(per_second=1, burst=2), clock)
    assert [limiter.allow("k") for _ in range(3)] == [True, True, False]

    clock.move(-3600)
    assert not limiter.allow("k")
    clock.move(1)
    assert [limiter.allow("k") for _ in range(2)] == [True, False]
    clock.move(3600)
    assert [limiter.allow("k") for _ in range(3)] == [True, True, False]


def test_the_limiter_forgets_the_longest_unused() -> None:
    """Endless names take bounded memory."""
    limiter = RateLimiter(Rate(per_second=0, burst=1), HandClock())
    assert limiter.allow("first")
    for number in range(8192):
        limiter.allow(f"n{number}")

    assert limiter.allow("first")


def test_the_log_says_who_signed_in_and_never_with_what(door: Door) -> None:
    """No token, nonce or signature is in a line."""
    attempt = door.attempt("evaluator")
    token, _ = door.login(attempt)
    with pytest.raises(Unauthenticated):
        door.login(attempt)

    lines = door.written.getvalue()

    assert '"event": "login"' in lines
    assert '"event": "login_refused"' in lines
    assert not any(secret in lines for secret in (token, attempt.nonce.hex(), attempt.signature.hex()))


def test_rights_end_with_their_grant(door: Door) -> None:
    """A grant that runs out is worth nothing from that instant, although the log has not moved."""
    _, evaluator = door.login(door.attempt("evaluator"))
    end = door.clock.now + 1_000_000
    for grant in door.view.state.grants("principals/evaluator"):
        door.view = replace(door.view, state=door.view.state.put(replace(grant, until=end)))
    door.admission.require(CREATE, evaluator)

    door.clock.move(1)

    with pytest.raises(NotAllowed):
        door.admission.require(CREATE, evaluator)


def test_rights_end_with_the_entry_that_takes_them(door: Door) -> None:
    """The next request after the entry is refused."""
    _, evaluator = door.login(door.attempt("evaluator"))
    door.admission.require(CREATE, evaluator)

    for grant in door.view.state.grants("principals/evaluator"):
        door.view = replace(door.view, state=door.view.state.put(replace(grant, state="revoked")))

    with pytest.raises(NotAllowed):
        door.admission.require(CREATE, evaluator)
