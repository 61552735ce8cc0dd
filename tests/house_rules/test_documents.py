"""Documents are checked against the code: links, commands, settings, audit acts, run states, the policy file, the version."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
from pydantic import BaseModel, SecretStr
from ruamel.yaml import YAML

from tests.house_rules.repository import ROOT, files_like, functions, project, text

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)[^)]*\)")
HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# `workflow-bot policy plan workflows.yml`: the words after the name, up to what cannot be a command's name.
COMMAND = re.compile(r"\bworkflow-bot((?: [a-z][a-z-]*)+)(?![\w.=-])")
CODE = re.compile(r"```.*?\n(.*?)```|`([^`\n]+)`", re.DOTALL)

PICTURE_LIMIT = 200_000  # bytes

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


def _commands(group: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The words of every command below a group, and the command."""
    if not isinstance(group, click.Group):
        yield words, group
        return
    for name in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), name)
        assert found is not None, name
        yield from _commands(found, (*words, name))


@pytest.fixture(scope="module")
def commands() -> dict[tuple[str, ...], click.Command]:
    from bot.cli import main

    return dict(_commands(main))


def _named_in_documents() -> Iterator[tuple[Path, tuple[str, ...]]]:
    for path in files_like("*.md"):
        for block, inline in CODE.findall(text(path)):
            for words in COMMAND.findall(block or inline):
                yield path, tuple(words.split())


def test_documents_name_only_commands_that_exist(commands: dict[tuple[str, ...], click.Command]) -> None:
    groups = {command[:length] for command in commands for length in range(1, len(command) + 1)}
    # A command's own arguments may follow its name, but what begins a line has to be a command or a group.
    unknown = {
        (str(path), words)
        for path, words in _named_in_documents()
        if words not in groups and not any(words[: len(command)] == command for command in commands)
    }
    assert unknown == set()


def test_every_command_has_a_row_that_names_each_of_its_options(
    commands: dict[tuple[str, ...], click.Command],
) -> None:
    lines = re.findall(r"^\| `workflow-bot ([^`]+)` \|(.*)$", text(Path("docs/commands.md")), re.MULTILINE)
    missing = []
    for words, command in commands.items():
        name = " ".join(words)
        row = next((f"{typed} {says}" for typed, says in lines if f"{typed} ".startswith(f"{name} ")), None)
        if row is None:
            missing.append(name)
            continue
        for option in (parameter for parameter in command.params if isinstance(parameter, click.Option)):
            if not any(
                re.search(rf"{word}\b", row) for word in (*option.opts, *option.secondary_opts) if word[:2] == "--"
            ):
                missing.append(f"{name} {option.opts[-1]}")
    assert missing == []


def _settings() -> set[str]:
    from bot.settings import Settings

    return {field.alias or name.upper() for name, field in Settings.model_fields.items()}


def test_the_page_on_settings_has_a_row_for_each_and_for_no_other() -> None:
    rows = re.findall(r"^\|\s*`([A-Z][A-Z0-9_]*)`", text(Path("docs/settings.md")), re.MULTILINE)
    assert sorted(rows) == sorted(_settings())


def _first_cells(page: str) -> list[str]:
    """What stands as code in the first cell of each row of each table on a page."""
    return re.findall(r"^\|\s*`([^`]+)`", text(Path(page)), re.MULTILINE)


def test_a_setting_is_said_to_be_secret_where_it_is_and_nowhere_else() -> None:
    from bot.settings import Settings

    secret = {field.alias for field in Settings.model_fields.values() if field.annotation is SecretStr}
    said = set(re.findall(r"^\| `([A-Z_]+)` \| Secret[.,]", text(Path("docs/settings.md")), re.MULTILINE))
    assert said == secret


def test_the_page_on_settings_gives_the_defaults_that_count() -> None:
    from bot.settings import Settings

    rows = dict(
        re.findall(r"^\| `([A-Z_]+)` \|[^|]*\| *`?([^`|]*?)`? *\|", text(Path("docs/settings.md")), re.MULTILINE)
    )
    for field in Settings.model_fields.values():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        assert rows[field.alias or ""] == str(default or ""), field.alias


def test_every_audit_act_is_documented_with_an_example_that_has_its_facts_and_no_other() -> None:
    from bot.domain.audit import VERSION, Act
    from bot.domain.facts import FACTS, RESERVED

    page = text(Path("docs/audit-acts.md"))
    parts = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    assert sorted(part.splitlines()[0] for part in parts) == sorted(Act)
    for part in parts:
        act, facts = part.splitlines()[0], FACTS[part.splitlines()[0]]
        example = json.loads(re.findall(r"```json\n(.*?)```", part, re.DOTALL)[0])
        assert (example["act"], example["v"]) == (act, VERSION)
        assert RESERVED - {"hash", "canonical"} <= set(example), act
        assert facts.fault(set(example) - RESERVED) == "", act
        assert set(re.findall(r"\*(\w+)\*", part)) == facts.may, act


def test_every_metric_is_documented_with_its_type_and_labels_and_no_other() -> None:
    from prometheus_client import CollectorRegistry

    from bot.metrics.families import PREFIX, Counted, Measured
    from bot.metrics.heard import HeardCollector
    from bot.slack.heard import Heard

    registry = CollectorRegistry()
    registry.register(HeardCollector(Heard()))
    metrics = [*vars(Counted(registry)).values(), *vars(Measured(registry)).values()]
    of = {metric._name: metric._labelnames for metric in metrics}
    real = set()
    for family in registry.collect():
        name = family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
        real.add((name, family.type, of.get(family.name, ())))
    page = text(Path("docs/observability.md"))
    rows = re.findall(rf"^\| `({PREFIX}_\w+)` \| (\w+) \|([^|]*)\| \S", page, re.MULTILINE)
    told = {(name, kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert told == real


def test_every_check_of_doctor_is_documented_and_no_other() -> None:
    from bot.cli.doctor.findings import Area, Check

    assert sorted(_first_cells("docs/doctor.md")) == sorted(Check)
    assert re.findall(r"^## `(.*)`$", text(Path("docs/doctor.md")), re.MULTILINE) == list(Area)


def test_every_subcommand_is_documented_and_no_other() -> None:
    from bot.slack.ids import COMMAND, Subcommand

    typed = [cell for cell in _first_cells("docs/commands.md") if cell.split()[0] == COMMAND]
    assert sorted(cell.split()[1] for cell in typed if cell != COMMAND) == sorted(Subcommand)


def test_every_run_state_is_documented_and_the_diagram_shows_each_legal_move_and_no_other() -> None:
    from bot.domain.runs import State, may_follow

    page = text(Path("docs/architecture.md"))
    assert sorted(cell for cell in _first_cells("docs/architecture.md") if "/" not in cell) == sorted(State)
    diagram = re.search(r"```mermaid\nstateDiagram-v2\n(.*?)```", page, re.DOTALL)
    assert diagram
    drawn = set(re.findall(r"^  (\w+) --> (\w+)$", diagram[1], re.MULTILINE))
    legal = {
        (before.replace(" ", "_"), after.replace(" ", "_"))
        for before in State
        for after in State
        if may_follow(before, after)
    }
    assert drawn == legal


def test_every_field_of_the_policy_file_is_documented_and_no_other() -> None:
    from bot.policy_file import schema

    models = [one for name, one in vars(schema).items() if isinstance(one, type) and issubclass(one, BaseModel)]
    fields = [info.alias or name for model in models for name, info in model.model_fields.items()]
    assert len(fields) > len(schema.PolicyFields.model_fields)
    assert sorted(_first_cells("docs/policy.md")) == sorted(fields)


def test_the_first_example_of_the_policy_page_passes_its_own_tests() -> None:
    from bot.cli.policy import failing_examples
    from bot.policy_file.compile import compile_policy
    from bot.policy_file.reader import parse_policy

    source = parse_policy(_policies()[0], "docs/policy.md")
    assert source.fields.tests
    assert failing_examples(source, compile_policy(source, None)) == []


def test_each_example_of_the_policy_page_is_a_valid_policy_for_the_bot_and_for_an_editor_with_the_schema() -> None:
    from bot.policy_file.compile import compile_policy
    from bot.policy_file.reader import parse_policy
    from bot.policy_file.schema import policy_schema

    for example in _policies():
        compile_policy(parse_policy(example, "docs/policy.md"), None)
        yaml = YAML(typ="safe", pure=True)
        yaml.constructor.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)
        jsonschema.validate(json.loads(json.dumps(yaml.load(example))), policy_schema())


def _policies() -> list[str]:
    found = re.findall(r"```yaml\n(.*?)```", text(Path("docs/policy.md")), re.DOTALL)
    assert found
    return found


def test_the_page_on_durability_has_every_time_of_the_lifecycle_as_it_is_and_no_other() -> None:
    from bot.use_cases import pace

    rows = re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", text(Path("docs/durability.md")), re.MULTILINE)
    told = {name: [_number(part) for part in value.split(", ")] for name, value in rows}
    real = {name: _numbers(value) for name, value in vars(pace).items() if name.isupper()}
    assert told == real


def _numbers(value: Any) -> list[float]:
    if isinstance(value, timedelta):
        return [value.total_seconds()]
    return list(value) if isinstance(value, tuple) else [value]


def _number(words: str) -> float:
    """`15 min` in seconds; `20` as it is."""
    number, _, unit = words.partition(" ")
    return float(number) * {"": 1, "s": 1, "min": 60, "h": 3600}[unit]


def test_the_page_on_installing_says_what_each_scope_and_event_is_for() -> None:
    manifest = YAML(typ="safe").load(text(Path("manifest.yml")))
    page = text(Path("docs/install.md"))
    asked = [*manifest["oauth_config"]["scopes"]["bot"], *manifest["settings"]["event_subscriptions"]["bot_events"]]
    assert [one for one in asked if f"`{one}`" not in page] == []


def test_every_threat_has_a_test_that_is_there() -> None:
    page = text(Path("docs/security.md")).split("## Threats", 1)[1]
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| threat")]
    assert len(rows) > 20
    named = {row: re.findall(r"`(tests/[\w/.]+)::(\w+)`", row.split("|")[3]) for row in rows}
    assert [row for row, tests in named.items() if not tests] == []
    missing = [
        f"{file}::{test}"
        for tests in named.values()
        for file, test in tests
        if not (ROOT / file).is_file() or test not in {function.name for function in functions(Path(file))}
    ]
    assert missing == []


def test_every_decision_is_linked_from_the_page_on_architecture() -> None:
    page = text(Path("docs/architecture.md"))
    assert [str(path) for path in files_like("docs/decisions/*.md") if f"decisions/{path.name}" not in page] == []


def test_pictures_are_small() -> None:
    pictures = files_like("docs/*.png")
    assert pictures
    assert [str(path) for path in pictures if (ROOT / path).stat().st_size > PICTURE_LIMIT] == []


def test_the_change_log_has_an_entry_for_this_version() -> None:
    versions = re.findall(r"^## \[([^\]]+)\]", text(Path("CHANGELOG.md")), re.MULTILINE)
    assert versions[:2] == ["Unreleased", project()["version"]]
