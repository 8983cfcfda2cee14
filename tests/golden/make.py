"""Makes this version's golden bundle and its key: `python -m tests.golden.make`.

Until the first release it is made anew whenever rules or formats change. From then on each released version's bundle is
frozen, and every later version must verify it.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args, get_origin, get_type_hints

from interlock.statemachine import resources as r
from interlock.statemachine import snapshot
from tests.support import rekeyed, rotated
from tests.support.bundles import VKEY, trust_in
from tests.support.parted import a_range, a_selection, story
from tests.support.stories import whole_bundle, whole_trust

FORMS: Final = "unreleased.forms"
FOLDER: Final = Path(__file__).parent
NAME: Final = "unreleased"


def some(hint: Any) -> Any:  # noqa: ANN401  # any type that a field of a resource has
    """Return a value of a field's type, the same each time."""
    plain = {str: "word", int: 7, bool: True, bytes: b"\x01\xff"}
    if hint in plain:
        return plain[hint]
    arguments = [argument for argument in get_args(hint) if argument not in {Ellipsis, NoneType}]
    if get_origin(hint) is tuple:
        return tuple(some(argument) for argument in arguments)
    return some(arguments[0]) if arguments else a_resource(hint)


def a_resource(kind: Any) -> Any:  # noqa: ANN401  # a resource, or a part of one
    """Return a resource with something in every field."""
    hints = get_type_hints(kind)
    return kind(**{item.name: some(hints[item.name]) for item in fields(kind)})


def forms() -> str:
    """Return one resource of each kind in its canonical form, a line each: state digests are over these bytes."""
    return "".join(snapshot.encode(a_resource(kind)).decode("ascii") + "\n" for kind in get_args(r.Resource))


def main() -> None:
    """Write a bundle of each kind, and of logs with another key; keys, foundings' digests, the canonical forms."""
    for kind, part in (("range", a_range()), ("selective", a_selection())):
        (FOLDER / f"{NAME}-{kind}.ilbundle").write_bytes(part.data)
        (FOLDER / f"{NAME}-{kind}.pub").write_text(f"{VKEY}\n", "ascii")
        (FOLDER / f"{NAME}-{kind}.genesis").write_text(f"{trust_in(story()[0]).genesis_digest.hex()}\n", "ascii")
    (FOLDER / f"{NAME}-rekeyed.ilbundle").write_bytes(rekeyed.whole().data)
    (FOLDER / f"{NAME}-rekeyed.pub").write_text(f"{VKEY}\n", "ascii")
    (FOLDER / f"{NAME}-rekeyed.genesis").write_text(f"{trust_in(rekeyed.rekeyed()[0]).genesis_digest.hex()}\n", "ascii")
    (FOLDER / f"{NAME}-rotated.ilbundle").write_bytes(rotated.whole().data)
    (FOLDER / f"{NAME}-rotated.pub").write_text(f"{VKEY}\n", "ascii")
    (FOLDER / f"{NAME}-rotated.genesis").write_text(f"{trust_in(rotated.rotated()[0]).genesis_digest.hex()}\n", "ascii")
    (FOLDER / FORMS).write_text(forms(), "ascii")
    (FOLDER / f"{NAME}.ilbundle").write_bytes(whole_bundle().data)
    (FOLDER / f"{NAME}.pub").write_text(f"{VKEY}\n", "ascii")
    (FOLDER / f"{NAME}.genesis").write_text(f"{whole_trust().genesis_digest.hex()}\n", "ascii")


if __name__ == "__main__":
    main()
