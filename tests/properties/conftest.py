"""Hypothesis profiles: ``ci`` is the same every time and bounded; ``deep`` is for a night (HYPOTHESIS_PROFILE=deep)."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_COMMON = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
settings.register_profile("ci", _COMMON, derandomize=True, database=None, max_examples=30, stateful_step_count=40)
settings.register_profile("deep", _COMMON, max_examples=2000, stateful_step_count=60)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
