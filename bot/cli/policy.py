"""`policy`: the rules, kept as a reviewed file."""

from __future__ import annotations

import getpass
import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click
from rich.progress import track

from bot import connections
from bot.cli.output import (
    format_option,
    load_all_settings,
    load_settings,
    output,
    print_json,
    sentences,
    wait_for,
    words,
)
from bot.datadog.client import Datadog
from bot.domain.errors import DatadogError, InvalidPolicy, InvalidSettings, Refused
from bot.domain.plan import Change, changes, kept
from bot.domain.policy import EVERYONE, Policy, decide
from bot.domain.workflows import WorkflowDefinition
from bot.policy_file.compile import accounts_in, compile_policy
from bot.policy_file.reader import PolicySource, read_policy
from bot.policy_file.schema import policy_schema
from bot.settings import Settings, require_datadog
from bot.use_cases.apply_policy import apply_policy, policy_in_force
from bot.use_cases.watch_definitions import drift_of

T = TypeVar("T")

COLOURS = {"+": "green", "-": "red", "~": "yellow", "=": "dim"}
MANY = 50  # changes shown after they were made; `policy plan` shows all

file_argument = click.argument("file", type=click.Path(path_type=Path), required=False)


@click.group()
def policy() -> None:
    """The rules: who may run what, where and with which values."""


@policy.command()
@file_argument
@format_option
@sentences
def plan(file: Path | None, form: str) -> None:
    """Show what applying FILE (default: POLICY_FILE) would change, and change nothing.

    Each workflow's inputs are read from Datadog where its keys are set; the file narrows and words them.
    """
    settings = load_settings()
    planned = wait_for(_plan(settings, read_policy(file or settings.policy_file)))
    for change in [*planned.changes, *planned.kept]:
        if form == "json":
            print_json({"plan": planned.id, "sign": change.sign, "subject": change.subject, "words": change.words})
        else:
            output.print(f"{change.sign} {change.words}", style=COLOURS[change.sign], markup=False)
    if form == "text":
        words.print("Nothing would change." if not planned.changes else f"{len(planned.changes)} change(s).")
        words.print(f"To do exactly this: workflow-bot policy apply --plan {planned.id}", markup=False)


@policy.command()
@file_argument
@click.option("--plan", "plan_id", help="Do exactly this plan, and nothing where anything has changed since.")
@sentences
def apply(file: Path | None, plan_id: str | None) -> None:
    """Make FILE (default: POLICY_FILE) the policy in force, in one transaction that the audit trail records."""
    settings = load_settings()
    source = read_policy(file or settings.policy_file)
    version, planned = wait_for(_apply(settings, source, plan_id))
    for change in planned.changes[:MANY]:
        words.print(f"{change.sign} {change.words}", style=COLOURS[change.sign], markup=False)
    if len(planned.changes) > MANY:
        words.print(f"… and {len(planned.changes) - MANY} more")
    words.print(
        f"Applied {source.name} as version {version}:"
        f" {len(planned.policy.entries)} workflow(s), {len(source.fields.rules)} rule(s)."
    )


@policy.command()
@sentences
def schema() -> None:
    """Print the JSON Schema of the policy file, with which editors complete and check it."""
    click.echo(json.dumps(policy_schema(), indent=2))


@policy.command()
@format_option
@sentences
def drift(form: str) -> None:
    """Compare the catalogue in force with Datadog. Exits with 1 where a workflow changed, vanished or can't be run."""
    settings = load_settings()
    require_datadog(settings)
    found = wait_for(_drift(settings))
    for name, what in found:
        if form == "json":
            print_json({"workflow": name, "drift": what})
        else:
            output.print(f"~ {name}: {what}", style=COLOURS["~"], markup=False)
    if found:
        raise SystemExit(1)
    words.print("The catalogue is as Datadog has it.")


@policy.command()
@file_argument
@sentences
def test(file: Path | None) -> None:
    """Run the file's own `tests` and exit with 1 when one fails. Needs neither database nor Datadog."""
    settings = load_all_settings()
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
        subjects = frozenset({example.who, EVERYONE, *example.groups})
        # An input that the file doesn't word is known to Datadog alone; the example's value for it counts all the same.
        values = {**example.with_, **entry.with_defaults(example.with_)}
        decision = decide(compiled.grants, subjects, entry, example.in_ or "", values)
        if decision.verdict.value != example.expect:
            rule = f" (rule {decision.rule})" if decision.rule else ""
            says = f"expected {example.expect}, the rules say {decision.verdict.value}: {decision.reason.value}{rule}"
            failures.append(source.error(place, says))
    return failures


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file would change. `id` names the version it was made on and everything that goes into it."""

    id: str
    version: int
    policy: Policy
    changes: list[Change]
    kept: list[Change]


async def _plan(settings: Settings, source: PolicySource) -> Plan:
    compile_policy(source, None)  # what is wrong with the file by itself is told before Datadog is asked
    compiled = compile_policy(source, await _definitions(settings, source))
    async with connections.open_store(settings) as store:
        version, before = await policy_in_force(store)
    parts = [source.digest, *(entry.definition_hash for entry in compiled.entries)]
    digest = hashlib.sha256(" ".join(parts).encode()).hexdigest()
    return Plan(f"{version}-{digest[:12]}", version, compiled, changes(before, compiled), kept(before))


async def _apply(settings: Settings, source: PolicySource, plan_id: str | None) -> tuple[int, Plan]:
    planned = await _plan(settings, source)
    if plan_id is not None and planned.id != plan_id:
        raise Refused(
            f"This is not the plan {plan_id} any more but {planned.id}: the file, Datadog's definitions or the policy in"
            " force have changed since. Nothing was changed; look at the new plan first."
        )
    async with connections.open_store(settings) as store:
        version = await apply_policy(
            planned.policy,
            digest=source.digest,
            source=source.text,
            applied_by=getpass.getuser(),
            store=store,
            planned_on=planned.version,
        )
    return version, planned


async def _drift(settings: Settings) -> list[tuple[str, str]]:
    async with (
        connections.open_store(settings) as store,
        connections.open_datadog(settings, lambda: store.read(lambda tx: tx.accounts())) as accounts,
    ):
        entries = await store.read(lambda tx: tx.entries())
        found = []
        for entry in _progress(entries):
            what = await drift_of(entry, accounts)
            if what is not None:
                found.append((entry.name, what))
    return found


async def _definitions(settings: Settings, source: PolicySource) -> dict[str, WorkflowDefinition]:
    """What Datadog says of the file's workflows; a warning for each that it says nothing of."""
    definitions: dict[str, WorkflowDefinition] = {}
    try:
        async with connections.open_datadog(settings) as accounts:
            clients = {one.name: accounts.open(one) for one in accounts_in(source)}
            for name, fields in _progress(source.fields.workflows.items()):
                client = clients[fields.account] if fields.account else accounts.own()
                definition = await _definition(source, name, client, fields.id)
                if definition is not None:
                    definitions[name] = definition
    except InvalidSettings as error:
        words.print(
            f"Datadog was not asked, the file's inputs are taken as they are. {error}", style="yellow", markup=False
        )
    return definitions


async def _definition(source: PolicySource, name: str, client: Datadog, datadog_id: str) -> WorkflowDefinition | None:
    try:
        definition = await client.get_workflow(datadog_id)
    except DatadogError as error:
        _warn(source, name, f"not read from Datadog, the file's inputs are taken as they are. {error}")
        return None
    if not definition.published:
        _warn(source, name, "not published in Datadog: it can't be run by API until it is.")
    elif not definition.has_api_trigger:
        _warn(source, name, "has no API trigger in Datadog: add one, or it can't be run.")
    return definition


def _progress(workflows: Collection[T]) -> Iterable[T]:
    """A bar where somebody looks at it."""
    return track(
        workflows, "Reading workflows from Datadog", console=words, transient=True, disable=not words.is_terminal
    )


def _warn(source: PolicySource, name: str, message: str) -> None:
    words.print(source.error(("workflows", name), message), style="yellow", markup=False)
