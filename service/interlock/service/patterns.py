"""What the patterns of the contract ask for, in words: nobody who mistypes a name should have to read a regex.

One row for each pattern that a .proto names; a test finds one that has none.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID: Final = "[a-z][a-z0-9._-]{0,62}"
_NUMBER: Final = "[0-9]{1,18}"
_SHA256: Final = "[0-9a-f]{64}"
_ID_FORM: Final = "a lower-case letter first, then lower-case letters, digits and . _ -, at most 63 in all"
_SAFEGUARDS: Final = f"(models/{_ID}/)?safeguards/{_ID}"

_NUMBERED: Final = (
    "assessments",
    "changes",
    "decisions",
    "delegations",
    "deployments",
    "entries",
    "evidence",
    "findings",
    "grants",
    "holds",
    "incidents",
    "interimMeasures",
)

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        f"^{_ID}$": f"needs an id: {_ID_FORM}",
        f"^{_SHA256}$": "needs a SHA-256: 64 lower-case hex digits",
        **{f"^{kind}/{_NUMBER}$": f"needs a name such as {kind}/3" for kind in _NUMBERED},
        f"^models/{_ID}$": f"needs a name such as models/aurora-4; its id has {_ID_FORM}",
        f"^(-|models/{_ID})$": f"needs - for everything, or a name such as models/aurora-4; its id has {_ID_FORM}",
        f"^models/{_ID}/determinations/{_ID}$": "needs a name such as models/aurora-4/determinations/cbrn-3",
        f"^models/{_ID}/levels/{_ID}$": "needs a name such as models/aurora-4/levels/deployment",
        f"^{_SAFEGUARDS}$": "needs a name such as models/aurora-4/safeguards/output-filter or safeguards/vetting",
        f"^(holds/{_NUMBER}|{_SAFEGUARDS})$": (
            "needs a name such as holds/3, models/aurora-4/safeguards/output-filter or safeguards/staff-vetting"
        ),
        f"^(decisions|entries)/{_NUMBER}$": "needs a name such as decisions/3 or entries/41",
        f"^issuers/{_ID}$": f"needs a name such as issuers/ci; its id has {_ID_FORM}",
        f"^obligations/{_ID}/periods/[1-9][0-9]{{0,17}}$": (
            "needs a name such as obligations/quarterly-report/periods/1"
        ),
        f"^policies/(-|{_ID}/versions/[A-Za-z0-9._-]{{1,64}})$": (
            "needs policies/- for the one in force, or a name such as policies/minimal/versions/1.0"
        ),
        f"^policies/{_ID}/versions/[a-z0-9][a-z0-9._-]{{0,62}}$": (
            "needs a name such as policies/minimal/versions/1.0"
        ),
        f"^principals/{_ID}$": f"needs a name such as principals/owner; its id has {_ID_FORM}",
        f"^principals/{_ID}/credentials/{_SHA256}$": (
            "needs a name such as principals/owner/credentials/ and a fingerprint of 64 lower-case hex digits"
        ),
        "^[a-z0-9._*?-]{1,64}$": (
            "needs a pattern over model ids such as aurora-*: lower-case letters, digits, . _ - * and ?, at most 64"
        ),
        "^[a-z_.]{0,62}[*]?$": "needs a trigger such as hold.place, or the beginning of some and a * such as hold.*",
        "^[a-z0-9][a-z0-9._/:-]{0,126}$": (
            "needs a place by your tooling's own id, such as cluster-a/eu-west: a lower-case letter or a digit first, "
            "then those and . _ / : -, at most 127 in all"
        ),
        "^[a-z][a-z0-9._/-]{0,126}$": (
            "needs a person's id, never a name, such as person-7: lower-case letters, digits and . _ / -"
        ),
        "^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$": (
            "needs a media type such as text/markdown"
        ),
    }
)
"""What to say of a value that does not match a pattern."""

_MISSED: Final = "does not match regex pattern `"


def in_words(message: str) -> str:
    """Return what the contract's engine says of a value, a pattern put in words."""
    if not message.startswith(_MISSED):
        return message
    return WORDS.get(message.removeprefix(_MISSED).removesuffix("`"), message)
