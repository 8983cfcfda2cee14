"""What makes a watcher's token one that this server gave out: a client who makes one up would be told of the past.

Whoever watches is told why the gate says no now and from now on; what it said before is for readers (`reads.py`). So a
place to go on from is one that the watcher was told of. The key follows from one that the server has anyway.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from interlock.service.errors import Invalid

FIELD: Final = "resume_token"
CHECK_BYTES: Final = 16
_PURPOSE: Final = b"interlock-resume-token-v1"


@dataclass(frozen=True, slots=True)
class TokenSeal:
    """Seals the tokens of one log."""

    log_id: bytes
    key: bytes = field(repr=False)

    @classmethod
    def of(cls, log_id: bytes, secret: bytes) -> TokenSeal:
        """Return the seal that follows from a secret of the server."""
        return cls(log_id, hmac.digest(secret, _PURPOSE, hashlib.sha256))

    def close(self, question: bytes, data: bytes) -> bytes:
        """Return data that goes on with a question, with its seal in front."""
        return self._mac(question, data) + data

    def open(self, question: bytes, sealed: bytes) -> bytes:
        """Return what was sealed. Raises Invalid where it was not, or for another question."""
        mac, data = sealed[:CHECK_BYTES], sealed[CHECK_BYTES:]
        if not hmac.compare_digest(mac, self._mac(question, data)):
            raise Invalid(FIELD, "was not given out for this question, by this log")
        return data

    def _mac(self, question: bytes, data: bytes) -> bytes:
        message = len(question).to_bytes(4, "big") + question + data
        return hmac.digest(self.key, message, hashlib.sha256)[:CHECK_BYTES]
