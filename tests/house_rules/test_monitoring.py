"""What is in deploy/monitoring/ asks for metrics, labels and values that there are, in words that its reader takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from prometheus_client import CollectorRegistry
from ruamel.yaml import YAML

from bot.domain.runs import State
from bot.metrics.families import PREFIX, Counted, Measured, process_collectors
from bot.metrics.heard import HeardCollector
from bot.slack.heard import Heard
from tests.house_rules.repository import text

FOLDER = Path("deploy/monitoring")
OF_PROMETHEUS = {"job", "instance"}  # which Prometheus itself puts on what it scrapes
OF_THE_AGENT = {"host"}


def metrics() -> dict[str, tuple[str, set[str]]]:
    """Type and labels of each metric, by its name in the code."""
    registry = CollectorRegistry()
    process_collectors(registry)
    registry.register(HeardCollector(Heard()))
    own = [*vars(Counted(registry)).values(), *vars(Measured(registry)).values()]
    labels = {metric._name: set(metric._labelnames) for metric in own}
    return {family.name: (family.type, labels.get(family.name, set())) for family in registry.collect()}


def series() -> dict[str, set[str]]:
    """The labels of each name that a query may ask for."""
    found: dict[str, set[str]] = {}
    for name, (kind, labels) in metrics().items():
        match kind:
            case "histogram":
                found |= {f"{name}_count": labels, f"{name}_sum": labels, f"{name}_bucket": labels | {"le"}}
            case "counter":
                found[f"{name}_total"] = labels
            case "info":
                found[f"{name}_info"] = labels | {"version"}
            case _:
                found[name] = labels
    return found


def known_values() -> set[str]:
    """Every word that a label may have: those of the page on metrics, and the states of runs."""
    return {*re.findall(r"`([^`]+)`", text(Path("docs/observability.md"))), *State, "error", "$job"}


def rules() -> list[dict[str, Any]]:
    groups = YAML(typ="safe").load(text(FOLDER / "alerts.yaml"))["groups"]
    assert [set(group) for group in groups] == [{"name", "rules"}]
    found: list[dict[str, Any]] = groups[0]["rules"]
    return found


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text(FOLDER / "grafana.json"))["panels"]
    return found


def queries() -> Iterator[Any]:
    """What Prometheus is asked for, by alerts and by Grafana."""
    for rule in rules():
        yield pytest.param(rule["expr"], id=rule["alert"])
    for panel in panels():
        for target in panel.get("targets", []):
            yield pytest.param(
                target["expr"].replace("$__rate_interval", "5m"), id=f"{panel['title']} {target['refId']}"
            )


def problems(query: str) -> list[str]:
    """What is asked for and isn't there."""
    found: list[str] = []
    there, values = series(), known_values()

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            name = node.name or ""
            labels = there.get(name)
            if labels is None:
                found.append(name)
                return
            for matcher in node.matchers.matchers:
                if matcher.name not in labels | OF_PROMETHEUS:
                    found.append(f"{name} has no {matcher.name}")
                found.extend(value for value in matcher.value.split("|") if value not in values)

    parsed = promql_parser.parse(query)
    promql_parser.walk(parsed, visit)
    grouped = {
        label for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", query) for label in labels.split(", ") if label
    }
    known = {label for labels in there.values() for label in labels}
    return found + sorted(grouped - known - OF_PROMETHEUS)


@pytest.mark.parametrize("query", list(queries()))
def test_a_query_asks_for_metrics_labels_and_values_that_there_are(query: str) -> None:
    assert problems(query) == []


@pytest.mark.parametrize(
    "query",
    [
        "rate(workflow_bot_acks_total[5m])",
        'workflow_bot_runs{status="unknown"}',
        'workflow_bot_runs{state="vanished"}',
        "sum by (person) (workflow_bot_runs)",
        "workflow_bot_ack_seconds",
    ],
)
def test_a_query_for_what_is_not_there_is_noticed(query: str) -> None:
    assert problems(query) != []


def test_every_alert_is_whole_and_says_how_bad_it_is() -> None:
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, rule
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert rule["annotations"]["summary"]
        assert promql_parser.parse_duration(rule.get("for", "1m"))


def test_every_alert_is_explained_in_the_order_of_the_file_and_no_other() -> None:
    told = re.findall(r"^\| `(WorkflowBot\w+)` \| \S", text(Path("docs/operations.md")), re.MULTILINE)
    assert told == [rule["alert"] for rule in rules()]


def test_grafana_finds_what_it_needs_in_each_panel() -> None:
    board = json.loads(text(FOLDER / "grafana.json"))
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time", "refresh"} <= set(board)
    assert "id" not in board  # which is the installation's, and an import would ask about it
    variables = {f"${{{each['name']}}}" for each in board["templating"]["list"]}
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        if panel["type"] != "row":
            assert panel["type"] in ("stat", "timeseries")
            assert panel["datasource"]["uid"] in variables
            references = [target["refId"] for target in panel["targets"]]
            assert len(set(references)) == len(references) > 0


def test_no_panel_of_grafana_lies_on_another() -> None:
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels()
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert all(one["gridPos"]["y"] <= other["gridPos"]["y"] for one, other in pairwise(panels()))


# -------------------------------------------------------------------------------------------------------------- Datadog

QUERY = re.compile(r"(?:sum|avg|min|max):([\w.]+)\{([^}]*)\}(?: by \{([\w,]+)\})?(?:\.as_(?:count|rate)\(\))?")
# By the API's models Dashboard, WidgetDefinition, TimeseriesWidgetRequest (Datadog API reference: Dashboards).
FIELDS = {
    "group": {"title", "type", "layout_type", "widgets"},
    "timeseries": {"title", "type", "show_legend", "requests"},
    "query_value": {"title", "type", "precision", "requests"},
}
REQUEST = {"formulas", "queries", "response_format", "display_type", "conditional_formats"}


def widgets(of: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for widget in of:
        definition = widget["definition"]
        yield definition
        yield from widgets(definition.get("widgets", []))


def of_datadog() -> dict[str, set[str]]:
    """The tags of each metric as the Agent's check sends them (Datadog docs: integrations/guide/prometheus-metrics)."""
    found: dict[str, set[str]] = {}
    for name, (kind, labels) in metrics().items():
        short = f"{PREFIX}.{name.removeprefix(f'{PREFIX}_')}"
        match kind:
            case "histogram":
                found |= {f"{short}.{part}": labels for part in ("count", "sum", "bucket")}
            case "counter":
                found[f"{short}.count"] = labels
            case _:
                found[short] = labels
    return found


def test_datadog_takes_the_fields_of_each_widget() -> None:
    board = json.loads(text(FOLDER / "datadog.json"))
    assert set(board) == {"title", "description", "layout_type", "reflow_type", "template_variables", "widgets"}
    for definition in widgets(board["widgets"]):
        assert set(definition) == FIELDS[definition["type"]]
        for request in definition.get("requests", []):
            assert set(request) <= REQUEST
            scalar = definition["type"] == "query_value"
            assert request["response_format"] == ("scalar" if scalar else "timeseries")
            names = {query["name"] for query in request["queries"]}
            used = {name for formula in request["formulas"] for name in re.findall(r"\b[a-z]\b", formula["formula"])}
            assert used == names


def test_datadog_is_asked_for_metrics_tags_and_values_that_there_are() -> None:
    board, there = json.loads(text(FOLDER / "datadog.json")), of_datadog()
    values = {value.replace(" ", "_") for value in known_values()}  # as Datadog writes them
    asked = [
        query["query"]
        for definition in widgets(board["widgets"])
        for request in definition.get("requests", [])
        for query in request["queries"]
    ]
    assert len(asked) > 30
    for query in asked:
        matched = QUERY.fullmatch(query)
        assert matched, query
        name, where, by = matched.groups()
        tags = there[name] | OF_THE_AGENT
        assert set((by or "").split(",")) - {""} <= tags, query
        for tag, value in (one.split(":") for one in where.split(",") if one != "*"):
            assert tag in tags, query
            assert value in values, query


def test_the_agents_check_names_the_metrics_as_the_dashboard_does() -> None:
    (instance,) = YAML(typ="safe").load(text(FOLDER / "openmetrics.yaml"))["instances"]
    assert instance["namespace"] == PREFIX
    assert instance["raw_metric_prefix"] == f"{PREFIX}_"
    assert instance["openmetrics_endpoint"].endswith(":9090/metrics")
