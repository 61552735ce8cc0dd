"""`grants`: who may run what, by the file and by people; giving and taking back."""

from __future__ import annotations

import getpass
import re
from datetime import UTC, datetime

import click

from bot import connections
from bot.cli.output import format_option, load_settings, print_json, print_table, sentences, wait_for, words
from bot.domain.errors import Refused
from bot.domain.inputs import InvalidInput
from bot.domain.plan import effect
from bot.domain.policy import EVERYONE, EVERYWHERE, Effect, Grant
from bot.policy_file.schema import CHANNEL, GROUP, USER
from bot.settings import Settings
from bot.use_cases.grant_permission import add_grant, remove_grant
from bot.use_cases.ports import Reading


@click.group()
def grants() -> None:
    """Grants: who may run what. The policy file owns its own; people can give others, with an end."""


@grants.command("list")
@click.option("--given", is_flag=True, help="Only those that people gave.")
@format_option
@sentences
def list_grants(given: bool, form: str) -> None:
    """The grants in force."""
    found = [grant for grant in wait_for(_all(load_settings())) if not (given and grant.from_file)]
    if form == "json":
        for grant in found:
            print_json(_json(grant))
        return
    rows = [
        [
            str(grant.id),
            effect(grant, gained=True),
            f"rule {grant.rule}" if grant.from_file else "given",
            f"{grant.until:%Y-%m-%d %H:%M} UTC" if grant.until else "",
        ]
        for grant in found
    ]
    print_table(["ID", "Effect", "By", "Until"], rows, empty="No grants.")


@grants.command()
@click.argument("user")
@click.argument("workflow")
@click.option("--channel", default=EVERYWHERE, help="Only in this channel, by id.")
@click.option(
    "--when", "conditions", multiple=True, metavar="INPUT=VALUE", help="Only with this value; may be repeated."
)
@click.option("--until", help="When it ends, as in 2026-12-24T18:00+01:00.")
@click.option("--deny", is_flag=True, help="Deny instead of allow.")
@sentences
def add(user: str, workflow: str, channel: str, conditions: tuple[str, ...], until: str | None, deny: bool) -> None:
    """Let USER (or a user group) run WORKFLOW (a name, tag:… or *)."""
    ends = _moment(until) if until else None
    _check_ids(user, channel)
    grant = wait_for(_add(load_settings(), user, workflow, channel, conditions, ends, deny))
    words.print(f"Grant {grant.id}: {effect(grant, gained=True)}.", markup=False)


@grants.command()
@click.argument("grant_id", type=int)
@sentences
def remove(grant_id: int) -> None:
    """Take back a grant that was given by people."""
    grant = wait_for(_remove(load_settings(), grant_id))
    words.print(f"Taken back: {effect(grant, gained=False)}.", markup=False)


def _check_ids(user: str, channel: str) -> None:
    """Raises Refused for an id that Slack gives nobody: the grant would never apply, and nobody would notice."""
    if user != EVERYONE and not re.fullmatch(f"{USER}|{GROUP}", user):
        raise Refused(f"“{user}” is no Slack user id, user group id or *. In Slack: profile, More, Copy member ID.")
    if channel != EVERYWHERE and not re.fullmatch(CHANNEL, channel):
        raise Refused(f"“{channel}” is no Slack channel id. In Slack: channel name, About, at the bottom.")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.BadParameter(
            "write a moment with its time zone, as in 2026-12-24T18:00+01:00", param_hint="--until"
        )
    return moment.astimezone(UTC)


def _json(grant: Grant) -> dict[str, object]:
    return {
        "id": grant.id,
        "effect": grant.effect.value,
        "subject": grant.subject,
        "target": grant.target,
        "channel": grant.channel,
        "when": {name: list(values) for name, values in grant.when.items()},
        "rule": grant.rule or None,
        "until": grant.until.isoformat() if grant.until else None,
    }


async def _all(settings: Settings) -> list[Grant]:
    async with connections.open_store(settings) as store:
        return await store.read(lambda tx: tx.all_grants())


async def _add(
    settings: Settings,
    user: str,
    workflow: str,
    channel: str,
    conditions: tuple[str, ...],
    until: datetime | None,
    deny: bool,
) -> Grant:
    async with connections.open_store(settings) as store:
        when = await store.read(lambda tx: _when(tx, workflow, conditions))
        by = getpass.getuser()
        effect_ = Effect.DENY if deny else Effect.ALLOW
        grant = Grant(effect_, user, workflow, channel, when, words=f"granted by {by}", until=until)
        return await add_grant(grant, "", "", by, store)


def _when(tx: Reading, workflow: str, conditions: tuple[str, ...]) -> dict[str, tuple[object, ...]]:
    entry = tx.entry(workflow)
    when: dict[str, tuple[object, ...]] = {}
    for condition in conditions:
        name, _, text = condition.partition("=")
        field = entry.input(name) if entry else None
        if field is None or field.secret:
            raise Refused(f"{workflow} has no input “{name}” that a grant can name.")
        try:
            when[name] = (*when.get(name, ()), field.from_text(text))
        except InvalidInput as error:
            raise Refused(f"{name}: {error}") from None
    return when


async def _remove(settings: Settings, grant_id: int) -> Grant:
    async with connections.open_store(settings) as store:
        return await remove_grant(grant_id, "", "", getpass.getuser(), store)
