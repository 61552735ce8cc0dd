"""What a token may do: the scopes that Slack names in each answer, beside those of the manifest."""

from __future__ import annotations

from collections.abc import Mapping

from bot.cli.doctor.asking import header
from bot.cli.doctor.findings import Area, Check, Finding, Says
from bot.cli.manifest import build_manifest

says = Says(Area.SLACK)


def check_scopes(headers: Mapping[str, str], reinstall: str, subject: str = "") -> Finding:
    """Name each one that is missing. `reinstall` says how the app is installed again.

    Slack docs: authentication/tokens; the header is X-OAuth-Scopes.
    """
    wanted = build_manifest("/workflow", None)["oauth_config"]["scopes"]["bot"]
    missing = sorted(set(wanted) - {scope.strip() for scope in header(headers, "X-OAuth-Scopes").split(",")})
    if missing:
        advice = f"Add them at OAuth & Permissions, Scopes, where the app lacks them. {reinstall}"
        return says.fail(Check.SCOPES, f"missing: {', '.join(missing)}.", advice, subject)
    return says.ok(Check.SCOPES, f"all {len(wanted)} are granted", subject)
