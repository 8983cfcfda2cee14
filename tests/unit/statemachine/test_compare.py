"""What changed between two moments: whatever entries wrote between them, by model, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.statemachine import resources as r
from interlock.statemachine.compare import NOTHING, WHOLE_LOG, Moment, before_the_founding, compare, in_words
from tests.unit.ledger.story import tell


def moments(*positions: int) -> tuple[Moment, ...]:
    """Return the story's log after these entries."""
    world, states = tell()
    return tuple(Moment(at, states[at].time, states[at], world.policy) for at in positions)


def test_nothing_changes_at_one_moment() -> None:
    """A moment compared with itself has no differences."""
    (moment,) = moments(9)

    assert compare(moment, moment) == ()


def test_the_later_moment_comes_second() -> None:
    """The wrong way round is a mistake of the caller."""
    early, late = moments(3, 9)

    with pytest.raises(ValueError, match="after"):
        compare(late, early)


def test_the_later_moment_comes_second_with_no_entry_between() -> None:
    """Else what had ended in between would be told as if it had begun."""
    (moment,) = moments(9)

    with pytest.raises(ValueError, match="after"):
        compare(replace(moment, instant=moment.instant + 1), moment)


def test_every_resource_written_between_is_told_once_for_its_subject() -> None:
    """Positions lie past the first moment, and each resource written there is told with what it was."""
    early, late = moments(4, 12)

    found = compare(early, late)

    told = {row.resource for difference in found for row in difference.moved}
    assert told == {name for name, at in late.state.positions.items() if at > early.position}
    for difference in found:
        positions = [row.position for row in difference.moved]
        assert positions == sorted(positions)
        for row in difference.moved:
            known = early.state.items.get(row.resource)
            assert row.before == (in_words(known) if known else NOTHING)


def test_what_is_no_one_model_s_comes_last() -> None:
    """From before the founding: the people, the policy and the log itself are told after every model."""
    (late,) = moments(12)

    subjects = [row.subject for row in compare(before_the_founding(0), late)]

    assert subjects == [*sorted(subject for subject in subjects if subject), WHOLE_LOG]


def test_an_account_that_got_a_key_or_another_person_reads_otherwise() -> None:
    """Else a binding, a key or a link is told as `active → active`."""
    _, states = tell()
    account = next(item for item in states[-1].items.values() if isinstance(item, r.Principal) and item.credentials)
    others = (
        replace(account, credentials=account.credentials[1:]),
        replace(account, person="somebody-else"),
        replace(account, credentials=tuple(replace(key, state="revoked") for key in account.credentials)),
    )

    assert len({in_words(row) for row in (account, *others)}) == 1 + len(others)


def test_every_resource_of_the_story_has_words() -> None:
    """Nothing is without a phrase."""
    _, states = tell()

    assert all(in_words(item) for item in states[-1].items.values())
