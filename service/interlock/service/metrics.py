"""What the process counts, for Prometheus; one registry a server, nothing global.

Calls are counted in plain numbers that a collector reads: every call counts itself, and the library's locked values
took longer than the verdict of a gate check.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Counter_
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from interlock.statemachine.compliance import Compliance, live_deployments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.core import Metric

    from interlock.service.ledger.view import View

_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Timing:
    """How long the answered calls of one method took. Written by the event loop alone, one call at a time."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(_SECONDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count a call."""
        self.counts[bisect_left(_SECONDS, seconds)] += 1
        self.total += seconds


class Calls(Collector):
    """Calls by method and status code, and the time that answered unary ones took.

    Counted on the event loop, read by the thread that serves the metrics, which may see a call half counted.
    """

    def __init__(self) -> None:
        self._timings: dict[str, Timing] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def timing(self, method: str) -> Timing:
        """Return where a unary method's answered calls are counted."""
        return self._timings.setdefault(method, Timing())

    def count(self, method: str, code: str) -> None:
        """Count any other call: a stream, or one that was not answered with OK."""
        self._counts[method, code] = self._counts.get((method, code), 0) + 1

    def collect(self) -> Iterator[Metric]:
        """Give both metrics as they are now."""
        calls = CounterMetricFamily(
            "interlock_calls", "Calls answered, by method and status code.", labels=("method", "code")
        )
        seconds = HistogramMetricFamily(
            "interlock_call_seconds", "Time from request to answer of unary calls, by method.", labels=("method",)
        )
        for (method, code), count in list(self._counts.items()):
            calls.add_metric((method, code), count)
        for method, timing in list(self._timings.items()):
            sums = list(accumulate(timing.counts))
            if sums[-1]:
                calls.add_metric((method, "OK"), sums[-1])
                bounds = [*map(floatToGoString, _SECONDS), "+Inf"]
                seconds.add_metric((method,), list(zip(bounds, sums, strict=True)), timing.total)
        yield calls
        yield seconds


class Metrics:
    """The server's counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Calls()
        self.registry.register(self.calls)
        self.streams = Gauge("interlock_open_streams", "Streams that are open.", registry=self.registry)
        self.internal_errors = Counter(
            "interlock_internal_errors", "Faults of the server that a caller met as INTERNAL.",
            registry=self.registry,
        )  # fmt: skip
        self.attempts = Counter(
            "interlock_refused_attempts", "Refused attempts, by what became of them in the log.", ("fate",),
            registry=self.registry,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Counts:
    """Deployments that are live and those of them that are out of compliance, by context; good until an instant."""

    view: View
    until: int | None
    live: Counter_[str]
    denied: Counter_[str]


class Deployed(Collector):
    """Counts deployments when they are scraped: at the newest view and that very moment, so never stale.

    Scraped from the metrics' own threads. While neither the view moves nor an ALLOW ends, the last count stands.
    """

    def __init__(self, view: Callable[[], View], instant: Callable[[], int]) -> None:
        self._view = view
        self._instant = instant
        self._counts: _Counts | None = None

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Give both gauges, with a sample for every context of the policy and of any live deployment."""
        counts = self._counted()
        contexts = sorted({context.id for context in counts.view.policy.contexts} | set(counts.live))
        live = GaugeMetricFamily("interlock_deployments_live", "Deployments that are live.", labels=("context",))
        denied = GaugeMetricFamily(
            "interlock_deployments_out_of_compliance", "Live deployments that the gate denies now.", labels=("context",)
        )
        for context in contexts:
            live.add_metric((context,), counts.live[context])
            denied.add_metric((context,), counts.denied[context])
        return (live, denied)

    def _counted(self) -> _Counts:
        view, instant, last = self._view(), self._instant(), self._counts
        if last is not None and last.view is view and (last.until is None or instant < last.until):
            return last
        gate, live, denied = Compliance(view.policy, view.state, instant), Counter_[str](), Counter_[str]()
        for deployment in live_deployments(view.state):
            live[deployment.context] += 1
            denied[deployment.context] += gate.denied(deployment) is not None
        self._counts = _Counts(view, gate.valid_until, live, denied)
        return self._counts


def serve_metrics(metrics: Metrics, host: str, port: int) -> Callable[[], None]:
    """Serve ``/metrics`` over HTTP from a thread, and return what stops it."""
    server, thread = start_http_server(port, addr=host, registry=metrics.registry)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
