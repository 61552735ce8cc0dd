"""Why, or why not: what came of asking for a decision without doing anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.domain.catalogue import CatalogueEntry
from bot.domain.policy import Decision


@dataclass(frozen=True, slots=True)
class Explanation:
    """`decision` is that of the rules, `obstacle` what keeps a permitted run from starting just now.

    `values` are the inputs as they would be sent, as far as they were given; `errors` what is wrong with them.
    """

    entry: CatalogueEntry | None
    decision: Decision
    obstacle: Decision | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
