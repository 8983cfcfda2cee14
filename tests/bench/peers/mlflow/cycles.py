"""MLflow's side of the row `cycle`, run in MLflow's own environment: a version, three tags, an alias.

``python cycles.py ADDRESS CLIENTS SECONDS`` prints ``{"per_second": …}``.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from mlflow import MlflowClient  # type: ignore[import-not-found]  # in its own environment only


def register(address: str) -> str:
    """Make a model for a client, outside of the measured time."""
    name = f"model-{uuid.uuid4()}"
    MlflowClient(address).create_registered_model(name)
    return name


def client(address: str, name: str, ends: float) -> int:
    """Make versions of a model until time is up, and return how many."""
    registry = MlflowClient(address)
    count = 0
    while time.perf_counter() < ends:
        version = registry.create_model_version(name, source="s3://weights/manifest").version
        for tag in ("evaluation_results", "red_team_report", "risk_report"):
            registry.set_model_version_tag(name, version, tag, "approved")
        registry.set_registered_model_alias(name, "champion", version)
        count += 1
    return count


def main() -> None:
    """Run all clients at once."""
    address, clients, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    names = [register(address) for _ in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        started = time.perf_counter()
        running = [pool.submit(client, address, name, started + seconds) for name in names]
        counts = [one.result() for one in running]
    sys.stdout.write(json.dumps({"per_second": sum(counts) / (time.perf_counter() - started)}) + "\n")


main()
