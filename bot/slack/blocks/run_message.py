"""A run's one message in the channel: who, what, inputs, each step as it happens, the end, and what can be done now.

It is drawn at each step of each run, and written as Slack takes it: slack_sdk's models look through all that they have for
what they should check, which took longer than all else about the message. That Slack takes it is a test.
"""

from __future__ import annotations

from typing import Any

from bot.domain.approvals import Standing
from bot.domain.inputs import as_text
from bot.domain.runs import ENDED, Run, State
from bot.slack.blocks.approval_words import progress_text
from bot.slack.blocks.run_words import MARKS, canceller, state_words, steps_text
from bot.slack.blocks.text import SECTION, SHOWN_VALUE, code, cut, escape, moment, person
from bot.slack.ids import Action

SHOWN_INPUTS = 20  # more than that are counted, and the audit record holds them all
SHOWN_OUTPUTS = 1000  # characters; the thread has more, or all as a file

Block = dict[str, Any]
Rendered = tuple[str, list[Block]]


def run_message(run: Run, link: str | None, standing: Standing | None = None) -> Rendered:
    """The text for notifications and the blocks. `link` is the run's page in Datadog, `standing` its approval."""
    approval = progress_text(run, standing) if standing else ""
    parts = [_headline(run), _inputs(run), approval, steps_text(run.steps), _what_is_known(run)]
    blocks: list[Block] = [_section(part) for part in parts if part]
    buttons = _buttons(run, link)
    if buttons:
        blocks.append({"type": "actions", "block_id": f"run:{run.id}", "elements": buttons})
    facts = [f"Run {code(run.id)}"]
    if run.instance_id:
        facts.append(f"instance {code(run.instance_id)}")
    facts.append(moment(run.launched_at or run.created_at))
    blocks.append({"type": "context", "elements": [_mrkdwn(" · ".join(facts))]})
    text = f"{escape(cut(run.title, 150))}: {state_words(run)}, asked for by {person(run.user_id)}"
    return text, blocks


def opening_message(run: Run) -> Rendered:
    """What is posted first where a run is over already. It is brought up to date at once.

    Were the bot killed before it had noted where it posted, this would stay behind, and claim nothing.
    """
    text = f"{escape(cut(run.title, 150))} was asked for by {person(run.user_id)}: run {code(run.id)}"
    return text, [_section(text)]


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(cut(text, SECTION))}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": True}


def _button(text: str, action: Action, **more: Any) -> dict[str, Any]:
    return {"type": "button", "text": _plain(text), "action_id": action, **more}


def _confirm(title: str, text: str, confirm: str, deny: str, **more: Any) -> dict[str, Any]:
    words = {"title": _plain(title), "text": _mrkdwn(text), "confirm": _plain(confirm), "deny": _plain(deny)}
    return {**words, **more}


def _headline(run: Run) -> str:
    verbs = {
        State.AWAITING_APPROVAL: "*waits for approval* for",
        State.READY: "is being started for",
        State.LAUNCHING: "is being started for",
        State.RUNNING: "is running for",
        State.SUCCEEDED: f"*{state_words(run)}* for",
        State.FAILED: f"*{state_words(run)}* for",
        State.CANCELLED: f"was *{state_words(run)}* for",
        State.NOT_STARTED: "was *not started* for",
        State.REFUSED: "was *refused* for",
        State.EXPIRED: "was *not approved in time* for",
        State.UNKNOWN: "has an *unknown outcome* for",
    }
    return f"{MARKS[run.state]} *{escape(cut(run.title, 150))}* {verbs[run.state]} {person(run.user_id)}"


def _inputs(run: Run) -> str:
    shown = [(name, code(cut(as_text(value), SHOWN_VALUE))) for name, value in run.inputs.items()]
    shown += [(name, "_secret_") for name in run.secrets]
    text = ""
    for number, (name, value) in enumerate(shown):
        line = f"*{escape(cut(name, 75))}*  {value}\n"
        if number == SHOWN_INPUTS or len(text) + len(line) > SECTION - 100:
            return f"{text}… and {len(shown) - number} more"
        text += line
    return text.rstrip("\n")


def _what_is_known(run: Run) -> str:
    """What there is to say beside the steps; for an unknown run: what is known, what the bot does, what a person can do."""
    quoted = f"> {escape(cut(run.error, 1000))}\n" if run.error else ""
    match run.state:
        case State.READY if run.error:
            return f"{quoted}Nothing was started yet. The bot tries again by itself; there is nothing to do."
        case State.RUNNING if run.cancel_by:
            return f"{quoted}Cancelling, as {canceller(run)} has asked."
        case State.RUNNING if run.error and run.looks:
            return f"{quoted}The bot can't see how it goes at the moment, and keeps looking."
        case State.RUNNING if run.status:
            return f"Datadog calls its state {code(cut(run.status, 100))}."
        case State.UNKNOWN:
            return quoted + _unknown(run)
        case State.FAILED | State.SUCCEEDED | State.CANCELLED:
            said = f"Datadog says {code(cut(run.status, 100))}.\n" if run.state is State.FAILED and run.status else ""
            how = "Cancelled" if run.accepted_at else "Withdrawn"
            by = f"{how} by {canceller(run)}.\n" if run.state is State.CANCELLED and run.cancel_by else ""
            outputs = code(cut(as_text(run.outputs), SHOWN_OUTPUTS)) if run.outputs else ""
            return (said + by + quoted + (f"*Outputs*  {outputs}" if outputs else "")).rstrip("\n")
        case _:
            return quoted.rstrip("\n")


def _unknown(run: Run) -> str:
    if run.instance_id:
        return "The workflow *was started*, and the bot can't find out how it ended. Look in Datadog."
    known = "The request was sent and its answer was lost, so the workflow *may or may not be running*."
    found = f" {escape(run.status)}" if run.status else ""
    if run.due:
        return f"{known}{found} The bot searches Datadog for it and will not send it again; wait before you ask anew."
    return (
        f"{known}{found} The bot has stopped searching and will not send it again. Look in Datadog whether it runs before"
        f" you ask anew. Whoever runs the bot can settle it: {code(f'workflow-bot runs resolve {run.id}')}"
    )


def _buttons(run: Run, link: str | None) -> list[dict[str, Any]]:
    buttons = []
    if link and run.instance_id:
        buttons.append(_button("Open in Datadog", Action.OPEN_IN_DATADOG, url=link))
    if run.state is State.AWAITING_APPROVAL:
        words = "Nobody is asked any more, and it will not start."
        sure = _confirm("Withdraw it?", words, "Withdraw it", "Keep it")
        buttons.append(_button("Withdraw", Action.CANCEL_RUN, value=run.id, confirm=sure))
    if run.state in (State.READY, State.LAUNCHING, State.RUNNING) and not run.cancel_by:
        words = "What its steps have done already stays done."
        sure = _confirm("Cancel this run?", words, "Cancel the run", "Let it run", style="danger")
        buttons.append(_button("Cancel", Action.CANCEL_RUN, value=run.id, style="danger", confirm=sure))
    if run.state in ENDED:
        buttons.append(_button("Run again", Action.RUN_AGAIN, value=run.id))
    return buttons
