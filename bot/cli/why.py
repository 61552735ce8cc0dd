"""`why`: the decision for a person, a channel and values, in the same words that Slack would show."""

from __future__ import annotations

import re

import click

from bot import connections
from bot.cli.output import format_option, load_settings, print_json, sentences, wait_for
from bot.domain.explanation import Explanation
from bot.domain.people import Actor
from bot.domain.policy import EVERYONE
from bot.settings import Settings
from bot.slack.blocks.explanation import why_text
from bot.slack.forms.command_text import read_pairs
from bot.use_cases.explain import explain


@click.command()
@click.argument("workflow")
@click.argument("values", nargs=-1, metavar="KEY=VALUE...")
@click.option("--user", required=True, help="The person, by Slack user id.")
@click.option("--channel", default="", help="The channel, by Slack channel id.")
@click.option("--group", "groups", multiple=True, help="A Slack user group that the person is taken to be in.")
@format_option
@sentences
def why(workflow: str, values: tuple[str, ...], user: str, channel: str, groups: tuple[str, ...], form: str) -> None:
    """Whether a person may run WORKFLOW with these values, and which rule says so. Exits with 1 where they may not.

    Reads the policy in force; Slack isn't asked who the person is.
    """
    pairs = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not equals:
            raise click.UsageError(f"“{value}” is no KEY=VALUE.")
        pairs[key] = text
    subjects = frozenset({user, EVERYONE, *groups})
    explanation = wait_for(_explain(load_settings(), user, subjects, channel, workflow, pairs))
    blocked = explanation.obstacle
    if form == "json":
        decision = explanation.decision
        print_json(
            {
                "allowed": decision.allowed,
                "decision": decision.verdict.value,
                "approval": decision.approval.words if decision.approval else None,
                "reason": decision.reason.value,
                "rule": decision.rule,
                "words": decision.words,
                "obstacle": blocked.reason.value if blocked else None,
                "errors": dict(explanation.errors),
            }
        )
    else:
        click.echo(plain(why_text(workflow, explanation, (), None)))
    if not explanation.decision.allowed:
        raise SystemExit(1)


def plain(mrkdwn: str) -> str:
    """Slack's words for a terminal: without marks, mentions as ids."""
    text = re.sub(r"<!date\^\d+\^[^|>]*\|([^>]*)>", r"\1", mrkdwn)
    text = re.sub(r"<[@#]([^|>]+)[^>]*>", r"\1", text)
    text = re.sub(r":[a-z_]+: ?", "", text).replace("`", "").replace("*", "")
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


async def _explain(
    settings: Settings, user: str, subjects: frozenset[str], channel: str, workflow: str, pairs: dict[str, str]
) -> Explanation:
    async with connections.open_store(settings) as store:
        actor = Actor("", user)
        return await explain(
            actor, subjects, channel, workflow, lambda entry: read_pairs(entry, pairs), store, settings.admitted
        )
