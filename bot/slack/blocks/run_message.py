"""A run's one message in the channel: who, what, inputs, instance, link, and what became of it."""

from __future__ import annotations

from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ContextBlock,
    MarkdownTextObject,
    SectionBlock,
)

from bot.domain.inputs import as_text
from bot.domain.runs import Run, State
from bot.slack.blocks.lists import MARKS, state_words
from bot.slack.blocks.text import SECTION, SHOWN_VALUE, code, cut, escape, moment, person
from bot.slack.ids import Action

SHOWN_INPUTS = 20  # more than that are counted, and the audit record holds them all


def run_message(run: Run, link: str | None) -> tuple[str, list[dict[str, Any]]]:
    """The text for notifications and the blocks. `link` is the run's page in Datadog."""
    blocks: list[Block] = [SectionBlock(text=MarkdownTextObject(text=_headline(run)))]
    inputs = _inputs(run)
    if inputs:
        blocks.append(SectionBlock(text=MarkdownTextObject(text=cut(inputs, SECTION))))
    told = _what_is_known(run)
    if told:
        blocks.append(SectionBlock(text=MarkdownTextObject(text=cut(told, SECTION))))
    if link and run.instance_id:
        button = ButtonElement(text="Open in Datadog", action_id=Action.OPEN_IN_DATADOG, url=link)
        blocks.append(ActionsBlock(block_id=f"run:{run.id}", elements=[button]))
    facts = [f"Run {code(run.id)}"]
    if run.instance_id:
        facts.append(f"instance {code(run.instance_id)}")
    facts.append(moment(run.launched_at or run.created_at))
    blocks.append(ContextBlock(elements=[MarkdownTextObject(text=" · ".join(facts))]))
    text = f"{escape(cut(run.title, 150))}: {state_words(run)}, asked for by {person(run.user_id)}"
    return text, [block.to_dict() for block in blocks]


def _headline(run: Run) -> str:
    return f"{MARKS[run.state]} *{escape(cut(run.title, 150))}* {_verb(run.state)} {person(run.user_id)}"


def _verb(state: State) -> str:
    match state:
        case State.READY | State.LAUNCHING:
            return "is being started for"
        case State.RUNNING:
            return "was started by"
        case State.NOT_STARTED:
            return "was *not started* for"
        case State.UNKNOWN:
            return "was asked for, *outcome unknown*, by"


def _inputs(run: Run) -> str:
    shown = [(name, code(cut(as_text(value), SHOWN_VALUE))) for name, value in run.inputs.items()]
    shown += [(name, "_secret_") for name in run.secrets]
    lines = [f"*{escape(cut(name, 75))}*  {value}" for name, value in shown[:SHOWN_INPUTS]]
    text = ""
    for number, line in enumerate(lines):
        rest = len(shown) - number
        if len(text) + len(line) > SECTION - 100:
            return f"{text}… and {rest} more"
        text += line + "\n"
    more = len(shown) - len(lines)
    return text.rstrip("\n") + (f"\n… and {more} more" if more else "")


def _what_is_known(run: Run) -> str:
    error = escape(cut(run.error or "", 1500))
    match run.state:
        case State.NOT_STARTED:
            return f"> {error}"
        case State.READY if run.error:
            return f"> {error}\nNothing was started yet. The bot tries again by itself; there is nothing to do."
        case State.UNKNOWN:
            return (
                f"> {error}\n"
                "The request was sent and its answer was lost, so the workflow *may or may not be running*. The bot will not"
                " send it again. Look in Datadog whether it runs before you ask anew."
            )
        case _:
            return ""
