"""An approval in words: who has to approve, what is still needed, who has answered and how it was decided. mrkdwn."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.approvals import ApprovalState, Quorum, Review, Standing, people_needed
from bot.domain.policy import EVERYONE
from bot.domain.runs import Run
from bot.slack.blocks.run_words import begun_words
from bot.slack.blocks.text import cut, escape, moment, person, sentence_list

NAMED = 6  # people of a quorum that are named
SHOWN_COMMENT = 500  # characters


def quorums_text(quorums: Sequence[Quorum]) -> str:
    """Who has to approve, with names: `2 of managers (@Bob, @Cara)`."""
    return " and ".join(f"{quorum.count} of {escape(quorum.name)}{_names(quorum)}" for quorum in quorums)


def reviewers_text(quorums: Sequence[Quorum], *, named: bool) -> str:
    """Who may review broken glass: any one of those who might have approved."""
    return "one of " + " or ".join(f"{escape(quorum.name)}{_names(quorum) if named else ''}" for quorum in quorums)


def subject(subject_id: str) -> str:
    """A mention of a person or a user group."""
    if subject_id == EVERYONE:
        return "everyone else"
    return f"<!subteam^{subject_id}>" if subject_id.startswith("S") else person(subject_id)


def progress_text(run: Run, standing: Standing) -> str:
    """Where an approval stands, for the run's own message, which pings nobody of those who are asked."""
    approval, so_far = standing.approval, standing.approvers
    by = f" Approved so far by {sentence_list([person(one) for one in so_far], 'and')}." if so_far else ""
    match approval.state:
        case ApprovalState.WAITING:
            needed = escape(people_needed(standing.needed))
            return f"Still needed: {needed}, until {moment(approval.expires_at)}.{by}"
        case ApprovalState.APPROVED:
            return f"Approved by {sentence_list([person(one) for one in so_far], 'and')}."
        case ApprovalState.EXPIRED:
            return f"Nobody decided in time: it expired {moment(approval.expires_at)}.{by}"
        case ApprovalState.REVIEW_OPEN:
            who = reviewers_text(approval.quorums, named=False)
            return f"{_begun(run)} *without approval*; to be reviewed by {who} until {moment(approval.expires_at)}."
        case ApprovalState.REVIEWED:
            return f"{_begun(run)} *without approval*, and reviewed since.\n" + "\n".join(answers(standing))
        case _:
            return "\n".join(answers(standing))


def _begun(run: Run) -> str:
    return begun_words(run).removeprefix("was ").capitalize()


def answers(standing: Standing) -> list[str]:
    """Who answered what, a line each."""
    return [_answer(review, standing.approval.state is ApprovalState.REVIEWED) for review in standing.reviews]


def _answer(review: Review, after_the_fact: bool) -> str:
    if after_the_fact:
        did = "signed it off" if review.approves else "objects to it"
    else:
        did = "approved" if review.approves else "refused"
    mark = ":white_check_mark:" if review.approves else ":no_entry:"
    comment = f": {escape(cut(review.comment, SHOWN_COMMENT))}" if review.comment else ""
    return f"{mark} {person(review.user_id)} {did} {moment(review.at)}{comment}"


def _names(quorum: Quorum) -> str:
    names = [subject(one) for one in quorum.subjects if one != EVERYONE]
    if not names or names == [escape(quorum.name)]:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f" ({', '.join(names[:NAMED])}{more})"
