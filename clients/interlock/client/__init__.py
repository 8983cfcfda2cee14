"""The Python SDK of Interlock: ask the gate, propose and sign changes, read and verify the trail.

    from interlock.client import Interlock, RefusedError

    with Interlock.from_profile("release-bot") as client:
        if not client.gate.allows("aurora-4", "api"):
            ...

`AsyncInterlock` is the same with asyncio: its methods are awaited, what is listed or streamed is read by `async for`.

Importing this package imports neither grpc nor cryptography; the first use of `Interlock` does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from interlock.client.errors import (
    AlreadyExistsError,
    ContentError,
    DataLossError,
    DeadlineError,
    FieldViolation,
    ForkError,
    InterlockError,
    InvalidRequestError,
    LimitError,
    NotAllowedError,
    NotFoundError,
    PagesError,
    ProfileError,
    RefusedError,
    RollbackError,
    ServerFaultError,
    StaleError,
    UnauthenticatedError,
    UnavailableError,
    Unmet,
    UnprovenError,
)

if TYPE_CHECKING:
    from interlock.client.aio.sdk import AsyncInterlock
    from interlock.client.decision import verify_decision
    from interlock.client.profile import Profile, find_profile, load_profile
    from interlock.client.review import OpenedChange, ReviewedChange
    from interlock.client.sdk import Interlock
    from interlock.client.transport import Retry
    from interlock.client.verify import Trust, VerifyReport, verify_bundle, verify_log

__all__ = [
    "AlreadyExistsError",
    "AsyncInterlock",
    "ContentError",
    "DataLossError",
    "DeadlineError",
    "FieldViolation",
    "ForkError",
    "Interlock",
    "InterlockError",
    "InvalidRequestError",
    "LimitError",
    "NotAllowedError",
    "NotFoundError",
    "OpenedChange",
    "PagesError",
    "Profile",
    "ProfileError",
    "RefusedError",
    "Retry",
    "ReviewedChange",
    "RollbackError",
    "ServerFaultError",
    "StaleError",
    "Trust",
    "UnauthenticatedError",
    "UnavailableError",
    "Unmet",
    "UnprovenError",
    "VerifyReport",
    "find_profile",
    "load_profile",
    "verify_bundle",
    "verify_decision",
    "verify_log",
]

_LATER: Final = {
    "AsyncInterlock": "interlock.client.aio.sdk",
    "Interlock": "interlock.client.sdk",
    "OpenedChange": "interlock.client.review",
    "Profile": "interlock.client.profile",
    "Retry": "interlock.client.transport",
    "ReviewedChange": "interlock.client.review",
    "Trust": "interlock.client.verify",
    "VerifyReport": "interlock.client.verify",
    "find_profile": "interlock.client.profile",
    "load_profile": "interlock.client.profile",
    "verify_bundle": "interlock.client.verify",
    "verify_decision": "interlock.client.decision",
    "verify_log": "interlock.client.verify",
}
"""What is imported when it is first asked for, and from where."""


def __getattr__(name: str) -> object:
    """Import a heavy name on first use (PEP 562)."""
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
