"""Writes a value as YAML 1.2 in a hand that a die chooses: block or flow, any quotes, folds, comments, indentation.

Knows nothing of how packs are read. What it writes is legal by the specification (1.2.2), section numbers beside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./'-]*(?: [A-Za-z0-9_./'-]+)*")
_NOT_TEXT: Final = frozenset({"true", "false", "null", "yes", "no"})


@dataclass(frozen=True, slots=True)
class Hand:
    """Somebody who writes YAML."""

    die: Random

    def write(self, value: dict[str, Any]) -> str:
        """Return a whole document (9.1)."""
        start = self.die.choice(["", "---\n", "--- # here\n", "\n# a pack\n\n", "---\n\n"])
        end = self.die.choice(["", "", "...\n", "# the end\n", "\n\n"])
        body = self._block_map(value, 0)
        return start + (body if end or self.die.random() < 0.7 else body.removesuffix("\n")) + end

    # Block style (8) -------------------------------------------------------------------------------------------------

    def _block(self, value: Any, indent: int) -> str:  # noqa: ANN401 - any value of a pack
        return self._block_map(value, indent) if isinstance(value, dict) else self._block_list(value, indent)

    def _block_map(self, value: dict[str, Any], indent: int) -> str:
        return "".join(self._entry(key, item, indent) + self._gap(indent) for key, item in value.items())

    def _entry(self, key: str, item: Any, indent: int) -> str:  # noqa: ANN401 - as above
        pad, name = " " * indent, self._key(key)
        lead = f"{pad}? {name}\n{pad}:" if self.die.random() < 0.1 else f"{pad}{name}{self._white(0)}:"
        if _is_open(item) and self.die.random() < 0.6:
            more = 0 if isinstance(item, list) and self.die.random() < 0.4 else self.die.randint(1, 4)
            return f"{lead}{self._comment()}\n{self._block(item, indent + more)}"
        return lead + self._value(item, indent)

    def _block_list(self, value: Sequence[Any], indent: int) -> str:
        return "".join(self._item(item, indent) + self._gap(indent) for item in value)

    def _item(self, item: Any, indent: int) -> str:  # noqa: ANN401 - as above
        pad = " " * indent
        if _is_open(item) and self.die.random() < 0.6:
            spaces = self.die.randint(1, 3)
            inner = self._block(item, indent + 1 + spaces)
            if self.die.random() < 0.7:  # compact (8.2.1, 8.2.2)
                return f"{pad}-{' ' * spaces}{inner[indent + 1 + spaces :]}"
            return f"{pad}-{self._comment()}\n{inner}"
        return f"{pad}-{self._value(item, indent)}"

    def _value(self, item: Any, indent: int) -> str:  # noqa: ANN401 - as above
        """Return what follows a colon or a dash, to the end of the line and past it."""
        if isinstance(item, str) and self.die.random() < 0.15:
            return self._block_scalar(item, indent)
        text = self._flow(item, indent + 1, inside=False)
        if self.die.random() < 0.1:
            return f"{self._comment()}\n{' ' * (indent + self.die.randint(1, 3))}{text}{self._comment()}\n"
        return f" {text}{self._comment()}\n"

    def _block_scalar(self, text: str, indent: int) -> str:
        """Literal or folded (8.1.2, 8.1.3), with or without an indentation indicator, stripped."""
        more = self.die.randint(1, 4)
        style = self.die.choice("|>")
        header = f" {style}" + self.die.choice(["-", f"{more}-", f"-{more}"]) + self.die.choice(["", " # text"])
        pad = " " * (indent + more)
        folded = text.replace(" ", f"\n{pad}", 1) if style == ">" and _PLAIN.fullmatch(text) else text
        return f"{header}\n{pad}{folded}\n"

    # Flow style (7) --------------------------------------------------------------------------------------------------

    def _flow(self, value: Any, indent: int, *, inside: bool) -> str:  # noqa: ANN401 - as above
        if isinstance(value, dict):
            pairs = [self._pair(key, item, indent) for key, item in value.items()]
            return self._brackets("{}", pairs, indent)
        if isinstance(value, list):
            return self._brackets("[]", [self._flow(item, indent, inside=True) for item in value], indent)
        return self._scalar(value, indent, inside=inside)

    def _pair(self, key: str, item: Any, indent: int) -> str:  # noqa: ANN401 - as above
        name = self._key(key)
        colon = ":" if name[0] in "'\"" and self.die.random() < 0.5 else ": "
        if self.die.random() < 0.1:
            name, colon = f"? {name}", " : "
        elif self.die.random() < 0.05:
            colon = f"{self._fold(indent)}: "
        return name + colon + self._flow(item, indent, inside=True)

    def _brackets(self, signs: str, items: list[str], indent: int) -> str:
        comma = self.die.choice([", ", ",", " , ", f",{self._fold(indent)}", ",\t"])
        last = self.die.choice(["", "", ",", " ", self._fold(indent)]) if items else ""
        first = self.die.choice(["", "", " ", self._fold(indent)])
        return f"{signs[0]}{first}{comma.join(items)}{last}{signs[1]}"

    def _fold(self, indent: int) -> str:
        return self._comment() + "\n" + " " * (indent + self.die.randint(0, 3))

    # Scalars ---------------------------------------------------------------------------------------------------------

    def _key(self, key: str) -> str:
        return self.die.choice([key, key, key, f"'{key}'", f'"{key}"', self._escaped(key)])

    def _scalar(self, value: Any, indent: int, *, inside: bool) -> str:  # noqa: ANN401 - as above
        if isinstance(value, bool):
            return self.die.choice([str(value).lower(), str(value), str(value).upper()])
        if isinstance(value, int | Decimal):
            return str(value)
        doubled, backslashed = value.replace("'", "''"), value.replace("\\", "\\\\").replace('"', '\\"')
        hands = [f"'{doubled}'", f'"{backslashed}"', self._escaped(value)]
        plain = _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT
        if plain:
            hands += [value] * 4
        if plain and " " in value:  # over two lines, in each of the three (7.3)
            broken = value.replace(" ", f"\n{' ' * indent}", 1)
            hands += ['"' + broken + '"', "'" + broken.replace("'", "''") + "'", broken]
        if plain and not inside:
            hands.append(f"{value} # it is")
        return str(self.die.choice(hands))

    def _escaped(self, text: str) -> str:
        """Return a text in double quotes with some characters as escapes (5.7)."""
        return '"' + "".join(self._character(character) for character in text) + '"'

    def _character(self, character: str) -> str:
        if character in '"\\':
            return "\\" + character
        ways = [character] * 6 + [f"\\u{ord(character):04x}", f"\\U{ord(character):08X}"]
        return self.die.choice([*ways, f"\\x{ord(character):02x}"] if ord(character) < 256 else ways)

    # Between tokens --------------------------------------------------------------------------------------------------

    def _white(self, least: int) -> str:
        return " " * least + self.die.choice(["", "", "", " "])

    def _comment(self) -> str:
        return self.die.choice(["", "", "", "", " # why", "   #", "\t# a tab before it", "\t", "  "])

    def _gap(self, indent: int) -> str:
        return self.die.choice(
            ["", "", "", "", "", "\n", f"{' ' * indent}# note\n", "# at the margin\n", f"{' ' * indent}\n"]
        )


def _is_open(item: Any) -> bool:  # noqa: ANN401 - as above
    return isinstance(item, dict | list) and bool(item)
