"""A naive second opinion on when obligations are owed, read off the design and nothing else.

What lives here: plain rows of the oracle, in the words of the design and of decisions 0045, 0061 and 0062. It shares no
code with ``machines/clocks.py``, ``machines/obligation.py`` or ``owed.py``. A grid is a list of rows, each from an
instant on and perhaps up to one; what entries open are periods that carry their own instants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.oracle import Oracle

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
REVIEW = "break-glass-review"


def microseconds(duration: str) -> int:
    """Return a pack's duration, such as ``90d``, in microseconds."""
    return int(duration[:-1]) * UNITS[duration[-1]] * 1_000_000


def in_force(oracle: Oracle) -> dict[str, Any]:
    """Return the obligations whose jurisdiction is on."""
    on = {None, *oracle.pack.get("jurisdictions", [])}
    return {name: spec for name, spec in oracle.pack.get("obligations", {}).items() if spec.get("jurisdiction") in on}


def _id(period: str) -> str:
    return period.split("/")[1]


# The calendar -----------------------------------------------------------------------------------------------------


def begin(oracle: Oracle, now: int) -> None:
    """Begin the grid of each obligation that has none; one of another length, or of none, follows what runs."""
    for obligation, spec in in_force(oracle).items():
        rows = oracle.grids.setdefault(obligation, [])
        every = microseconds(spec["every"]) if "every" in spec else None
        goes_on = bool(rows) and rows[-1]["until"] is None
        if every == (rows[-1]["every"] if goes_on else None):
            continue
        start, begun = now, [row for row in rows if row["from"] <= now]
        if goes_on:
            running = begun[-1]
            start = running["from"] + ((now - running["from"]) // running["every"] + 1) * running["every"]
            running["until"] = start
        following = {"first": _count(oracle, obligation, now) + 1, "from": start, "every": every, "until": None}
        oracle.grids[obligation] = begun if every is None else [*begun, following]


def _of_grid(oracle: Oracle, obligation: str, now: int) -> Iterator[tuple[str, int]]:
    """Yield the periods of the calendar that have begun, each with when it is due."""
    for row in oracle.grids.get(obligation, []):
        number, start = row["first"], row["from"]
        while start <= now and (row["until"] is None or start < row["until"]):
            yield f"obligations/{obligation}/periods/{number}", start + row["every"]
            number, start = number + 1, start + row["every"]


def _opened(oracle: Oracle, obligation: str) -> list[str]:
    """Return the periods that entries opened, in their order."""
    return [name for name, known in oracle.periods.items() if "due" in known and _id(name) == obligation]


def _count(oracle: Oracle, obligation: str, now: int) -> int:
    return len(list(_of_grid(oracle, obligation, now))) + len(_opened(oracle, obligation))


# What entries start -----------------------------------------------------------------------------------------------


def open_one(oracle: Oracle, obligation: str, due: int, cause: str, now: int) -> None:
    """Note one more period of an obligation."""
    name = f"obligations/{obligation}/periods/{_count(oracle, obligation, now) + 1}"
    oracle.periods[name] = {"state": "due", "until": 0, "due": due, "for": cause}


def _clocks(oracle: Oracle, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for obligation, spec in in_force(oracle).items():
        if kind in spec.get("after", {}):
            yield obligation, spec["after"]


def _owed_for(oracle: Oracle, obligation: str, cause: str) -> list[str]:
    return [name for name in _opened(oracle, obligation) if oracle.periods[name].get("for") == cause]


def _stands(known: dict[str, Any]) -> bool:
    return known["state"] in {"due", "waived"}


def by_incident(oracle: Oracle, name: str, now: int, *, again: bool = False) -> None:
    """Open what an incident obliges to that was reported, judged or closed just now, each of its own clocks.

    Each obligation once; what repeats anew where it stopped.
    """
    known = oracle.incidents[name]
    for obligation, after in _clocks(oracle, "incident"):
        mine, repeats = _owed_for(oracle, obligation, name), bool(after.get("repeats"))
        stopped = repeats and mine and (again or not _stands(oracle.periods[mine[-1]]))
        if (mine and not stopped) or not known["severity"]:
            continue
        if oracle.rank(known["severity"]) < oracle.rank(after["at_least"]):
            continue
        if after.get("categories") and known["category"] not in after["categories"]:
            continue
        if (after["incident"] == "closing") != (known["state"] == "closed"):
            continue
        start = known["discovered"] if after["incident"] == "discovery" and not mine else now
        open_one(oracle, obligation, start + microseconds(after["within"]), name, now)


def by_closing(oracle: Oracle, incident: str, now: int) -> None:
    """End what repeats until then, where it is not overdue."""
    for obligation, after in _clocks(oracle, "incident"):
        mine = _owed_for(oracle, obligation, incident)
        if not after.get("repeats") or not mine:
            continue
        last = oracle.periods[mine[-1]]
        if _stands(last) and now < max(last["due"], last["until"]):
            last["state"] = "ended"
            oracle.give(mine[-1], "end")


def by_meeting(oracle: Oracle, period: str, now: int) -> None:
    """Open the next one of what repeats, due as long after this one was."""
    known, spec = oracle.periods[period], in_force(oracle).get(_id(period), {})
    incident = oracle.incidents.get(known.get("for", ""))
    if incident is None or incident["state"] == "closed" or not spec.get("after", {}).get("repeats"):
        return
    if _owed_for(oracle, _id(period), known["for"])[-1] == period:
        due = known["due"] + microseconds(spec["after"]["within"])
        open_one(oracle, _id(period), due, known["for"], now)


def by_deployment(oracle: Oracle, firing: Any, now: int) -> None:  # noqa: ANN401  # a trigger
    """Open what a deployment obliges to: once for a model, once for each artifact that it got later."""
    known = oracle.models[firing.model]
    artifact = firing.artifact or (known["later"] or [""])[-1]
    cause = firing.model
    if artifact and artifact not in known["first"]:
        cause = f"{firing.model}/artifacts/{artifact}"
    for obligation, after in _clocks(oracle, "deployment"):
        places = after.get("contexts") or [firing.context]
        if firing.context in places and not _owed_for(oracle, obligation, cause):
            open_one(oracle, obligation, now + microseconds(after["within"]), cause, now)


def by_adoption(oracle: Oracle, version: str, now: int) -> None:
    """Open what the adopted pack says of adopting, this time included."""
    for obligation, after in _clocks(oracle, "adoption"):
        open_one(oracle, obligation, now + microseconds(after["within"]), version, now)


# What is owed -----------------------------------------------------------------------------------------------------


def overdue(oracle: Oracle, now: int) -> set[str]:
    """Return the periods that are owed still, whose end has passed and which are not waived any longer."""
    found = set()
    for obligation in {*in_force(oracle), REVIEW}:
        rows = list(_of_grid(oracle, obligation, now))
        rows += [(name, oracle.periods[name]["due"]) for name in _opened(oracle, obligation)]
        for name, due in rows:
            known = oracle.periods.get(name, {"state": "due", "until": 0})
            if _stands(known) and now >= max(due, known["until"]):
                found.add(name)
    return found


def dues(oracle: Oracle, now: int) -> set[int]:
    """Return when the next periods of each obligation end, three of each, and the ends of all waivers."""
    found = {max(int(known["until"]), int(known.get("due", 0))) for known in oracle.periods.values()}
    for rows in oracle.grids.values():
        for row in rows:
            begun = max(0, (now - row["from"]) // row["every"])
            ends = [row["from"] + (begun + ahead) * row["every"] for ahead in range(1, 4)]
            found |= {end for end in ends if row["until"] is None or end <= row["until"]}
    return found
