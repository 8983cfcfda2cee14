"""The reviewed file is read as strictly as a policy pack: what people reviewed is what is founded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interlock.service.genesis.plan import PlanError
from interlock.service.genesis.reviewed import read_reviewed

if TYPE_CHECKING:
    from pathlib import Path

GOOD = b'format: 1\npolicy: minimal\nprincipals:\n  - {id: rso, kind: human, person: jane, keys: {login: "%s"}}\n' % (
    b"3b" * 32
)


def test_a_good_one_is_read(tmp_path: Path) -> None:
    """The text that the others spoil."""
    (tmp_path / "g.yaml").write_bytes(GOOD)

    plan, pack = read_reviewed(tmp_path / "g.yaml")

    assert (plan.principals[0].id, pack) == ("rso", "minimal")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"[" * 100_000, id="nesting without end"),
        pytest.param(GOOD + b"# " + b"x" * (1 << 20), id="too large"),
        pytest.param(GOOD.replace(b"policy", b"&a policy"), id="an anchor"),
        pytest.param(GOOD + b"policy: rsp-3\n", id="a key twice"),
        pytest.param(GOOD + b"---\n" + GOOD, id="a second document"),
        pytest.param(b"\xff\xfe" + GOOD, id="not UTF-8"),
        pytest.param(GOOD.replace(b"jane", b"ja\xe2\x80\xaene"), id="a character nobody sees"),
        pytest.param(b"- format: 1\n", id="a list"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_nobody_could_have_reviewed_is_refused(text: bytes, tmp_path: Path) -> None:
    """In words that name the file; the interpreter's own limits are never met."""
    (tmp_path / "g.yaml").write_bytes(text)

    with pytest.raises(PlanError, match=r"g\.yaml"):
        read_reviewed(tmp_path / "g.yaml")
