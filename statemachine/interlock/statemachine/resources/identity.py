"""Who there is: accounts, keys, roles, and who says who logs in.

Frozen values of the fold, one class a kind; ``resources/__init__.py`` says how to read them.
"""

from __future__ import annotations

from dataclasses import dataclass

from interlock.statemachine.resources.never import NEVER


@dataclass(frozen=True, slots=True)
class Credential:
    """A key of a principal, or a subject of an issuer, kept for ever: it is nobody else's once it was theirs.

    ``until`` is its own end; ``revoked_at`` is None while nobody revoked it; what it signed from
    ``compromised_since`` on is nobody's word.
    """

    fingerprint: str
    use: str
    public_key: bytes
    state: str = "active"
    valid_from: int = 0
    registered_by: int = NEVER
    revoked_at: int | None = None
    compromised_since: int | None = None
    until: int | None = None
    held_in: str = ""
    issuer: str = ""
    subject: str = ""
    claims: tuple[str, ...] = ()

    def active_at(self, instant: int) -> bool:
        """True while it is neither revoked nor past its end at ``instant`` (microseconds)."""
        return self.state == "active" and (self.until is None or instant < self.until)


@dataclass(frozen=True, slots=True)
class Issuer:
    """``issuers/{id}``: an OpenID provider whose word on who logs in counts, while it is trusted."""

    name: str
    url: str
    audience: str
    algorithm: str
    state: str = "trusted"
    trusted_by: int = NEVER


@dataclass(frozen=True, slots=True)
class Principal:
    """``principals/{p}``; ``person`` is who counts in quorums (empty for services).

    States: invited until it has its first key, active, suspended, removed. ``given_by`` are the entries that created
    or restored it, oldest first: what it signed rests on those of its time. ``linked_by`` is the entry that last joined
    it to another's person; ``unlinked_by`` the one that made it a person's of its own, who ``person_was`` before.
    """

    name: str
    kind: str
    person: str
    state: str = "active"
    recovery: bool = False
    credentials: tuple[Credential, ...] = ()
    given_by: tuple[int, ...] = ()
    linked_by: int = NEVER
    unlinked_by: int = NEVER
    person_was: str = ""

    def credential(self, fingerprint: str) -> Credential | None:
        """The key with this fingerprint, or None."""
        return next((c for c in self.credentials if c.fingerprint == fingerprint), None)


@dataclass(frozen=True, slots=True)
class Grant:
    """``grants/{n}``: principal, role, scope. ``until`` is its own end, ``ended_at`` when somebody ended it."""

    name: str
    principal: str
    role: str
    scope: str
    state: str = "active"
    given_at: int = 0
    given_position: int = NEVER
    until: int | None = None
    given_by: int = NEVER
    ended_at: int | None = None


@dataclass(frozen=True, slots=True)
class Delegation:
    """``delegations/{n}``: who may act in a role for whom, from ``start`` until ``until`` (microseconds).

    ``credential`` is the fingerprint of the key that signed it. ``ended``: somebody ended it; that its window has
    passed is derived.
    """

    name: str
    delegator: str
    delegate: str
    role: str
    start: int
    until: int
    state: str = "active"
    given_at: int = 0
    given_position: int = NEVER
    credential: str = ""
    envelope_digest: bytes = b""
    ended_at: int | None = None
    ender: str = ""
    reason_digest: bytes = b""

    def holds_at(self, instant: int) -> bool:
        """True in its window (microseconds), unless somebody ended it."""
        return self.state == "active" and self.start <= instant < self.until
