"""What the process counts, for Prometheus; one registry a server, nothing global."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The server's counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter(
            "interlock_calls", "Calls answered, by method and status code.", ("method", "code"),
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "interlock_call_seconds", "Time from request to answer of unary calls, by method.", ("method",),
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.streams = Gauge("interlock_open_streams", "Streams that are open.", registry=self.registry)
        self.internal_errors = Counter(
            "interlock_internal_errors", "Faults of the server that a caller met as INTERNAL.",
            registry=self.registry,
        )  # fmt: skip
        self.attempts = Counter(
            "interlock_refused_attempts", "Refused attempts, by what became of them in the log.", ("fate",),
            registry=self.registry,
        )  # fmt: skip


def serve_metrics(metrics: Metrics, host: str, port: int) -> Callable[[], None]:
    """Serve ``/metrics`` over HTTP from a thread, and return what stops it."""
    server, thread = start_http_server(port, addr=host, registry=metrics.registry)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
