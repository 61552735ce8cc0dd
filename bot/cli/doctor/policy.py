"""The policy: the file, and what of it is in force."""

from __future__ import annotations

from collections.abc import Iterator

from bot.cli.doctor.case import Case, Held, read_held
from bot.cli.doctor.findings import Area, Check, Finding, Findings, Looking, Says
from bot.connections import settings_of

says = Says(Area.POLICY)
APPLY = "Run: workflow-bot policy plan, then workflow-bot policy apply"


async def check_policy(case: Case) -> Findings:
    """Compare the file with the database. Neither is asked of anybody else."""
    for finding in _file(case):
        yield finding
    if case.workspace or not case.all.oauth:
        for finding in _in_force(case.held, case):
            yield finding
        return
    for one in case.installations:  # several, and none is named: the main database has no policy
        if one.is_installed:
            yield Looking(f"the policy of {one.id}")
            for finding in _in_force(await read_held(settings_of(case.all, one.id, "")), case, one.id):
                yield finding


def _file(case: Case) -> Iterator[Finding]:
    path, held = case.settings.policy_file, case.held
    if case.source is not None:
        yield says.ok(Check.FILE, f"{path} is valid")
    elif not path.exists():
        advice = "Write one (docs/policy.md shows how), or name it in POLICY_FILE."
        if case.all.oauth:  # each workspace's policy may come from a file of its own
            yield says.look(Check.FILE, f"there is no {path} here.", advice)
        elif held is not None and held.version:
            yield says.look(Check.FILE, f"there is no {path} here; what is in force stays so.", advice)
        else:
            yield says.fail(Check.FILE, f"there is no {path}.", advice)
    for line in case.wrong.split("\n") if path.exists() and case.wrong else ():
        yield says.fail(Check.FILE, line, "Correct it; `workflow-bot policy test` checks it by itself.")


def _in_force(held: Held | None, case: Case, workspace: str = "") -> Iterator[Finding]:
    apply = APPLY.replace("workflow-bot", f"workflow-bot --workspace {workspace}") if workspace else APPLY
    if held is None:
        advice = "See the database's checks."
        yield says.fail(Check.IN_FORCE, "can't be told, as the database can't be read.", advice, workspace)
    elif not held.version:
        yield says.fail(Check.IN_FORCE, "none, so nobody may run anything.", apply, workspace)
    elif case.source is not None and case.source.digest != held.digest:
        found = f"version {held.version}, from another text than {case.settings.policy_file} has now."
        if workspace:  # each may have a file of its own
            yield says.ok(Check.IN_FORCE, found, workspace)
        else:
            yield says.look(Check.IN_FORCE, found, apply)
    else:
        yield says.ok(Check.IN_FORCE, f"version {held.version}", workspace)
    for entry in held.entries if held else ():
        if entry.unfit:
            found = f"“{entry.name}” no longer fits Datadog's definition and can't be started: {entry.unfit}."
            advice = "Change the file or the workflow, then apply."
            yield says.fail(Check.IN_FORCE, found, advice, f"{workspace} {entry.name}".strip())
