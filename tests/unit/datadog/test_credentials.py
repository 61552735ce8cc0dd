from __future__ import annotations

import pytest

from bot.datadog.credentials import Credentials
from bot.domain.errors import InvalidSettings


def test_keys_and_tokens_go_into_their_headers_only() -> None:
    keys, bearer = Credentials("api-secret", "app-secret"), Credentials(access_token="token-secret")
    assert keys.headers() == {"DD-API-KEY": "api-secret", "DD-APPLICATION-KEY": "app-secret"}
    assert bearer.headers() == {"Authorization": "Bearer token-secret"}
    assert "secret" not in f"{keys!r} {keys} {bearer!r} {bearer}"


@pytest.mark.parametrize(
    ("api_key", "app_key", "token"), [("", "", ""), ("a", "", ""), ("", "b", ""), ("a", "b", "c"), ("a", "", "c")]
)
def test_half_a_pair_or_both_ways_at_once_are_refused(api_key: str, app_key: str, token: str) -> None:
    with pytest.raises(InvalidSettings):
        Credentials(api_key, app_key, token)


@pytest.mark.parametrize("key", ["line\n", "a b", "schlüssel", "\x00"])
def test_a_key_that_no_header_can_carry_is_refused_unquoted(key: str) -> None:
    with pytest.raises(InvalidSettings) as error:
        Credentials(key, "app")
    assert key not in str(error.value)
