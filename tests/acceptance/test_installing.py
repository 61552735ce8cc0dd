"""Installing through OAuth: only the browser that began may finish, once, in time, and with all that the bot needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from yarl import URL

from bot import install_pages
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlackApp
from tests.acceptance.many import ACME, ALICE, BETA, GRID, OPS, Many, browser, contents, furnish, open_many
from tests.acceptance.scene import ONE_DATABASE


@pytest.fixture
async def many(app: LocalSlackApp, datadog: LocalDatadog, database_url: str) -> AsyncIterator[Many]:
    async with open_many(app, datadog, database_url, environment={"WORKSPACES": f"{ACME} {GRID}"}) as many:
        yield many


async def test_a_workspace_is_installed_by_one_replica_and_served_by_another_at_once(
    many: Many, database_url: str
) -> None:
    status, page = await many.install(ACME, ALICE, finish_at=1)
    assert status == 200
    assert "Installed in Acme" in page
    assert "workflow-bot --workspace T01ACME policy apply" in page  # what comes next
    ack = await many.acme.person(ALICE).command(OPS, "/workflow help")
    assert ack.status == 200
    (record,) = await many.records(ACME)
    assert (record["act"], record["actor"]["user"], record["workspace"]) == ("workspace installed", ALICE, ACME)
    (token,) = many.acme.api.bot_tokens
    assert token not in contents(database_url)


@ONE_DATABASE
async def test_the_pages_run_nothing_load_nothing_and_give_nothing_away(many: Many) -> None:
    async with browser() as session, session.get(f"{many.replicas[0].url}/slack/install") as page:
        headers, html = page.headers, await page.text()
        cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert "<script" not in html
    assert "0.1.0" not in html
    link = urlsplit(html.split('href="')[1].split('"')[0].replace("&amp;", "&"))
    query = parse_qs(link.query)
    assert set(query) == {"client_id", "scope", "state", "redirect_uri"}
    assert cookie.split("=")[1].split(";")[0] not in query["state"][0]


@ONE_DATABASE
async def test_another_browser_no_browser_and_a_second_time_are_refused(many: Many) -> None:
    async with browser() as own, browser() as other, browser() as none:
        url = await many.begin(own, ACME)
        await many.begin(other, ACME)  # it has a cookie of its own
        for session in (other, none):
            status, page = await many.finish(session, url)
            assert (status, "another browser" in page) == (403, True)
        kept = {cookie.key: cookie.value for cookie in own.cookie_jar}
        assert (await many.finish(own, url))[0] == 200
        own.cookie_jar.update_cookies(kept, response_url=URL(many.replicas[0].url))
        status, page = await many.finish(own, url, at=1)
        assert (status, "a second time" in page) == (403, True)
    assert len([grant for grant, _ in many.app.exchanges if grant == "code"]) == 1


@ONE_DATABASE
@pytest.mark.parametrize("state", ["", "forged", "gAAAAABo", "%00", None])
async def test_a_state_that_is_missing_or_forged_is_refused(many: Many, state: str | None) -> None:
    async with browser() as session:
        url = await many.begin(session, ACME)
        code = url.split("code=")[1].split("&")[0]
        forged = f"/slack/oauth_redirect?code={code}" + ("" if state is None else f"&state={state}")
        assert (await many.finish(session, forged))[0] == 403
    assert many.app.exchanges == []
    assert await many.installation(ACME) is None


@ONE_DATABASE
@pytest.mark.parametrize("bytes_", [b"\xff\xfe", b"a" * 5000, b"\x01", "é".encode()])
async def test_a_cookie_and_a_state_of_any_bytes_are_refused(many: Many, bytes_: bytes) -> None:
    host, port = many.replicas[0].url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    path = b"/slack/oauth_redirect?code=x&state=" + quote(bytes_).encode()
    lines = [b"GET " + path + b" HTTP/1.1", b"Host: localhost", b"Connection: close"]
    writer.write(b"\r\n".join([*lines, b"Cookie: workflow-bot-install=" + bytes_, b"", b""]))
    status = int((await reader.read()).split()[1])
    writer.close()
    assert 400 <= status < 500


@ONE_DATABASE
async def test_whoever_takes_longer_than_ten_minutes_begins_again(many: Many, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install_pages, "LASTS", -1)
    async with browser() as session:
        session.cookie_jar.clear()
        async with session.get(f"{many.replicas[0].url}/slack/install") as page:
            cookie = page.headers["Set-Cookie"].split(";")[0]
            link = (await page.text()).split('href="')[1].split('"')[0].replace("&amp;", "&")
        async with session.get(link, params={"team": ACME, "user": ALICE}, allow_redirects=False) as answer:
            url = "/slack/oauth_redirect" + answer.headers["Location"].split("/slack/oauth_redirect")[1]
        async with session.get(f"{many.replicas[0].url}{url}", headers={"Cookie": cookie}) as page:
            assert (page.status, "too late" in await page.text()) == (403, True)


@ONE_DATABASE
async def test_whoever_says_no_in_slack_is_told_that_nothing_was_installed(many: Many) -> None:
    status, page = await many.install(ACME, deny="1")
    assert (status, "You did not allow it in Slack" in page) == (403, True)
    async with browser() as session:
        url = f"{many.replicas[0].url}/slack/oauth_redirect?error=%3Cscript%3Ealert(1)%3C/script%3E"
        async with session.get(url, allow_redirects=False) as answer:
            assert "alert" not in await answer.text()


@ONE_DATABASE
async def test_a_workspace_that_is_not_listed_is_turned_away_and_its_token_given_back(many: Many) -> None:
    status, page = await many.install(BETA)
    assert (status, "not open to your workspace" in page) == (403, True)
    assert set(many.beta.api.bot_tokens.values()) == {"token_revoked"}
    assert await many.installation(BETA) is None


@ONE_DATABASE
async def test_whoever_gives_the_bot_less_than_it_needs_is_told_what_is_missing(many: Many) -> None:
    many.acme.scopes.discard("usergroups:read")
    status, page = await many.install(ACME)
    assert (status, "Slack did not give the bot <code>usergroups:read</code>" in page) == (200, True)


@ONE_DATABASE
async def test_a_code_that_slack_does_not_take_installs_nothing(many: Many) -> None:
    async with browser() as session:
        url = await many.begin(session, ACME)
        state = url.split("state=")[1]
        status, page = await many.finish(session, f"/slack/oauth_redirect?code=guessed&state={state}")
    assert (status, "Slack did not take" in page) == (403, True)


@ONE_DATABASE
async def test_credentials_that_slack_refuses_are_no_fault_of_the_browser(many: Many) -> None:
    async with browser() as session:
        url = await many.begin(session, ACME)
        many.app.client_secret = "changed at Slack"
        status, page = await many.finish(session, url)
    assert status == 403
    assert "own credentials at Slack are wrong" in page
    assert "whoever operates it" in page
    assert "what the browser brought back" not in page


@ONE_DATABASE
async def test_installing_again_replaces_the_token_on_every_replica(many: Many) -> None:
    await many.install(ACME)
    many.turn_to(1)
    await many.acme.person(ALICE).command(OPS, "/workflow help")
    (first,) = many.acme.api.bot_tokens
    await many.install(ACME)
    many.acme.api.bot_tokens[first] = "token_revoked"
    for replica in (0, 1):
        many.turn_to(replica)
        await many.acme.person(ALICE).open_home()
        many.acme.workspace.homes.clear()
        await many.acme.person(ALICE).open_home()
        await many.acme.person(ALICE).wait_for_home()
    assert await many.acts(ACME) == ["workspace installed", "workspace installed"]


@ONE_DATABASE
async def test_a_whole_organisation_is_one_workspace_and_takes_in_its_own_people_alone(many: Many) -> None:
    slack = furnish(many.app.add_workspace("T05GRID", "Grid", enterprise_id=GRID, wide=True))
    many.turn_to(0)
    status, page = await many.install("T05GRID")
    assert (status, "Installed in Grid Org" in page) == (200, True)
    found = await many.installation(GRID)
    assert (found.id, found.team_id, found.enterprise_id) == (GRID, "", GRID)
    slack.add_person("U77OTHER", "Otto Other", team_id="T99OTHER", is_stranger=True)
    await many.apply(GRID, *_everybody(many))
    await slack.person(ALICE).command(OPS, "/workflow")
    view = await slack.person(ALICE).wait_for_view(lambda view: view["callback_id"] == "picker")
    assert "Restart" in str(view)
    payload = slack.client.payloads.slash_command("U77OTHER", slack.workspace.channels[OPS], "run restart-service")
    await slack.deliver("command", payload | {"team_id": "T99OTHER"})
    await many.wait_for_act(GRID, "denied")
    assert many.datadog.executions == []


def _everybody(many: Many) -> tuple[dict[str, object], list[dict[str, object]]]:
    workflow = {"id": many.datadog.add_workflow(name="Restart"), "title": "Restart"}
    return {"restart-service": workflow}, [{"allow": ["*"], "run": ["*"]}]
