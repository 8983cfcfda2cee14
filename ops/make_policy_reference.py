"""Write docs/reference/policy-pack.md and policy-pack.schema.json from the typed shapes of a pack.

Neither is edited by hand: keys, types and defaults come from ``schema.py``, words from ``meaning.py``, triggers and
rights from their tables. ``ops/make_reference.py`` writes them with the other pages; a test fails on drift.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from interlock.statemachine.policy.findings import Severity
from interlock.statemachine.policy.meaning import SECTIONS, json_schema
from interlock.statemachine.policy.vocabulary import COMMON_EVIDENCE_KINDS
from interlock.statemachine.rights import BUILT_IN_ROLES, GROUPS, OTHER_RIGHTS
from interlock.statemachine.triggers import DIRECTIONS, LOOSENS_WHERE, RESERVED, Direction, Trigger

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "reference" / "policy-pack.md"
SCHEMA: Final = ROOT / "docs" / "reference" / "policy-pack.schema.json"

_HEAD: Final = """\
<!-- made by ops/make_policy_reference.py; not edited by hand -->

# Policy packs

Every key of `policy.yaml`. [The tutorial](../policy-tutorial.md) goes from a shipped pack to one of your own;
`interlock policy lint PACK` says what is wrong with it, with line, column and what to write instead.

A pack is YAML 1.2 in any style: block or flow, plain or quoted, with comments. Refused are anchors, aliases, tags,
merge keys, `%` directives, a second document, equal keys, empty values, tabs that indent, lines that don't end with LF
alone, text that is not UTF-8 in normal form C or that can't be seen, files past 1 MiB, collections nested past sixteen.

An editor that knows JSON Schema completes and checks keys with [policy-pack.schema.json](policy-pack.schema.json); put
`# yaml-language-server: $schema=…` with its address on the first line.

| form | what is written |
|---|---|
| name | a small letter, then up to 62 small letters, digits, `.`, `_` or `-` |
| text | one line, up to 300 characters |
| version | small letters, digits, `.`, `_`, `-`; in quotes where it looks like a number |
| duration | a whole number and `s`, `m`, `h` or `d`, exact: `90d` is 90 × 24 hours |
| flag | `true` or `false` |
"""
_FORMS: Final = {
    "^[a-z][a-z0-9._-]{0,62}$": "name",
    "^[0-9a-z][0-9a-z._-]{0,62}$": "version",
    "^([1-9][0-9]{0,6})([smhd])$": "duration",
}
_ARROWS: Final = {Direction.LOOSENS: "↑", Direction.TIGHTENS: "↓", Direction.NEUTRAL: "="}


def pages() -> dict[Path, str]:
    """Return what each file should hold."""
    schema = json_schema()
    return {PAGE: page(schema), SCHEMA: json.dumps(schema, indent=2, ensure_ascii=False) + "\n"}


def page(schema: dict[str, Any]) -> str:
    """Return the reference page."""
    shapes = {"PackShape": schema} | schema["$defs"]
    parts = [_HEAD, *(_section(name, shapes[name]) for name in SECTIONS), _triggers(), _rights(), _kinds(), _findings()]
    return "\n".join(parts)


def _section(name: str, shape: dict[str, Any]) -> str:
    title, where = SECTIONS[name]
    required = shape.get("required", ())
    rows = [
        f"| `{key}` | {_form(value)} | {_need(key, value, required)} | {value['description']} |"
        for key, value in shape["properties"].items()
    ]
    return (
        "\n".join((f"## {title}\n\n{where}\n\n| key | form | without it | meaning |\n|---|---|---|---|", *rows)) + "\n"
    )


def _need(key: str, value: dict[str, Any], required: tuple[str, ...]) -> str:
    if key in required:
        return "needed"
    default = value.get("default")
    if default is None or default in ([], {}):
        return {"decision_lasts": "`15m`", "changes_expire_after": "`14d`", "applies_in": "`all`"}.get(key, "–")
    return f"`{json.dumps(default)}`" if isinstance(default, bool) else f"`{default}`"


def _form(value: dict[str, Any]) -> str:
    if "anyOf" in value:
        return " or ".join(_form(form) for form in value["anyOf"])
    if "$ref" in value:
        title = SECTIONS[value["$ref"].rpartition("/")[2]][0]
        return f"[{title[0].lower()}{title[1:]}](#{title.lower().replace(' ', '-')})"
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return " or ".join(f"`{word}`" for word in value["enum"])
    match value["type"]:
        case "string":
            return _FORMS.get(value.get("pattern", ""), "text")
        case "boolean":
            return "flag"
        case "array":
            return f"list of {_form(value['items'])}"
        case "object":
            inner = value.get("additionalProperties") or next(iter(value["patternProperties"].values()))
            return f"mapping: name to {_form(inner)}"
        case "integer":
            return f"{value['minimum']} to {value['maximum']}"
        case _:
            return "a factor above 1"


def _triggers() -> str:
    rows = [f"| `{t.value}` | {_direction(t)} | {_where(t)} |" for t in DIRECTIONS]
    rows += [
        f"| `{r.name}` | {_ARROWS[r.direction]} | may be named today, and nothing fires it yet |"
        for r in RESERVED.values()
    ]
    return (
        "## Triggers\n\n↑ may loosen, and happens only in a change that met its rule: its own, or the default. ↓ only "
        "tightens: one person\nwith the right, at once; no rule may name it. = moves no verdict: one person, unless a "
        "rule names it.\n\n| trigger | direction | |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def _direction(trigger: Trigger) -> str:
    plain = _ARROWS[DIRECTIONS[trigger]]
    return f"{plain} or ↑" if trigger in LOOSENS_WHERE else plain


def _where(trigger: Trigger) -> str:
    return f"↑ where {LOOSENS_WHERE[trigger]}" if trigger in LOOSENS_WHERE else ""


def _rights() -> str:
    groups = [f"| `{name}` | {_listed(rights)} |" for name, rights in GROUPS.items()]
    roles = [f"| `{name}` | {_listed(rights)} |" for name, rights in BUILT_IN_ROLES.items()]
    return (
        "## Rights\n\nWhat `may:` can name: every trigger of ↓ or =, and "
        f"{_listed(OTHER_RIGHTS)}. Some words stand for several:\n\n| word | rights |\n|---|---|\n"
        + "\n".join(groups)
        + "\n\nThe built-in roles:\n\n| role | may |\n|---|---|\n"
        + "\n".join(roles)
        + "\n"
    )


def _kinds() -> str:
    known = _listed(COMMON_EVIDENCE_KINDS)
    return f"## Kinds of evidence\n\nKnown to every pack: {known}. `evidence_kinds:` adds to them.\n"


def _findings() -> str:
    words = " or ".join(f"`{severity.value}`" for severity in Severity)
    return (
        f"## What a lint says\n\nA finding is {words}; clean is a pack without the first two. Each has a stable code, "
        "and the shortest\nsequence of calls that shows it. "
        "[Decision 0047](../decisions/0047-what-a-lint-proves-and-on-what.md) says what is proven.\n"
    )


def _listed(words: frozenset[str]) -> str:
    return ", ".join(f"`{word}`" for word in sorted(words))
