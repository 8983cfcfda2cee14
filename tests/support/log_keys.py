"""New keys of a world's log: rotations; and documents that name one, signed by the recovery quorum, and handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.proofs import dsse, keys
from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from interlock.statemachine.log_keys import proof_bytes, rotation_bytes
from interlock.statemachine.recovery import build_consent
from tests.support.bundles import root_of
from tests.support.world import DAY_US, LOG_ID, World, key_of, public_of

if TYPE_CHECKING:
    from interlock.statemachine.decide import Accepted
    from interlock.statemachine.unmet import Refused

QUORUM: Final = ("recovery-1", "recovery-2")


def head(world: World, size: int | None = None) -> e.TreeHead:
    """Return a head of a world's log: of all of it without a size."""
    entries = world.encoded()[:size]
    return e.TreeHead(len(entries), root_of(entries))


def new_key(word: str, last: e.TreeHead, *, proven_in: bytes = LOG_ID) -> e.NewLogKey:
    """Return the key that is called by a word, with its proof."""
    public = public_of(word, "log")
    return e.NewLogKey(public, key_of(word, "log").sign(proof_bytes(proven_in, public)), last)


def rotation(word: str = "second", old: str = "log", *, proven_in: bytes = LOG_ID) -> f.LogRotateKey:
    """Return the trigger by which the key called by a word takes the place of the old one, with the words of both."""
    public = public_of(word, "log")
    proof = key_of(word, "log").sign(proof_bytes(proven_in, public))
    return f.LogRotateKey(public, proof, key_of(old, "log").sign(rotation_bytes(proven_in, public)))


def document(
    world: World, key: e.NewLogKey | None, *triggers: f.Firing, lost: e.TreeHead | None = None, lasts: int = DAY_US
) -> bytes:
    """Return the bytes of a recovery that names a key; no two are the same."""
    world.nonces += 1
    end = max(world.now, world.state.time) + lasts
    return codec.encode_recovery(e.RecoveryDocument(LOG_ID, triggers, end, b"%d" % world.nonces, key, lost))


def consents(data: bytes, *who: str) -> tuple[bytes, ...]:
    """Return envelopes over a document by members of the quorum."""
    return tuple(
        dsse.sign(
            dsse.IN_TOTO_TYPE, build_consent(data, f"principals/{one}"), key_of(f"principals/{one}", "recovery")
        ).to_json()
        for one in who
    )


def hand_in(world: World, data: bytes, *who: str) -> Accepted | Refused:
    """Have a document signed and handed in."""
    name = f"principals/{who[0]}"
    actor = c.Actor(name, keys.fingerprint(public_of(name, "recovery")))
    return world.attempt(actor, c.Recover(data), envelopes=consents(data, *who))


def name_key(world: World, word: str = "second", last: int | None = None) -> int:
    """Have the quorum name the key that is called by a word; return the position of the entry."""
    data = document(world, new_key(word, head(world, last)))
    name = f"principals/{QUORUM[0]}"
    actor = c.Actor(name, keys.fingerprint(public_of(name, "recovery")))
    return world.must(actor, c.Recover(data), envelopes=consents(data, *QUORUM)).seq
