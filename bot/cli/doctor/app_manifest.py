"""The app's own manifest, as Slack shows it on the app's page, beside what this deployment needs of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.cli.doctor.case import Case
from bot.cli.doctor.findings import Area, Check, Findings, Says
from bot.cli.manifest import build_manifest

says = Says(Area.SLACK)
ADVICE = "Change it on the app's page, App Manifest, and install the app again where Slack asks for it."


async def check_manifest(case: Case, path: Path) -> Findings:
    """Name each difference that keeps something from working."""
    app, problem = _load(path)
    if problem:
        yield says.fail(Check.MANIFEST, problem, "Copy it from the app's page, App Manifest, as YAML or JSON.")
        return
    differences = list(_differences(app, case))
    for difference in differences:
        yield says.fail(Check.MANIFEST, difference, ADVICE)
    if not differences:
        yield says.ok(Check.MANIFEST, "has all that this deployment needs")


def _load(path: Path) -> tuple[Mapping[str, Any], str]:
    try:
        app = YAML(typ="safe").load(path.read_text("utf-8"))  # JSON is YAML too
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        return {}, f"{path} can't be read: {str(error).splitlines()[0]}."
    return (app, "") if isinstance(app, dict) else ({}, f"{path} is no manifest.")


def _differences(app: Mapping[str, Any], case: Case) -> Iterator[str]:
    redirect = (case.all.public_url or "https://bot.example.com") if case.all.oauth else None
    redirect = redirect if redirect is None or redirect.startswith("https://") else "https://bot.example.com"
    needed = build_manifest(case.settings.slack_command, None, redirect=redirect)
    yield from _redirects(app, case)
    for place in (("oauth_config", "scopes", "bot"), ("settings", "event_subscriptions", "bot_events")):
        missing = sorted(set(_at(needed, *place) or ()) - set(_at(app, *place) or ()))
        if missing:
            yield f"{'.'.join(place)} lacks {', '.join(missing)}."
    commands = {each.get("command"): each for each in _at(app, "features", "slash_commands") or ()}
    command = commands.get(case.settings.slack_command)
    if command is None:
        there = ", ".join(map(str, commands)) or "none"
        yield f"it has no slash command {case.settings.slack_command} (SLACK_COMMAND); there is: {there}."
    elif not command.get("should_escape"):
        yield "the slash command doesn't escape channels, users and links (should_escape)."
    if not _at(app, "settings", "interactivity", "is_enabled"):
        yield "interactivity is off, so buttons and forms don't work."
    if bool(_at(app, "settings", "socket_mode_enabled")) != case.settings.socket_mode:
        state = "off, and SLACK_APP_TOKEN is set" if case.settings.socket_mode else "on, and SLACK_APP_TOKEN is not set"
        yield f"Socket Mode is {state}."
    elif not case.settings.socket_mode:
        yield from _addresses(app, command or {})


def _redirects(app: Mapping[str, Any], case: Case) -> Iterator[str]:
    """Where Slack may lead a browser at the end of an installation."""
    if not case.all.oauth:
        return
    there = [str(url) for url in _at(app, "oauth_config", "redirect_urls") or ()]
    wanted = f"{case.all.public_url.rstrip('/')}/slack/oauth_redirect"
    if case.all.public_url and wanted not in there:
        yield f"oauth_config.redirect_urls lacks {wanted}."
    elif not any(url.startswith("https://") and url.endswith("/slack/oauth_redirect") for url in there):
        yield "oauth_config.redirect_urls has no https://…/slack/oauth_redirect."


def _addresses(app: Mapping[str, Any], command: Mapping[str, Any]) -> Iterator[str]:
    addresses = {
        "the slash command": command.get("url"),
        "events": _at(app, "settings", "event_subscriptions", "request_url"),
        "interactivity": _at(app, "settings", "interactivity", "request_url"),
        "options": _at(app, "settings", "interactivity", "message_menu_options_url"),
    }
    for what, address in addresses.items():
        if not str(address or "").startswith("https://") or not str(address).endswith("/slack/events"):
            yield f"{what} has the address {address or 'none'}; it has to be https://…/slack/events."
    if len(set(addresses.values())) > 1:
        yield f"its four addresses differ: {', '.join(sorted({str(each) for each in addresses.values()}))}."


def _at(data: Any, *place: str) -> Any:
    for name in place:
        data = data.get(name) if isinstance(data, Mapping) else None
    return data
