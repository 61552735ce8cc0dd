"""This machine's clock beside that of an answer. Slack's requests are refused when theirs is five minutes from ours."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bot.cli.doctor.findings import Check, Finding, Says

NOTICED = 10.0  # seconds; the search for lost runs allows for so much (bot/use_cases/pace.py)
TOO_MUCH = 60.0  # a clock so far off goes on drifting, and 300 s stop the bot
ADVICE = "Set this machine's clock by NTP (timedatectl set-ntp true)."


def compare_clock(says: Says, whose: str, date: str) -> Finding | None:
    """What the `Date` of an answer that has just come says of our clock; None where it has none that can be read."""
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return None
    if theirs.tzinfo is None:
        return None
    ahead = (datetime.now(UTC) - theirs).total_seconds()
    if abs(ahead) <= NOTICED:
        return says.ok(Check.CLOCK, f"within {NOTICED:.0f} s of {whose}'s")
    found = f"this machine's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} {whose}'s."
    if abs(ahead) <= TOO_MUCH:
        return says.look(Check.CLOCK, found, ADVICE)
    return says.fail(Check.CLOCK, found, ADVICE)
