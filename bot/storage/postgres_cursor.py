"""psycopg's cursor, but that it describes a result by the names and types that SQLAlchemy reads, and by nothing else.

To describe the 36 columns of a run in full takes longer than to read them.
"""

from __future__ import annotations

from typing import Any

import psycopg


class Cursor(psycopg.Cursor[Any]):
    """What SQLAlchemy gets to see."""

    @property
    def description(self) -> Any:
        found = self.pgresult
        if found is None or found.status != psycopg.pq.ExecStatus.TUPLES_OK:
            return None
        return [((found.fname(number) or b"").decode(), found.ftype(number)) for number in range(found.nfields)]
