"""Pages of a listing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.service.api.pages import MAX_BYTES, page_of, past
from interlock.service.errors import Invalid
from interlock.v1 import hold_pb2


def request_of(**fields: object) -> hold_pb2.ListHoldsRequest:
    """Return some listing's request."""
    return hold_pb2.ListHoldsRequest(**fields)  # type: ignore[arg-type]  # fields of the message


@pytest.mark.parametrize(("asked", "given"), [(0, 100), (1, 1), (1000, 1000)])
def test_the_size_is_what_was_asked_or_the_default(asked: int, given: int) -> None:
    """No size means a hundred."""
    assert page_of(request_of(page_size=asked)).size == given


@given(st.integers(0, 30), st.integers(1, 7))
def test_pages_together_are_the_listing(count: int, size: int) -> None:
    """Going from token to token gives every item once, in order, and then no token."""
    items = [str(number) for number in range(count, 0, -1)]
    seen: list[str] = []
    token = ""

    while True:
        page = page_of(request_of(page_size=size, page_token=token))
        below = page.number_after()
        chosen, token = page.cut((item for item in items if below is None or int(item) < below), str)
        seen += chosen
        if not token:
            break

    assert seen == items


@given(st.text(max_size=60))
def test_what_was_never_given_out_is_refused(token: str) -> None:
    """Any made-up token is a malformed field, whatever its characters."""
    if token:
        with pytest.raises(Invalid):
            page_of(request_of(page_token=token))


def test_a_token_that_was_changed_is_refused() -> None:
    """Every single character of a token counts."""
    token = page_of(request_of(page_size=1)).token("41")

    for index in range(len(token)):
        other = "A" if token[index] != "A" else "B"
        with pytest.raises(Invalid):
            page_of(request_of(page_token=token[:index] + other + token[index + 1 :]))


def test_a_token_goes_with_its_question() -> None:
    """Another filter is another listing; another page size is not."""
    token = page_of(request_of(model="models/a")).token("41")

    assert page_of(request_of(model="models/a", page_size=7, page_token=token)).after == "41"
    with pytest.raises(Invalid):
        page_of(request_of(model="models/b", page_token=token))


def test_a_key_that_is_no_number_is_refused() -> None:
    """A listing by number does not take another listing's key."""
    token = page_of(request_of()).token("models/a")

    with pytest.raises(Invalid):
        page_of(request_of(page_token=token)).number_after()


def test_an_order_that_lost_its_place_says_so() -> None:
    """Where the policy's order has changed meanwhile, the caller begins again."""
    assert past(["a", "b", "c"], "b") == ["c"]
    with pytest.raises(Invalid):
        past(["a", "c"], "b")


def test_a_page_ends_before_it_is_too_large_to_send() -> None:
    """What fits into one answer is given, and the token goes on after it."""
    page = page_of(request_of())
    holds = [hold_pb2.Hold(name=f"holds/{number}", reason="x" * (MAX_BYTES // 3)) for number in (4, 3, 2, 1)]

    messages, token = page.fit(holds, "", lambda hold: hold.name)

    assert [hold.name for hold in messages] == ["holds/4", "holds/3"]
    assert token == page.token("holds/3")


def test_a_page_has_at_least_one_item() -> None:
    """One item that is larger than a page is given alone."""
    page = page_of(request_of())
    large = [hold_pb2.Hold(name="holds/2", reason="x" * (MAX_BYTES + 1)), hold_pb2.Hold(name="holds/1")]

    messages, token = page.fit(large, "", lambda hold: hold.name)

    assert (len(messages), bool(token)) == (1, True)
