"""`policy`: the rules, kept as a reviewed file."""

from __future__ import annotations

import getpass
from pathlib import Path

import click
from rich.progress import track

from bot import bootstrap
from bot.cli.output import load_settings, sentences, wait_for, words
from bot.domain.errors import DatadogError, InvalidPolicy, InvalidSettings
from bot.domain.policy import EVERYONE, decide
from bot.domain.workflows import WorkflowDefinition
from bot.policy_file.compile import Policy, compile_policy
from bot.policy_file.reader import PolicySource, read_policy
from bot.settings import Settings
from bot.use_cases.apply_policy import apply_policy

file_argument = click.argument("file", type=click.Path(path_type=Path), required=False)


@click.group()
def policy() -> None:
    """The rules: who may run what, where and with which values."""


@policy.command()
@file_argument
@sentences
def apply(file: Path | None) -> None:
    """Check FILE (default: POLICY_FILE) and make it the policy in force.

    Each workflow's inputs are read from Datadog where its keys are set; the file narrows and words them.
    """
    settings = load_settings()
    source = read_policy(file or settings.policy_file)
    compile_policy(source, None)  # what is wrong with the file by itself is told before Datadog is asked
    version, compiled = wait_for(_apply(settings, source))
    words.print(
        f"Applied {source.name} as version {version}:"
        f" {len(compiled.entries)} workflow(s), {len(source.fields.rules)} rule(s)."
    )


@policy.command()
@file_argument
@sentences
def test(file: Path | None) -> None:
    """Run the file's own `tests` and exit with 1 when one fails. Needs neither database nor Datadog."""
    settings = load_settings()
    source = read_policy(file or settings.policy_file)
    failures = failing_examples(source, compile_policy(source, None))
    if failures:
        raise InvalidPolicy("\n".join(failures))
    words.print(f"{len(source.fields.tests)} test(s) passed.")


def failing_examples(source: PolicySource, compiled: Policy) -> list[str]:
    """A line for each of the file's tests that the rules don't fulfil."""
    entries = {entry.name: entry for entry in compiled.entries}
    failures = []
    for number, example in enumerate(source.fields.tests):
        place = ("tests", number)
        entry = entries.get(example.run)
        if entry is None:
            failures.append(source.error((*place, "run"), f"no workflow is called “{example.run}”"))
            continue
        subjects = frozenset({example.who, EVERYONE})
        # An input that the file doesn't word is known to Datadog alone; the example's value for it counts all the same.
        values = {**example.with_, **entry.with_defaults(example.with_)}
        decision = decide(compiled.grants, subjects, entry, example.in_ or "", values)
        if decision.verdict.value != example.expect:
            rule = f" (rule {decision.rule})" if decision.rule else ""
            says = f"expected {example.expect}, the rules say {decision.verdict.value}: {decision.reason.value}{rule}"
            failures.append(source.error(place, says))
    return failures


async def _apply(settings: Settings, source: PolicySource) -> tuple[int, Policy]:
    definitions = await _definitions(settings, source)
    compiled = compile_policy(source, definitions)
    async with bootstrap.open_store(settings) as store:
        version = await apply_policy(
            compiled.entries,
            compiled.grants,
            digest=source.digest,
            source=source.text,
            applied_by=getpass.getuser(),
            store=store,
        )
    return version, compiled


async def _definitions(settings: Settings, source: PolicySource) -> dict[str, WorkflowDefinition]:
    """What Datadog says of the file's workflows; a warning for each that it says nothing of."""
    definitions: dict[str, WorkflowDefinition] = {}
    try:
        async with bootstrap.open_datadog(settings) as datadog:
            client = datadog[bootstrap.DEFAULT_ACCOUNT]
            names = track(
                source.fields.workflows.items(), "Reading workflows from Datadog", console=words, transient=True
            )
            for name, fields in names:
                try:
                    definition = await client.get_workflow(fields.id)
                except DatadogError as error:
                    _warn(source, name, f"not read from Datadog, the file's inputs are taken as they are. {error}")
                    continue
                definitions[name] = definition
                if not definition.published:
                    _warn(source, name, "not published in Datadog: it can't be run by API until it is.")
                elif not definition.has_api_trigger:
                    _warn(source, name, "has no API trigger in Datadog: add one, or it can't be run.")
    except InvalidSettings as error:
        words.print(
            f"Datadog was not asked, the file's inputs are taken as they are. {error}", style="yellow", markup=False
        )
    return definitions


def _warn(source: PolicySource, name: str, message: str) -> None:
    words.print(source.error(("workflows", name), message), style="yellow", markup=False)
