"""Locks that people take on a workflow, or on a workflow with certain input values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain.inputs import same


@dataclass(frozen=True, slots=True)
class Lock:
    """While it is there nobody starts the workflow with inputs that match `when` (empty: with any)."""

    workflow: str
    when: Mapping[str, Any]
    owner_id: str
    owner_name: str
    reason: str
    taken_at: datetime
    until: datetime
    id: int = 0

    def holds(self, values: Mapping[str, Any] | None) -> bool:
        """Whether a run with these inputs is kept from starting; None: inputs not known yet, so only a lock on all."""
        if values is None:
            return not self.when
        return all(_touches(values.get(name), wanted) for name, wanted in self.when.items())


def _touches(value: Any, wanted: Any) -> bool:
    """One common item is enough: a lock on `web-1` holds a run on `web-1` and `web-2`."""
    items = value if isinstance(value, list) else [value]
    locked = wanted if isinstance(wanted, list) else [wanted]
    return any(same(item, one) for item in items for one in locked)
