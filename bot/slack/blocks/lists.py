"""Answers that only the asker sees: help, the list of workflows, one run, one's own runs. mrkdwn, cut to what Slack holds."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from bot.domain.approvals import Standing
from bot.domain.catalogue import Listing
from bot.domain.runs import Run
from bot.slack.blocks.approval_words import progress_text
from bot.slack.blocks.run_words import MARKS, state_words
from bot.slack.blocks.text import channel, code, cut, escape, moment, person

SHOWN = 30  # entries of a list in one message


@functools.cache
def help_text(command: str) -> str:
    """How to use the bot."""
    return "\n".join(
        [
            "*Run Datadog workflows from Slack*",
            f"{code(command)} — choose a workflow, fill in its form, run it",
            f"{code(f'{command} run NAME key=value …')} — run it at once, or open its form where something is missing",
            f"{code(f'{command} list')} — the workflows that you may run in this channel",
            f"{code(f'{command} status ID')} — one run; without an ID your latest",
            f"{code(f'{command} history')} — your runs",
            f"{code(f'{command} cancel ID')} — cancel a run",
            f"{code(f'{command} pending')} — what waits for your answer",
            f"{code(f'{command} approve ID')} and {code('refuse ID reason')} — answer it",
            f"{code(f'{command} authenticator')} — set up one-time codes, where a rule asks approvers for them",
            f"{code(f'{command} why NAME key=value …')} — whether you may run it with these values, and which rule says so",
            f"{code(f'{command} run NAME key=value … --dry-run')} — what would be sent to Datadog, without sending it",
            f"{code(f'{command} lock NAME key=value … reason for 2h')} — keep others from running it; {code('unlock')} ends that",
            f"{code(f'{command} grants')} and {code('import')} — for admins: give grants, take a workflow into the policy",
            f"{code(f'{command} audit …')} — for auditors and admins: look through the audit trail",
            f"{code(f'{command} help')} — this",
            "Values with spaces take quotes: " + code('reason="disk is full"') + ". Lists take commas or JSON.",
        ]
    )


def offers_text(entries: Sequence[Listing], command: str) -> str:
    """The workflows that the asker may run here."""
    lines = ["*Workflows that you may run in this channel*"]
    for entry in entries[:SHOWN]:
        description = f" — {escape(cut(entry.description, 80))}" if entry.description else ""
        lines.append(f"• {code(entry.name)}  {escape(cut(entry.title, 75))}{description}")
    if len(entries) > SHOWN:
        more = f"{len(entries) - SHOWN}" if len(entries) <= 100 else "many"
        lines.append(f"… and {more} more. Type {code(command)} to search them all.")
    return "\n".join(lines)


def run_text(run: Run, link: str | None, standing: Standing | None) -> str:
    """One run, in words; with how its approval stands: who has answered what, and why."""
    lines = [
        f"{MARKS[run.state]} *{escape(cut(run.title, 150))}* · {state_words(run)}",
        f"Run {code(run.id)}, asked for by {person(run.user_id)} in {channel(run.channel_id)}, {moment(run.created_at)}",
    ]
    if run.instance_id:
        lines.append(f"Instance {code(run.instance_id)}" + (f" · <{link}|Open in Datadog>" if link else ""))
    if standing is not None:
        lines.append(progress_text(run, standing))
    if run.error:
        lines.append(f"> {escape(cut(run.error, 500))}")
    return "\n".join(lines)


def history_text(runs: Sequence[Run]) -> str:
    """The asker's latest runs, newest first."""
    if not runs:
        return "You have run nothing yet."
    lines = ["*Your latest runs*"]
    lines += [
        f"{MARKS[run.state]} {code(run.id)} {escape(cut(run.title, 75))} · {state_words(run)} · {moment(run.created_at)}"
        for run in runs
    ]
    return "\n".join(lines)
