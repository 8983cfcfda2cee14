"""Logs: one JSON object a line on standard error, each with method and request id where there is one.

What never goes into a line: tokens, keys, passphrases, texts, evidence, request bodies. Callers pass names and codes.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

LEVELS: Final = ("debug", "info", "warning", "error")
FORMATS: Final = ("json", "console")


class RequestInfo(NamedTuple):
    """What every line of a request says of it; ``request_id`` is the caller's ``x-request-id`` or one of ours."""

    method: str
    request_id: str


REQUEST: Final[ContextVar[RequestInfo]] = ContextVar("interlock_request")
"""The request that this task serves; unset outside of one."""


def _add_request(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    info = REQUEST.get(None)
    if info is not None:
        event.setdefault("method", info.method)
        event.setdefault("request_id", info.request_id)
    return event


def make_logger(level: str, log_format: str, stream: TextIO | None = None) -> FilteringBoundLogger:
    """Return the process's logger; nothing global is configured, so two servers in one process don't mix."""
    rendering: list[Processor] = (
        [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer(sort_keys=True)]
        if log_format == "json"
        else [structlog.dev.ConsoleRenderer(colors=False)]
    )
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(stream or sys.stderr),
        processors=[
            _add_request,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *rendering,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        cache_logger_on_first_use=True,
    )
    return logger
