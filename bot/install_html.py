"""The pages of an installation: plain HTML that runs nothing, loads nothing, and repeats nothing that a request brought."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

from bot.domain.installations import Installation

STYLE = """
:root{color-scheme:light dark;--ink:#1b2324;--soft:#4c5b5c;--paper:#fff;--page:#f0f4f4;--line:#dde3e3;--go:#0f766e;--on-go:#fff;
--warn:#fff6dd;--warn-line:#e9c968}
@media(prefers-color-scheme:dark){:root{--ink:#e4eaea;--soft:#a6b4b5;--paper:#1e2426;--page:#15191b;--line:#2f383a;--go:#2a9d8f;
--on-go:#06201d;--warn:#272417;--warn-line:#7a6423}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--page);color:var(--ink);
font:1rem/1.6 system-ui,-apple-system,"Segoe UI",sans-serif}
main{width:100%;max-width:38rem;background:var(--paper);border:1px solid var(--line);border-radius:14px;padding:2.25rem}
main>:last-child{margin-bottom:0}
svg{display:block;width:44px;height:44px;margin-bottom:1.25rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem}
p,li{color:var(--soft)}
strong{color:var(--ink)}
code{background:var(--page);border:1px solid var(--line);border-radius:5px;padding:.1em .35em;font-size:.9em;color:var(--ink)}
pre{margin:1rem 0;padding:.75rem 1rem;background:var(--page);border:1px solid var(--line);border-radius:9px;color:var(--ink);
font-size:.85rem;line-height:1.7;overflow-x:auto}
.warn{background:var(--warn);border:1px solid var(--warn-line);border-radius:9px;padding:.75rem 1rem}
a.go{display:inline-block;margin-top:.5rem;padding:.7rem 1.3rem;border-radius:9px;background:var(--go);color:var(--on-go);
font-weight:600;text-decoration:none}
a.go:focus-visible{outline:3px solid var(--ink);outline-offset:3px}
""".strip()
# The sandbox's icon (bot/sandbox/page/icon.svg): part of the page, so that nothing is loaded.
ICON = (
    '<svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" fill="#0f766e"/>'
    '<circle cx="9" cy="16" r="3.4" fill="#fff"/>'
    '<path d="M12 16h6" stroke="#fff" stroke-width="2.6" stroke-linecap="round"/>'
    '<path d="M17.5 9.5 26 16l-8.5 6.5z" fill="#fcd34d"/></svg>'
)
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
        "Add Workflow Bot to Slack",
        "<p>With it people run allow-listed Datadog workflows from Slack: each run checked against your rules, approved where"
        " a rule asks for that, and written into an audit trail.</p>"
        "<p>Slack will ask you to choose the workspace, and show what the bot may do there. Nobody may run anything until"
        " whoever operates the bot has applied a policy for the workspace.</p>"
        f"{_go(authorize_url, 'Continue to Slack')}",
    )


def installed_page(installation: Installation, command: str, trouble: str, missing: Sequence[str]) -> str:
    """All is well, or nearly: `trouble` is why it can't be served yet, `missing` are the scopes that Slack did not give."""
    name = installation.name or installation.id
    chosen = f"workflow-bot --workspace {installation.id}"
    if trouble:
        return _page(
            f"Installed in {name}, but not ready",
            '<p class="warn"><strong>It can’t be used yet.</strong> The installation is kept, and its database has to be set'
            " up.</p><p>Send this to whoever operates the bot. They run it as the owner of the database, and then the bot is"
            " ready within moments:</p><pre>workflow-bot db upgrade</pre>",
        )
    scopes = ", ".join(f"<code>{escape(scope)}</code>" for scope in missing)
    less = (
        f'<p class="warn"><strong>Some of it won’t work.</strong> Slack did not give the bot {scopes}. Add that to the app’s'
        " bot scopes, and install it again.</p>"
    )
    app = urlencode({"app": installation.app_id} | ({"team": installation.team_id} if installation.team_id else {}))
    return _page(
        f"Installed in {name}",
        f"{less if missing else ''}"
        "<p><strong>Nobody may run anything yet.</strong> Send this to whoever operates the bot: the first command applies a"
        " policy for this workspace, the second looks whether all is well.</p>"
        f"<pre>{escape(chosen)} policy apply workflows.yml\n{escape(chosen)} doctor</pre>"
        f"<p>Then invite the bot to a channel in Slack and type <code>{escape(command)}</code>.</p>"
        # Slack docs: interactivity/deep-linking.
        f"{_go(f'https://slack.com/app_redirect?{app}', 'Open Slack')}",
    )


def refused_page(heading: str, words: str) -> str:
    """Not installed, and why; `words` are ours."""
    return _page(heading, f"<p>{escape(words)}</p>{_go('/slack/install', 'Start again')}")


def _go(url: str, words: str) -> str:
    return f'<p><a class="go" href="{escape(url)}">{words}</a></p>'


def _page(heading: str, body: str) -> str:
    title = escape(heading)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><main>{ICON}<h1>{title}</h1>{body}</main></body></html>"
    )
