"""The row `cycle`: a change from its proposal to its application, beside a new version in MLflow's model registry.

One of our cycles: a new model; the change proposed; three documents of 64 KiB uploaded and attached, one by one; three
people read it, check the log's checkpoint, sign with their own keys; the third signature applies it.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from interlock.v1 import change_pb2, model_pb2, trigger_pb2
from tests.bench.commit import free_ports
from tests.bench.gate import pairs
from tests.bench.processes import running
from tests.bench.rounds import Bar, Numbers, Row, Settings, medians, ratio, spread
from tests.support.people import People, trigger
from tests.support.server import RunningServer, ServerProcess, install

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE: Final = Path(__file__).parent
LOCK: Final = HERE / "peers" / "mlflow" / "requirements.txt"
KINDS: Final = ("evaluation_results", "red_team_report", "risk_report")
SIGNERS: Final = ("owner", "reviewer", "counsel")
DOCUMENT_BYTES: Final = 64 * 1024
CLIENTS: Final = (1, 16)
_SUFFIX: Final = {1: "", 16: "_16"}
START_SECONDS: Final = 120
STUCK_SECONDS: Final = 40
"""How long the peer's clients may take beyond the time that is measured: they make their models first."""

_WITHOUT_JOBS: Final = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""The registry needs no job workers, and they would take processor time from both."""

BARS: Final = (Bar("ratio", 5.0), Bar("ratio_16", 5.0))


def run(settings: Settings) -> Row:
    """Measure."""
    python = _environment(settings.cache)
    ours: dict[int, list[Numbers]] = {clients: [] for clients in CLIENTS}
    peer: dict[int, list[Numbers]] = {clients: [] for clients in CLIENTS}
    stuck = 0
    data = install(settings.scratch / "cycle", str(HERE / "packs" / "three-slots"))
    with ServerProcess(data, own_session=True) as server:
        numbers = itertools.count(1)
        for number in range(settings.rounds):
            with _mlflow(python, settings.scratch / f"mlflow-{number}") as address:  # 16 clients leave it stuck: anew
                for clients in CLIENTS:
                    mine = _ours(server, clients, settings.seconds, numbers)
                    theirs, waiting = _theirs(python, address, clients, settings.seconds)
                    stuck += waiting
                    if theirs["per_second"]:
                        ours[clients].append({"per_second": mine})
                        peer[clients].append(theirs)
    notes = ["`ratio` with 1 client, `ratio_16` with 16; MLflow stores no documents and checks no signatures"]
    if stuck:
        notes.append(f"peer stuck: {stuck} times a client of MLflow's was not answered in time (cycles.py says why)")
    return _row(ours, peer, notes)


def _row(ours: dict[int, list[Numbers]], peer: dict[int, list[Numbers]], notes: list[str]) -> Row:
    """Return the row of the rounds in which the peer finished any cycle; with no such round there is no ratio."""
    rounds = {f"ratio{_SUFFIX[n]}": pairs(ours[n], peer[n], "per_second") for n in CLIENTS if peer[n]}
    return Row(
        "cycle",
        "cycles/s",
        {f"per_second_{n}": medians(ours[n])["per_second"] for n in CLIENTS if ours[n]},
        {f"{key}_{n}": value for n in CLIENTS if peer[n] for key, value in medians(peer[n]).items()},
        {name: ratio(both) for name, both in rounds.items()}
        | {f"ratio_going_on{_SUFFIX[n]}": _going_on(ours[n], peer[n]) for n in CLIENTS if peer[n]},
        max((spread(both) for both in rounds.values()), default=math.inf),
        BARS,
        tuple(notes),
    )


def _going_on(ours: list[Numbers], peer: list[Numbers]) -> float:
    """Return the ratio to the peer as if none of its clients had been stuck."""
    return statistics.median(mine["per_second"] / theirs["going_on"] for mine, theirs in zip(ours, peer, strict=True))


def _ours(server: RunningServer, clients: int, seconds: float, numbers: Iterator[int]) -> float:
    """Return the cycles that all clients finished in the time, over the time."""
    with People(server) as people:
        for who in ("evaluator", *SIGNERS):
            people[who].checkpoint()
        ends = time.perf_counter() + seconds

        def client() -> int:
            count = 0
            while True:
                _cycle(people, next(numbers))
                if time.perf_counter() > ends:
                    return count
                count += 1

        with ThreadPoolExecutor(clients) as pool:
            return sum(future.result() for future in [pool.submit(client) for _ in range(clients)]) / seconds


def _cycle(people: People, number: int) -> None:
    evaluator = people["evaluator"]
    model = evaluator.models.CreateModel(model_pb2.CreateModelRequest(model_id=f"m{number}")).name
    assign = trigger(level_assign=trigger_pb2.LevelAssign(level=f"{model}/levels/deployment", to="basic"))
    change = evaluator.propose(assign)
    for kind in KINDS:
        document = evaluator.upload(kind, os.urandom(DOCUMENT_BYTES))
        evaluator.changes.AttachEvidence(change_pb2.AttachEvidenceRequest(name=change.name, evidence=[document.name]))
    for who in SIGNERS:
        change = people[who].sign(change.name, who)
    if change.state != change_pb2.CHANGE_STATE_APPLIED:
        raise AssertionError(change)


def _environment(cache: Path) -> Path:
    """Return the Python of the peer's own environment, made on first use from its lock."""
    place = cache / "mlflow"
    stamp = place / "lock.txt"
    if not stamp.is_file() or stamp.read_bytes() != LOCK.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        install_it = ["-m", "pip", "--quiet", "install", "--require-hashes", "--requirement", str(LOCK)]
        subprocess.run([str(place / "bin" / "python"), *install_it], check=True)
        stamp.write_bytes(LOCK.read_bytes())
    return place / "bin" / "python"


@contextmanager
def _mlflow(python: Path, place: Path) -> Iterator[str]:
    """Run MLflow's tracking server on SQLite."""
    place.mkdir()
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    command = [str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{place / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(place / "artifacts")]
    with running(command, place / "server.log", _WITHOUT_JOBS) as process:
        ends = time.monotonic() + START_SECONDS
        while not _answers(address):
            if process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(f"MLflow did not start:\n{(place / 'server.log').read_text()}")
            time.sleep(0.2)
        yield address


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5):  # noqa: S310  # our own address
            return True
    except (urllib.error.URLError, OSError):
        return False


def _theirs(python: Path, address: str, clients: int, seconds: float) -> tuple[Numbers, int]:
    """Return MLflow's cycles a second, and how many of its clients were stuck at the end; 0 where all of them were."""
    program = str(HERE / "peers" / "mlflow" / "cycles.py")
    command = [str(python), program, address, str(clients), str(seconds)]
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
            timeout=seconds + STUCK_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"per_second": 0.0, "going_on": 0.0}, clients
    found = json.loads(done.stdout.splitlines()[-1])
    return {key: float(found[key]) for key in ("per_second", "going_on")}, int(found["stuck"])
