"""How long things may take and how often they are looked at: every number of the run lifecycle, in one place.

Tests that kill workers make these shorter; nothing else changes them.
"""

from __future__ import annotations

import random
from datetime import timedelta

LEASE = timedelta(seconds=60)  # how long a worker may hold a run before another takes it over
CALL_LIMIT = 25.0  # seconds; the longest a call to Datadog may take, well inside the lease
POLL = 1.0  # seconds between looks into the database for what others left
LONGEST_PAUSE = 15.0  # seconds between them while the database is away

DEFINITIONS = 300.0  # seconds between comparisons of the whole catalogue with Datadog
INSTALLATIONS = 3.0  # seconds between looks for what other replicas have installed, removed or refreshed
REOPEN = 15.0  # seconds until a workspace that could not be opened is tried again
WORD = 15.0  # seconds between the words of a process that serves that it does
SAMPLES = 15.0  # seconds between looks into the database for what metrics tell of it, while somebody reads them

# Witnessing the head of the audit trail
HEADS = 300.0  # seconds from one signed head to the next
HEADS_RETRY = 30.0  # seconds until one that could not be delivered is tried again, and between looks whether one is due

# Launching
QUIET = timedelta(seconds=1.5)  # a launch that is over sooner needs one message instead of two
PATIENCE = timedelta(minutes=15)  # how long a run waits for Datadog to be reachable, or to stop limiting
FIRST_WAIT, LONGEST_WAIT = 2.0, 60.0  # seconds between attempts where Datadog names none
LAUNCHES_AT_ONCE = 50  # claimed together

# Following
FOLLOWED_AT_ONCE = 20  # calls that one process has open for following; the rest of the runs wait their turn
LOOKS_PER_SECOND = 20.0  # of one process, whatever is open
SHORTEST_LOOK, LONGEST_LOOK = 1.0, 300.0  # seconds between looks at one run
NOT_VISIBLE_YET = timedelta(seconds=60)  # Datadog may not know an instance right after it made it
GONE = timedelta(minutes=10)  # an instance that Datadog doesn't know for this long is gone
UNFAMILIAR = timedelta(hours=1)  # how long a status that the bot doesn't know is looked at again
LONGEST_RUN = timedelta(days=7, hours=1)  # Datadog ends a run after 7 days (Datadog docs: actions/workflows/limits)
SETTLE = timedelta(seconds=1)  # changes of steps within this are told together

# Telling
LONGEST_RETELL = 90.0  # seconds between attempts to tell Slack something that it didn't take

# Finding out about a run whose answer was lost: after these seconds, then it is left to people.
SEARCHES = (5.0, 15.0, 45.0, 120.0, 300.0, 900.0)
CLOCK_SKEW = timedelta(seconds=10)  # between Datadog's clock and the database's
START_WINDOW = timedelta(minutes=2)  # an instance that belongs to a launch started at most this long after it


def next_look(age: float) -> float:
    """Seconds to the next look at a run that is `age` seconds old: an eighth of its age, with jitter, so that a short run
    is seen to end at once and a long one costs little."""
    jitter = random.uniform(0.85, 1.15)  # noqa: S311  # spreads load; nothing secret depends on it
    return min(LONGEST_LOOK, max(SHORTEST_LOOK, age / 8)) * jitter
