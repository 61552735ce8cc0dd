"""What a status that isn't good means, and its words. Pure. No message names a key or the value of an input.

answer to a start                                    answer to a read, or to a cancel
no connection    DatadogUnreachable                  no connection    DatadogUnreachable
429              DatadogLimited                      429              DatadogLimited
401, 403         DatadogForbidden                    401, 403         DatadogForbidden
other 4xx        DatadogRefused                      other 4xx        DatadogRefused (404 too)
anything else    OutcomeUnknown                      anything else    DatadogUnreachable: safe to repeat
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from bot.datadog.error_bodies import read_error
from bot.datadog.sites import Site
from bot.domain.errors import DatadogError, DatadogForbidden, DatadogLimited, DatadogRefused, OutcomeUnknown

# Answers below 500 after which the request may have been taken all the same: a gateway gave up, or wants it again.
UNDECIDED = frozenset({408, 425, 499})
FORBIDDEN_CAUSES = (
    "Check, in this order: the application key is registered for Actions API access (Organization Settings >"
    " Application Keys); it has the scope {scope}; the key's owner is {role} of this workflow; the keys belong to the"
    " site {site}."
)


def raise_for_status(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    lost: type[DatadogError],
    scope: str,
    site: Site,
    hidden: Iterable[str],
) -> None:
    """Raise what the status means; nothing for a good one. `headers` are looked up in any case of letters.

    `lost` is raised where it is not known what Datadog did, `scope` is the permission the request needed, and texts in
    `hidden` are never quoted.
    """
    if 200 <= status < 300:
        return
    if status < 400 or status >= 500 or status in UNDECIDED:
        raise lost(lost_words(lost, f"answered with status {status}"), status=status)
    if status == 429:
        raise DatadogLimited(retry_after=_retry_after(headers))
    said = read_error(body, hidden)
    words = f"Datadog said: {said.sentence}." if said.sentence else "Datadog gave no reason."
    if status in {401, 403}:
        role = "a Runner" if scope == "workflows_run" else "a Viewer"
        causes = FORBIDDEN_CAUSES.format(scope=scope, role=role, site=site.name)
        refused = f"Datadog does not let the bot's keys do this ({status}). {words} {causes}"
        raise DatadogForbidden(refused, status=status, code=said.code)
    raise DatadogRefused(f"Datadog refused this ({status}). {words}", status=status, code=said.code)


def lost_words(lost: type[DatadogError], reason: str) -> str:
    """A sentence for an answer that was lost or tells nothing. `reason` goes on after "Datadog"."""
    if lost is OutcomeUnknown:
        return f"Datadog {reason}: the workflow may or may not have started."
    return f"Datadog {reason}. Try again in a moment."


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait (Datadog API reference: Rate Limits; Retry-After is what a proxy would send)."""
    for name in ("X-RateLimit-Reset", "Retry-After"):
        try:
            seconds = float(headers.get(name, ""))
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return None
