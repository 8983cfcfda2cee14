"""Makes this version's golden bundle and its key: `python -m tests.golden.make`.

Until the first release it is made anew whenever rules or formats change. From then on each released version's bundle is
frozen, and every later version must verify it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.support.bundles import VKEY
from tests.support.stories import whole_bundle, whole_trust

FOLDER: Final = Path(__file__).parent
NAME: Final = "unreleased"


def main() -> None:
    """Write bundle, key and the digest of the founding."""
    (FOLDER / f"{NAME}.ilbundle").write_bytes(whole_bundle().data)
    (FOLDER / f"{NAME}.pub").write_text(f"{VKEY}\n", "ascii")
    (FOLDER / f"{NAME}.genesis").write_text(f"{whole_trust().genesis_digest.hex()}\n", "ascii")


if __name__ == "__main__":
    main()
