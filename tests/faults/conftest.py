"""Fixtures of the fault tests: the same data folders as the integration tests."""

from tests.integration.conftest import data, installations

__all__ = ["data", "installations"]
