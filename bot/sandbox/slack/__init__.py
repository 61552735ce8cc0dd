"""A local Slack: one workspace in memory that the real bot talks to over real HTTP, as strict as Slack itself.

Used by tests and by the sandbox; production imports none of it. Start with `server.LocalSlack`.
"""

from bot.sandbox.slack.answers import SubmitResult
from bot.sandbox.slack.delivery import Ack, Delivered
from bot.sandbox.slack.input_state import ClientRefused
from bot.sandbox.slack.oauth import LocalSlackApp
from bot.sandbox.slack.people import Person
from bot.sandbox.slack.records import Json
from bot.sandbox.slack.server import LocalSlack
from bot.sandbox.slack.web_api import Call

__all__ = ["Ack", "Call", "ClientRefused", "Delivered", "Json", "LocalSlack", "LocalSlackApp", "Person", "SubmitResult"]
