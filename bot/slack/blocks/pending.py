"""What waits for an answer, as a list. mrkdwn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.approvals import ApprovalState, Standing
from bot.domain.runs import Run
from bot.slack.blocks.approval_words import quorums_text
from bot.slack.blocks.text import channel, code, cut, escape, moment, person

Waiting = tuple[Run, Standing]

SHOWN = 20  # of each kind in one message


def pending_text(to_answer: Sequence[Waiting], own: Sequence[Waiting], command: str, now: datetime) -> str:
    """What the person can answer, and what of theirs waits for others."""
    if not to_answer and not own:
        return ":white_check_mark: Nothing waits for your answer, and you wait for nobody's."
    lines: list[str] = []
    if to_answer:
        lines.append("*Waiting for your answer*")
        lines += [pending_line(run, standing, now) for run, standing in to_answer[:SHOWN]]
        lines += _more(len(to_answer))
        lines.append(
            f"Answer in the message, or with {code(f'{command} approve ID')} or {code(f'{command} refuse ID reason')}."
        )
    if own:
        lines.append("*Your own runs that wait for others*")
        lines += [pending_line(run, standing, now) for run, standing in own[:SHOWN]]
        lines += _more(len(own))
    return "\n".join(lines)


def pending_line(run: Run, standing: Standing, now: datetime) -> str:
    """One of them."""
    approval = standing.approval
    title = f"{code(run.id)} *{escape(cut(run.title, 75))}* for {person(run.user_id)} in {channel(run.channel_id)}"
    if approval.state is ApprovalState.REVIEW_OPEN:
        late = ", *overdue*" if approval.expires_at <= now else ""
        return f":rotating_light: {title}: to be reviewed until {moment(approval.expires_at)}{late}"
    needed = quorums_text(standing.needed, 0)
    return f":raised_hand: {title}: needs {needed}, until {moment(approval.expires_at)}"


def _more(count: int) -> list[str]:
    return [f"… and {count - SHOWN} more"] if count > SHOWN else []
