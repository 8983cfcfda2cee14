"""Where ruamel.yaml 0.19 is narrower than YAML 1.2: legal text that people write, and that its scanner refuses.

- A tab between tokens, before a comment or on a blank line, is white space as a space is (section 6.2), as long as it
  does not indent.
- In a flow mapping a key and its colon may stand on different lines (section 7.4.2).

Not mended: a tab right after ``- ``, where it could be read as indentation. It is refused, with its place.
"""

from __future__ import annotations

from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.scanner import Scanner

_BLANK: Final = " \t"
_ENDS: Final = "#\n\0"
_LONGEST_KEY: Final = 1024


class _Scanner(Scanner):
    """The scanner with the two differences above."""

    def scan_to_next_token(self) -> Any:  # noqa: ANN401 - the base class's signature
        super().scan_to_next_token()
        while self.reader.peek() == "\t" and self._separates():
            while self.reader.peek() in _BLANK:
                self.reader.forward()
            super().scan_to_next_token()

    def _separates(self) -> bool:
        """Say whether the tab that comes next is mere white space: after a token, or with nothing behind it."""
        ahead = 1
        while self.reader.peek(ahead) in _BLANK:
            ahead += 1
        return not self.allow_simple_key or self.reader.peek(ahead) in _ENDS

    def stale_possible_simple_keys(self) -> None:
        kept = {
            level: key
            for level, key in self.possible_simple_keys.items()
            if level and self.flow_context[level - 1] == "{" and self.reader.index - key.index <= _LONGEST_KEY
        }
        for level in kept:
            del self.possible_simple_keys[level]
        super().stale_possible_simple_keys()
        self.possible_simple_keys.update(kept)


def new_parser() -> YAML:
    """Return a parser of one text; it keeps state, so it is of no use for a second."""
    parser = YAML(typ="safe", pure=True)
    parser.Scanner = _Scanner
    return parser
