from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.request.async_internals import build_async_context

from bot.slack.installed import departure, installed_in
from tests.made_up import ACME

WIDE: dict[str, Any] = {"is_enterprise_install": True, "enterprise": {"id": "E01GRID"}, "team": None}


def where(body: dict[str, Any]) -> str | None:
    return installed_in(build_async_context(AsyncBoltContext(), body))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"team_id": "T01ACME", "is_enterprise_install": "false"}, "T01ACME"),
        ({"team_id": "T01ACME", "enterprise_id": "E01GRID", "is_enterprise_install": "false"}, "T01ACME"),
        ({"team_id": "T01ACME", "enterprise_id": "E01GRID", "is_enterprise_install": "true"}, "E01GRID"),
        ({"team": {"id": "T01ACME"}, "user": {"id": "U1", "team_id": "T02BETA"}}, "T01ACME"),
        ({"team": {"id": "T02BETA"}, "view": {"app_installed_team_id": "T01ACME"}}, "T01ACME"),
        (WIDE | {"user": {"id": "U1", "team_id": "T01ACME"}}, "E01GRID"),
        ({"is_enterprise_install": True, "view": {"app_installed_team_id": "E01GRID"}}, "E01GRID"),
        ({"team_id": "T02BETA", "authorizations": [{"team_id": "T01ACME", "is_enterprise_install": False}]}, "T01ACME"),
        (
            {
                "team_id": "T05TEAM",
                "authorizations": [{"team_id": None, "enterprise_id": "E01GRID", "is_enterprise_install": True}],
            },
            "E01GRID",
        ),
        # Never one for the other, and nothing that is no id.
        ({"team_id": "E01GRID", "is_enterprise_install": "false"}, None),
        ({"team_id": "T01ACME", "is_enterprise_install": "true"}, None),
        (WIDE | {"enterprise": {"id": "T01ACME"}}, None),
        ({"team_id": "../T01ACME"}, None),
        ({"team_id": "T01ACME'; DROP SCHEMA public"}, None),
        ({"team_id": "t01acme"}, None),
        ({}, None),
    ],
)
def test_a_request_is_for_the_installation_that_slack_names_and_for_no_other(
    body: dict[str, Any], found: str | None
) -> None:
    assert where(body) == found


def event(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "event_callback",
        "team_id": "T01ACME",
        "event": {"type": kind, **more},
        "event_time": 1_800_000_000,
    }


def test_both_events_tell_of_a_departure_and_of_when() -> None:
    left = departure(event("app_uninstalled"))
    assert left is not None
    assert (left.workspace_id, left.how) == ("T01ACME", "uninstalled in Slack")
    assert left.before == datetime.fromtimestamp(1_800_000_001, UTC)
    for moment, doubtful in ((1_799_999_999.9, False), (1_800_000_000.5, True), (1_800_000_001.5, False)):
        made = replace(ACME, installed_at=datetime.fromtimestamp(moment, UTC))
        assert left.may_mean_one_before(made) is doubtful
    dates: tuple[Any, ...] = (None, "soon", 10**30, -1, 1.5, [])
    for wrong in dates:
        undated = departure(event("app_uninstalled") | {"event_time": wrong})
        assert undated is not None
        assert undated.before is None
        assert not undated.may_mean_one_before(ACME)
    revoked = departure(event("tokens_revoked", tokens={"bot": ["U1"]}))
    assert revoked is not None
    assert revoked.how == "its token was revoked in Slack"


def test_a_persons_token_or_what_is_no_id_is_no_departure_and_an_organisations_is_where_no_team_is_named() -> None:
    assert departure(event("tokens_revoked", tokens={"oauth": ["U1"]})) is None
    assert departure(event("tokens_revoked")) is None
    others: tuple[Any, ...] = (None, [], 1, True, "U1")
    for wrong in others:
        assert departure(event("tokens_revoked", tokens=wrong)) is None
        assert departure({"event": wrong, "team_id": "T01ACME"}) is None
    assert departure(event("app_uninstalled") | {"team_id": "nonsense"}) is None
    wide = departure(event("app_uninstalled") | {"team_id": "", "enterprise_id": "E01GRID"})
    assert wide is not None
    assert wide.workspace_id == "E01GRID"
    team = departure(event("app_uninstalled") | {"enterprise_id": "E01GRID"})
    assert team is not None
    assert team.workspace_id == "T01ACME"
