"""Commands as frozen values; field names are those of the messages of ``proto``.

What lives here: what ``decide`` can be told. Which message each stands for is the codec's business, what a ``Fire``
fires is in ``firings.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from interlock.statemachine.firings import Firing


@dataclass(frozen=True, slots=True)
class Genesis:
    """The founding entry; ``document`` is a serialized GenesisDocument."""

    document: bytes


@dataclass(frozen=True, slots=True)
class CloseGenesis:
    """Ends the founding."""


@dataclass(frozen=True, slots=True)
class Fire:
    """One person fires a tightening or neutral trigger."""

    firing: Firing


@dataclass(frozen=True, slots=True)
class ProposeChange:
    """A new change; ``content`` are the bytes that will be signed, ``pack`` what it would adopt, where that is new."""

    content: bytes
    draft: bool = False
    pack: bytes = b""


@dataclass(frozen=True, slots=True)
class SubmitChange:
    """A draft is put to review."""

    change: str


@dataclass(frozen=True, slots=True)
class AmendChange:
    """A new revision with other triggers, texts or times; ``pack`` as in ``ProposeChange``."""

    change: str
    content: bytes
    pack: bytes = b""


@dataclass(frozen=True, slots=True)
class AttachEvidence:
    """A new revision with more evidence."""

    change: str
    content: bytes


@dataclass(frozen=True, slots=True)
class DetachEvidence:
    """A new revision with less evidence."""

    change: str
    content: bytes


@dataclass(frozen=True, slots=True)
class RebaseChange:
    """A new revision on the present base."""

    change: str
    content: bytes


Revision = AmendChange | AttachEvidence | DetachEvidence | RebaseChange
"""Any command that makes a new revision of a change."""


@dataclass(frozen=True, slots=True)
class SignOffChange:
    """A sign-off; the envelope is in the facts."""

    change: str


@dataclass(frozen=True, slots=True)
class WithdrawSignOffOfChange:
    """A signed withdrawal of one's own sign-off; the envelope is in the facts."""

    change: str


@dataclass(frozen=True, slots=True)
class ApplyApprovedChange:
    """An approved change is applied."""

    change: str


@dataclass(frozen=True, slots=True)
class WithdrawProposedChange:
    """A change is taken back."""

    change: str


@dataclass(frozen=True, slots=True)
class RecordEvidence:
    """A document is recorded."""

    kind: str
    title_digest: bytes
    media_type: str
    sha256: str
    size: int
    authors: tuple[str, ...]
    made_at: int
    valid_until: int
    classification: str
    redacts: str
    effective_compute: str


@dataclass(frozen=True, slots=True)
class GrantEvidenceAccess:
    """Someone may read a restricted document."""

    evidence: str
    principal: str


@dataclass(frozen=True, slots=True)
class OpenEvidence:
    """A restricted document was opened by the actor."""

    evidence: str


@dataclass(frozen=True, slots=True)
class EraseText:
    """A text beside the log is forgotten; ``digest`` is that of salt and text, 32 bytes."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class AttemptRefused:
    """Somebody known tried what was refused."""

    method: str
    request_digest: bytes
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordDecision:
    """A decision of the gate is handed out, signed; ``artifact`` is the hex SHA-256 of a weights manifest."""

    model: str
    context: str
    artifact: str
    allowed: bool
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class StateDigest:
    """The digest of the fold before this entry: its root, and how many resources it is over (``digest.py``)."""

    root: bytes
    resources: int


@dataclass(frozen=True, slots=True)
class AcceptClock:
    """The server's clock has jumped, and is right: ``time`` (microseconds) is what it is by whoever accepts it."""

    time: int


@dataclass(frozen=True, slots=True)
class ReportAnonymously:
    """An incident that nobody signs for; the arguments are those of ``incident.report``."""

    target: str
    category: str
    discovered_at: int = 0
    title_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Recover:
    """The recovery quorum brings people back; ``document`` is a serialized RecoveryDocument, signed in the facts."""

    document: bytes


Command = (
    Genesis
    | CloseGenesis
    | Fire
    | ProposeChange
    | SubmitChange
    | AmendChange
    | AttachEvidence
    | DetachEvidence
    | RebaseChange
    | SignOffChange
    | WithdrawSignOffOfChange
    | ApplyApprovedChange
    | WithdrawProposedChange
    | RecordEvidence
    | GrantEvidenceAccess
    | OpenEvidence
    | AttemptRefused
    | RecordDecision
    | StateDigest
    | EraseText
    | AcceptClock
    | ReportAnonymously
    | Recover
)

UNCOMMANDED: Final = (Genesis, CloseGenesis, StateDigest, ReportAnonymously)
"""The commands that nobody gave: the log's own, by ``SYSTEM``. A closed list; after the founding none loosens."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who commands, and the fingerprint of the credential behind the session."""

    principal: str
    credential: str = ""


SYSTEM = Actor("principals/system")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is in neither the fold nor the command: the instant (microseconds) and signed envelopes.

    ``serving`` is what could be relied on when a verdict was given (``verdicts.SERVING``), empty where none was.
    """

    instant: int
    envelopes: tuple[bytes, ...] = ()
    serving: tuple[str, ...] = ()
