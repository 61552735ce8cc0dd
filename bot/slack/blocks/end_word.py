"""The word to the requester when a run is over: in the message's thread, with the outputs or the error in full."""

from __future__ import annotations

import json

from bot.domain.approvals import Standing
from bot.domain.runs import Run, State
from bot.slack.blocks.approval_words import answers
from bot.slack.blocks.run_words import MARKS, canceller, state_words
from bot.slack.blocks.text import cut, escape, person, sentence_list

TEXT_LIMIT = 3500  # characters; Slack advises to stay below 4,000 (Slack docs: chat.postMessage)


def approved_word(run: Run, standing: Standing | None) -> str:
    """The word to the requester when the last approval has come. mrkdwn."""
    by = sentence_list([person(one) for one in standing.approvers], "and") if standing else "everybody needed"
    return f"{person(run.user_id)} :white_check_mark: *{escape(cut(run.title, 150))}* was approved by {by}, and starts now."


def end_word(run: Run, standing: Standing | None = None) -> tuple[str, str | None]:
    """The text, and the outputs as JSON where they are too long for it and go along as a file."""
    lines = [f"{person(run.user_id)} {MARKS[run.state]} *{escape(cut(run.title, 150))}* {_verb(run)}."]
    if run.state is State.REFUSED and standing is not None:
        lines += [line for line in answers(standing) if standing.refusal]
    if run.error and run.state is not State.UNKNOWN:  # the message above quotes that already
        lines.append(f"> {escape(cut(run.error, 1000))}")
    if not run.outputs:
        return "\n".join(lines), None
    outputs = json.dumps(run.outputs, indent=2, ensure_ascii=False, default=str)
    fenced = escape(outputs.replace("```", "`\u200b``"))  # nothing in the outputs may end the block
    shown = f"```{fenced}```"
    if sum(map(len, lines)) + len(shown) > TEXT_LIMIT:
        return "\n".join([*lines, "The outputs are in the file."]), outputs
    return "\n".join([*lines, shown]), None


def _verb(run: Run) -> str:
    if run.state is State.CANCELLED:
        return f"was {state_words(run)}" + (f" by {canceller(run)}" if run.cancel_by else "")
    if run.state in (State.NOT_STARTED, State.REFUSED, State.EXPIRED):
        return f"was {state_words(run)}"
    if run.state is State.UNKNOWN:
        return "has an unknown outcome; the message above says what to do"
    return state_words(run)
