"""Every id that Slack sends back to us. The manifest and the switchboard are checked against these."""

from __future__ import annotations

from enum import StrEnum

COMMAND = "/workflow"  # the default; SLACK_COMMAND may name another


# What the bot's token has to be allowed to do: the scopes in the manifest.
SCOPES = (
    "channels:read",
    "chat:write",
    "chat:write.public",
    "commands",
    "files:write",
    "groups:read",
    "usergroups:read",
    "users:read",
)


class Shortcut(StrEnum):
    """Callback ids of shortcuts in the manifest. None yet."""


class Event(StrEnum):
    """Types of events in the manifest."""

    GROUP_MEMBERS = "subteam_members_changed"
    GROUP = "subteam_updated"
    PERSON = "user_change"
    HOME = "app_home_opened"


# Types of events that are there only where workspaces install the bot by themselves.
GONE = ("app_uninstalled", "tokens_revoked")


class View(StrEnum):
    """Callback ids of modals."""

    PICKER = "picker"
    FORM = "workflow_form"
    NOTICE = "notice"
    GRANTS = "grants"
    IMPORT = "import"
    REVIEW = "review"
    AUTHENTICATOR = "authenticator"


class Action(StrEnum):
    """Action ids of elements."""

    PICK_WORKFLOW = "pick_workflow"
    INPUT = "input"
    SECRET_INPUT = "secret_input"  # noqa: S105  # an id, not a secret; what was typed there is never sent back
    OPEN_IN_DATADOG = "open_in_datadog"
    CANCEL_RUN = "cancel_run"
    RUN_AGAIN = "run_again"
    PICK_DATADOG = "pick_datadog_workflow"
    TAKE_BACK = "take_back_grant"
    GRANT_FIELD = "grant_field"
    APPROVAL_REASON = "approval_reason"
    BREAK_GLASS = "break_glass"
    APPROVE = "approve_run"
    REVIEW = "review_run"
    REVIEW_REFUSE = "review_run_to_refuse"
    REVIEW_COMMENT = "review_run_to_comment"
    REVIEW_FIELD = "review_field"
    CODE = "one_time_code"


class Subcommand(StrEnum):
    """The words after the slash command."""

    RUN = "run"
    LIST = "list"
    STATUS = "status"
    HISTORY = "history"
    CANCEL = "cancel"
    PENDING = "pending"
    APPROVE = "approve"
    REFUSE = "refuse"
    AUTHENTICATOR = "authenticator"
    WHY = "why"
    LOCK = "lock"
    UNLOCK = "unlock"
    GRANTS = "grants"
    IMPORT = "import"
    AUDIT = "audit"
    HELP = "help"


INPUT_BLOCK = "input:"  # the block id of a field is this and the input's name


def block_of(input_name: str) -> str:
    """The block id of an input's field."""
    return f"{INPUT_BLOCK}{input_name}"


def input_of(block_id: str) -> str | None:
    """The input whose field has this block id."""
    return block_id.removeprefix(INPUT_BLOCK) if block_id.startswith(INPUT_BLOCK) else None
