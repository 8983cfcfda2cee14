"""The packs that ship with Interlock, as package data: ``packs/<id>/policy.yaml`` beside this file.

Reading them is the caller's: ``importlib.resources.files("interlock.statemachine.policy") / "packs" / name``.
"""

from __future__ import annotations

from typing import Final

_SHIPPED: Final = ("fsf", "minimal", "preparedness", "rsp-2.2", "rsp-3")


def shipped_pack_names() -> tuple[str, ...]:
    """Return the ids of the packs that ship, which are the names of their folders."""
    return _SHIPPED
