"""The composition root: the only module that knows every part, and the order in which they start and stop."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interlock.proofs import keys, note
from interlock.proofs.errors import RefusedError
from interlock.service.api.attempts import Attempts
from interlock.service.clock import ForwardClock, SystemClock, ticks_us
from interlock.service.config import host_and_port
from interlock.service.evidence import open_blobs
from interlock.service.identity.admission import Admission, stands
from interlock.service.identity.challenges import Challenges
from interlock.service.identity.jwks import KeySets
from interlock.service.identity.login import SignIn
from interlock.service.identity.sessions import Sessions
from interlock.service.identity.table import SessionSeal, StoredSessions, load_sessions
from interlock.service.identity.tokens import TokenGate
from interlock.service.keyfiles import KeyFileError, is_encrypted, load_signing_key, passphrase_from
from interlock.service.ledger.committer import Committer
from interlock.service.ledger.cosigning import load_witnesses
from interlock.service.ledger.digests import Digests
from interlock.service.ledger.highwater import HighWaterMark
from interlock.service.ledger.policies import Policies
from interlock.service.ledger.startup import EmptyLogError, LogUnreadableError, open_log
from interlock.service.listening import ListenError, listening
from interlock.service.lock import DataDirectoryInUseError, DataLock
from interlock.service.log_key_files import LogKeyFiles
from interlock.service.lookout import EVIDENCE, KEYS, Lookout, fault_of_files, fault_of_folders
from interlock.service.metrics import Deployed, Metrics, serve_metrics
from interlock.service.storage import StorageError, Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from structlog.typing import FilteringBoundLogger

    from interlock.proofs.cosignature import WitnessKey
    from interlock.service.clock import GuardedClock, SetClock
    from interlock.service.config import Config
    from interlock.service.evidence import Blobs
    from interlock.service.ledger.checkpoints import CheckpointSigner
    from interlock.service.ledger.steps import Step
    from interlock.service.ledger.view import View


class StartError(RuntimeError):
    """The server can't start; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything that servicers are made of."""

    config: Config
    clock: GuardedClock
    rng: Callable[[int], bytes]
    log: FilteringBoundLogger
    metrics: Metrics
    store: Store
    committer: Committer
    digests: Digests
    blobs: Blobs
    lookout: Lookout
    sessions: Sessions
    sign_in: SignIn
    admission: Admission
    attempts: Attempts
    signer: CheckpointSigner
    witnesses: tuple[WitnessKey, ...]
    decision_key: Ed25519PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ready:
    """What a server says of itself once it answers; ``checkpoint`` is empty while the ledger is not to be relied on."""

    address: str
    log_id: bytes
    log_key: str
    key_fingerprint: str
    genesis_digest: bytes
    development: bool
    checkpoint: str
    ledger: str


@asynccontextmanager
async def running(
    config: Config,
    log: FilteringBoundLogger,
    *,
    ask_passphrase: Callable[[], bytes] | None = None,
    clock: SetClock | None = None,
) -> AsyncIterator[Ready]:
    """Serve while entered. Raises StartError; leaving drains, then closes what was opened, last first.

    ``ask_passphrase`` is asked where the server's keys have one and no file says which; ``clock`` is the machine's
    unless a test brings its own.
    """
    async with AsyncExitStack() as stack:
        try:
            runtime = await _open(config, log, stack, ask_passphrase, clock or SystemClock())
            address = await stack.enter_async_context(listening(runtime))
        except (
            DataDirectoryInUseError,
            EmptyLogError,
            KeyFileError,
            ListenError,
            LogUnreadableError,
            RefusedError,
            StorageError,
            OSError,
            ValueError,
        ) as error:
            raise StartError(str(error)) from error
        state, health = runtime.committer.view.state, runtime.committer.health
        ready = Ready(
            address=address,
            log_id=state.log.log_id,
            log_key=note.vkey_of(runtime.signer.origin, state.log.log_key),
            key_fingerprint=keys.fingerprint(state.log.log_key),
            genesis_digest=state.log.genesis_digest,
            development=state.log.development,
            checkpoint=await runtime.committer.checkpoint() if health.ok else "",
            ledger=health.code,
        )
        log.info("ready", address=address, log_id=ready.log_id.hex(), position=state.head, ledger=health.code or "ok")
        yield ready


async def _open(
    config: Config,
    log: FilteringBoundLogger,
    stack: AsyncExitStack,
    ask_passphrase: Callable[[], bytes] | None,
    clock: SetClock,
) -> Runtime:
    """Open everything that is not the network, in order; ``stack`` closes it."""
    if not (config.data_path / "keys").is_dir():
        raise StartError(f"{config.data_path} is no data folder: make one with `interlock init {config.data_path}`")
    stack.enter_context(DataLock(config.data_path))
    rng, metrics = os.urandom, Metrics()
    passphrase = _find_passphrase(config, ask_passphrase)
    files = LogKeyFiles(config.data_path, passphrase)
    signer = files.load_signer()
    witnesses = load_witnesses(config.witnesses_path)
    store = Store.open(config.database)
    stack.callback(store.close)
    mark, policies = HighWaterMark(config.highwater_path), Policies()
    opened = open_log(store, mark, signer)
    if not opened.health.ok:
        log.error("ledger_unhealthy", code=opened.health.code, detail=opened.health.detail)
    decision_key = _load_decision_key(config, passphrase, opened.head.view.state.log.decision_key)
    committer = Committer(store, opened, clock=clock, policies=policies, mark=mark, signer=signer, log=log)
    guarded = committer.clock
    committer.start()
    digests = Digests(committer, store, log, config.state_digest_entries)
    metrics.registry.register(Deployed(lambda: committer.view, committer.instant))
    stack.push_async_callback(committer.close)
    _settle_keys(files, signer.origin, committer, log)
    digests.start()
    stack.push_async_callback(digests.close)
    forward = ForwardClock(guarded, lambda: committer.view.state.time)
    sessions = _open_sessions(store, committer, SessionSeal(decision_key.private_bytes_raw()), forward, log)
    stack.push_async_callback(sessions.settle)
    _end_with_their_accounts(sessions, committer)
    blobs = open_blobs(config.evidence, rng)
    lookout = _look_out(config, blobs, metrics, log)
    lookout.start()
    stack.push_async_callback(lookout.close)
    if config.metrics_listen:
        stack.callback(serve_metrics(metrics, *host_and_port(config.metrics_listen)))
    return Runtime(
        config=config,
        clock=guarded,
        rng=rng,
        log=log,
        metrics=metrics,
        store=store,
        committer=committer,
        digests=digests,
        blobs=blobs,
        lookout=lookout,
        sessions=sessions,
        sign_in=_open_sign_in(config, committer, sessions, forward, log),
        admission=Admission(sessions, lambda: committer.view, guarded),
        signer=signer,
        witnesses=witnesses,
        decision_key=decision_key,
        attempts=Attempts(committer, guarded, metrics, log),
    )


def _open_sessions(
    store: Store, committer: Committer, seal: SessionSeal, clock: ForwardClock, log: FilteringBoundLogger
) -> Sessions:
    """Take up the sessions that were open when the server before this one ended."""
    with store.reading() as connection:
        saved = load_sessions(connection, clock.now_us(), seal)
    return Sessions(StoredSessions(committer, seal), clock, os.urandom, log, saved)


def _open_sign_in(
    config: Config, committer: Committer, sessions: Sessions, clock: ForwardClock, log: FilteringBoundLogger
) -> SignIn:
    return SignIn(
        challenges=Challenges(clock, os.urandom),
        sessions=sessions,
        view=lambda: committer.view,
        tokens=TokenGate(KeySets(ticks_us, config.oidc_ca_path), clock),
        clock=clock,
        server_name=config.server_name,
        log=log,
    )


def _settle_keys(files: LogKeyFiles, origin: str, committer: Committer, log: FilteringBoundLogger) -> None:
    """Have the key that the log names lie in the first place, now and once another is named: the old one is no more."""

    def settle(named: bytes) -> None:
        try:
            if files.settle(origin, named):
                log.info("log_key_in_force", log_key=note.vkey_of(origin, named))
        except OSError as error:  # the next start does it
            log.warning("log_key_not_settled", error=repr(error))

    def told(steps: tuple[Step, ...]) -> None:
        if any("log" in step.written for step in steps):
            settle(steps[-1].view.state.log.log_key)

    settle(committer.view.state.log.log_key)
    committer.listen(told)


def _end_with_their_accounts(sessions: Sessions, committer: Committer) -> None:
    """Have sessions end with the entry that takes their account or key, and with those before this start."""

    def told(steps: tuple[Step, ...]) -> None:
        for step in steps:
            if any(name.startswith("principals/") for name in step.written):
                judge(step.view)

    def judge(view: View) -> None:
        sessions.end_fallen(lambda session: stands(view, session.principal, session.credential, view.state.time))

    judge(committer.view)
    committer.listen(told)


def _look_out(config: Config, blobs: Blobs, metrics: Metrics, log: FilteringBoundLogger) -> Lookout:
    """Look at what the next start needs of keys, and at the folders of evidence."""
    place = config.data_path / "keys"
    tls = () if config.insecure else (place / "server.key", place / "server.crt")
    keyfiles = (place / "log.key", place / "decision.key", config.data_path / "log.pub", *tls)
    parts = {EVIDENCE: lambda: fault_of_folders(blobs.folders), KEYS: lambda: fault_of_files(keyfiles)}
    return Lookout(parts, metrics, log)


def _find_passphrase(config: Config, ask_passphrase: Callable[[], bytes] | None) -> bytes | None:
    """Return the passphrase of the log's keys, asked for where it has to be. Raises KeyFileError."""
    passphrase = passphrase_from(config.passphrase_file)
    if passphrase is not None or ask_passphrase is None:
        return passphrase
    # Any of them: a log key that a recovery named may have come without one.
    paths = [config.data_path / "keys" / name for name in ("log.key", "decision.key")]
    return ask_passphrase() if any(is_encrypted(path) for path in paths) else None


def _load_decision_key(config: Config, passphrase: bytes | None, public_key: bytes) -> Ed25519PrivateKey:
    """Load the key that signs decisions. Raises KeyFileError where it is not the one that the log was founded with."""
    path = config.data_path / "keys" / "decision.key"
    key = load_signing_key(path, passphrase)
    if keys.public_bytes(key) != public_key:
        raise KeyFileError(f"{path} is not the decision key that the log was founded with")
    return key
