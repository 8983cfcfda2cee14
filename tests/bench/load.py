"""The load generator: a process of its own, the same for every server that is measured beside another.

It reads a list of ``Load`` as JSON from standard input, keeps so many unary calls in flight over one channel a server,
by short turns, each for its time in all, and prints a list of ``Result`` as JSON. Requests and replies are bytes:
nobody's messages cost more here than others'.
"""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import sys
import time
import uuid
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc import aio

from tests.bench.machine import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

CALL_SECONDS: Final = 30
WARM_UP_SECONDS: Final = 0.4
TURN_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Load:
    """What to send. ``requests`` are base64; ``authorizations`` go to the workers in turn.

    With ``unique`` every request ends in a new UUID as text, which its last bytes have to announce.
    ``process`` is the server's, whose CPU time is read; ``certificate`` is empty for a server in the clear.
    """

    address: str
    method: str
    certificate: str
    process: int
    requests: tuple[str, ...]
    authorizations: tuple[str, ...]
    in_flight: int
    seconds: float
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    calls: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    replies: dict[int, int]
    """How many replies of each size; as JSON its keys are texts."""


@dataclass(slots=True)
class _Worker:
    load: Load
    call: Any
    requests: Iterator[bytes]
    authorization: str
    ends: float

    async def run(self, latencies: list[float], sizes: dict[int, int]) -> None:
        """Send one request after the other until time is up. Any refusal ends the run."""
        metadata = (("authorization", self.authorization),) if self.authorization else ()
        while (started := time.perf_counter()) < self.ends:
            data = next(self.requests)
            if self.load.unique:
                data += str(uuid.uuid4()).encode()
            reply = await self.call(data, metadata=metadata, timeout=CALL_SECONDS)
            latencies.append(time.perf_counter() - started)
            sizes[len(reply)] = sizes.get(len(reply), 0) + 1


@dataclass(slots=True)
class _Target:
    """One of the servers that are compared, and what was seen of it so far."""

    load: Load
    call: Any
    requests: Iterator[bytes]
    latencies: list[float] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0
    cpu: float = 0.0

    async def measure(self, seconds: float) -> None:
        """Measure for a while more."""
        cpu, started = cpu_seconds(self.load.process), time.perf_counter()
        latencies, sizes = await _spell(self.load, self.call, self.requests, seconds)
        self.seconds += time.perf_counter() - started
        self.cpu += cpu_seconds(self.load.process) - cpu
        self.latencies += latencies
        for size, count in sizes.items():
            self.sizes[size] = self.sizes.get(size, 0) + count

    def result(self) -> Result:
        """Return what came of it."""
        count, cuts = len(self.latencies), statistics.quantiles(self.latencies, n=100)
        per_second, cpu_us = count / self.seconds, self.cpu / count * 1e6
        return Result(count, per_second, cuts[49] * 1e3, cuts[98] * 1e3, cpu_us, self.sizes)


async def run(loads: list[Load]) -> list[Result]:
    """Warm up, then measure all loads by turns of a fraction of a second, forth and back: A B B A.

    What else the machine does meets them alike then; whole windows, one after the other, measured the neighbours.
    """
    async with AsyncExitStack() as stack:
        targets = []
        for load in loads:
            channel = await stack.enter_async_context(_channel(load))
            requests = cycle([base64.b64decode(request) for request in load.requests])
            targets.append(_Target(load, channel.unary_unary(load.method), requests))
        for target in targets:
            await _spell(target.load, target.call, target.requests, WARM_UP_SECONDS)
        for number in range(max(1, round(loads[0].seconds / TURN_SECONDS))):
            for target in targets if number % 2 else reversed(targets):
                await target.measure(TURN_SECONDS)
        return [target.result() for target in targets]


def _channel(load: Load) -> aio.Channel:
    if not load.certificate:
        return aio.insecure_channel(load.address)
    credentials = grpc.ssl_channel_credentials(load.certificate.encode())
    return aio.secure_channel(load.address, credentials, (("grpc.ssl_target_name_override", "interlock"),))


async def _spell(
    load: Load,
    call: Any,  # noqa: ANN401  # grpc's multicallable
    requests: Iterator[bytes],
    seconds: float,
) -> tuple[list[float], dict[int, int]]:
    latencies: list[float] = []
    sizes: dict[int, int] = {}
    names = cycle(load.authorizations or ("",))
    ends = time.perf_counter() + seconds
    workers = (_Worker(load, call, requests, next(names), ends) for _ in range(load.in_flight))
    async with asyncio.TaskGroup() as group:
        for worker in workers:
            group.create_task(worker.run(latencies, sizes))
    return latencies, sizes


if __name__ == "__main__":
    results = asyncio.run(run([Load(**load) for load in json.load(sys.stdin)]))
    sys.stdout.write(json.dumps([asdict(result) for result in results]))
