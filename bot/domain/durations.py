"""Lengths of time as people say them."""

from __future__ import annotations

from datetime import timedelta

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))


def in_words(time: timedelta) -> str:
    """`2 days`, `1 hour`, `90 seconds`: in the largest unit that fits without a rest."""
    seconds = round(time.total_seconds())
    for unit, size in _UNITS:
        if seconds % size == 0 and seconds >= size:
            return f"{seconds // size} {unit}{'s' if seconds > size else ''}"
    return f"{seconds} seconds"
