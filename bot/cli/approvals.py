"""`approvals`: what waits for somebody's approval or review."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from bot import connections
from bot.cli.output import format_option, load_settings, print_json, print_table, sentences, wait_for
from bot.domain.approvals import ApprovalState, Standing, people_needed
from bot.domain.runs import Run
from bot.settings import Settings
from bot.use_cases.read_approvals import open_approvals


@click.group()
def approvals() -> None:
    """Approvals: what waits for somebody's approval or review."""


@approvals.command("list")
@click.option("--overdue", is_flag=True, help="Only reviews of broken glass whose time is over.")
@format_option
@sentences
def list_approvals(overdue: bool, form: str) -> None:
    """Everything that is open, oldest first: runs that wait, and runs that were started without approval."""
    now = datetime.now(UTC)
    found = wait_for(_open(load_settings()))
    shown = [(run, standing) for run, standing in found if not overdue or _is_overdue(standing, now)]
    if form == "json":
        for run, standing in shown:
            print_json(approval_json(run, standing, now))
        return
    rows = [
        [
            run.id,
            run.user_name or run.user_id,
            run.workflow,
            standing.approval.state.value,
            people_needed(standing.needed),
            f"{standing.approval.expires_at:%Y-%m-%d %H:%M}" + (" overdue" if _is_overdue(standing, now) else ""),
        ]
        for run, standing in shown
    ]
    print_table(["Run", "By", "Workflow", "State", "Needed", "Until (UTC)"], rows, empty="Nothing is open.")


def approval_json(run: Run, standing: Standing, now: datetime) -> dict[str, Any]:
    """An approval for scripts."""
    approval = standing.approval
    return {
        "run": run.id,
        "workflow": run.workflow,
        "requester": run.user_id,
        "state": approval.state.value,
        "reason": approval.reason,
        "needed": [{"of": quorum.name, "count": quorum.count} for quorum in standing.needed],
        "approved_by": list(standing.approvers),
        "asked_at": approval.asked_at.isoformat(),
        "until": approval.expires_at.isoformat(),
        "overdue": _is_overdue(standing, now),
        "bound_to": approval.bound_to,
    }


def _is_overdue(standing: Standing, now: datetime) -> bool:
    return standing.approval.state is ApprovalState.REVIEW_OPEN and standing.approval.expires_at <= now


async def _open(settings: Settings) -> list[tuple[Run, Standing]]:
    async with connections.open_store(settings) as store:
        return await open_approvals(store)
