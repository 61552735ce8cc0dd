"""The policy: the file, and what of it is in force."""

from __future__ import annotations

from bot.cli.doctor.case import Case
from bot.cli.doctor.findings import Area, Check, Findings, Says

says = Says(Area.POLICY)
APPLY = "Run: workflow-bot policy plan, then workflow-bot policy apply"


async def check_policy(case: Case) -> Findings:
    """Compare the file with the database. Neither is asked of anybody else."""
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
    if held is None:
        yield says.fail(Check.IN_FORCE, "can't be told, as the database can't be read.", "See the database's checks.")
    elif not held.version:
        yield says.fail(Check.IN_FORCE, "none, so nobody may run anything.", APPLY)
    elif case.source is not None and case.source.digest != held.digest:
        found = f"version {held.version}, from another text than {path} has now."
        yield says.look(Check.IN_FORCE, found, APPLY)
    else:
        yield says.ok(Check.IN_FORCE, f"version {held.version}")
    unfit = [entry for entry in (held.entries if held else ()) if entry.unfit]
    for entry in unfit:
        found = f"“{entry.name}” no longer fits Datadog's definition and can't be started: {entry.unfit}."
        yield says.fail(Check.IN_FORCE, found, "Change the file or the workflow, then apply.", entry.name)
