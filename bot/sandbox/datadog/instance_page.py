"""The page behind "Open in Datadog": one execution, or a workflow's latest, for people to look at in a browser.

Plain HTML that loads nothing and runs no script; everything in it is escaped. It is no copy of Datadog's page, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any

from aiohttp import web

from bot.sandbox.datadog.instances import DISPLAY_NAMES, StoredInstance, stamp
from bot.sandbox.datadog.workflows import StoredWorkflow

LATEST = 20  # executions listed where the address names none
REFRESH_SECONDS = 2
STYLE = """\
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
.note { color: GrayText; border-left: 3px solid; padding-left: .7rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid GrayText; }
td { overflow-wrap: anywhere; min-width: 6rem; }
th[scope=row] { width: 12rem; }
code { font-family: ui-monospace, monospace; }
"""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def page_of(
    workflow: StoredWorkflow | None, instances: Iterable[StoredInstance], instance_id: str, now: float
) -> web.Response:
    """The page of the execution with this id, of all of the workflow's where it is empty, or 404 with words."""
    if workflow is None:
        return _html(404, "Not found", "<p>There is no such workflow here.</p>")
    mine = [instance for instance in instances if instance.workflow.id == workflow.id]
    if not instance_id:
        return _html(200, workflow.name, _list(mine[::-1][:LATEST], now), refresh=True)
    found = next((instance for instance in mine if instance.id == instance_id), None)
    if found is None:
        return _html(404, workflow.name, "<p>This workflow has no such execution.</p>")
    return _html(200, workflow.name, _instance(found, now), refresh=found.ended_at(now) is None)


def _instance(instance: StoredInstance, now: float) -> str:
    kind, ended = instance.kind(now), instance.ended_at(now)
    facts = {
        "Status": DISPLAY_NAMES.get(kind, kind),
        "Instance": instance.id,
        "Started": stamp(instance.started),
        "Ended": stamp(ended) if ended is not None else "not yet",
    }
    states = dict(instance.step_states(now))
    steps = {name: _words(states.get(name, "not reached yet")) for name in instance.steps}
    parts = [_table("Execution", facts), _table("Steps", steps), _table("Inputs", instance.payload)]
    if instance.outputs and ended is not None:
        parts.append(_table("Outputs", instance.outputs))
    return "".join(parts)


def _list(instances: list[StoredInstance], now: float) -> str:
    if not instances:
        return "<p>This workflow has not been started yet.</p>"
    rows = "".join(
        f'<tr><td><a href="?instance={escape(each.id)}"><code>{escape(each.id)}</code></a></td>'
        f"<td>{escape(DISPLAY_NAMES.get(each.kind(now), each.kind(now)))}</td><td>{escape(stamp(each.started))}</td></tr>"
        for each in instances
    )
    return f"<h2>Latest executions</h2><table><tr><th>Instance</th><th>Status</th><th>Started</th></tr>{rows}</table>"


def _table(title: str, rows: dict[str, Any]) -> str:
    shown = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(_shown(value))}</td></tr>' for name, value in rows.items()
    )
    return f"<h2>{escape(title)}</h2>" + (f"<table>{shown}</table>" if shown else "<p>None.</p>")


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _words(state: str) -> str:
    return state.replace("_", " ").capitalize()


def _html(status: int, title: str, body: str, *, refresh: bool = False) -> web.Response:
    again = f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">' if refresh else ""
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{again}'
        f"<title>{escape(title)} · Datadog stand-in</title><style>{STYLE}</style></head><body><main>"
        '<p class="note">This is the sandbox’s stand-in for Datadog. Nothing here is real, and it all goes when the'
        f" sandbox stops.</p><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    return web.Response(status=status, text=text, content_type="text/html", headers=HEADERS)
