"""`workspaces`: who has installed the bot, taking one out, and sealing their tokens with a new key."""

from __future__ import annotations

import getpass
from dataclasses import replace
from datetime import UTC, datetime

import click

from bot import connections
from bot.cli.chosen import installations, token_of
from bot.cli.output import format_option, load_all_settings, output, print_json, print_table, sentences, wait_for, words
from bot.domain.errors import NotRecorded, Refused, UnreadableSecret, WorkflowBotError
from bot.domain.installations import Installation
from bot.domain.replicas import Replica
from bot.opening import tell_removed
from bot.settings import Settings
from bot.use_cases.telemetry import Telemetry


@click.group()
def workspaces() -> None:
    """The workspaces that have installed the bot through OAuth."""


@workspaces.command("list")
@format_option
@sentences
def list_workspaces(form: str) -> None:
    """Everybody who has installed the bot, those that were removed too."""
    settings = load_all_settings()
    found = [replace(one, trouble=_trouble(settings, one)) for one in installations(settings)]
    if form == "json":
        for one in found:
            print_json(
                {
                    "workspace": one.id,
                    "name": one.name,
                    "organisation": one.enterprise_id,
                    "installed": one.is_installed,
                    "installed_at": one.installed_at.isoformat(),
                    "installed_by": one.installed_by,
                    "removed_at": one.removed_at and one.removed_at.isoformat(),
                    "token_expires_at": one.expires_at and one.expires_at.isoformat(),
                    "trouble": one.trouble,
                }
            )
        return
    rows = [[one.id, one.name, f"{one.installed_at:%Y-%m-%d %H:%M}", one.installed_by, _state(one)] for one in found]
    print_table(["ID", "Name", "Installed (UTC)", "By", "State"], rows, empty="Nobody has installed the bot yet.")
    for one in found:
        if one.trouble:
            output.print(f"{one.id}  {_state(one)}: {one.trouble}", markup=False)


@workspaces.command()
@click.argument("workspace_id")
@sentences
def remove(workspace_id: str) -> None:
    """Take the bot out of a workspace: its token is revoked and erased. Its database and audit trail stay."""
    settings = load_all_settings()
    known = next((one for one in installations(settings) if one.id == workspace_id and one.is_installed), None)
    if known is None:
        raise Refused(f"{workspace_id} is not installed. workflow-bot workspaces list shows who is.")
    reason, untold = wait_for(_remove(settings, known))
    words.print(f"Removed {known.id} ({known.name}). Its database stays as it is.", markup=False)
    if reason:
        words.print(
            f"Slack did not revoke the token ({reason}): take the app out of the workspace in Slack.", markup=False
        )
    if untold:
        raise NotRecorded(f"Its trail does not tell of it yet: {untold} The bot tells it as soon as it can.")


@workspaces.command()
@sentences
def reseal() -> None:
    """Seal all tokens with the newest ENCRYPTION_KEY, so that the ones behind it can be taken away."""
    settings = load_all_settings()
    done, busy, lost, serving = wait_for(_reseal(settings))
    words.print(f"Sealed the tokens of {done} workspace(s) anew.")
    if done and serving:
        since = ", ".join(f"{one.host} (since {one.started_at:%Y-%m-%d %H:%M} UTC)" for one in serving)
        words.print(f"These serve: {since}. Restart each that was started without the new key: it can't read them.")
    if busy:
        words.print(f"Those of {', '.join(busy)} are being exchanged just now. Run this again in a minute.")
    if lost:
        raise Refused(
            f"No key opens the tokens of {', '.join(lost)}. Put the old key back behind the new one (ENCRYPTION_KEY=new,old),"
            " or have them install the bot again."
        )
    if busy:
        raise SystemExit(1)


def _trouble(settings: Settings, one: Installation) -> str:
    if one.token and not token_of(settings, one):
        return "its token can't be read: ENCRYPTION_KEY is not the one that it was sealed with"
    return one.trouble


def _state(one: Installation) -> str:
    if not one.is_installed:
        return "removed"
    if one.trouble:
        return "in trouble"
    return "token is about to expire" if one.is_near_its_end(datetime.now(UTC)) else "installed"


async def _remove(settings: Settings, known: Installation) -> tuple[str, str]:
    """Why Slack did not revoke the token, and why the workspace's trail does not tell of it; empty where they did."""
    token, how = token_of(settings, known), f"on the command line, by {getpass.getuser()}"
    async with connections.open_store(settings) as store:
        removed = await store.write(lambda tx: tx.remove_installation(known.id, how))
    reason = "it could not be read"
    if token:  # nobody else has it any more
        async with connections.open_lines(settings, Telemetry()) as lines:
            reason = await connections.build_oauth(settings, lines).revoke(token)
    try:
        if removed is not None:
            await tell_removed(settings, removed)
    except WorkflowBotError as error:
        return reason, str(error)
    return reason, ""


async def _reseal(settings: Settings) -> tuple[int, list[str], list[str], list[Replica]]:
    """How many were sealed, which were being changed, which no key opens, and who serves them meanwhile."""
    sealer = connections.build_sealer(settings)
    done, busy, lost = 0, [], []
    async with connections.open_store(settings) as store:
        serving = await store.read(lambda tx: [one for one in tx.replicas() if one.is_alive(tx.now)])
        for one in await store.read(lambda tx: tx.installations()):
            if not one.token:
                continue
            try:
                sealed = [sealer.seal(sealer.unseal(text)) if text else "" for text in (one.token, one.refresh_token)]
            except UnreadableSecret:
                lost.append(one.id)
                continue
            if await store.write(lambda tx, one=one, sealed=sealed: tx.reseal_installation(one, *sealed)):  # type: ignore[misc]  # mypy can't type a lambda's default
                done += 1
            else:
                busy.append(one.id)
    return done, busy, lost, serving
