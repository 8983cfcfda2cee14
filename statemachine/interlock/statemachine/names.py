"""Resource names, taken apart (api design, "Names")."""

from __future__ import annotations


def model_of(name: str) -> str | None:
    """Return ``models/{id}`` for a model or anything of one, None for what is not one model's."""
    parts = name.split("/")
    return f"models/{parts[1]}" if parts[0] == "models" and len(parts) > 1 else None


def leaf_of(name: str) -> str:
    """Return the last part of a resource name."""
    return name.rsplit("/", 1)[-1]


def determination_name(model: str, threshold: str) -> str:
    """Return the name of a model's determination."""
    return f"{model}/determinations/{threshold}"


def level_name(model: str, standard: str) -> str:
    """Return the name of a model's level in a standard."""
    return f"{model}/levels/{standard}"


def safeguard_name(model: str, safeguard: str, *, shared: bool) -> str:
    """Return the name of a safeguard as a model sees it."""
    return f"safeguards/{safeguard}" if shared else f"{model}/safeguards/{safeguard}"


def credential_name(principal: str, fingerprint: str) -> str:
    """Return the name of a principal's key."""
    return f"{principal}/credentials/{fingerprint}"


def owner_of(credential: str) -> str:
    """Return whose key this is, such as ``principals/rso`` for ``principals/rso/credentials/{fingerprint}``."""
    return credential.partition("/credentials/")[0]


def obligation_of(period: str) -> str:
    """Return ``obligations/{id}`` of one of its periods."""
    return period.split("/periods/", maxsplit=1)[0]


def text_name(digest: bytes) -> str:
    """Return the name of a text, which is that of its digest."""
    return f"texts/sha256-{digest.hex()}"


def number_of(name: str) -> int:
    """Return the number of a resource that numbers itself, such as 3 for ``holds/3``."""
    return int(leaf_of(name))
