"""Why, and what would be sent: an explanation in words. mrkdwn."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bot.domain.durations import in_words
from bot.domain.explanation import Explanation
from bot.slack.blocks.approval_words import quorums_text
from bot.slack.blocks.text import code, cut, escape, person
from bot.slack.error_text import sentence, whom_to_ask

REQUEST_LIMIT = 2000  # characters of the request that are shown


def why_text(name: str, explanation: Explanation, admins: Sequence[str], about: str | None) -> str:
    """The answer to `why`; `about` is the person it is about, None for the asker."""
    decision = explanation.decision
    mark = ":white_check_mark:" if decision.allowed else ":no_entry:"
    lines = [f"About {person(about)}, as if told to them:"] if about else []
    lines.append(f"{mark} {sentence(name, decision)}")
    if decision.allowed and explanation.obstacle is not None:
        lines.append(f":hourglass: Just now it would not start. {sentence(name, explanation.obstacle)}")
    lines += _problems(explanation)
    if not decision.allowed:
        lines.append(whom_to_ask(admins))
    return "\n".join(lines)


def dry_run_text(name: str, explanation: Explanation, admins: Sequence[str], url: str | None) -> str:
    """What a run would come to: decision, approval, and the exact request. Nothing is sent."""
    lines = [":test_tube: *Dry run: nothing is started.*", why_text(name, explanation, admins, None)]
    if explanation.entry is not None and explanation.decision.allowed:
        lines.append(_approval(explanation))
        secret = {field.name for field in explanation.entry.inputs if field.secret}
        payload = {key: "(secret)" if key in secret else value for key, value in explanation.values.items()}
        body = json.dumps({"meta": {"payload": payload}}, indent=2, ensure_ascii=False)
        lines.append(f"```POST {escape(url or '')}\n{escape(cut(body, REQUEST_LIMIT)).replace('```', '`')}```")
    return "\n".join(lines)


def _approval(explanation: Explanation) -> str:
    asked = explanation.decision.approval
    if asked is None:
        return "No approval is needed."
    glass = (
        " It may be started at once with `--break-glass`, and is reviewed afterwards."
        if explanation.decision.glass
        else ""
    )
    return f"Approval is asked for first: {quorums_text(asked.quorums)}, within {in_words(asked.expires)}.{glass}"


def _problems(explanation: Explanation) -> list[str]:
    return [f"• {code(cut(name, 75))}: {escape(words)}" for name, words in explanation.errors.items()]
