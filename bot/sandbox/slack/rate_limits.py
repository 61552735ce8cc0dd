"""Slack's rate limits: so many calls a minute per method, and about one chat.postMessage a second per channel.

Source: Slack docs: apis/web-api/rate-limits. Off unless switched on, so that ordinary tests needn't wait.
"""

from __future__ import annotations

import math
import time
from collections import deque

WINDOW_SECONDS = 60.0
CHANNEL_BURST = 4
CHANNEL_WINDOW_SECONDS = 4.0


class RateLimits:
    """Counts calls in sliding windows."""

    def __init__(self) -> None:
        self.enabled = False
        self._calls: dict[str, deque[float]] = {}

    def retry_after(self, method: str, per_minute: int, channel: str | None) -> int | None:
        """Whole seconds to wait where the call is over the limit, or None; a call let through is counted."""
        if not self.enabled:
            return None
        checks = [(method, per_minute, WINDOW_SECONDS)]
        if method == "chat.postMessage" and channel:
            checks.append((f"{method} {channel}", CHANNEL_BURST, CHANNEL_WINDOW_SECONDS))
        now = time.monotonic()
        for key, most, window in checks:
            calls = self._calls.setdefault(key, deque())
            while calls and calls[0] <= now - window:
                calls.popleft()
            if len(calls) >= most:
                return max(1, math.ceil(calls[0] + window - now))
        for key, _, _ in checks:
            self._calls[key].append(now)
        return None
