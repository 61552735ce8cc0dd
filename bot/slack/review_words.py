"""What became of an approver's answer, in words. mrkdwn."""

from __future__ import annotations

from bot.slack.blocks.approval_words import answers
from bot.slack.blocks.run_words import state_words
from bot.slack.blocks.text import code, cut, escape
from bot.use_cases.review_run import ReviewAnswer, Reviewed

# Its own message shows these; a person who pressed a button there needs no more words.
SHOWN_BY_ITSELF = frozenset({ReviewAnswer.COUNTED, ReviewAnswer.STARTED, ReviewAnswer.REFUSED, ReviewAnswer.SIGNED_OFF})


def review_words(reviewed: Reviewed, command: str) -> str:
    """What the person is told; `command` is the slash command."""
    name = code(reviewed.run.id) if reviewed.run else "that run"
    match reviewed.answer:
        case ReviewAnswer.COUNTED:
            return f":white_check_mark: Your approval of {name} counts. More are needed before it starts."
        case ReviewAnswer.STARTED:
            return f":white_check_mark: {name} is approved, and starts now."
        case ReviewAnswer.NOT_STARTED:
            error = escape(cut(reviewed.run.error or "", 500)) if reviewed.run else ""
            return f":no_entry: Your approval of {name} counts, and it can't start any more. {error}"
        case ReviewAnswer.REFUSED:
            return f":no_entry: You have refused {name}. It will not start, and its requester is told why."
        case ReviewAnswer.SIGNED_OFF:
            return f":white_check_mark: {name} is reviewed. Thank you."
        case ReviewAnswer.ANSWERED_BEFORE:
            return f":information_source: You have answered for {name} already; your first answer counts."
        case ReviewAnswer.OVER:
            return f":information_source: {name} is decided already. {_how(reviewed)}"
        case _:
            return _REFUSALS[reviewed.answer].format(name=name, command=command)


_REFUSALS = {
    ReviewAnswer.OWN: ":no_entry: {name} is your own: somebody else has to decide on it.",
    ReviewAnswer.NOT_AN_APPROVER: ":no_entry: You are not among those who may decide on {name}, so nothing was changed.",
    ReviewAnswer.CHANGED: (
        ":no_entry: {name} is not what you were shown any more, so your answer was not counted. Its requester has to ask anew."
    ),
    ReviewAnswer.NO_SUCH_APPROVAL: (
        ":information_source: There is nothing to decide on {name}. `{command} pending` lists what waits for you."
    ),
    ReviewAnswer.CODE_NEEDED: ":lock: To approve {name}, type the one-time code of your authenticator app.",
    ReviewAnswer.CODE_WRONG: ":lock: That code is wrong, or was used before. Wait for the next one and try again.",
    ReviewAnswer.CODE_BLOCKED: ":lock: Too many wrong codes. Try again in 15 minutes.",
    ReviewAnswer.NO_AUTHENTICATOR: (
        ":lock: To approve {name} you need an authenticator app. Set it up with `{command} authenticator`, then press again."
    ),
}


def _how(reviewed: Reviewed) -> str:
    given = answers(reviewed.standing) if reviewed.standing else []
    if given:
        return "\n" + "\n".join(given)
    return f"It is {state_words(reviewed.run)}." if reviewed.run else ""
