"""A real ledger in a temporary folder: SQLite on disk, real keys, a clock that stands still until it is moved."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from interlock.service.ledger.calls import Call, Prepared
from interlock.service.ledger.checkpoints import CheckpointSigner
from interlock.service.ledger.committer import Committer
from interlock.service.ledger.highwater import HighWaterMark
from interlock.service.ledger.policies import Policies
from interlock.service.ledger.startup import Opened, open_log
from interlock.service.storage import Store
from interlock.service.storage.engine import sqlite_url
from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.v1 import audit_pb2
from tests.support.service import HandClock
from tests.support.world import MINIMAL_CAST, World, actor, genesis_document, key_of, sketch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from interlock.service.ledger.view import View
    from interlock.statemachine.decide import Accepted

SIGNER = CheckpointSigner("interlock.test/log", key_of("log", "log"))
POLICY = World.found().policy


def render(_view: View, accepted: Accepted) -> audit_pb2.EntryRecord:
    """Answer with the entry itself."""
    return audit_pb2.EntryRecord(entry=codec.encode_entry(accepted.entry))


def call(
    who: str | c.Actor,
    command: c.Command,
    *,
    request_id: str = "",
    envelopes: tuple[bytes, ...] = (),
    packs: tuple[bytes, ...] = (),
    prepare: Callable[[View, int], Any] | None = None,
    tightening: bool = False,
    restores: bool = False,
) -> Call[audit_pb2.EntryRecord]:
    """Return a call that decides one command; the request's digest is the command's."""
    prepared = Prepared(command, envelopes=envelopes, packs=packs)
    return Call(
        actor=actor(who) if isinstance(who, str) else who,
        method="interlock.v1.TestService/Do",
        request_id=request_id,
        request_digest=hashlib.sha256(repr(command).encode()).digest(),
        prepare=prepare or (lambda _view, _instant: prepared),
        render=render,
        reply_type=audit_pb2.EntryRecord,
        tightening=tightening,
        restores=restores,
    )


def place_hold(target: str = "-", **rest: Any) -> Call[audit_pb2.EntryRecord]:  # noqa: ANN401  # as `call`
    """Return a call that places a hold; on everything unless told."""
    return call("admin", c.Fire(f.HoldPlace(target)), tightening=True, **rest)


def founding() -> tuple[Call[audit_pb2.EntryRecord], Call[audit_pb2.EntryRecord]]:
    """Return the two calls that found the log of ``World.found``."""
    document = codec.encode_genesis(genesis_document(POLICY, MINIMAL_CAST))
    pack = codec.encode_pack(sketch())
    return call(c.SYSTEM, c.Genesis(document), packs=(pack,)), call(c.SYSTEM, c.CloseGenesis())


@dataclass
class Place:
    """Where a ledger lives, and how it is opened."""

    folder: Path
    clock: HandClock = field(default_factory=HandClock)
    logged: list[Any] = field(default_factory=list)
    max_waiting: int = 10_000
    signer: CheckpointSigner = SIGNER

    @property
    def database(self) -> Path:
        """The database file."""
        return self.folder / "interlock.db"

    @property
    def mark(self) -> HighWaterMark:
        """The high-water mark."""
        return HighWaterMark(self.folder / "highwater.json")

    def _keep(self, _logger: object, _name: str, event: Any) -> Any:  # noqa: ANN401  # a structlog processor
        """Keep a line of the log."""
        self.logged.append(event)
        return event

    def store(self) -> Store:
        """Open the database."""
        return Store.open(sqlite_url(self.database))

    def open_log(self, store: Store) -> Opened:
        """Read the whole log."""
        return open_log(store, self.mark, self.signer, founding_policy=POLICY)

    @asynccontextmanager
    async def running(self, store: Store | None = None, mark: HighWaterMark | None = None) -> AsyncIterator[Running]:
        """Run a committer on what is there."""
        opened_store = store or self.store()
        used = mark or self.mark
        opened = open_log(opened_store, used, self.signer, founding_policy=POLICY)
        committer = Committer(
            opened_store,
            opened,
            clock=self.clock,
            policies=Policies(),
            mark=used,
            signer=self.signer,
            log=structlog.wrap_logger(structlog.ReturnLogger(), processors=[self._keep]),
            max_waiting=self.max_waiting,
        )
        committer.start()
        try:
            yield Running(opened_store, committer, self.clock)
        finally:
            await committer.close()
            opened_store.close()

    async def found(self) -> None:
        """Write the genesis."""
        async with self.running() as ledger:
            for each in founding():
                await ledger.committer.submit(each)


@dataclass
class Running:
    """A committer at work, and its store."""

    store: Store
    committer: Committer
    clock: HandClock

    async def do(self, who: str, command: c.Command, **rest: Any) -> audit_pb2.EntryRecord:  # noqa: ANN401  # as `call`
        """Submit one command."""
        return await self.committer.submit(call(who, command, **rest))
