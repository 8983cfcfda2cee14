"""Signing off: a statement over what was reviewed, signed here with the sign-off key.

Lives here: building and signing the statement, and that of a delegation. Not here: checking what is signed
(`review.py`), whether the signature counts (the server and every verifier decide that, with the same code).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from interlock.client import names
from interlock.client.errors import ProfileError
from interlock.client.opened import Opened
from interlock.client.review import salted_digest
from interlock.client.signers import open_signer
from interlock.proofs import dsse, signature_keys
from interlock.statemachine import delegating, signoff
from interlock.statemachine.bound import documents_of
from interlock.v1 import change_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from interlock.client.keyfile import Passphrase
    from interlock.client.profile import Profile
    from interlock.client.proving import SignedCheckpoint
    from interlock.client.review import OpenedChange
    from interlock.client.signers import SigningKey
    from interlock.v1.identity_pb2 import WhoAmIResponse

SALT_BYTES: Final = 32
_NONCE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Consent:
    """What a signer says of a change: the decision, the roles acted in, a comment, and which documents were opened.

    ``on_behalf_of`` is who delegated these roles, `principals/{p}`; empty where they are the signer's own.
    """

    decision: str
    roles: tuple[str, ...] = ()
    comment: str = ""
    opened: Opened = field(default_factory=Opened)
    on_behalf_of: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """A delegation to sign: who may act in which role, until when, and from when (None: at once)."""

    role: str
    to: str
    until: datetime
    start: datetime | None = None


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """An envelope to send, with the comment whose digest it names."""

    envelope: bytes
    comment: change_pb2.SaltedText | None


class Signer:
    """Signs statements of one profile's principal."""

    def __init__(
        self,
        profile: Profile,
        passphrase: Passphrase,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Use the profile's sign-off key, opened with ``passphrase`` for each signature and kept no longer."""
        self._profile = profile
        self._passphrase = passphrase
        self._random_bytes = random_bytes

    def sign(self, opened: OpenedChange, checkpoint: SignedCheckpoint, consent: Consent) -> SignedStatement:
        """Sign a statement over the change's very bytes. Raises ProfileError without a sign-off key."""
        file = self._key_file()
        comment = self._salted("comment", consent.comment) if consent.comment else None
        statement = signoff.Statement(
            change=opened.name,
            content_sha256=opened.content_sha256,
            decision=consent.decision,
            signer=self._profile.principal,
            roles=tuple(sorted(set(consent.roles))),
            checkpoint_size=checkpoint.size,
            checkpoint_root=checkpoint.root.hex(),
            nonce=self._random_bytes(_NONCE_BYTES).hex(),
            on_behalf_of=consent.on_behalf_of,
            comment_digest=comment.digest.hex() if comment else "",
            evidence=tuple(
                signoff.SeenEvidence(name, sha256, consent.opened.seen(name, sha256))
                for name, sha256 in documents_of(opened.content)
            ),
        )
        envelope = seal(open_signer(file, self._passphrase), signoff.build_statement(statement))
        return SignedStatement(envelope.to_json(), comment)

    def delegate(self, wish: Wish) -> bytes:
        """Sign that somebody may act in a role of this principal; return the envelope. Raises ProfileError."""
        if not self._profile.genesis_digest:
            raise ProfileError(
                "the profile does not say which founding its log has: genesis_digest", reason="NO_GENESIS"
            )
        statement = delegating.DelegationStatement(
            genesis_sha256=self._profile.genesis_digest.hex(),
            delegator=self._profile.principal,
            delegate=names.principal(wish.to),
            role=wish.role,
            start=_microseconds(wish.start) if wish.start is not None else 0,
            until=_microseconds(wish.until),
            nonce=self._random_bytes(_NONCE_BYTES).hex(),
        )
        key = open_signer(self._key_file(), self._passphrase)
        return seal(key, delegating.build_delegation(statement)).to_json()

    def _key_file(self) -> Path:
        file = self._profile.signoff_key_file
        if file is None:
            raise ProfileError(f"{self._profile.principal} has no sign-off key in this profile", reason="NO_KEY")
        return file

    def _salted(self, field: str, text: str) -> change_pb2.SaltedText:
        salt = self._random_bytes(SALT_BYTES)
        return change_pb2.SaltedText(field=field, salt=salt, text=text, digest=salted_digest(salt, text))


def seal(key: SigningKey, payload: bytes) -> dsse.RawEnvelope:
    """Return the envelope of an in-toto statement, signed wherever the key is."""
    signature = key.sign(dsse.pae(dsse.IN_TOTO_TYPE, payload))
    return dsse.RawEnvelope(dsse.IN_TOTO_TYPE, payload, signature, signature_keys.fingerprint(key.public))


def _microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def roles_held(me: WhoAmIResponse, on_behalf_of: str = "") -> tuple[str, ...]:
    """Return the approving roles that a caller can act in: their own, or those that somebody delegated to them."""
    if not on_behalf_of:
        return tuple(grant.role for grant in me.principal.grants if grant.approves)
    mine = (row for row in me.delegations if row.in_force and row.delegate == me.principal.name)
    return tuple(row.role for row in mine if row.delegator == on_behalf_of)


def roles_to_act_in(held: Iterable[str], asked: Iterable[str], wished: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the roles that a signer consents to act in: those wished for, else those held that the change asks for.

    Without any overlap all held ones are named, so that the server can say what is missing instead of nothing.
    """
    chosen = set(wished) or (set(held) & set(asked)) or set(held)
    return tuple(sorted(chosen))
