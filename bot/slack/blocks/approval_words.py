"""An approval in words: who has to approve, what is still needed, who has answered and how it was decided. mrkdwn."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.domain.approvals import ApprovalState, Quorum, Review, Standing
from bot.domain.policy import EVERYONE
from bot.domain.runs import Run
from bot.slack.blocks.run_words import begun_words
from bot.slack.blocks.text import cut, escape, moment, person, quoted, sentence_list

NAMED = 100  # characters of names in passing: six or so
ASKED = 2000  # characters of names where those who are named are to answer: whoever is mentioned hears of it
SHOWN_COMMENT = 500  # characters
SHOWN_COMMENTS = 900  # characters of all of them together
SLACK_ID = re.compile("[UWS][0-9A-Z]{2,}")  # names of people in a policy are in lower case


def quorums_text(quorums: Sequence[Quorum], names: int = NAMED) -> str:
    """Who has to approve, with up to so many characters of names: `2 of managers (@Bob, @Cara)`, or `@Bob` alone."""
    return " and ".join(_quorum(quorum, names // len(quorums)) for quorum in quorums)


def reviewers_text(quorums: Sequence[Quorum], names: int = NAMED) -> str:
    """Who may review broken glass: any one of those who might have approved."""
    whom = " or ".join(f"{_called(quorum)}{_names(quorum, names // len(quorums))}" for quorum in quorums)
    return whom if all(_is_one_person(quorum) for quorum in quorums) else f"one of {whom}"


def subject(subject_id: str) -> str:
    """A mention of a person or a user group."""
    if subject_id == EVERYONE:
        return "everyone else"
    return f"<!subteam^{subject_id}>" if subject_id.startswith("S") else person(subject_id)


def progress_text(run: Run, standing: Standing) -> str:
    """Where an approval stands, for the run's own message, which names people only where the policy has no name for them."""
    approval, so_far = standing.approval, standing.approvers
    by = f" Approved so far by {sentence_list([person(one) for one in so_far], 'and')}." if so_far else ""
    match approval.state:
        case ApprovalState.WAITING:
            return f"Still needed: {quorums_text(standing.needed, 0)}, until {moment(approval.expires_at)}.{by}"
        case ApprovalState.APPROVED:
            return f"Approved by {sentence_list([person(one) for one in so_far], 'and')}."
        case ApprovalState.EXPIRED:
            return f"Nobody decided in time: it expired {moment(approval.expires_at)}.{by}"
        case ApprovalState.REVIEW_OPEN:
            who = reviewers_text(approval.quorums, 0)
            return f"{_begun(run)} *without approval*; to be reviewed by {who} until {moment(approval.expires_at)}."
        case ApprovalState.REVIEWED:
            return f"{_begun(run)} *without approval*, and reviewed since.\n" + "\n".join(answers(standing))
        case _:
            return "\n".join(answers(standing))


def _begun(run: Run) -> str:
    return begun_words(run).removeprefix("was ").capitalize()


def answers(standing: Standing) -> list[str]:
    """Who answered what, a line each, and below it what they said as a quotation."""
    most = min(SHOWN_COMMENT, SHOWN_COMMENTS // max(1, sum(bool(review.comment) for review in standing.reviews)))
    return [_answer(review, standing.approval.state is ApprovalState.REVIEWED, most) for review in standing.reviews]


def _answer(review: Review, after_the_fact: bool, most: int) -> str:
    if after_the_fact:
        did = "signed it off" if review.approves else "objects to it"
    else:
        did = "approved" if review.approves else "refused"
    mark = ":white_check_mark:" if review.approves else ":no_entry:"
    comment = f"\n{quoted(cut(review.comment, most))}" if review.comment else ""
    return f"{mark} {person(review.user_id)} {did} {moment(review.at)}{comment}"


def _quorum(quorum: Quorum, names: int) -> str:
    if _is_one_person(quorum):
        return subject(quorum.name)
    return f"{quorum.count} of {_called(quorum)}{_names(quorum, names)}"


def _is_one_person(quorum: Quorum) -> bool:
    return quorum.subjects == (quorum.name,) and quorum.name.startswith(("U", "W"))


def _called(quorum: Quorum) -> str:
    """The quorum's name; where the policy says ids, they are mentions of those who are still to answer."""
    parts = quorum.name.split(" or ")
    left = [part for part in parts if not SLACK_ID.fullmatch(part) or part in quorum.subjects] or parts
    return " or ".join(subject(part) if SLACK_ID.fullmatch(part) else escape(part) for part in left)


def _names(quorum: Quorum, most: int) -> str:
    """The people and groups whom the name doesn't mention, in up to so many characters."""
    called = quorum.name.split(" or ")
    names = [subject(one) for one in quorum.subjects if one != EVERYONE and one not in called]
    ends, shown = 0, 0
    for name in names:
        ends += len(name) + 2
        if ends > most:
            break
        shown += 1
    if not shown:
        return ""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f" ({', '.join(names[:shown])}{more})"
