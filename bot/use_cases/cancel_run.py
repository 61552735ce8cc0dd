"""Cancel a run: decide whether this person may, record it, and leave the calling to whoever follows the run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.approvals import ApprovalState
from bot.domain.audit import Act, about
from bot.domain.people import Actor, Kind
from bot.domain.policy import decide
from bot.domain.runs import ENDED, OPERATOR, Run, State
from bot.use_cases.approval_outcome import withdraw
from bot.use_cases.launch_run import cancelled_before_start
from bot.use_cases.ports import Store, Writing


class CancelAnswer(StrEnum):
    """What became of the wish."""

    ASKED = "asked"
    ASKED_BEFORE = "asked before"
    NOT_STARTED_ANY_MORE = "it was waiting and will not start"
    WITHDRAWN = "its approval is not asked for any more"
    OVER = "it is over"
    UNKNOWN = "nobody knows what to cancel"
    DENIED = "denied"
    NO_SUCH_RUN = "no such run"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The answer, and the run as it is now."""

    answer: CancelAnswer
    run: Run | None


async def cancel(
    run_id: str,
    actor: Actor,
    subjects: frozenset[str],
    store: Store,
    admitted: frozenset[Kind],
    admins: Collection[str],
    request_id: str,
) -> Cancellation:
    """Allowed to the requester, to admins, and to those whom the rules let run the same here. Raises NotRecorded."""

    def work(tx: Writing) -> Cancellation:
        run = tx.run(run_id)
        if run is None:
            return Cancellation(CancelAnswer.NO_SUCH_RUN, None)
        if not _may(tx, run, actor, subjects, admitted, admins):
            by = {"team_id": actor.team_id, "request_id": request_id}
            tx.record(about(run, Act.CANCEL_DENIED, actor.user_id, actor.name, **by))
            return Cancellation(CancelAnswer.DENIED, run)
        return cancel_as(tx, run, actor.user_id, actor.name, request_id)

    return await store.write(work, starts=True)  # where it is withdrawn, the approval's row is taken


def cancel_as(tx: Writing, run: Run, user_id: str, user_name: str, request_id: str = "") -> Cancellation:
    """Cancel without asking whether this person may: for `cancel` above, and for the command line, which has no Slack user."""
    if run.state in ENDED:
        return Cancellation(CancelAnswer.OVER, run)
    if run.state is State.UNKNOWN:
        return Cancellation(CancelAnswer.UNKNOWN, run)
    if run.cancel_by:
        return Cancellation(CancelAnswer.ASKED_BEFORE, run)
    if run.state is State.AWAITING_APPROVAL:
        return _withdraw(tx, run, user_id, user_name, request_id)
    asked = tx.ask_cancel(run.id, user_id or OPERATOR)
    if asked is None:
        return Cancellation(CancelAnswer.OVER, tx.run(run.id))
    facts = {"instance": asked.instance_id}
    tx.record(about(asked, Act.CANCEL_ASKED, user_id, user_name, request_id=request_id, **facts))
    if asked.state is State.READY:
        return Cancellation(CancelAnswer.NOT_STARTED_ANY_MORE, cancelled_before_start(tx, asked))
    tx.announce_run(asked, tx.now)
    return Cancellation(CancelAnswer.ASKED, asked)


def _withdraw(tx: Writing, run: Run, user_id: str, user_name: str, request_id: str) -> Cancellation:
    standing = tx.hold_approval(run.id)
    if standing is None or standing.approval.state is not ApprovalState.WAITING:  # decided at this very moment
        return Cancellation(CancelAnswer.OVER, tx.run(run.id))
    return Cancellation(CancelAnswer.WITHDRAWN, withdraw(tx, run, standing.approval, user_id, user_name, request_id))


def _may(
    tx: Writing,
    run: Run,
    actor: Actor,
    subjects: frozenset[str],
    admitted: frozenset[Kind],
    admins: Collection[str],
) -> bool:
    if not actor.may_act(admitted) or actor.team_id != run.team_id:
        return False
    if actor.user_id == run.user_id or actor.user_id in admins:
        return True
    entry = tx.entry(run.workflow)
    if entry is None:
        return False
    grants = tx.grants(subjects, entry.targets)
    return decide(grants, subjects, entry, run.channel_id, run.inputs).allowed
