"""The row `gate`: CheckRelease beside an empty echo with the same message sizes, metadata, TLS and load generator."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Final

from interlock.v1 import gate_pb2
from tests.bench import echo
from tests.bench.load import Load, Result
from tests.bench.processes import echo as echo_server
from tests.bench.processes import encoded, generate
from tests.bench.rounds import Bar, Numbers, Row, Settings, medians, ratio, spread
from tests.support.people import People, Subject
from tests.support.server import ServerProcess, install

MODELS: Final = 1_000
IN_FLIGHT: Final = 64
A_CHANGE: Final = 32
"""Models that one change lets out; every second set stays denied, so both answers are measured."""

METHOD: Final = "/interlock.v1.GateService/CheckRelease"
BARS: Final = (Bar("ratio", 0.8), Bar("ratio_p99", 1.3, at_most=True), Bar("ratio_cpu", 1.3, at_most=True))


def run(settings: Settings) -> Row:
    """Measure."""
    data = install(settings.scratch / "gate")
    with ServerProcess(data, own_session=True) as server, People(server) as people:
        subjects = _models(people)
        metadata = people["release-bot"].metadata
        requests = [
            gate_pb2.CheckReleaseRequest(model=subject.model, context="api").SerializeToString() for subject in subjects
        ]
        replies = [
            people["release-bot"].gate.CheckRelease(gate_pb2.CheckReleaseRequest.FromString(r)) for r in requests
        ]
        allowed = sum(reply.verdict == gate_pb2.VERDICT_ALLOW for reply in replies)
        sizes = sorted({reply.ByteSize() for reply in replies})[:256]
        alike = [
            bytes([sizes.index(min(sizes, key=lambda size: abs(size - reply.ByteSize())))]) + b"\1" * (len(request) - 1)
            for request, reply in zip(requests, replies, strict=True)
        ]
        ours_load = Load(
            address=server.address,
            method=METHOD,
            certificate=(data / "keys" / "ca.crt").read_text(),
            process=server.process.pid,
            requests=encoded(requests),
            authorizations=(metadata[0][1],),
            in_flight=IN_FLIGHT,
            seconds=settings.seconds,
        )
        with echo_server(data, sizes) as (address, process):
            peer_load = replace(
                ours_load, address=address, method=echo.METHOD, process=process, requests=encoded(alike)
            )
            ours, peer = alternate(settings, ours_load, peer_load)
    return Row(
        "gate",
        "requests/s",
        medians(ours),
        medians(peer),
        {f"ratio{end}": ratio(pairs(ours, peer, key)) for end, key in KEYS.items()},
        spread(pairs(ours, peer, "per_second")),
        BARS,
        (f"{MODELS} models, {allowed} allowed, {IN_FLIGHT} in flight",),
    )


KEYS: Final = {"": "per_second", "_p99": "p99_ms", "_cpu": "cpu_us"}


def alternate(settings: Settings, ours: Load, peer: Load) -> tuple[list[Numbers], list[Numbers]]:
    """Run both loads in every round, by short turns."""
    rounds = [[numbers_of(result) for result in generate(ours, peer)] for _ in range(settings.rounds)]
    return [mine for mine, _ in rounds], [theirs for _, theirs in rounds]


def numbers_of(result: Result) -> Numbers:
    """Return what is compared of a result."""
    return {key: value for key, value in asdict(result).items() if key not in {"replies", "calls"}}


def pairs(ours: list[Numbers], peer: list[Numbers], key: str) -> list[tuple[float, float]]:
    """Return one number of both, by rounds."""
    return [(mine[key], theirs[key]) for mine, theirs in zip(ours, peer, strict=True)]


def _models(people: People) -> list[Subject]:
    """Register the models, and let every second set of them out."""
    subjects = [people.new_model() for _ in range(MODELS)]
    for start in range(0, MODELS, 2 * A_CHANGE):
        report = people["evaluator"].upload("evaluation_results", f"{start}".encode())
        chosen = subjects[start : start + A_CHANGE]
        people.enact(*(t for s in chosen for t in (s.rule_out(), s.assign())), evidence=[report.name])
    return subjects
