"""Datadog: the site, the keys of each account, what they may do, and each workflow of the catalogue."""

from __future__ import annotations

from bot import connections
from bot.cli.doctor.case import Case
from bot.cli.doctor.clock import compare_clock
from bot.cli.doctor.findings import Area, Check, Finding, Findings, Looking, Says, State
from bot.datadog.accounts import Accounts
from bot.datadog.client import Datadog, KeyCheck
from bot.datadog.sites import find_site
from bot.domain.accounts import DEFAULT_ACCOUNT
from bot.domain.catalogue import CatalogueEntry
from bot.domain.errors import (
    DatadogError,
    DatadogForbidden,
    DatadogLimited,
    DatadogRefused,
    InvalidSettings,
)
from bot.settings import require_datadog

says = Says(Area.DATADOG)

SITE = "The site is in the address of your browser when you are in Datadog: app.datadoghq.eu is DD_SITE=datadoghq.eu."
LATER = "Look again in a minute."


async def check_datadog(case: Case) -> Findings:
    """Ask Datadog. Nothing is started, and nothing is changed."""
    try:
        site = find_site(case.settings.dd_site)
    except InvalidSettings as error:
        yield says.wrong(Check.SITE, str(error), SITE)
        return
    if site.warning:
        yield says.look(Check.SITE, site.warning, "Ask Datadog whether it is on for your organisation.")
    else:
        stand_in = case.settings.overrides.get("DD_API_URL")
        instead = f"; yet DD_API_URL leads to a stand-in, {stand_in}, and nothing goes to Datadog" if stand_in else ""
        yield says.ok(Check.SITE, f"{site.name}{instead}")
    try:
        require_datadog(case.settings)
        async with connections.open_datadog(case.settings) as accounts:
            async for finding in _accounts(case, accounts):
                yield finding
    except InvalidSettings as error:
        yield says.wrong(Check.KEYS, str(error), "Copy the keys again from Organization Settings.")


async def _accounts(case: Case, accounts: Accounts) -> Findings:
    clients = {DEFAULT_ACCOUNT: accounts.own()}
    for name, account in case.accounts.items():
        try:
            clients[name] = accounts.open(account)
        except InvalidSettings as error:
            advice = "Set it where the bot runs, or as a file with _FILE behind its name."
            yield says.fail(Check.KEYS, str(error), advice, name)
    for name, client in list(clients.items()):
        async for finding in _keys(client, "" if name == DEFAULT_ACCOUNT else name):
            yield finding
            if isinstance(finding, Finding) and finding.state is State.FAIL:
                clients.pop(name, None)  # its workflows would all say the same again
    for number, (name, entry) in enumerate(sorted(case.entries.items()), 1):
        if entry.account in clients:
            yield Looking(f"workflow {number} of {len(case.entries)}")
            yield await _workflow(name, entry, clients[entry.account])


async def _keys(client: Datadog, name: str) -> Findings:
    yield Looking(f"the keys of {name or 'the environment'}")
    try:
        check = await client.validate_keys()
        invalid = None if check is None else _invalid(check, client.site.name, name)
        if invalid is not None:
            yield invalid
            return
        yield says.ok(Check.KEYS, "the pair is valid" if check else "an access token; it can't be checked alone", name)
        if check is not None and not name and (clock := compare_clock(says, "Datadog", check.date)):
            yield clock
        await client.list_workflows(limit=1)
    except DatadogForbidden as error:
        found = "the keys are valid, yet they may not read workflows."
        yield says.fail(Check.API_ACCESS, found, str(error), name)
    except DatadogLimited:
        yield says.look(Check.API_ACCESS, "Datadog is limiting requests.", LATER, name)
    except DatadogError as error:
        yield says.fail(Check.KEYS, str(error), "Check the network and DD_SITE.", name)
    else:
        yield says.ok(Check.API_ACCESS, "workflows can be read", name)


def _invalid(check: KeyCheck, site: str, name: str) -> Finding | None:
    if not check.api_key:
        found = f"{'the API key' if name else 'DD_API_KEY'} is not valid on {site}."
        return says.fail(
            Check.KEYS, found, f"Check the key and the site: a key counts on its own site only. {SITE}", name
        )
    if not check.pair:
        found = f"{'the application key' if name else 'DD_APP_KEY'} is not valid together with the API key."
        advice = "Check that both are whole and of one organisation. A new key takes some seconds to count."
        return says.fail(Check.KEYS, found, advice, name)
    return None


async def _workflow(name: str, entry: CatalogueEntry, client: Datadog) -> Finding:
    try:
        definition = await client.get_workflow(entry.datadog_id)
        may_run = await client.may_run(entry.datadog_id)
    except DatadogError as error:
        return _unread(name, entry, error)
    if definition.obstacles:
        advice = "Publish it in Datadog, with an API trigger, and with inputs of Datadog's eight types only."
        return says.fail(Check.WORKFLOW, f"can't be run by API: {', '.join(definition.obstacles)}.", advice, name)
    if not may_run:
        advice = (
            "Give the application key the scope workflows_run, and its owner the role Runner on this workflow (in the"
            " workflow: the cog, Edit permissions)."
        )
        return says.fail(Check.WORKFLOW, "the keys may read it and not run it.", advice, name)
    return says.ok(Check.WORKFLOW, f"“{definition.name}” can be run by API", name)


def _unread(name: str, entry: CatalogueEntry, error: DatadogError) -> Finding:
    match error:
        case DatadogLimited():
            return says.look(Check.WORKFLOW, "Datadog is limiting requests.", LATER, name)
        case DatadogForbidden():
            return says.fail(Check.WORKFLOW, "the keys may not read it.", str(error), name)
        case DatadogRefused() if error.status == 404:
            advice = "It was deleted, or the id is wrong: `workflow-bot workflows list` shows what there is."
            return says.fail(Check.WORKFLOW, f"Datadog has no workflow {entry.datadog_id}.", advice, name)
        case DatadogRefused():
            return says.fail(Check.WORKFLOW, str(error), "Correct its id in the policy file and apply it.", name)
        case _:
            return says.look(Check.WORKFLOW, str(error), LATER, name)
