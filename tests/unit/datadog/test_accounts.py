"""Several Datadog accounts side by side: keys are named by the policy file and held by the environment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from bot.datadog.accounts import Accounts
from bot.datadog.client import Datadog
from bot.datadog.credentials import Credentials
from bot.datadog.sites import find_site
from bot.domain.accounts import Account
from bot.domain.errors import DatadogRefused, InvalidSettings

EU = Account("eu", "datadoghq.eu", "EU_API_KEY", "EU_APP_KEY")
BEARER = Account("us3", "us3.datadoghq.com", access_token_env="US3_TOKEN")
ID = "ccf73164-1998-4785-a7a3-8d06c7e5f558"
ENVIRONMENT = {"EU_API_KEY": "eu-api", "EU_APP_KEY": "eu-app", "US3_TOKEN": "us3-token"}


class Wire:
    """What was sent, and by whom; nothing leaves the machine."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(403, json={"errors": ["Forbidden"]})


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def http(wire: Wire) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(wire.answer)) as client:
        yield client


def accounts(
    http: httpx.AsyncClient,
    in_force: list[Account],
    environment: dict[str, str] | None = None,
    keep_secret: Callable[[str], None] = lambda _: None,
) -> Accounts:
    async def load() -> list[Account]:
        return in_force

    site = find_site("datadoghq.com")
    own = Datadog(Credentials("own-api", "own-app"), site.api_url, http, site)
    return Accounts(own, http, ENVIRONMENT if environment is None else environment, "", load, keep_secret)


async def test_each_account_is_asked_at_its_site_with_its_own_keys(http: httpx.AsyncClient, wire: Wire) -> None:
    found = accounts(http, [EU, BEARER])
    await found.refresh()
    for name in ("default", "eu", "us3"):
        client = found.get(name)
        assert client is not None
        with pytest.raises(DatadogRefused):
            await client.get_workflow(ID)
    hosts = [request.url.host for request in wire.requests]
    assert hosts == ["api.datadoghq.com", "api.datadoghq.eu", "api.us3.datadoghq.com"]
    keys = [request.headers.get("dd-api-key") for request in wire.requests]
    assert keys == ["own-api", "eu-api", None]
    assert wire.requests[2].headers["authorization"] == "Bearer us3-token"


async def test_each_key_that_is_read_is_told_so_that_no_log_shows_it(http: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    told: list[str] = []
    environment = {"EU_API_KEY_FILE": str(tmp_path / "key"), "EU_APP_KEY": "eu-app", "US3_TOKEN": "us3-token"}
    await accounts(http, [EU, BEARER], environment, told.append).refresh()
    assert told == ["from-a-file", "eu-app", "us3-token"]


async def test_keys_may_come_from_files(http: httpx.AsyncClient, wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    found = accounts(http, [EU], {"EU_API_KEY_FILE": str(tmp_path / "key"), "EU_APP_KEY": "eu-app"})
    with pytest.raises(DatadogRefused):
        await found.open(EU).get_workflow(ID)
    assert wire.requests[0].headers["dd-api-key"] == "from-a-file"


@pytest.mark.parametrize(
    ("account", "environment", "words"),
    [
        (EU, {"EU_API_KEY": "x"}, "The environment variable EU_APP_KEY is not set."),
        (EU, {"EU_API_KEY": " ", "EU_APP_KEY": "x"}, "The environment variable EU_API_KEY is not set."),
        (
            EU,
            {"EU_API_KEY_FILE": "/no/such/file", "EU_APP_KEY": "x"},
            "EU_API_KEY_FILE names a file that can't be read",
        ),
        (EU, {"EU_API_KEY": "hunter2 hunter2", "EU_APP_KEY": "x"}, "A Datadog key contains a space"),
        (Account("x", "datadoghq.ue", "EU_API_KEY", "EU_APP_KEY"), ENVIRONMENT, "datadoghq.ue"),
        (BEARER, {}, "The environment variable US3_TOKEN is not set."),
    ],
)
async def test_what_is_missing_is_named_and_no_key_is(
    http: httpx.AsyncClient, account: Account, environment: dict[str, str], words: str
) -> None:
    with pytest.raises(InvalidSettings) as error:
        accounts(http, [], environment).open(account)
    assert words in str(error.value)
    assert "hunter2" not in str(error.value)


async def test_an_account_without_keys_is_not_there_and_takes_no_other_down(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    found = accounts(http, [EU, BEARER], {"US3_TOKEN": "t"})
    await found.refresh()
    assert found.get("eu") is None
    assert found.get("us3") is not None
    assert "the Datadog account eu can't be used: The environment variable EU_API_KEY is not set." in caplog.text


async def test_an_account_that_the_policy_in_force_no_longer_names_is_gone(http: httpx.AsyncClient) -> None:
    in_force = [EU, BEARER]
    found = accounts(http, in_force)
    await found.refresh()
    before = found.get("us3")
    in_force.remove(EU)
    await found.refresh()
    assert found.get("eu") is None
    assert found.get("us3") is before
