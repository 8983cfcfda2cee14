"""A selection that leaves something out, kind by kind: nothing that tightens can be missing from what verifies."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from interlock.client.verify import verify_bundle
from interlock.proofs import keys
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import names
from tests.support.bundles import Parts, codes, judged, trust_in
from tests.support.excerpts import Cut
from tests.support.parted import M, must, state
from tests.support.stories import sign
from tests.support.versions import version
from tests.support.world import World, public_of

if TYPE_CHECKING:
    from interlock.statemachine.entry import Entry
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State


@lru_cache(maxsize=1)
def story() -> tuple[World, dict[str, tuple[str, int]], Cut]:
    """Return a log, the last entry of each kind of thing with the resource that it wrote, and the model's selection."""
    world, at = World.found(countersigned_by=["owner-a"]), dict[str, tuple[str, int]]()
    must(world, "evaluator", f.ModelRegister(M))
    lost = keys.fingerprint(public_of("principals/engineer", "signoff"))
    given = world.delegate("owner-a", "owner", "reviewer-b")
    alone: dict[str, tuple[str, str, f.Firing]] = {
        "the end of a delegation": (given, "owner-a", f.DelegationEnd(given)),
        "a key": (
            "principals/engineer", "admin",
            f.CredentialRevoke(names.credential_name("principals/engineer", lost)),
        ),
        "a suspension": ("principals/owner-b", "admin", f.PrincipalSuspend("principals/owner-b")),
        "one person": ("principals/admin", "admin", f.PrincipalLink("principals/reviewer-a", "principals/admin")),
        "a role": ("grants/3", "admin", f.GrantEnd("grants/3")),
        "an incident": ("incidents/1", "owner-a", f.IncidentReport(M, "other", "serious")),
        "a hold on everything": ("holds/1", "admin", f.HoldPlace("-")),
    }  # fmt: skip
    for word, (resource, who, firing) in alone.items():
        at[word] = resource, must(world, who, firing)
    change = world.propose_policy("evaluator", version(("attested_for: 180d", "attested_for: 30d")))
    for who in ("owner-a", "reviewer-b"):
        sign(world, who, change)
    (adopted,) = {name for name, _ in world.entries[-1].prev if name.startswith("policies/")} - {_founded(world)}
    at["an adoption"] = adopted, world.state.head
    digest = state(world)
    world.must("auditor", c.AttemptRefused("m", bytes(32), ()))
    return world, at, Cut.selection(world, digest, M)


def _founded(world: World) -> str:
    return next(name for name, _ in world.entries[0].prev if name.startswith("policies/"))


def verdict(cut: Cut) -> tuple[bool, set[str]]:
    """Return whether a selection verifies, and the codes of what was found."""
    report = judged(cut.data, replace(trust_in(story()[0]), partial_ok=True))
    return report.verified, {code for _, _, code in codes(report)}


def test_the_selection_verifies() -> None:
    """As long as all of it is there."""
    assert verdict(story()[2]) == (True, set())


def test_each_moment_has_the_policy_that_was_in_force() -> None:
    """From the very entry that adopted another one on it is that one: of the whole log and of a selection alike."""
    world, at, cut = story()
    seen: list[dict[int, bytes]] = []
    for data in (Parts.of(world).data, cut.data):
        policies: dict[int, bytes] = {}

        def see(entry: Entry, after: State, policy: Policy | None, policies: dict[int, bytes] = policies) -> None:
            assert policy is not None
            assert after.policy is not None
            assert after.policy.digest == policy.digest
            policies[entry.seq] = policy.digest

        verify_bundle(BytesIO(data).read, replace(trust_in(world), partial_ok=True), visit=see)
        seen.append(policies)

    whole, part = seen
    adopted = at["an adoption"][1]
    assert whole[adopted - 1] != whole[adopted]
    assert part.items() <= whole.items()


@pytest.mark.parametrize(
    "word",
    [
        "the end of a delegation", "a key", "a suspension", "one person", "a role", "an incident",
        "a hold on everything", "an adoption",
    ],
)  # fmt: skip
def test_nothing_that_tightens_can_be_left_out(word: str) -> None:
    """Its last entry, or its whole chain; with its leaf shown, or hidden: not decidable each time."""
    world, at, cut = story()
    resource, last = at[word]
    chain = [entry.seq for entry in world.entries[2:] if resource in dict(entry.prev)]
    assert last in chain

    for left_out in ((last,), tuple(chain)):
        for part in (cut.without(*left_out), cut.without(*left_out).hiding(resource)):
            verified, found = verdict(part)

            assert not verified
            assert "NOT_DECIDABLE" in found
