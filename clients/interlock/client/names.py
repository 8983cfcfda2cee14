"""Resource names from what people type: `aurora-4` is `models/aurora-4`, and a full name stays what it is.

Lives here: joining and splitting names. Not here: which names exist, nor their pattern; the server judges both.
"""

from __future__ import annotations

EVERYTHING = "-"


def model(name: str) -> str:
    """Return `models/{id}`."""
    return _prefixed("models/", name)


def change(name: str) -> str:
    """Return `changes/{n}`."""
    return _prefixed("changes/", name)


def hold(name: str) -> str:
    """Return `holds/{n}`."""
    return _prefixed("holds/", name)


def deployment(name: str) -> str:
    """Return `deployments/{n}`."""
    return _prefixed("deployments/", name)


def interim_measure(name: str) -> str:
    """Return `interimMeasures/{n}`."""
    return _prefixed("interimMeasures/", name)


def incident(name: str) -> str:
    """Return `incidents/{n}` for itself or its number."""
    return _prefixed("incidents/", name)


def finding(name: str) -> str:
    """Return `findings/{n}` for itself or its number."""
    return _prefixed("findings/", name)


def obligation(name: str) -> str:
    """Return `obligations/{id}/periods/{n}` for itself or `{id}/{n}`."""
    if name.startswith("obligations/"):
        return name
    of, _, number = name.rpartition("/")
    return f"obligations/{of}/periods/{number}"


def evidence(name: str) -> str:
    """Return `evidence/{n}`."""
    return _prefixed("evidence/", name)


def assessment(name: str) -> str:
    """Return `assessments/{n}`."""
    return _prefixed("assessments/", name)


def entry(name: str) -> str:
    """Return `entries/{seq}`."""
    return _prefixed("entries/", name)


def text(digest: bytes) -> str:
    """Return `texts/sha256-{digest}`, under which the log says that a text was erased."""
    return f"texts/sha256-{digest.hex()}"


def principal(name: str) -> str:
    """Return `principals/{p}`."""
    return _prefixed("principals/", name)


def principal_of(credential: str) -> str:
    """Return whose key this is: `principals/{p}`."""
    return credential.partition("/credentials/")[0]


def grant(name: str) -> str:
    """Return `grants/{n}`."""
    return _prefixed("grants/", name)


def delegation(name: str) -> str:
    """Return `delegations/{n}`."""
    return _prefixed("delegations/", name)


def issuer(name: str) -> str:
    """Return `issuers/{id}`."""
    return _prefixed("issuers/", name)


def credential(of_principal: str, fingerprint: str) -> str:
    """Return `principals/{p}/credentials/{fingerprint}`."""
    return f"{principal(of_principal)}/credentials/{fingerprint}"


def level(of_model: str, standard: str) -> str:
    """Return `models/{m}/levels/{standard}`."""
    return f"{model(of_model)}/levels/{standard}"


def determination(of_model: str, threshold: str) -> str:
    """Return `models/{m}/determinations/{threshold}`."""
    return f"{model(of_model)}/determinations/{threshold}"


def safeguard(name: str, of_model: str = "") -> str:
    """Return `models/{m}/safeguards/{s}`, or `safeguards/{s}` for a shared one (no model)."""
    if "/" in name:
        return name
    return f"{model(of_model)}/safeguards/{name}" if of_model else f"safeguards/{name}"


def target(name: str) -> str:
    """Return what a hold is placed on: a model, or `-` for everything."""
    return name if name == EVERYTHING else model(name)


def leaf(name: str) -> str:
    """Return the last part of a name: `aurora-4` of `models/aurora-4`."""
    return name.rpartition("/")[2]


def _prefixed(prefix: str, name: str) -> str:
    return name if name.startswith(prefix) else prefix + name
