"""Whatever one edit of a pack lets through, `policy diff` says that it loosens.

A pack is edited in one random place of its YAML. If some state of a model is ALLOW by the edited pack and DENY by the
first one, or people who may do something by the edited one could not by the first, or something lasts longer, the diff
has to mark a loosening. Signers and spans are read off the YAML here, not off the compiled policy. That the diff marks
more than this is no fault: where nobody can tell, it errs that way.
"""

from __future__ import annotations

import copy
import io
import random
from functools import lru_cache
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from interlock.client.packs import shipped_pack
from interlock.statemachine import resources as r
from interlock.statemachine.diffing import Way, compare_policies
from interlock.statemachine.explain import explain
from interlock.statemachine.policy import PackError, load_pack
from interlock.statemachine.simulating import carry_over
from interlock.statemachine.state import State
from interlock.statemachine.triggers import DIRECTIONS, Direction
from tests.support.naive_clocks import microseconds
from tests.support.world import DAY_US, START_US, sha256_of
from tests.unit.policy.packs import WIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.policy.model import Policy

Yaml = Any
Place = tuple[str | int, ...]

MODEL: Final = "models/m"
ARTIFACT: Final = sha256_of("weights")
STATES: Final = 24
TWINS: Final = WIDE.replace(
    "  noise:", "  escape: {title: Escape, asks: {deployment: high}, reassess: {every: 90d}}\n  noise:"
).replace(
    "  advice:\n",
    "  twin:\n    {title: Guard, standard: deployment, level: middle, track: commitment, guards: [staff],\n"
    "     verify_with: [{evidence: red_team_report}], attested_for: 30d}\n  advice:\n",
)
"""With two that differ in nothing but what else names them."""
PACKS: Final = {
    "twins": TWINS.encode(),
    "minimal": shipped_pack("minimal")["policy.yaml"],
    "rich": Path(__file__).with_name("rich-pack.yaml").read_bytes(),
    "rsp-2.2": shipped_pack("rsp-2.2")["policy.yaml"],
}
WORDS: Final = ("recommendation", "commitment", "external", "any", "login", "full", "shared", "optional")
LONGER: Final = ("every", "attested_for", "decision_lasts", "changes_expire_after", "lasts", "review_within", "within")
"""Keys of spans that loosen when they grow."""


# Editing ----------------------------------------------------------------------------------------------------------


def places(value: Yaml, at: Place = ()) -> Iterator[Place]:
    """Yield every place below the top of a tree."""
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in rows:
        yield (*at, key)
        yield from places(inner, (*at, key))


def held(tree: Yaml, at: Place) -> Yaml:
    """Return what stands at a place."""
    for key in at:
        tree = tree[key]
    return tree


def edited(tree: Yaml, at: Place, dice: random.Random) -> Yaml:
    """Return the tree with one thing otherwise at a place: gone, moved, another of its kind, or one more."""
    new = copy.deepcopy(tree)
    parent, key = held(new, at[:-1]), at[-1]
    value = held(new, at)
    others = [held(tree, place) for place in places(tree) if place[-1] == key and place != at]
    ways = ["gone", "other", "ids"] if isinstance(value, str | int | dict | list) else ["gone"]
    way = dice.choice(["span"] if isinstance(value, str) and value[-1:] in "smhd" and value[:-1].isdigit() else ways)
    if isinstance(value, bool):
        parent[key] = not value
    elif way == "span":
        parent[key] = f"{max(1, int(value[:-1]) * dice.choice([1, 3]) // 2)}{value[-1]}"
    elif way == "gone":
        del parent[key]
    elif isinstance(parent, list) and isinstance(key, int) and len(parent) > 1 and dice.random() < 0.5:
        other = dice.choice([n for n in range(len(parent)) if n != key])
        parent[key], parent[other] = parent[other], parent[key]
    elif way == "ids" and isinstance(value, str):
        ids = {*tree["roles"], *_ids(tree["levels"]), *tree["standards"], *_ids(tree["contexts"])}
        parent[key] = dice.choice(sorted({*ids, *WORDS}))
    elif others:
        parent[key] = copy.deepcopy(dice.choice(others))
    return new


def succeeding(tree: Yaml, dice: random.Random) -> Yaml:
    """Return the tree with a word on which of its ids stand for which: two swapped, or one that takes another's."""
    kind = dice.choice(["thresholds", "safeguards"])
    known = sorted(tree.get(kind, {}))
    one, other = dice.choice(known), dice.choice(known)
    pairs = {one: other, other: one} if dice.random() < 0.6 else {one: other}
    says = pairs if kind == "safeguards" else {new: [old] for new, old in pairs.items()}
    return {**copy.deepcopy(tree), "succeeds": [{"policy": tree["policy"], kind: says}]}


def _ids(rows: list[Yaml]) -> list[str]:
    return [row if isinstance(row, str) else row["id"] for row in rows]


def written(tree: Yaml) -> bytes:
    """Return a tree as the text of a pack."""
    out, yaml = io.BytesIO(), YAML(typ="safe", pure=True)
    yaml.width, yaml.allow_unicode = 4096, True
    yaml.dump(tree, out)
    return out.getvalue()


# What it lets through ---------------------------------------------------------------------------------------------


def a_state(policy: Policy, dice: random.Random) -> State:
    """Return a model about which little is wrong, as often as not nothing."""
    off = dice.choice([0.0, 0.05, 0.2])
    state = State().put(r.Model(MODEL, artifacts=(r.Artifact(ARTIFACT, 1),) * dice.choice([0, 1, 1])))
    for threshold in policy.thresholds:
        said = dice.choice(["ruled_out", "ruled_out", "cannot_rule_out", "reached"])
        confirmed = dice.random() >= off
        if dice.random() >= off:
            lapses = START_US + 400 * DAY_US if confirmed else None
            known = r.Determination(f"{MODEL}/determinations/{threshold}", said, confirmed, lapses, 1, 1, 1)
            state = state.put(known)
    for standard in policy.standards:
        levels = [level.id for level in policy.levels if not level.stub]
        level = levels[-1] if dice.random() < 0.6 else dice.choice(levels)
        state = state.put(r.Level(f"{MODEL}/levels/{standard}", "confirmed", level, 1))
    for spec in policy.safeguards.values():
        name = f"safeguards/{spec.id}" if spec.shared else f"{MODEL}/safeguards/{spec.id}"
        stage = "active" if dice.random() >= off else dice.choice(["degraded", "planned"])
        made = START_US - int(dice.random() * 1.1 * spec.attested_for_us)
        until = None if stage == "planned" else made + 10 * spec.attested_for_us
        state = state.put(r.Safeguard(name, stage, attested_until=until, attested_at=None if until is None else made))
    for spec_ in policy.obligations.values():
        if spec_.in_force and spec_.every_us:
            began = START_US - dice.choice([0, 0, 0, 1]) * spec_.every_us
            state = state.put(r.Obligation(f"obligations/{spec_.id}", ((1, began, spec_.every_us),)))
    if dice.random() < off:
        severity = dice.choice(policy.severities).id
        state = state.put(r.Incident("incidents/1", MODEL, "other", severity, "triaged"))
    return state.after_entry(START_US)


def opened(old: Policy, new: Policy, dice: random.Random) -> list[str]:
    """Return the releases that the new version allows and the old one denies, in some states."""
    found = []
    for _ in range(STATES):
        state = a_state(old, dice)
        after = carry_over(old, new, state, START_US)
        for place in {row.id for row in (*old.contexts, *new.contexts)}:
            for artifact in ("", ARTIFACT):
                was = explain(old, state, MODEL, place, artifact, START_US)
                if not was.allowed and explain(new, after, MODEL, place, artifact, START_US).allowed:
                    found.append(f"{place} {artifact[:4]} although {[row.resource for row in was.reasons]}")
    return found


def _rule(pack: Yaml, trigger: str, standard: str) -> Yaml | None:
    """Return the rule of a trigger in a standard: the narrow one, the wide one, or for what loosens the default."""
    rows = [row for row in pack.get("rules", []) if trigger in row["triggers"]]
    for row in rows:
        if row.get("standard") == standard:
            return row
    wide = [row for row in rows if row.get("standard") is None]
    if wide:
        return wide[0]
    loosens = [name.value for name, goes in DIRECTIONS.items() if goes is Direction.LOOSENS]
    return pack["default"] if trigger in loosens else None


def _slots(pack: Yaml, rule: Yaml) -> list[Yaml]:
    """Return each slot, with whether somebody from outside has to fill it."""
    rows = [slot for slot in rule["sign_offs"] for _ in range(slot.get("count", 1))]
    outside = {name for name, role in pack["roles"].items() if role.get("affiliation") == "external"}
    return [{**slot, "outside": slot.get("affiliation") == "external" or slot["role"] in outside} for slot in rows]


def _fills(weakest: Yaml, slot: Yaml) -> bool:
    """Say whether the least that one slot asks for is enough for another."""
    return (
        weakest["role"] == slot["role"]
        and set(slot.get("distinct_from", [])) <= set(weakest.get("distinct_from", []))
        and (weakest["outside"] or not slot["outside"])
        and (weakest.get("assurance") != "login" or slot.get("assurance") == "login")
        and (weakest.get("seen") == "full" or slot.get("seen") != "full")
    )


def _is_easier(old: Yaml, was: Yaml | None, new: Yaml, now: Yaml | None) -> bool:
    """Say whether those who just meet one rule don't meet the one before."""
    if was is None:
        return False
    if now is None:
        return True
    wanted, given = _slots(old, was), _slots(new, now)
    met = len(given) >= len(wanted) and any(
        all(_fills(one, slot) for one, slot in zip(people, wanted, strict=True))
        for people in permutations(given, len(wanted))
    )
    return not met or not all(
        any(_proves(row, need) for row in now.get("evidence", [])) for need in was.get("evidence", [])
    )


def _proves(row: Yaml, need: Yaml) -> bool:
    kind = "kind" if "kind" in need else "evidence"
    if row[kind] != need[kind]:
        return False
    wanted = need.get("newer_than")
    return wanted is None or ("newer_than" in row and microseconds(row["newer_than"]) <= microseconds(wanted))


def easier(old: Yaml, new: Yaml) -> list[str]:
    """Return what fewer or other people can do by the new pack than by the old one."""
    found: list[str] = []
    for trigger in sorted({name.value for name in DIRECTIONS}):
        for standard in sorted({*old["standards"], *new["standards"]}):
            rules = (_rule(old, trigger, standard), _rule(new, trigger, standard))
            found += [f"{trigger} ({standard})"] if _is_easier(old, rules[0], new, rules[1]) else []
    glass = [{t: row for row in pack.get("break_glass", []) for t in row["triggers"]} for pack in (old, new)]
    for trigger, row in glass[1].items():
        if trigger not in glass[0] or _is_easier(old, glass[0][trigger], new, row):
            found.append(f"break-glass for {trigger}")
    for name, spec in new.get("safeguards", {}).items():
        known = old.get("safeguards", {}).get(name)
        if known is None or "commitment" not in {known["track"], spec["track"]}:
            continue
        if not all(any(_proves(row, need) for row in spec["verify_with"]) for need in known["verify_with"]):
            found.append(f"{name} is verified with less")
    return found


def longer(old: Yaml, new: Yaml) -> list[str]:
    """Return the spans that grew, of what both have and the gate reads."""
    found = []
    for place in places(old):
        if place[-1] not in LONGER or not isinstance(held(old, place), str):
            continue
        if place[:1] == ("safeguards",) and held(old, place[:2]).get("track") == "recommendation":
            continue
        try:
            after = held(new, place)
        except (KeyError, IndexError, TypeError):
            continue
        if isinstance(after, str) and microseconds(after) > microseconds(held(old, place)):
            found.append(".".join(map(str, place)))
    return found


@lru_cache(maxsize=8)
def first(pack: str) -> tuple[Yaml, Policy]:
    """Return a pack before it is edited, as YAML and loaded."""
    return YAML(typ="safe", pure=True).load(PACKS[pack]), load_pack({"policy.yaml": PACKS[pack]})


@settings(max_examples=60)
@given(data=st.data(), pack=st.sampled_from(["minimal", "twins", "twins", "rich", "rich", "rich", "rsp-2.2"]))
def test_what_one_edit_lets_through_is_marked(data: st.DataObject, pack: str) -> None:
    """Whatever state, signers or span show it."""
    dice = random.Random(data.draw(st.integers(0, 2**32)))
    tree, old = first(pack)
    at = dice.choice([place for place in places(tree) if len(place) > 1 and "source" not in place])
    after = succeeding(tree, dice) if data.draw(st.integers(0, 4)) == 0 else edited(tree, at, dice)
    assume(after != tree)
    try:
        new = load_pack({"policy.yaml": written(after)})
    except PackError:
        assume(False)  # noqa: FBT003  # Hypothesis's own way to say it

    shown = [*opened(old, new, dice), *easier(tree, after), *longer(tree, after)]

    ways = [(row.way, row.area, row.subject, row.words) for row in compare_policies(old, new)]
    assert Way.LOOSENS in {way[0] for way in ways} or not shown, (at, shown, ways)
