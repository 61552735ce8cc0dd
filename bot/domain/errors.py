"""The whole vocabulary of failure, named by what the person can do next.

A class docstring is the default message. `slack/error_text.py` may word one better for Slack; nothing else invents words.

    WorkflowBotError
    ├── Refused                 the request is understood and will not be done
    ├── InvalidSettings         the operator has to change a setting before the bot can start
    ├── InvalidPolicy           the policy file has to be corrected
    ├── NotRecorded             the database could not write it down, so nothing was done
    ├── UnreadableSecret        a sealed input can't be opened: ENCRYPTION_KEY is not the one it was sealed with
    ├── NotWitnessed            the head of the audit trail could not be told to a witness: it is tried again
    ├── SlackUnavailable        Slack did not tell us what we must know before we act
    └── DatadogError
        ├── DatadogRefused      Datadog answered no: surely nothing was started
        │   └── DatadogForbidden
        ├── DatadogLimited      429: surely nothing was started, may be tried again after `retry_after`
        ├── DatadogUnreachable  nothing was sent (connect phase): may be tried again
        └── OutcomeUnknown      sent, and the answer was lost: may have started; never sent again by itself
"""

from __future__ import annotations


class WorkflowBotError(Exception):
    """Something went wrong in the bot. Nothing more is known."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().split("\n")[0])


class Refused(WorkflowBotError):
    """This is not permitted."""


class InvalidSettings(WorkflowBotError):
    """A setting is missing or wrong."""


class InvalidPolicy(WorkflowBotError):
    """The policy file has an error."""


class NotRecorded(WorkflowBotError):
    """The bot could not write this down, so nothing was started. Try again in a moment."""

    def __init__(self, message: str | None = None, *, cause: str = "") -> None:
        super().__init__(message)
        self.cause = cause or str(self)  # for a log: nobody waits for an answer there


class UnreadableSecret(WorkflowBotError):
    """The secret inputs can't be read any more: the key they were sealed with has changed. Nothing was started."""


class NotWitnessed(WorkflowBotError):
    """The head of the audit trail could not be told to a witness. It is tried again."""


class SlackUnavailable(WorkflowBotError):
    """Slack did not answer, so the bot can't tell who you are, and nothing was started. Try again in a moment."""


class DatadogError(WorkflowBotError):
    """A call to Datadog did not do what was asked."""

    def __init__(self, message: str | None = None, *, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class DatadogRefused(DatadogError):
    """Datadog refused the request. Nothing was started."""


class DatadogForbidden(DatadogRefused):
    """Datadog does not let the bot's keys do this. Nothing was started."""


class DatadogLimited(DatadogError):
    """Datadog is limiting requests. Nothing was started yet."""

    def __init__(self, message: str | None = None, *, retry_after: float | None = None) -> None:
        super().__init__(message, status=429)
        self.retry_after = retry_after


class DatadogUnreachable(DatadogError):
    """Datadog can't be reached. Nothing was sent."""


class OutcomeUnknown(DatadogError):
    """Datadog's answer was lost: the workflow may or may not have started."""
