"""What comes out of the tables, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """One entry of the log: ``data`` are its bytes, verbatim; ``time`` (microseconds) and ``actor`` are in them too."""

    seq: int
    time: int
    actor: str
    data: bytes


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries a listing wants; an empty word asks for all.

    ``resource`` finds itself and what is below it; it and ``trigger`` may end in ``*`` for any rest. Times are Unix
    microseconds: at or after ``since``, before ``until``.
    """

    model: str = ""
    resource: str = ""
    actor: str = ""
    trigger: str = ""
    since: int | None = None
    until: int | None = None
    descending: bool = False


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """A resource as the entry at ``seq`` left it, encoded by the fold version named."""

    resource: str
    seq: int
    fold_version: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Text:
    """A free text beside the log: ``digest`` is SHA-256(salt ‖ text). Erased: neither salt nor text is left."""

    digest: bytes
    salt: bytes | None
    text: str | None
    field: str


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as stored: the token's SHA-256, whose it is, and its end in Unix microseconds."""

    digest: bytes
    principal: str
    credential: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What makes a request the same one: who, which method, which id."""

    principal: str
    method: str
    request_id: str


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """What was asked (SHA-256 of the request) and answered (serialized) under a key, and when (microseconds)."""

    key: RequestKey
    digest: bytes
    reply: bytes
    seq: int
    time: int
