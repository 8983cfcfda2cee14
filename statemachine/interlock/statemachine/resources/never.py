"""The position of an entry that never was."""

from __future__ import annotations

from typing import Final

NEVER: Final = -1
