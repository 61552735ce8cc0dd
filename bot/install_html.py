"""The pages of an installation: plain HTML that runs nothing, loads nothing, and repeats nothing that a request brought."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape

STYLE = """
:root{color-scheme:light dark;--ink:#1d1c1d;--soft:#616061;--paper:#fff;--page:#f4f2f5;--line:#e2dfe3;--go:#5b2a86}
@media(prefers-color-scheme:dark){:root{--ink:#e8e6ea;--soft:#a5a1a8;--paper:#222126;--page:#18171a;--line:#38363c;--go:#c9a3ee}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--page);color:var(--ink);
font:1rem/1.6 system-ui,-apple-system,"Segoe UI",sans-serif}
main{width:100%;max-width:34rem;background:var(--paper);border:1px solid var(--line);border-radius:14px;padding:2.25rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem}
p,li{color:var(--soft)}
ol{padding-left:1.25rem}
strong{color:var(--ink)}
code{background:var(--page);border:1px solid var(--line);border-radius:5px;padding:.1em .35em;font-size:.9em;color:var(--ink);
overflow-wrap:anywhere}
a.go{display:inline-block;margin-top:1rem;padding:.7rem 1.3rem;border-radius:9px;background:var(--go);color:var(--paper);
font-weight:600;text-decoration:none}
a.go:focus-visible{outline:3px solid var(--ink);outline-offset:3px}
""".strip()
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def start_page(authorize_url: str) -> str:
    """Before Slack is asked."""
    return _page(
        "Add the workflow bot to Slack",
        "<p>With it people run allow-listed Datadog workflows from Slack: each run checked against your rules, approved where"
        " a rule asks for that, and written into an audit trail.</p>"
        "<p>Slack will ask you to choose the workspace, and show what the bot may do there. Nobody may run anything until"
        " whoever operates the bot has applied a policy for the workspace.</p>"
        f'<a class="go" href="{escape(authorize_url)}">Continue to Slack</a>',
    )


def installed_page(name: str, workspace_id: str, command: str, trouble: str, missing: Sequence[str]) -> str:
    """All is well, or nearly: `missing` are the scopes that Slack did not give."""
    heading = f"Installed in {name or workspace_id}"
    if trouble:
        return _page(
            heading,
            "<p><strong>It can’t be used yet.</strong> The installation is kept, and its database has to be set up. Whoever"
            " operates the bot runs this as the owner of the database, and then it is ready within moments:</p>"
            "<p><code>workflow-bot db upgrade</code></p>",
        )
    chosen = f"workflow-bot --workspace {escape(workspace_id)}"
    less = (
        "<p><strong>Some of it won’t work:</strong> Slack did not give the bot"
        f" {', '.join(f'<code>{escape(scope)}</code>' for scope in missing)}. Add that to the app’s bot scopes, and install it"
        " again.</p>"
        if missing
        else ""
    )
    return _page(
        heading,
        f"{less}<p>One thing is left, and it is for whoever operates the bot: <strong>nobody may run anything yet.</strong></p>"
        "<ol>"
        f"<li>Write a policy for this workspace and apply it: <code>{chosen} policy apply workflows.yml</code></li>"
        f"<li>See that all is well: <code>{chosen} doctor</code></li>"
        f"<li>In Slack, invite the bot to a channel and type <code>{escape(command)}</code></li>"
        "</ol>",
    )


def refused_page(heading: str, words: str) -> str:
    """Not installed, and why; `words` are ours."""
    again = '<a class="go" href="/slack/install">Start again</a>'
    return _page(heading, f"<p>{escape(words)}</p>{again}")


def _page(heading: str, body: str) -> str:
    title = escape(heading)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"
    )
