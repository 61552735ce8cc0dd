"""What each act tells beside who, when and on what: the facts that it always has, and those that it may have.

Typed, so that whoever reads the trail knows what to expect: an entry with other facts is an error of the program.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.policy import Decision

# The names that every record has, and those that an export adds.
RESERVED = frozenset({"v", "seq", "at", "prev", "act", "actor", "run", "workflow", "request", "hash", "canonical"})


@dataclass(frozen=True, slots=True)
class Facts:
    """Names of facts: `always` there, and `may` be there."""

    always: frozenset[str]
    may: frozenset[str]

    def fault(self, names: Iterable[str]) -> str:
        """What is wrong with these names, empty where nothing is."""
        missing, unknown = self.always - set(names), set(names) - self.always - self.may
        return " ".join(
            [
                f"lacks {', '.join(sorted(missing))}" if missing else "",
                f"has {', '.join(sorted(unknown))}" if unknown else "",
            ]
        ).strip()


def _facts(always: str, may: str = "") -> Facts:
    return Facts(frozenset(always.split()), frozenset(may.split()))


# Of every act about an approval: what it is bound to, and the rule that asks for it.
_BOUND = "channel bound_to policy rule"
_ASKED = _facts(f"{_BOUND} reason_given asks_for approvers until step_up requester_may_approve")
_GRANT = _facts("grant effect subject target in when until")

# By the words of the act.
FACTS: Mapping[str, Facts] = {
    "requested": _facts(
        "channel account datadog_workflow definition policy decision reason rule because inputs secret_inputs"
    ),
    "denied": _facts(
        "channel decision reason rule because", "account datadog_workflow definition policy inputs secret_inputs"
    ),
    "launching": _facts("channel attempt account datadog_workflow definition policy"),
    "launched": _facts("channel instance", "late"),
    "launch refused": _facts("channel error", "bound_to policy rule"),
    "launch postponed": _facts("channel error seconds"),
    "unknown": _facts("channel error", "instance"),
    "search ended": _facts("channel error searches"),
    "ended": _facts("channel state status", "seconds instance error"),
    "cancel asked": _facts("channel instance"),
    "cancel denied": _facts("channel"),
    "cancel sent": _facts("channel instance"),
    "cancel refused": _facts("channel error instance"),
    "resolved": _facts("channel instance how", "state"),
    "resolve refused": _facts("channel reason instance"),
    "locked": _facts("channel when reason until", "renewed"),
    "unlocked": _facts("channel when forced", "owner held_by"),
    "lock denied": _facts("channel when reason"),
    "grant added": _GRANT,
    "grant removed": _GRANT,
    "admin denied": _facts("channel wanted"),
    "definition changed": _facts("changed definition before"),
    "policy applied": _facts("policy digest workflows grants freezes"),
    "policy refused": _facts("policy digest reason"),
    "approval asked": _ASKED,
    "approved": _facts(f"{_BOUND} comment own still_needed one_time_code"),
    "refused": _facts(f"{_BOUND} comment own"),
    "review denied": _facts(f"{_BOUND} reason approves"),
    "expired": _facts(f"{_BOUND} until"),
    "escalated": _facts(f"{_BOUND} to"),
    "withdrawn": _facts(_BOUND),
    "glass broken": _ASKED,
    "reviewed": _facts(f"{_BOUND} comment own agrees"),
    "authenticator added": _facts(""),
    "authenticator removed": _facts("owner"),
    "code refused": _facts(""),
    "override used": _facts("settings version"),
    "trail read": _facts("channel filters count"),
    "trail exported": _facts("first last format", "file"),
    "trail verified": _facts("first last head breaks witnesses"),
    "trail sealed": _facts("first last head digest records file"),
    "workspace installed": _facts("workspace name app scopes organisation"),
    "workspace removed": _facts("workspace how"),
}


def decided(decision: Decision) -> dict[str, Any]:
    """A decision as the trail tells it, with its reason."""
    return {
        "decision": decision.verdict.value,
        "reason": decision.reason.value,
        "rule": decision.rule,
        "because": decision.words,
    }
