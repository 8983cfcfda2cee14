"""Parts of a running service that tests hold in their hands: a clock that moves when told, randomness that repeats."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

from google.protobuf import descriptor_pool

import interlock.v1
from interlock.service.clock import SystemClock
from interlock.service.ledger.view import View
from interlock.statemachine import rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.descriptor import MethodDescriptor

    from interlock.service.identity.caller import Caller
    from tests.support.world import World

START_US: Final = 1_777_593_600_000_000


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: int = START_US) -> None:
        self.now = now
        self.ticks = 0

    def now_us(self) -> int:
        """Unix microseconds, as set."""
        return self.now

    def ticks_us(self) -> int:
        """Microseconds that have passed."""
        return self.ticks

    def move(self, seconds: float) -> None:
        """Let time pass; or, for less than none, set it back."""
        self.jump(seconds)
        self.ticks += max(int(seconds * 1_000_000), 0)

    def move_to(self, now: int) -> None:
        """Let time pass until ``now``."""
        self.ticks += max(now - self.now, 0)
        self.now = now

    def jump(self, seconds: float) -> None:
        """Set it forward, or back, while no time passes."""
        self.now += int(seconds * 1_000_000)


class ShiftedClock:
    """The system's clock, moved by a few seconds or hours: for tests in which the client's own clock counts too."""

    def __init__(self) -> None:
        self.shift = 0
        self.passed = 0

    def now_us(self) -> int:
        """Unix microseconds, shifted."""
        return SystemClock().now_us() + self.shift

    def ticks_us(self) -> int:
        """Microseconds of the machine, and those that were let pass."""
        return SystemClock().ticks_us() + self.passed

    def move(self, seconds: float) -> None:
        """Let time pass; or, for less than none, set it back."""
        self.jump(seconds)
        self.passed += max(int(seconds * 1_000_000), 0)

    def jump(self, seconds: float) -> None:
        """Set it forward, or back, while no time passes."""
        self.shift += int(seconds * 1_000_000)


class Counted:
    """Bytes that look random and are the same in each run."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, size: int) -> bytes:
        """Return the next ``size`` bytes."""
        self.calls += 1
        return hashlib.shake_256(b"%d" % self.calls).digest(size)


class MemoryTable:
    """Sessions as a database would keep them, for as long as the test runs."""

    def __init__(self) -> None:
        self.rows: dict[bytes, Caller] = {}

    async def put(self, session: Caller) -> None:
        """Write a session."""
        self.rows[session.session_digest] = session

    async def drop(self, digests: Iterable[bytes]) -> None:
        """Delete sessions."""
        for digest in digests:
            self.rows.pop(digest, None)


def view_of(world: World) -> View:
    """Return what a reader of a world's log would see."""
    return View(world.state, world.policy, rules.current(), bytes(32))


def contract() -> dict[str, MethodDescriptor]:
    """Return every method of ``interlock.v1`` by full name, from the descriptors of the generated code."""
    found: dict[str, MethodDescriptor] = {}
    for module in iter_modules(interlock.v1.__path__):
        if module.name.endswith("_pb2"):
            generated = import_module(f"interlock.v1.{module.name}").DESCRIPTOR
            file = descriptor_pool.Default().FindFileByName(generated.name)
            for service in file.services_by_name.values():
                found |= {f"{service.full_name}/{method.name}": method for method in service.methods}
    return found
