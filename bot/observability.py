"""Logs: one line an event, as text or JSON, with no secret in it whatever a library puts there."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable

from pythonjsonlogger.json import JsonFormatter

from bot.domain.redaction import Redactor
from bot.use_cases.telemetry import REQUEST

# Anything shaped like a token or a one-time URL is hidden even where it isn't one of ours.
SHAPES = re.compile(
    r"xox[a-z]\.?-[\w.-]+|xapp-[\w-]+|xoxe[\w.-]+|https?://[^\s\"']*/(?:commands|actions|respond)/[^\s\"']+"
)
HIDDEN = "[hidden]"
SHORTEST = 6  # characters; hiding shorter values would leave holes in every word

# What every record has; anything else was attached by whoever logged, and JSON lines show it.
_OWN = frozenset(vars(logging.makeLogRecord({})))

# Libraries whose INFO holds bodies, signatures or URLs.
NOISY = ("slack_bolt", "slack_sdk", "httpx", "httpcore", "aiohttp.access", "alembic", "opentelemetry", "urllib3")


class Redaction(logging.Filter):
    """Takes known secrets, and whatever looks like one, out of every record before it is written."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._redactor = Redactor(secrets, HIDDEN, SHORTEST)

    def hide(self, secret: str) -> None:
        """Take this one out too, from now on."""
        self._redactor.learn([secret])

    def clean(self, text: str) -> str:
        """The text without secrets."""
        return SHAPES.sub(HIDDEN, self._redactor.text(text))

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # a wrong format string must not stop what was going on
            message = f"{record.msg} {record.args}"
        record.msg, record.args = self.clean(message), None
        for name, value in vars(record).items():
            if name not in _OWN:
                setattr(record, name, self.clean(str(value)))
        if record.exc_info:
            formatter = logging.Formatter()
            record.exc_text = self.clean(formatter.formatException(record.exc_info))
            record.exc_info = None
        return True


class OnBehalfOf(logging.Filter):
    """Notes the request that is worked on, so that one id finds every line of it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if request := REQUEST.get():
            record.request = request
        return True


class Line(logging.Formatter):
    """A line of text, with the request at its end."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        request = getattr(record, "request", "")
        return f"{line} [request {request}]" if request else line


def hide_in_logs(secret: str) -> None:
    """Have a secret that was not known at the start taken out of every line from now on."""
    for handler in logging.getLogger().handlers:
        for one in handler.filters:
            if isinstance(one, Redaction):
                one.hide(secret)


def configure_logging(level: str, form: str, secrets: Iterable[str]) -> None:
    """Send every log line to standard error, redacted."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(OnBehalfOf())
    handler.addFilter(Redaction(secrets))
    if form == "json":
        names = "%(asctime)s %(levelname)s %(name)s %(message)s"
        handler.setFormatter(JsonFormatter(names, rename_fields={"asctime": "time", "levelname": "level"}))
    else:
        handler.setFormatter(Line("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
