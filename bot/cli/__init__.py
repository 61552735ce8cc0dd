"""The command line: one file per noun. Exit codes: 0 ok, 1 failed, 2 wrong usage."""

from __future__ import annotations

import click

from bot import __version__
from bot.cli.approvals import approvals
from bot.cli.audit import audit
from bot.cli.authenticators import authenticators
from bot.cli.chosen import name_workspace
from bot.cli.db import db
from bot.cli.doctor import doctor
from bot.cli.grants import grants
from bot.cli.manifest import manifest
from bot.cli.policy import policy
from bot.cli.runs import runs
from bot.cli.sandbox import sandbox
from bot.cli.serve import serve
from bot.cli.why import why
from bot.cli.workflows import workflows
from bot.cli.workspaces import workspaces


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="workflow-bot")
@click.option(
    "--workspace",
    envvar="WORKSPACE",
    callback=name_workspace,
    expose_value=False,
    metavar="ID",
    help="Which workspace, where many are served: T…, or E… for an organisation. Or set WORKSPACE.",
)
def main() -> None:
    """Run allow-listed Datadog workflows from Slack.

    Settings come from the environment; docs/settings.md lists them. Start with: workflow-bot doctor
    """


for command in (
    serve,
    sandbox,
    doctor,
    manifest,
    db,
    policy,
    workflows,
    grants,
    why,
    runs,
    approvals,
    authenticators,
    audit,
    workspaces,
):
    main.add_command(command)
