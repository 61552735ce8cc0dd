"""`workflows`: what Datadog has, what of it can be run by API, and taking one into the policy file."""

from __future__ import annotations

from pathlib import Path

import click

from bot import connections
from bot.cli.output import format_option, load_all_settings, print_json, print_table, sentences, wait_for, words
from bot.datadog.accounts import Accounts
from bot.datadog.client import Datadog
from bot.domain.errors import DatadogRefused, InvalidPolicy
from bot.domain.workflows import WorkflowDefinition, WorkflowPage
from bot.policy_file.compile import accounts_in
from bot.policy_file.entry import add_entry, slug
from bot.policy_file.reader import read_policy
from bot.settings import Settings, require_datadog

PAGE = 50  # Datadog's own (Datadog API reference: List workflows)


@click.group()
def workflows() -> None:
    """Datadog's workflows: which there are, which can be run by API, and taking one into the policy file."""


@workflows.command("list")
@click.option("--account", help="A Datadog account of the policy file. Default: the environment's own.")
@click.option("--query", default="", help="Only those whose name holds this.")
@click.option("--page", type=click.IntRange(1), default=1, show_default=True, help=f"{PAGE} a page.")
@format_option
@sentences
def list_workflows(account: str | None, query: str, page: int, form: str) -> None:
    """The organisation's workflows, unpublished ones too, and why some can't be run."""
    settings = load_all_settings()
    require_datadog(settings)
    found = wait_for(_list(settings, account, query, page))
    if form == "json":
        for one in found.workflows:
            print_json(
                {"id": one.id, "name": one.name, "runnable": not list(one.obstacles), "because": list(one.obstacles)}
            )
        return
    rows = [[one.id, one.name, "; ".join(list(one.obstacles)) or "yes"] for one in found.workflows]
    print_table(["ID", "Name", "Can be run by API"], rows, empty="No workflows.")
    shown = (page - 1) * PAGE + len(found.workflows)
    if shown < found.total:
        words.print(f"{shown} of {found.total}; the next: --page {page + 1}")


@workflows.command("import")
@click.argument("workflow_id")
@click.option("--account", help="A Datadog account of the policy file. Default: the environment's own.")
@click.option("--name", help="Its name in the policy file. Default: made from its name in Datadog.")
@click.option("--file", type=click.Path(path_type=Path), help="The policy file. Default: POLICY_FILE.")
@sentences
def import_workflow(workflow_id: str, account: str | None, name: str | None, file: Path | None) -> None:
    """Write a workflow of Datadog's into the policy file, with its inputs. Nobody may run it until a rule says so."""
    settings = load_all_settings()
    require_datadog(settings)
    path = file or settings.policy_file
    definition = wait_for(_read(settings, account, workflow_id))
    why_not = definition.obstacles
    if why_not:
        words.print(f"Taken in, but it can't be run yet: {'; '.join(why_not)}.", style="yellow")
    written = add_entry(path, name or slug(definition.name), definition, account)
    words.print(f"Added “{written}” to {path}. Add a rule for it, then: workflow-bot policy plan", markup=False)


async def _list(settings: Settings, account: str | None, query: str, page: int) -> WorkflowPage:
    async with connections.open_datadog(settings) as accounts:
        client = client_of(settings, accounts, account)
        return await client.list_workflows(page - 1, PAGE, query, include_unpublished=True)


async def _read(settings: Settings, account: str | None, workflow_id: str) -> WorkflowDefinition:
    async with connections.open_datadog(settings) as accounts:
        try:
            return await client_of(settings, accounts, account).get_workflow(workflow_id)
        except DatadogRefused as error:
            raise DatadogRefused(f"{error} `workflow-bot workflows list` shows the ids.") from None


def client_of(settings: Settings, accounts: Accounts, account: str | None) -> Datadog:
    """The client of an account of the policy file; None is the environment's own. Raises InvalidPolicy."""
    if account is None:
        return accounts.own()
    known = {one.name: one for one in accounts_in(read_policy(settings.policy_file))}
    if account not in known:
        raise InvalidPolicy(f"{settings.policy_file}: no account is called “{account}”.")
    return accounts.open(known[account])
