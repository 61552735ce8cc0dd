"""Documents are checked against the code: links, commands, settings and the version."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.house_rules.repository import ROOT, files_like, project, text

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)[^)]*\)")
HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# `workflow-bot policy plan workflows.yml`: the words after the name, up to what cannot be a command's name.
COMMAND = re.compile(r"\bworkflow-bot((?: [a-z][a-z-]*)+)(?![\w.=-])")
CODE = re.compile(r"```.*?\n(.*?)```|`([^`\n]+)`", re.DOTALL)

markdown = pytest.mark.parametrize("path", files_like("*.md"), ids=str)


def _anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = HEADING.findall(FENCED.sub("", text(path)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@markdown
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    broken = []
    for link in LINK.findall(FENCED.sub("", text(path))):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (ROOT / path).parent / target if target else ROOT / path
        heading = anchor and file.suffix == ".md"
        if not file.exists() or (heading and anchor not in _anchors(file.resolve().relative_to(ROOT))):
            broken.append(link)
    assert broken == []


def _commands(group: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command below a group."""
    if not isinstance(group, click.Group):
        yield words
        return
    for name in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), name)
        assert found is not None, name
        yield from _commands(found, (*words, name))


@pytest.fixture(scope="module")
def commands() -> set[tuple[str, ...]]:
    from bot.cli import main

    return set(_commands(main))


def _named_in_documents() -> Iterator[tuple[Path, tuple[str, ...]]]:
    for path in files_like("*.md"):
        for block, inline in CODE.findall(text(path)):
            for words in COMMAND.findall(block or inline):
                yield path, tuple(words.split())


def test_documents_name_only_commands_that_exist(commands: set[tuple[str, ...]]) -> None:
    groups = {command[:length] for command in commands for length in range(1, len(command) + 1)}
    # A command's own arguments may follow its name, but what begins a line has to be a command or a group.
    unknown = {
        (str(path), words)
        for path, words in _named_in_documents()
        if words not in groups and not any(words[: len(command)] == command for command in commands)
    }
    assert unknown == set()


def test_every_command_is_documented(commands: set[tuple[str, ...]]) -> None:
    documents = "\n".join(text(path) for path in files_like("README.md", "docs/*.md"))
    assert [" ".join(words) for words in sorted(commands) if f"workflow-bot {' '.join(words)}" not in documents] == []


def _settings() -> set[str]:
    from bot.settings import Settings

    return {field.alias or name.upper() for name, field in Settings.model_fields.items()}


def test_the_page_on_settings_has_a_row_for_each_and_for_no_other() -> None:
    rows = re.findall(r"^\|\s*`([A-Z][A-Z0-9_]*)`", text(Path("docs/settings.md")), re.MULTILINE)
    assert sorted(rows) == sorted(_settings())


def test_the_change_log_has_an_entry_for_this_version() -> None:
    versions = re.findall(r"^## \[([^\]]+)\]", text(Path("CHANGELOG.md")), re.MULTILINE)
    assert versions[:2] == ["Unreleased", project()["version"]]
