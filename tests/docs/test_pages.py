"""What the pages say is there: commands, options, make targets, files, pictures, reference pages."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from typer.main import get_command

from interlock.cli.help import real_commands
from interlock.cli.main import build
from interlock.service.commands import init_app, serve_app
from ops import make_diagrams, make_reference
from tests.docs.pages import PAGES, ROOT, blocks, commands, links

if TYPE_CHECKING:
    from pathlib import Path


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    """A link to something in the repository names a file or folder that is there."""
    missing = [link for link in links(page) if not (page.parent / link).exists()]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_command_and_option_that_a_page_shows_exists(page: Path) -> None:
    """Each `interlock` command in a page's blocks is declared, and so is each option that it is given."""
    unknown = [" ".join(words) for words in commands(page) if not _declared(words[1:])]

    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    """`make X` in a page names a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    shell = "\n".join(block.text for block in blocks(page) if block.language == "sh")
    named = set(re.findall(r"`make ([a-z-]+)[^`]*`", page.read_text("utf-8"))) | set(
        re.findall(r"^make ([a-z-]+)", shell, re.MULTILINE)
    )

    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_source_file_that_a_page_names_exists(page: Path) -> None:
    """A path under a source root, in code marks, is there."""
    named = re.findall(r"`((?:proto|statemachine|service|clients|tests|ops|docs)/[\w./-]+)`", page.read_text("utf-8"))

    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_pictures_are_those_of_the_tables() -> None:
    """The diagrams in the README and in docs/machines.md are what ops/make_diagrams.py draws now."""
    assert list(make_diagrams.stale_pages()) == []


def test_the_reference_is_that_of_the_code() -> None:
    """docs/reference is what ops/make_reference.py writes now."""
    assert list(make_reference.stale_pages()) == []


def _declared(words: list[str]) -> bool:
    """Say whether words after `interlock` name a command and only options that it has."""
    command = _program()
    joined = {"init": init_app, "serve": serve_app}
    options = set(_options(command))
    for word in words:
        if word.startswith("-"):
            continue
        if hasattr(command, "commands") and word in command.commands:
            command = _below(command)[word]
        elif word in joined and hasattr(command, "commands"):
            command = get_command(joined[word])
        options |= _options(command)
    given = {word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)}
    return not hasattr(command, "commands") and given <= options | {"--help"}


@cache
def _below(group: Any) -> dict[str, Any]:  # noqa: ANN401  # typer's own, vendored types
    """Return a group's commands; each is built once, not for every line of every page."""
    return dict(real_commands(group))


@cache
def _program() -> Any:  # noqa: ANN401  # as above
    return get_command(build())


def _options(command: Any) -> set[str]:  # noqa: ANN401  # typer's own, vendored types
    return {option for parameter in command.params for option in parameter.opts if option.startswith("-")}
