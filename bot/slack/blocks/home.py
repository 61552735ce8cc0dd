"""App Home: what waits for the person's answer, what they wait for, and their latest runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from slack_sdk.models.blocks import (
    Block,
    ButtonElement,
    ContextBlock,
    DividerBlock,
    HeaderBlock,
    MarkdownTextObject,
    SectionBlock,
)
from slack_sdk.models.views import View as SlackView

from bot.domain.runs import Run
from bot.slack.blocks.pending import Waiting, pending_line
from bot.slack.blocks.review_modal import ReviewMemory
from bot.slack.blocks.run_words import MARKS, state_words
from bot.slack.blocks.text import channel, code, cut, escape, moment
from bot.slack.ids import Action

SHOWN = 15  # of each kind; a Home holds 100 blocks


def home(
    to_answer: Sequence[Waiting], own: Sequence[Waiting], runs: Sequence[Run], command: str, now: datetime
) -> dict[str, Any]:
    """The whole Home of one person."""
    blocks: list[Block] = [HeaderBlock(text="Waiting for your answer")]
    for run, standing in to_answer[:SHOWN]:
        memory = ReviewMemory(run.id, standing.approval.bound_to)
        button = ButtonElement(text="Review…", action_id=Action.REVIEW, value=memory.dump(), style="primary")
        text = MarkdownTextObject(text=pending_line(run, standing, now))
        blocks.append(SectionBlock(block_id=f"review:{run.id}", text=text, accessory=button))
    blocks += _rest(len(to_answer), "Nothing. You are up to date.")
    if own:
        blocks += [DividerBlock(), HeaderBlock(text="Your runs that wait for others")]
        blocks += [_text(pending_line(run, standing, now)) for run, standing in own[:SHOWN]]
        blocks += _rest(len(own), "")
    blocks += [DividerBlock(), HeaderBlock(text="Your latest runs")]
    blocks += [_text(_run(run)) for run in runs[:SHOWN]]
    blocks += _rest(len(runs), "You have run nothing yet.")
    hint = f"To run a workflow, type {code(command)} in a channel. {code(f'{command} help')} shows what else there is."
    blocks += [DividerBlock(), ContextBlock(elements=[MarkdownTextObject(text=hint)])]
    rendered: dict[str, Any] = SlackView(type="home", blocks=blocks).to_dict()
    return rendered


def _run(run: Run) -> str:
    title = f"{MARKS[run.state]} *{escape(cut(run.title, 75))}* {state_words(run)}"
    return f"{title}\n{code(run.id)} in {channel(run.channel_id)}, {moment(run.created_at)}"


def _text(text: str) -> SectionBlock:
    return SectionBlock(text=MarkdownTextObject(text=text))


def _rest(count: int, nothing: str) -> list[Block]:
    if count == 0:
        return [_text(nothing)] if nothing else []
    return [_text(f"… and {count - SHOWN} more")] if count > SHOWN else []
