"""Made-up audit records as runs make them: requested, launching, launched, ended."""

from __future__ import annotations

from typing import Any

from bot.domain.audit import Act, Entry

WHAT = {
    "account": "default",
    "datadog_workflow": "ccf73164-1998-4785-a7a3-8d06c7e5f558",
    "definition": "d" * 64,
    "policy": 7,
}
WHY = {"decision": "allow", "reason": "allowed by rule", "rule": 1, "because": "allow S01SRE to run restart-service"}
INSTANCE = {"instance": "5f0c6a0e-6a0b-4a3c-9c55-0d2f6f2c1a11"}
ACTS: tuple[tuple[Act, dict[str, Any]], ...] = (
    (Act.REQUESTED, {**WHAT, **WHY, "inputs": {"service": "web", "env": "staging"}, "secret_inputs": {}}),
    (Act.LAUNCHING, {**WHAT, "attempt": 1}),
    (Act.LAUNCHED, INSTANCE),
    (Act.ENDED, {**INSTANCE, "state": "succeeded", "status": "Succeeded", "seconds": 12.5, "error": None}),
)


def entry(number: int) -> Entry:
    """One of a run's four records."""
    act, facts = ACTS[number % len(ACTS)]
    return Entry(
        act,
        team_id="T012AB3CD",
        user_id=f"U{number // 4 % 200:04}ALICE",
        user_name="Alice Moreau",
        run_id=f"R-{number // 4:010}",
        workflow="restart-service",
        request_id="4c2a9d1e8b7f4f0c9a3d5e6f7a8b9c0d",
        facts={"channel": "C01OPS", **facts},
    )
