"""When the store counts as silent: what failed, what mends it, and how long nothing may be heard."""

from __future__ import annotations

from interlock.service.ledger.attention import LONGEST_SILENCE_SECONDS, LOOK_EVERY_SECONDS, Attention
from interlock.service.ledger.health import HEALTHY, UNREACHABLE, disagrees


class Seconds:
    """A count of seconds that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


def test_silence_is_not_health() -> None:
    """Nothing heard for longer than allowed is an unreachable store, until something is."""
    seconds = Seconds()
    attention = Attention(seconds)

    seconds.now += LONGEST_SILENCE_SECONDS
    assert attention.judged(HEALTHY) is HEALTHY
    seconds.now += 0.001
    assert attention.judged(HEALTHY) is UNREACHABLE
    attention.heard("", looked=False)
    assert attention.judged(HEALTHY) is HEALTHY


def test_a_commit_mends_a_commit_and_a_look_mends_both() -> None:
    """What a look found is not mended by a commit; what a commit failed with is mended by either."""
    attention = Attention(Seconds())

    attention.heard("no commit", looked=False)
    assert attention.judged(HEALTHY) is UNREACHABLE
    attention.heard("", looked=False)
    assert attention.judged(HEALTHY) is HEALTHY

    attention.heard("no file", looked=True)
    attention.heard("", looked=False)
    assert attention.judged(HEALTHY) is UNREACHABLE
    attention.heard("", looked=True)
    assert attention.judged(HEALTHY) is HEALTHY


def test_commits_do_not_put_a_look_off() -> None:
    """However much is written, the next look comes when it is due."""
    seconds = Seconds()
    attention = Attention(seconds)

    seconds.now += LOOK_EVERY_SECONDS
    attention.heard("", looked=False)
    assert attention.rest_seconds() <= 0
    attention.heard("", looked=True)
    assert attention.rest_seconds() == LOOK_EVERY_SECONDS


def test_worse_news_stays() -> None:
    """A log that contradicts itself is not made well by a store that answers."""
    broken = disagrees("it does")

    assert Attention(Seconds()).judged(broken) is broken
