"""The sites Datadog runs, and the addresses on them. No request is made here.

A site is chosen from this list, never taken as free text: the keys are sent to whatever host it names.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from urllib.parse import quote

from bot.domain.errors import InvalidSettings


@dataclass(frozen=True, slots=True)
class Site:
    """One Datadog site. `warning` is for the operator to read at start, empty if there is nothing to say."""

    name: str
    api_url: str
    ui_url: str
    warning: str = ""
    logs_url: str = ""


def _site(name: str, ui_host: str, warning: str = "") -> Site:
    # Datadog API reference: Send logs, API endpoints
    return Site(name, f"https://api.{name}", f"https://{ui_host}", warning, f"https://http-intake.logs.{name}")


PREVIEW = "Workflow Automation is only in preview on us2.ddog-gov.com: workflows may not be available there."

# Datadog docs: getting_started/site
SITES = {
    site.name: site
    for site in (
        _site("datadoghq.com", "app.datadoghq.com"),
        _site("us3.datadoghq.com", "us3.datadoghq.com"),
        _site("us5.datadoghq.com", "us5.datadoghq.com"),
        _site("datadoghq.eu", "app.datadoghq.eu"),
        _site("ap1.datadoghq.com", "ap1.datadoghq.com"),
        _site("ap2.datadoghq.com", "ap2.datadoghq.com"),
        _site("uk1.datadoghq.com", "uk1.datadoghq.com"),
        _site("ddog-gov.com", "app.ddog-gov.com"),
        _site("us2.ddog-gov.com", "us2.ddog-gov.com", PREVIEW),
    )
}
UNSUPPORTED = {"ddog-gov.com": "Datadog doesn't support Workflow Automation on the site ddog-gov.com."}
SHORT_NAMES = {
    "us1": "datadoghq.com",
    "us3": "us3.datadoghq.com",
    "us5": "us5.datadoghq.com",
    "eu": "datadoghq.eu",
    "eu1": "datadoghq.eu",
    "ap1": "ap1.datadoghq.com",
    "ap2": "ap2.datadoghq.com",
    "uk1": "uk1.datadoghq.com",
    "us2-fed": "us2.ddog-gov.com",
}


def find_site(name: str) -> Site:
    """The site of this name. Raises InvalidSettings, with a near miss and the list, if the bot can't work with it."""
    wanted = name.strip().lower()
    if wanted in UNSUPPORTED:
        raise InvalidSettings(f"{UNSUPPORTED[wanted]} Choose one of: {_choices()}.")
    if wanted in SITES:
        return SITES[wanted]
    guess = _near_miss(wanted)
    hint = f"did you mean {guess}? " if guess else ""
    raise InvalidSettings(f"{name!r} is not a Datadog site: {hint}Choose one of: {_choices()}.")


def workflow_url(site: Site, workflow_id: str) -> str:
    """Where people see the workflow in Datadog."""
    return f"{site.ui_url}/workflow/{quote(workflow_id, safe='')}"


def run_url(site: Site, workflow_id: str, instance_id: str) -> str:
    """Where people see one execution in Datadog."""
    return f"{workflow_url(site, workflow_id)}?instance={quote(instance_id, safe='')}"


def _choices() -> str:
    return ", ".join(name for name in SITES if name not in UNSUPPORTED)


def _near_miss(wanted: str) -> str:
    """People paste an address, a host name or the short name of a site; else the closest spelling is taken."""
    host = wanted.removeprefix("https://").removeprefix("http://").split("/", maxsplit=1)[0]
    for bare in (host, host.removeprefix("api."), host.removeprefix("app.")):
        if bare in SITES and bare not in UNSUPPORTED:
            return bare
    if wanted in SHORT_NAMES:
        return SHORT_NAMES[wanted]
    close = difflib.get_close_matches(host, [site for site in SITES if site not in UNSUPPORTED], n=1)
    return close[0] if close else ""
