"""The sandbox's workspace is one in which the app of `manifest.yml` is installed."""

from __future__ import annotations

from ruamel.yaml import YAML

from bot.cli.manifest import template
from bot.sandbox import demo
from bot.sandbox.slack import LocalSlack


def test_the_page_offers_the_apps_home_where_the_manifest_has_one() -> None:
    slack = LocalSlack()
    demo.furnish_slack(slack)
    features = YAML(typ="safe").load(template().read_text("utf-8"))["features"]
    assert slack.workspace.home_tab == features["app_home"]["home_tab_enabled"]
