from __future__ import annotations

import pytest

from bot.datadog.sites import SITES, find_site, run_url, workflow_url
from bot.domain.errors import InvalidSettings


def test_datadog_has_nine_sites_and_each_has_its_own_addresses() -> None:
    assert len(SITES) == 9
    assert len({site.api_url for site in SITES.values()}) == 9
    assert all(site.api_url == f"https://api.{site.name}" for site in SITES.values())


@pytest.mark.parametrize(
    ("name", "api", "pages"),
    [
        ("datadoghq.com", "https://api.datadoghq.com", "https://app.datadoghq.com"),
        ("datadoghq.eu", "https://api.datadoghq.eu", "https://app.datadoghq.eu"),
        ("uk1.datadoghq.com", "https://api.uk1.datadoghq.com", "https://uk1.datadoghq.com"),
        (" US3.DatadogHQ.com ", "https://api.us3.datadoghq.com", "https://us3.datadoghq.com"),
    ],
)
def test_a_site_is_found_by_its_name(name: str, api: str, pages: str) -> None:
    site = find_site(name)
    assert (site.api_url, site.ui_url, site.warning) == (api, pages, "")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("datadoghq.co", "datadoghq.com"),
        ("eu", "datadoghq.eu"),
        ("US5", "us5.datadoghq.com"),
        ("https://app.datadoghq.eu/", "datadoghq.eu"),
        ("https://api.us3.datadoghq.com", "us3.datadoghq.com"),
        ("ap1.datadoqhq.com", "ap1.datadoghq.com"),
    ],
)
def test_a_near_miss_is_named(name: str, meant: str) -> None:
    with pytest.raises(InvalidSettings, match=f"did you mean {meant}\\?"):
        find_site(name)


def test_a_strange_host_is_refused_with_the_list_of_sites() -> None:
    with pytest.raises(InvalidSettings) as error:
        find_site("evil.example")
    assert "did you mean" not in str(error.value)
    assert "datadoghq.eu" in str(error.value)
    assert " ddog-gov.com" not in str(error.value)


def test_the_site_without_workflows_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidSettings, match="doesn't support Workflow Automation"):
        find_site("ddog-gov.com")


def test_the_preview_site_works_with_a_warning() -> None:
    assert "preview" in find_site("us2.ddog-gov.com").warning


def test_links_to_datadog_can_not_be_bent_by_an_id() -> None:
    site = find_site("datadoghq.com")
    assert workflow_url(site, "a-b") == "https://app.datadoghq.com/workflow/a-b"
    assert run_url(site, "a-b", "c-d") == "https://app.datadoghq.com/workflow/a-b?instance=c-d"
    assert run_url(site, "../x", "c&d=<e>") == "https://app.datadoghq.com/workflow/..%2Fx?instance=c%26d%3D%3Ce%3E"


def test_logs_go_to_the_intake_of_the_same_site() -> None:
    assert find_site("datadoghq.eu").logs_url == "https://http-intake.logs.datadoghq.eu"
    assert all(site.logs_url == f"https://http-intake.logs.{site.name}" for site in SITES.values())
