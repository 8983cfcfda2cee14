"""What a lint notes of a pack that is safe, and whether the people of a log can meet its rules."""

from __future__ import annotations

import pytest

from interlock.statemachine.policy import Code, Severity, load_pack
from interlock.statemachine.policy.lint import Log, lint_pack, members_of
from interlock.statemachine.policy.lint.against import check_against
from tests.support.world import MINIMAL_CAST, Member, World
from tests.unit.policy.packs import SKETCH, files, shipped


def notes_of(text: str) -> set[Code]:
    """Lint a pack that has to be clean, and return the kinds of its notes."""
    linted = lint_pack(files(text))
    assert linted.clean, linted.findings
    return {finding.code for finding in linted.findings}


def test_a_role_that_signs_nothing_is_noted() -> None:
    """It may still tighten, so it is no fault."""
    assert Code.ROLE_SIGNS_NOTHING in notes_of(
        SKETCH.replace("  monitor:   {", "  guard: {approves: true}\n  monitor:   {")
    )


def test_a_kind_of_evidence_that_nothing_asks_for_is_noted() -> None:
    """People may file it all the same."""
    assert Code.EVIDENCE_KIND_UNUSED in notes_of(SKETCH.replace("\nlevels:", "\nevidence_kinds: [memo]\nlevels:", 1))


def test_a_threshold_that_stops_every_release_is_noted() -> None:
    """It asks for a level that nobody has written out."""
    text = SKETCH.replace("levels: [basic, guarded]", "levels: [basic, guarded, {id: top, stub: true}]")
    more = "  worse:\n    title: Worse\n    asks: {deployment: top}\n    reassess: {every: 90d}\n\nsafeguards:"

    assert Code.STUB_STOPS in notes_of(text.replace("\nsafeguards:", more, 1))


def test_what_is_easier_for_a_while_is_noted() -> None:
    """Break-glass and interim measures end by themselves: a note, never an error."""
    linted = lint_pack(shipped("rsp-2.2"))

    found = [finding for finding in linted.findings if finding.code is Code.EASIER_FOR_A_WHILE]

    assert {finding.severity for finding in found} == {Severity.NOTE}
    assert {finding.calls[0].split()[0] for finding in found} == {"break-glass", "interim_measure.put_in_force"}


# Against a log -------------------------------------------------------------------------------------------------------


def against(cast: tuple[Member, ...], text: str = SKETCH) -> list[tuple[Code, str]]:
    """Lint a pack against a log of the sketch with these people; return codes and messages that count people."""
    world = World.found(cast=cast)
    counted = {Code.QUORUM_OUT_OF_REACH, Code.NOBODY_HOLDS}
    linted = lint_pack(files(text), Log(world.state, world.now))
    return [(f.code, f.message) for f in linted.findings if f.code in counted]


RECOVERY = (Member("recovery-1", recovery=True), Member("recovery-2", recovery=True))
FEW = (
    Member("owner", (("owner", "*"),)),
    Member("reviewer", (("reviewer", "*"),)),
    Member("asker", (("requester", "*"), ("evaluator", "*"))),
    Member("admin", (("admin", "*"),)),
    Member("bot", (("release-tool", "*"),), kind="service"),
    *RECOVERY,
)


@pytest.mark.parametrize("cast", [MINIMAL_CAST, FEW])
def test_people_who_can_meet_every_rule_leave_nothing_to_say(cast: tuple[Member, ...]) -> None:
    """One owner, one reviewer and somebody who asks are enough for the sketch."""
    assert against(cast) == []


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ((("reviewer", "*"),), {Code.QUORUM_OUT_OF_REACH}),  # nobody is an owner
        ((("owner", "m"),), {Code.QUORUM_OUT_OF_REACH}),  # an owner of one model: nobody for the rest
    ],
)
def test_a_rule_that_nobody_there_can_meet_is_an_error(changed: tuple[tuple[str, str], ...], codes: set[Code]) -> None:
    """Distinct people, each with a role of the right scope."""
    cast = (Member("owner", changed), *FEW[1:])

    assert {code for code, _ in against(cast)} == codes


def test_one_person_with_two_accounts_is_one() -> None:
    """An owner and a reviewer who are the same person fill one slot."""
    cast = (
        Member("owner", (("owner", "*"),), person="x"),
        Member("reviewer", (("reviewer", "*"),), person="x"),
        *FEW[2:],
    )

    assert Code.QUORUM_OUT_OF_REACH in {code for code, _ in against(cast)}


def test_who_asks_does_not_count_where_the_slot_says_so() -> None:
    """With the owner as the only one who may propose, no change can have an owner besides."""
    cast = (Member("owner", (("owner", "*"), ("requester", "*"))), FEW[1], *FEW[3:])

    assert Code.QUORUM_OUT_OF_REACH in {code for code, _ in against(cast)}


def test_an_insider_fills_no_outsiders_slot() -> None:
    """Kinds of accounts are counted too."""
    outside = SKETCH.replace("  reviewer:  {approves: true}", "  reviewer:  {approves: true, affiliation: external}")
    cast = (FEW[0], Member("reviewer", (("reviewer", "*"),), kind="external"), *FEW[2:])

    assert Code.QUORUM_OUT_OF_REACH in {code for code, _ in against(FEW, outside)}
    assert against(cast, outside) == []


def test_what_nobody_may_do_alone_is_a_warning() -> None:
    """Without a release tool nobody records deployments."""
    cast = tuple(member for member in FEW if member.id != "bot")

    found = against(cast)

    assert {code for code, _ in found} == {Code.NOBODY_HOLDS}
    assert any("deployment.record" in message for _, message in found)


def test_no_one_is_counted_who_could_not_sign() -> None:
    """Admins, suspended accounts and those without a key have seats that sign nothing."""
    world = World.found()

    signing = {
        member.person.removeprefix("persons/")
        for member in members_of(world.policy, world.state, world.now)
        if any(seat.signs and world.policy.roles[seat.role].approves for seat in member.seats)
    }

    assert signing == {"owner-a", "owner-b", "owner-of-m", "reviewer-a", "reviewer-b", "both", "everything-but-admin"}
    assert list(check_against(load_pack(files(SKETCH)), ())) != []
