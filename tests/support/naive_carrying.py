"""A naive second opinion on what carries over from one pack to another, read off the design and nothing else.

What lives here: plain dictionaries of the oracle, moved in the words of the design ("Policy packs", decisions 0040 and
0060). It shares no code with ``carrying.py``. Which entry gave a fact goes with it; where several became one, each of
theirs stands beside (``merged …``).
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.oracle import Oracle

Yaml = Any
Known = dict[str, Any]
_STRICTNESS = ["ruled_out", "cannot_rule_out", "reached"]


def carry_over(oracle: Oracle, new: Yaml) -> None:
    """Move what the oracle knows to a pack that is adopted in the place of its own."""
    says = _says(oracle.pack, new)
    models = [name for name, model in oracle.models.items() if model["state"] == "registered"]
    given = dict(oracle.given)
    determinations = _determinations(oracle, new, says, models, given)
    levels = _levels(oracle, new, says, models, given)
    safeguards = _safeguards(oracle, new, says, models, given)
    _assessments(oracle, new, says)
    _measures(oracle, new, says)
    _exceptions(oracle, new, says)
    oracle.determinations, oracle.levels, oracle.safeguards = determinations, levels, safeguards
    oracle.given = given


def _says(old: Yaml, new: Yaml) -> Yaml | None:
    """Return what the new pack says of the old one; None for nothing at all."""
    rows = [row for row in new.get("succeeds", []) if row["policy"] == old["policy"]]
    exact = [row for row in rows if str(row.get("version", "")) == str(old["version"])]
    loose = [row for row in rows if "version" not in row]
    if exact or loose:
        return (exact or loose)[0]
    return {} if old["policy"] == new["policy"] else None


def _sources(says: Yaml | None, kind: str, wanted: str, old: list[str]) -> list[str]:
    if says is None:
        return []
    listed = {new: [olds] if isinstance(olds, str) else olds for new, olds in says.get(kind, {}).items()}
    if wanted in listed:
        return list(listed[wanted])
    if wanted in old and not any(wanted in olds for olds in listed.values()):
        return [wanted]
    return []


Given = dict[str, dict[str, int]]


def _determinations(oracle: Oracle, new: Yaml, says: Yaml | None, models: list[str], given: Given) -> dict[str, Known]:
    old = list(oracle.pack.get("thresholds", {}))
    found = dict(oracle.determinations)
    for model, (threshold, spec) in product(models, new.get("thresholds", {}).items()):
        parts, rows, name = [], [], f"{model}/determinations/{threshold}"
        for source in _sources(says, "thresholds", threshold, old):
            known = oracle.determinations.get(f"{model}/determinations/{source}")
            parts.append(known if source in old else None)
            if parts[-1] is not None:
                rows.append((known, oracle.given.get(f"{model}/determinations/{source}", {})))
        merged = _merged(parts, tracked=bool(spec.get("tracked")))
        found.pop(name, None)
        given.pop(name, None)
        if merged is not None:
            found[name] = merged
            given[name] = _given(rows, merged)
    return found


def _given(rows: list[tuple[Any, dict[str, int]]], merged: Known) -> dict[str, int]:
    """Return which entries gave what became one: all of them, where it was more than one."""
    kept = dict(rows[0][1])
    if len(rows) > 1:
        every = {position for _, facts in rows for position in facts.values()}
        kept = {f"merged {position}": position for position in every}
    if not merged["confirmed"]:
        kept.pop("confirmation", None)
        kept.pop("lapse", None)
    return kept


def _merged(parts: list[Known | None], *, tracked: bool) -> Known | None:
    determined = [part for part in parts if part is not None]
    if not determined:
        return None
    strictest = max((part["conclusion"] for part in determined), key=_STRICTNESS.index)
    whole = len(determined) == len(parts)
    if not whole and strictest == "ruled_out":
        return None
    lapses = [part["lapses"] for part in determined]
    if not whole or not all(part["confirmed"] for part in determined) or (None in lapses and not tracked):
        return {"conclusion": strictest, "confirmed": False, "lapses": None, "compute": None}
    computes = [part["compute"] for part in determined]
    return {
        "conclusion": strictest,
        "confirmed": True,
        "lapses": min((lapse for lapse in lapses if lapse is not None), default=None),
        "compute": None if None in computes else min(computes),
    }


def _ids(rows: list[Any]) -> dict[str, bool]:
    """Return the ids of a list in a pack, each with whether it is a stub."""
    return {row if isinstance(row, str) else row["id"]: isinstance(row, dict) and bool(row.get("stub")) for row in rows}


def _levels(oracle: Oracle, new: Yaml, says: Yaml | None, models: list[str], given: Given) -> dict[str, dict[str, str]]:
    old, found = list(_ids(oracle.pack["levels"])), {}
    for name, known in oracle.levels.items():
        model, standard = name.split("/levels/")
        if model not in models or standard not in new["standards"]:
            found[name] = known
            continue
        for level, stub in _ids(new["levels"]).items():
            carried = standard in oracle.pack["standards"] and known["level"] in _sources(says, "levels", level, old)
            if carried and not stub:
                found[name] = {**known, "level": level}
        if name not in found:
            given.pop(name, None)
    return found


def _safeguard_source(oracle: Oracle, new: Yaml, says: Yaml | None, wanted: str) -> str | None:
    old = oracle.pack.get("safeguards", {})
    for source in _sources(says, "safeguards", wanted, list(old)):
        if source in old and old[source].get("scope", "model") == new["safeguards"][wanted].get("scope", "model"):
            return source
    return None


def _safeguards(oracle: Oracle, new: Yaml, says: Yaml | None, models: list[str], given: Given) -> dict[str, Known]:
    found = dict(oracle.safeguards)
    for wanted, spec in new.get("safeguards", {}).items():
        source = _safeguard_source(oracle, new, says, wanted)
        for prefix in [""] if spec.get("scope") == "shared" else [f"{model}/" for model in models]:
            name, was = f"{prefix}safeguards/{wanted}", f"{prefix}safeguards/{source}"
            found.pop(name, None)
            given.pop(name, None)
            if source is not None and was in oracle.safeguards:
                found[name] = dict(oracle.safeguards[was])
                given[name] = dict(oracle.given.get(was, {}))
    return found


def _assessments(oracle: Oracle, new: Yaml, says: Yaml | None) -> None:
    """Let an open assessment of a model in use look at whatever stands for what it looked at."""
    old = list(oracle.pack.get("thresholds", {}))
    for known in oracle.assessments.values():
        if known["state"] == "open" and oracle.models[known["of"]]["state"] == "registered":
            looked = known["at"] & set(old)
            known["at"] = {
                threshold
                for threshold in new.get("thresholds", {})
                if looked & set(_sources(says, "thresholds", threshold, old))
            }


def _measures(oracle: Oracle, new: Yaml, says: Yaml | None) -> None:
    for measure in oracle.measures.values():
        if measure["state"] != "in_force":
            continue
        kept = {
            wanted
            for wanted in new.get("safeguards", {})
            if _safeguard_source(oracle, new, says, wanted) in measure["for"]
        }
        places = measure["in"] & set(_ids(new["contexts"])) if says is not None else set()
        if kept and places:
            measure.update({"for": kept, "in": places})
        else:
            measure["state"] = "ended"


def _exceptions(oracle: Oracle, new: Yaml, says: Yaml | None) -> None:
    """Let an exception stay with the safeguard that it is of; with one that is not carried on it ends."""
    for known in oracle.exceptions.values():
        before, _, leaf = known["of"].rpartition("safeguards/")
        if not leaf or leaf not in oracle.pack.get("safeguards", {}):
            continue
        heirs = [name for name in new.get("safeguards", {}) if _safeguard_source(oracle, new, says, name) == leaf]
        if heirs:
            known["of"] = f"{before}safeguards/{heirs[0]}"
        else:
            known["state"] = "ended"
