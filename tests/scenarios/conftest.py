"""Fixtures of the scenarios: the same data folders as the integration tests."""

from tests.integration.conftest import installations

__all__ = ["installations"]
