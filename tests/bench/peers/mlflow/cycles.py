"""MLflow's side of the row `cycle`, run in MLflow's own environment: a version, three tags, an alias.

``python cycles.py ADDRESS CLIENTS SECONDS`` prints ``{"per_second": …, "going_on": …, "stuck": …}``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import uuid

from mlflow import MlflowClient  # type: ignore[import-not-found]  # in its own environment only

PATIENCE_SECONDS = 10


def register(address: str) -> str:
    """Make a model for a client, outside of the measured time."""
    name = f"model-{uuid.uuid4()}"
    MlflowClient(address).create_registered_model(name)
    return name


class Client(threading.Thread):
    """Makes versions of a model until time is up."""

    def __init__(self, address: str, name: str, seconds: float) -> None:
        super().__init__(daemon=True)
        self._registry = MlflowClient(address)
        self._name = name
        self._seconds = seconds
        self.done = 0
        self.going_on = 0.0

    def run(self) -> None:
        """Count the cycles that end in time, and keep the rate up to the last one that ended."""
        started, count = time.perf_counter(), 0
        while time.perf_counter() - started < self._seconds:
            version = self._registry.create_model_version(self._name, source="s3://weights/manifest").version
            for tag in ("evaluation_results", "red_team_report", "risk_report"):
                self._registry.set_model_version_tag(self._name, version, tag, "approved")
            self._registry.set_registered_model_alias(self._name, "champion", version)
            count += 1
            elapsed = time.perf_counter() - started
            self.going_on = count / elapsed
            if elapsed <= self._seconds:
                self.done = count


def main() -> None:
    """Run all clients at once.

    Under load some request of MLflow's meets a locked database, and its client waits minutes before it asks again. Such
    a client is not waited for. ``per_second`` is what all of them finished in the time, over the time. ``going_on``
    leaves out the waiting: each client's rate up to its last full cycle, as if it had gone on like that.
    """
    address, clients, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    running = [Client(address, register(address), seconds) for _ in range(clients)]
    for client in running:
        client.start()
    ends = time.perf_counter() + seconds + PATIENCE_SECONDS
    for client in running:
        client.join(max(0.0, ends - time.perf_counter()))
    stuck = sum(client.is_alive() for client in running)
    told = {
        "per_second": sum(client.done for client in running) / seconds,
        "going_on": sum(client.going_on for client in running),
        "stuck": stuck,
    }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    os._exit(0)  # stuck clients would hold the process


main()
