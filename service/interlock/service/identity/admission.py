"""The way in: from a request's metadata to its caller, or to the reason why not.

Every request walks these steps against the newest committed state, so a tightening of identity (a revoked key, a
suspended account) ends sessions with the very entry that makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.service.errors import NotAllowed, Unauthenticated
from interlock.service.identity.permissions import Entrance
from interlock.statemachine import authority
from interlock.statemachine.resources import Principal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from interlock.service.clock import Clock
    from interlock.service.identity.caller import Caller
    from interlock.service.identity.permissions import Permission
    from interlock.service.identity.sessions import Sessions
    from interlock.service.ledger.view import View
    from interlock.statemachine.resources import Credential

AUTHORIZATION: Final = "authorization"
_SCHEME: Final = "Bearer "
_LONGEST: Final = 256
ACTIVE: Final = "active"
_NEVER: Final = (1 << 63) - 1


def bearer_token(metadata: Iterable[tuple[str, str | bytes]]) -> str | None:
    """Return the token of a request; None when there is none, more than one, or nothing that could be one."""
    found: str | bytes | None = None
    for key, value in metadata:
        if key == AUTHORIZATION:
            if found is not None:
                return None
            found = value
    if not isinstance(found, str) or len(found) > _LONGEST or not found.startswith(_SCHEME):
        return None
    return found[len(_SCHEME) :] or None


def stands(view: View, principal: str, credential: str, instant: int) -> bool:
    """Say whether account and key are both active in this state, at ``instant`` (microseconds)."""
    key = _key_of(view, principal, credential)
    return key is not None and key.active_at(instant)


def _key_of(view: View, principal: str, credential: str) -> Credential | None:
    """Return the key of an active account; None where there is none."""
    account = view.state.find(principal, Principal)
    return account.credential(credential) if account is not None and account.state == ACTIVE else None


@dataclass(frozen=True, slots=True)
class _Rights:
    """What a principal may do from an instant on, until another (microseconds)."""

    rights: frozenset[str]
    since: int
    until: int


class Admission:
    """Admits callers to methods.

    What a view says of a session and of a principal's rights is kept for as long as that view is the newest one;
    whether a session, or one of the grants, has ended is asked each time.
    """

    def __init__(self, sessions: Sessions, view: Callable[[], View], clock: Clock) -> None:
        self._sessions = sessions
        self._view = view
        self._clock = clock
        self._seen: View | None = None
        self._standing: dict[bytes, Caller] = {}
        self._rights: dict[str, _Rights] = {}

    def admit(self, permission: Permission, metadata: Iterable[tuple[str, str | bytes]]) -> Caller | None:
        """Return the caller; None where anyone may call.

        Raises Unauthenticated without a session that stands. The right comes after (``require``): who is known
        and lacks it leaves an entry.
        """
        # 1. Some methods come before there can be a session.
        if permission.entrance is Entrance.ANYONE:
            return None
        # 2. The token names a session that has not ended.
        view = self._newest()
        token = bearer_token(metadata)
        session = self._sessions.find(token) if token is not None else None
        if session is None:
            raise Unauthenticated
        # 3. Its account and key still stand.
        if self._standing.get(session.session_digest) is not session:
            key = _key_of(view, session.principal, session.credential)
            if key is None or not key.active_at(self._instant(view)):
                raise Unauthenticated
            if key.until is None:  # else it is asked each time
                self._standing[session.session_digest] = session
        return session

    def require(self, permission: Permission, caller: Caller) -> None:
        """Raise NotAllowed unless some role of the caller, whatever its scope, has the method's right."""
        if permission.entrance is not Entrance.RIGHT:
            return
        if permission.right not in self.rights(caller.principal):
            raise NotAllowed(permission.right)

    def review(self, permission: Permission, caller: Caller | None) -> None:
        """Judge again who was admitted before, for a call that goes on. Raises Unauthenticated, NotAllowed."""
        if caller is None:
            return
        view = self._view()
        if not self._sessions.stands(caller):
            raise Unauthenticated
        if not stands(view, caller.principal, caller.credential, self._instant(view)):
            raise Unauthenticated
        self.require(permission, caller)

    def rights(self, principal: str) -> frozenset[str]:
        """Return everything that a principal's roles allow now, by whatever scope."""
        view = self._newest()
        known = self._rights.get(principal)
        if known is None or known.until != _NEVER:
            instant = self._instant(view)
            if known is None or not known.since <= instant < known.until:
                known = self._rights[principal] = _rights_of(view, principal, instant)
        return known.rights

    def _instant(self, view: View) -> int:
        """Return now: the clock, or the last entry's time where that is later."""
        return max(self._clock.now_us(), view.state.time)

    def _newest(self) -> View:
        """Return the newest view, having forgotten what was known of an older one."""
        view = self._view()
        if view is not self._seen:
            self._seen, self._standing, self._rights = view, {}, {}
        return view


def _rights_of(view: View, principal: str, instant: int) -> _Rights:
    """Ask the rules, and say for how long their answer stands while the log does not move."""
    grants = authority.active_grants(view.policy, view.state, principal, instant)
    ends = [grant.until for grant, _ in grants if grant.until is not None]
    rights = authority.rights_of(view.policy, view.state, principal, instant)
    return _Rights(rights, instant, min(ends, default=_NEVER))
