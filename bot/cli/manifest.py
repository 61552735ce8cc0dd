"""`manifest`: the Slack app's manifest, for this deployment."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path
from typing import Any

import click
from ruamel.yaml import YAML

from bot.cli.output import load_all_settings, print_json, sentences, wrong_usage
from bot.domain.errors import InvalidSettings
from bot.settings import base_of
from bot.slack.ids import GONE


@click.command()
@click.option("--url", help="Where Slack reaches the bot, as in https://bot.example.com.")
@click.option("--socket-mode", is_flag=True, help="For Socket Mode: no address is needed.")
@click.option(
    "--oauth",
    is_flag=True,
    help="For installing through OAuth, by many workspaces: the browser comes back below --url.",
)
@click.option("--command", "slash_command", help="The slash command. Default: SLACK_COMMAND.")
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml")
@sentences
def manifest(url: str | None, socket_mode: bool, oauth: bool, slash_command: str | None, form: str) -> None:
    """Print the manifest to paste at api.slack.com/apps, Create New App, From a manifest."""
    settings = load_all_settings()
    if not socket_mode and not url:
        raise click.UsageError("Give --url https://…, or --socket-mode.")
    if oauth and not url:
        raise click.UsageError("Give --url https://… with --oauth: the browser comes back there, in Socket Mode too.")
    if socket_mode and url and not oauth:
        raise click.UsageError("In Socket Mode Slack calls no address: leave --url out, or add --oauth.")
    command = slash_command or settings.slack_command
    with wrong_usage():
        built = build_manifest(command, None if socket_mode else url, redirect=url if oauth else None)
    if form == "json":
        print_json(built)
        return
    yaml = YAML()
    yaml.dump(built, sys.stdout)


def build_manifest(command: str, url: str | None, *, redirect: str | None = None) -> dict[str, Any]:
    """The manifest with its command and address; without an address it is one for Socket Mode. Raises InvalidSettings.

    `redirect` is where a browser finds the bot at the end of an installation through OAuth.
    """
    if not command.startswith("/") or " " in command or not 2 <= len(command) <= 32:
        raise InvalidSettings(f"“{command}” can't be a slash command. It is / and 1 to 31 letters without spaces.")
    if any(address is not None and not address.startswith("https://") for address in (url, redirect)):
        raise InvalidSettings("Slack only calls addresses that begin with https://.")
    built = YAML(typ="safe").load(StringIO(template().read_text("utf-8")))
    settings, slash = built["settings"], built["features"]["slash_commands"][0]
    interactivity, events = settings["interactivity"], settings["event_subscriptions"]
    addresses = [(slash, "url"), (events, "request_url"), (interactivity, "request_url")]
    addresses.append((interactivity, "message_menu_options_url"))
    slash["command"] = command
    built["display_information"]["long_description"] = built["display_information"]["long_description"].replace(
        "/workflow", command
    )
    if url is None:
        settings["socket_mode_enabled"] = True
    for place, key in addresses:
        if url is None:
            del place[key]
        else:
            place[key] = base_of(url) + "/slack/events"
    if redirect is not None:
        built["oauth_config"]["redirect_urls"] = [base_of(redirect) + "/slack/oauth_redirect"]
        events["bot_events"] = sorted([*events["bot_events"], *GONE])
        settings["org_deploy_enabled"] = True
    return built  # type: ignore[no-any-return]  # YAML is untyped


def template() -> Path:
    """Where manifest.yml is: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "manifest.yml"
    return installed if installed.is_file() else package.parent / "manifest.yml"
