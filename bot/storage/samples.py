"""What an operator wants to see of a database at a glance, in one statement over small indexes."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.approvals import ApprovalState
from bot.domain.runs import State
from bot.storage.tables import Moment, approvals, audit_head, audit_posts, audit_witnesses, messages, runs
from bot.use_cases.ports import Sample

CHANNEL = "channel"  # the audit channel, among the witnesses

_NONE, _NEVER = sa.literal(""), sa.cast(sa.null(), Moment)
_MESSAGES = messages.c.due.is_not(None)
_WAITING = approvals.c.due.is_not(None) & (approvals.c.state == ApprovalState.WAITING.value)


def _row(
    what: str, name: sa.ColumnElement[Any], number: sa.ColumnElement[Any], moment: sa.ColumnElement[Any]
) -> sa.Select[Any]:
    return sa.select(sa.literal(what).label("what"), name.label("name"), number.label("number"), moment.label("moment"))


_EVERYTHING = sa.union_all(
    _row("runs", runs.c.state, sa.func.count(), _NEVER).where(runs.c.ended_at.is_(None)).group_by(runs.c.state),
    _row("due", _NONE, sa.func.count(), sa.func.min(runs.c.due)).where(runs.c.due.is_not(None)),
    _row("approval", _NONE, sa.func.count(), sa.func.min(approvals.c.asked_at)).where(_WAITING),
    _row("messages", _NONE, sa.func.count(), sa.func.min(messages.c.due)).where(_MESSAGES),
    _row("retried", _NONE, sa.func.count(), _NEVER).where(_MESSAGES, messages.c.attempts > 0),
    _row("head", _NONE, audit_head.c.seq, _NEVER),
    _row("told", sa.literal(CHANNEL), audit_posts.c.told, _NEVER),
    _row("told", audit_witnesses.c.name, audit_witnesses.c.told, _NEVER),
)


class SampleRows:
    """One look at everything."""

    connection: sa.Connection
    now: datetime

    def sample(self) -> Sample:
        found: dict[str, dict[str, tuple[int, datetime | None]]] = defaultdict(dict)
        for row in self.connection.execute(_EVERYTHING):
            found[row.what][row.name] = row.number, row.moment
        return Sample(
            runs={State(state): count for state, (count, _) in found["runs"].items()},
            runs_overdue=self._age(found["due"][""][1]),
            oldest_approval=self._age(found["approval"][""][1]),
            messages=found["messages"][""][0],
            retried=found["retried"][""][0],
            messages_overdue=self._age(found["messages"][""][1]),
            head=found["head"][""][0],
            told={name: seq for name, (seq, _) in found["told"].items()},
        )

    def _age(self, moment: datetime | None) -> float:
        return 0.0 if moment is None else max(0.0, (self.now - moment).total_seconds())
