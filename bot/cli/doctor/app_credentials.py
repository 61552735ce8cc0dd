"""The app's own credentials, which many workspaces share: a code that nobody has is offered with them."""

from __future__ import annotations

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.cli.doctor.asking import header
from bot.cli.doctor.case import Case
from bot.cli.doctor.clock import compare_clock
from bot.cli.doctor.findings import Area, Check, Findings, Looking, Says
from bot.slack.directory import UNREACHABLE

says = Says(Area.SLACK)

COPY = "Copy both again from the app's page: Basic Information, App Credentials."


async def check_credentials(case: Case, client: AsyncWebClient) -> Findings:
    """Whether Slack finds fault with client id or secret, or with the code only (Slack docs: errors of oauth.v2.access).

    In which order it looks at them is not documented, so that it takes them is not promised here.
    """
    yield Looking("whether Slack takes the app's own credentials")
    secret = case.all.slack_client_secret.get_secret_value()
    offered = {"client_id": case.all.slack_client_id, "client_secret": secret, "code": "asked-by-doctor"}
    try:
        await client.api_call("oauth.v2.access", data=offered)
        return  # nobody has such a code
    except SlackApiError as error:
        reason, headers = str(error.response.get("error")), error.response.headers
    except UNREACHABLE as error:
        found = f"can't be checked, as Slack can't be reached ({type(error).__name__})."
        yield says.fail(Check.CLIENT_SECRET, found, "Check the network, the proxy, and SLACK_API_URL.")
        return
    match reason:
        case "invalid_code":
            yield says.ok(Check.CLIENT_SECRET, "Slack finds no fault with it and SLACK_CLIENT_ID")
        case "bad_client_secret":
            found = f"isn't the secret of the app of SLACK_CLIENT_ID ({reason}): nobody can install the bot."
            yield says.fail(Check.CLIENT_SECRET, found, COPY)
        case "invalid_client_id":
            found = f"Slack knows no app with the id of SLACK_CLIENT_ID ({reason}): nobody can install the bot."
            yield says.fail(Check.CLIENT_SECRET, found, COPY)
        case _:
            yield says.look(Check.CLIENT_SECRET, f"can't be told: Slack answers {reason}.", "Look again in a minute.")
    if clock := compare_clock(says, "Slack", header(headers, "Date")):
        yield clock
