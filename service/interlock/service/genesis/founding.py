"""The first two entries: everything that is true without a sign-off, and the end of the founding."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from google.protobuf.empty_pb2 import Empty

from interlock.proofs import dsse
from interlock.service.ledger.calls import Call, Prepared
from interlock.statemachine import codec, signoff
from interlock.statemachine.commands import SYSTEM, CloseGenesis, Genesis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.view import View
    from interlock.statemachine.decide import Accepted
    from interlock.statemachine.entry import GenesisDocument

METHOD: Final = "init"


@dataclass(frozen=True, slots=True)
class Founding:
    """What is founded: the document's bytes, the pack's files, and who countersigns with which key."""

    document: GenesisDocument
    pack: Mapping[str, bytes]
    countersigners: tuple[tuple[str, Ed25519PrivateKey], ...] = ()

    @property
    def document_bytes(self) -> bytes:
        """The document as the log keeps it."""
        return codec.encode_genesis(self.document)

    @property
    def digest(self) -> bytes:
        """The genesis digest, by which verifiers pin a log."""
        return hashlib.sha256(self.document_bytes).digest()


def countersign(digest: bytes, signers: Iterable[tuple[str, Ed25519PrivateKey]]) -> tuple[bytes, ...]:
    """Return an envelope over the genesis digest by each signer's sign-off key, which proves that they hold it."""
    return tuple(
        dsse.sign(dsse.IN_TOTO_TYPE, signoff.build_countersignature(digest, name), key).to_json()
        for name, key in signers
    )


async def found(committer: Committer, founding: Founding) -> None:
    """Write entries 0 and 1 to an empty log. Raises Refusal with all that ``decide`` finds wrong."""
    opening = Prepared(Genesis(founding.document_bytes), packs=(codec.encode_pack(founding.pack),))
    await committer.submit(_call(opening))
    envelopes = countersign(founding.digest, founding.countersigners)
    await committer.submit(_call(Prepared(CloseGenesis(), envelopes=envelopes)))


def _call(prepared: Prepared) -> Call[Empty]:
    def prepare(_view: View, _instant: int) -> Prepared:
        return prepared

    def render(_view: View, _accepted: Accepted) -> Empty:
        return Empty()

    return Call(SYSTEM, METHOD, "", b"", prepare, render, Empty)
