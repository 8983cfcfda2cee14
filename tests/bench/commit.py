"""The row `commit`: PlaceHold by 64 principals, durable before each answer; beside the echo, SQLite and etcd."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import socket
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.proofs import keys
from interlock.service.clock import SystemClock
from interlock.service.genesis.data_directory import Order, make_data_directory
from interlock.service.genesis.packs import read_pack
from interlock.service.genesis.plan import HUMAN, Plan, PlannedGrant, PlannedPrincipal
from interlock.statemachine.policy import load_pack
from interlock.v1 import hold_pb2, model_pb2
from tests.bench import echo
from tests.bench.gate import alternate, numbers_of, pairs
from tests.bench.load import Load
from tests.bench.processes import echo as echo_server
from tests.bench.processes import encoded, generate, running
from tests.bench.rounds import Bar, Numbers, Row, Settings, medians, ratio, spread
from tests.support.people import People
from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLIENTS: Final = 64
METHOD: Final = "/interlock.v1.HoldService/PlaceHold"
REQUEST_ID: Final = b"\x1a\x24"
"""What comes before the 36 characters of field 3, the request id, on the wire."""

BARS: Final = (Bar("ratio", 0.3),)


def run(settings: Settings) -> Row:
    """Measure."""
    data = _install(settings.scratch / "commit")
    with ServerProcess(data, own_session=True) as server, People(server) as people:
        for number in range(CLIENTS):
            people["evaluator"].models.CreateModel(model_pb2.CreateModelRequest(model_id=f"m{number}"))
        requests = [
            hold_pb2.PlaceHoldRequest(target=f"models/m{number}", reason="an incident").SerializeToString() + REQUEST_ID
            for number in range(CLIENTS)
        ]
        reply = people["owner-0"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target="models/m0", reason="an incident"))
        ours_load = Load(
            address=server.address,
            method=METHOD,
            certificate=(data / "keys" / "ca.crt").read_text(),
            process=server.process.pid,
            requests=encoded(requests),
            authorizations=tuple(people[f"owner-{number}"].metadata[0][1] for number in range(CLIENTS)),
            in_flight=CLIENTS,
            seconds=settings.seconds,
            unique=True,
        )
        with echo_server(data, [reply.ByteSize()]) as (address, process):
            alike = encoded([b"\0" + request[1:] for request in requests])
            peer_load = replace(ours_load, address=address, method=echo.METHOD, process=process, requests=alike)
            ours, peer = alternate(settings, ours_load, peer_load)
        entry = _entry(data / "interlock.db")
    rows = [_inserts(settings, entry, batch) for batch in (1, CLIENTS)]
    etcd, note = _etcd(settings, entry)
    ratios = {
        "ratio": ratio(pairs(ours, peer, "per_second")),
        **{f"ratio{e}": ratio(pairs(ours, peer, k)) for e, k in (("_p99", "p99_ms"), ("_cpu", "cpu_us"))},
        "ratio_insert": medians(ours)["per_second"] / medians(rows[0])["per_second"],
        "ratio_batched": medians(ours)["per_second"] / medians(rows[1])["per_second"],
    }
    peers = medians(peer) | {
        "insert_per_second": medians(rows[0])["per_second"],
        "batched_per_second": medians(rows[1])["per_second"],
    }
    if etcd:
        ratios["ratio_etcd"] = medians(ours)["per_second"] / medians(etcd)["per_second"]
        peers["etcd_per_second"] = medians(etcd)["per_second"]
    notes = (f"{CLIENTS} principals; an entry of {len(entry)} bytes; batches of {CLIENTS}", note)
    apart = spread(pairs(ours, peer, "per_second"))
    return Row("commit", "entries/s", medians(ours), peers, ratios, apart, BARS, notes)


def _install(target: Path) -> Path:
    """Found a log under the pack `minimal` with as many owners as there are clients."""
    files = read_pack("minimal")
    casts = [(f"owner-{number}", "owner") for number in range(CLIENTS)] + [("evaluator", "evaluator")]
    secrets = {name: {use: Ed25519PrivateKey.generate() for use in ("login", "signoff")} for name, _ in casts}
    guards = {name: {"recovery": Ed25519PrivateKey.generate()} for name in ("recovery-1", "recovery-2")}
    everyone = [
        PlannedPrincipal(name, HUMAN, name, (PlannedGrant(role),), _public(secrets[name])) for name, role in casts
    ]
    everyone += [PlannedPrincipal(name, HUMAN, name, (), _public(own), recovery=True) for name, own in guards.items()]
    plan = Plan(tuple(everyone))
    order = Order(
        target=target,
        plan=plan,
        pack=files,
        policy=load_pack(files),
        development=True,
        secrets=secrets | guards,
    )
    asyncio.run(make_data_directory(order, SystemClock(), os.urandom))
    return target


def _public(own: dict[str, Ed25519PrivateKey]) -> tuple[tuple[str, bytes], ...]:
    return tuple((use, keys.public_bytes(key)) for use, key in own.items())


def _entry(database: Path) -> bytes:
    """Return the newest entry."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        found: bytes = connection.execute("SELECT bytes FROM entries ORDER BY seq DESC LIMIT 1").fetchone()[0]
    return found


def _inserts(settings: Settings, entry: bytes, batch: int) -> list[Numbers]:
    """Insert the same bytes, so many a COMMIT, as durably as the log does."""
    place = settings.scratch / f"insert-{batch}.db"
    connection = sqlite3.connect(place, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE entries (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL)")
    found = []
    for _ in range(settings.rounds):
        started, count = time.perf_counter(), 0
        while time.perf_counter() - started < settings.seconds / 4:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO entries (bytes) VALUES (?)", itertools.repeat((entry,), batch))
            connection.execute("COMMIT")
            count += batch
        found.append({"per_second": count / (time.perf_counter() - started)})
    connection.close()
    return found


def _etcd(settings: Settings, entry: bytes) -> tuple[list[Numbers], str]:
    """Put the same bytes into etcd, where it is installed."""
    program = shutil.which("etcd")
    if program is None:
        return [], "etcd is not installed (Debian: etcd-server): no ratio_etcd"
    with _etcd_running(program, settings.scratch / "etcd") as (address, process):
        put = b"\x12" + _varint(len(entry)) + entry + b"\x0a\x24"  # value, then a UUID as key
        load = Load(
            address, "/etcdserverpb.KV/Put", "", process, encoded([put]), (), CLIENTS, settings.seconds, unique=True
        )
        return [numbers_of(generate(load)[0]) for _ in range(settings.rounds)], "etcd: one member, no TLS"


@contextmanager
def _etcd_running(program: str, place: Path) -> Iterator[tuple[str, int]]:
    client, peer = (f"127.0.0.1:{port}" for port in free_ports(2))
    command = [program, "--data-dir", str(place), "--name", "bench", "--logger", "zap", "--log-level", "error"]
    for kind, address in (("client", client), ("peer", peer)):
        command += [f"--listen-{kind}-urls", f"http://{address}"]
    command += ["--advertise-client-urls", f"http://{client}", "--initial-advertise-peer-urls", f"http://{peer}"]
    command += ["--initial-cluster", f"bench=http://{peer}"]
    with running(command, place.with_name("etcd.log")) as process:
        with grpc.insecure_channel(client) as channel:
            grpc.channel_ready_future(channel).result(timeout=30)
        yield client, process.pid


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [open_socket.getsockname()[1] for open_socket in sockets]
    for open_socket in sockets:
        open_socket.close()
    return ports


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
