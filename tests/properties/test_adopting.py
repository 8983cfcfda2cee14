"""Adopting versions of a policy in random states, compared with the naive oracle after each.

A released model is moved about by random triggers of one person; then a version is adopted, which says a few things
otherwise and carries some ids over; then it goes on under that. Every answer of the gate, now and at each end ahead, is
the oracle's; the log replays from its bytes; and a simulation has said before what flips.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.statemachine import commands as c
from interlock.statemachine.decide import Accepted
from interlock.statemachine.policy import load_pack
from interlock.statemachine.replay import Replay
from interlock.statemachine.simulating import simulate
from tests.properties.moves import CONCLUSIONS, Draw, possible
from tests.properties.released import CASTS, released
from tests.properties.watched import ARTIFACTS, MODELS
from tests.support.oracle import Oracle
from tests.support.versions import version

if TYPE_CHECKING:
    from tests.support.world import World

NAMES: Final = {"minimal": ("misuse", "input-filter", "guarded"), "rich": ("harm", None, None)}
MORE: Final = "thresholds:\n  extra: {title: Extra, asks: {deployment: %s}, reassess: {every: 90d}}\n"


def another(draw: Draw, pack: str, text: bytes, number: int) -> dict[str, bytes]:
    """Draw the next version of a pack's text: ids renamed with or without a word on it, ends shortened, one more."""
    files, edits, says = {"policy.yaml": text}, [], []
    threshold, safeguard, level = NAMES[pack]
    new = f"{threshold}-{number}"
    now = re.search(rf"  ({threshold}[-0-9]*):\n", text.decode())
    if now is not None and draw(st.booleans()):
        edits.append((now.group(), f"  {new}:\n"))
        files = renamed(files, now.group(1), new)
        says.append(draw(st.sampled_from([f"thresholds: {{{new}: [{now.group(1)}]}}", "", ""])))
    if safeguard is not None and draw(st.integers(0, 3)) == 0:
        found = re.search(rf"  ({safeguard}[-0-9]*):\n", text.decode())
        if found is not None:
            files = renamed(files, found.group(1), f"{safeguard}-{number}")
            says.append(f"safeguards: {{{safeguard}-{number}: {found.group(1)}}}")
    if level is not None and draw(st.integers(0, 3)) == 0:
        found = re.search(rf" ({level}[-0-9]*)\]", text.decode())
        if found is not None:
            files = renamed(files, found.group(1), f"{level}-{number}")
            says.append(f"levels: {{{level}-{number}: [{found.group(1)}]}}")
    body = re.sub(r"(?s)succeeds:.*?\nobligations:", "obligations:", files["policy.yaml"].decode())
    if draw(st.booleans()):
        body = body.replace("attested_for: 180d", f"attested_for: {draw(st.sampled_from(['1d', '90d', '300d']))}")
    if draw(st.integers(0, 3)) == 0:
        body = body.replace("every: 90d, fulfilled_by", "every: 120d, fulfilled_by")
    if draw(st.integers(0, 5)) == 0:
        body = re.sub(r"policy: [a-z0-9]+", f"policy: other{number}", body, count=1)
    said = ", ".join(word for word in says if word)
    if said or draw(st.booleans()):
        body = body.replace(
            "obligations:", f"succeeds: [{{policy: {id_of(text)}{', ' * bool(said)}{said}}}]\nobligations:"
        )
    return version(of={"policy.yaml": body.encode()}, called=f"{number}.0")


def id_of(text: bytes) -> str:
    """Return what a pack calls its policy."""
    found = re.search(r"(?m)^policy: (\S+)", text.decode())
    assert found is not None
    return found.group(1)


def renamed(files: dict[str, bytes], old: str, new: str) -> dict[str, bytes]:
    """Return a pack in which an id is another one, wherever it stands."""
    text = files["policy.yaml"].decode()
    return {"policy.yaml": re.sub(rf"(?<![\w.-]){old}(?![\w.-])", new, text).encode()}


def compared(world: World, oracle: Oracle) -> None:
    """Ask gate and oracle of everything, now and at the next ends."""
    now = max(world.now, world.state.time)
    ends = {known["lapses"] for known in oracle.determinations.values()} | oracle.dues(now)
    ends |= {known["until"] for known in oracle.safeguards.values()}
    for at in (now, *sorted(end for end in ends if end is not None and end > now)[:3]):
        for model in MODELS:
            for context in (*(place.id for place in world.policy.contexts), "nowhere"):
                for artifact in ("", ARTIFACTS[0]):
                    verdict = world.verdict(model, context, artifact, at)
                    said = {(reason.rule, reason.resource) for reason in verdict.reasons}
                    assert said == oracle.failures(model, context, artifact, at), (model, context, artifact, at)


@settings(max_examples=25)
@given(st.data(), st.sampled_from(["minimal", "rich"]), st.sampled_from(CONCLUSIONS))
def test_whatever_is_adopted_the_gate_says_what_the_oracle_says(data: st.DataObject, pack: str, said: str) -> None:
    """Two versions one after the other, with moves of one person before each."""
    text = CASTS[pack][0].read_bytes()
    world, oracle = released(pack, said).fork(), Oracle.of(text)
    for entry in world.entries:
        oracle.feed(entry)
    fed = len(world.entries)
    for number in (2, 3):
        for _ in range(data.draw(st.integers(0, 4))):
            can = possible(world, loosening=False)
            world.attempt(
                data.draw(st.sampled_from(["owner-a", "evaluator", "engineer"])),
                c.Fire(data.draw(st.sampled_from(can))),
            )
        world.wait(data.draw(st.sampled_from([0, 1, 86_400_000_000, 40 * 86_400_000_000])))
        files = another(data.draw, pack, text, number)
        change = world.propose_policy("evaluator", files)
        foreseen = simulate(world.policy, load_pack(files), world.state, max(world.now, world.state.time))
        for member in CASTS[pack][1]:
            world.sign(member.id, change)
        if world.policy.digest != load_pack(files).digest:
            continue
        for entry in world.entries[fed:]:
            oracle.feed(entry)
        fed, text = len(world.entries), files["policy.yaml"]
        assert oracle.differences == []
        for row in foreseen.turned:
            assert world.verdict(row.model, row.context, row.artifact).allowed is row.allowed
        compared(world, oracle)
    replay = Replay(world.resolve)
    for entry_bytes in world.encoded():
        assert isinstance(replay.feed(entry_bytes), Accepted), replay.findings
    assert replay.state == world.state
