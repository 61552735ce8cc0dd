"""The settings themselves: complete, in files that can be trusted, and with the keys that should be there."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr

from bot.cli.doctor.case import Case
from bot.cli.doctor.findings import Area, Check, Finding, Findings, Says
from bot.cli.doctor.workspaces import check_oauth_settings
from bot.domain.errors import InvalidSettings
from bot.settings import require_datadog, require_slack

says = Says(Area.SETTINGS)

PERSON = re.compile(r"([TE][A-Z0-9]+/)?[UW][A-Z0-9]+")  # Slack docs: a person's id, where many are served within one
ID = "Correct it: U… or W… (in Slack: profile, More, Copy member ID); many workspaces: T01ACME/U01ALICE."
RANDOM = "Set it to a long random text, such as `openssl rand -base64 32` prints, and keep it."


async def check_settings(case: Case) -> Findings:
    """What can be told without asking anybody."""
    missing = []
    for require in (require_slack, require_datadog):
        try:
            require(case.all)
        except InvalidSettings as error:
            missing += str(error).split("\n")
    for line in missing:
        yield wrong_setting(line)
    if not missing:
        yield says.ok(Check.SETTINGS, "complete")
    yield _secret_files(case)
    for finding in check_oauth_settings(case):
        yield finding
    for finding in _people(case):
        yield finding
    if not case.settings.encryption_key.get_secret_value():
        what = "secret inputs and tokens" if case.all.oauth else "secret inputs"
        found = f"not set: {what} are sealed with a key made from a Slack secret, and lost when that is changed."
        yield says.look(Check.ENCRYPTION_KEY, found, RANDOM)
    begun = case.held is not None and case.held.records
    if not case.settings.audit_key.get_secret_value() and not begun:
        found = "not set: whoever owns the database could write the whole audit trail anew with fitting hashes."
        yield says.look(Check.AUDIT_KEY, found, f"{RANDOM} Do it before the first record.")


def _people(case: Case) -> Iterator[Finding]:
    """Whom settings name. Where many workspaces are served, people and channels are within one."""
    for check, named in ((Check.ADMINS, case.all.admins), (Check.AUDITORS, case.all.auditors)):
        odd = [word for word in named if not PERSON.fullmatch(word) and ("/" in word or not case.all.oauth)]
        if odd:
            yield says.look(check, f"{', '.join(odd)}: not the form of a person's id, so it is nobody's.", ID)
    if case.all.oauth and not case.workspace:
        return
    plain = any("/" not in word for word in case.all.admins) if case.all.oauth else False  # which is told already
    if not case.settings.admins and not plain:
        yield says.look(
            Check.ADMINS, "nobody is named, so refusals can't say whom to ask.", "Set it to Slack user ids."
        )
    if not case.settings.audit_channel and not case.settings.has_witnesses:
        found = "not set, so the audit trail has no witness outside the database."
        yield says.look(
            Check.AUDIT_CHANNEL, found, "Make a private channel, invite the bot, and set it to the channel's id."
        )


def wrong_setting(line: str) -> Finding:
    """A setting that is wrong, from the words in which the bot refuses to start."""
    return says.wrong(Check.SETTINGS, line, "docs/settings.md says what it takes.")


def _secret_files(case: Case) -> Finding:
    files = _named_files(case)
    if not files:
        given = any(isinstance(getattr(case.all, name), SecretStr) for name in case.all.model_fields_set)
        where = "secrets are in the environment" if given else "no secret is set"
        return says.ok(Check.SECRET_FILES, f"none; {where}")
    unreadable, open_to_all = [], []
    for variable, path in files.items():
        try:
            mode = path.stat().st_mode
            path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it isn't text"
            unreadable.append(f"{variable} ({path}: {reason})")
            continue
        if mode & stat.S_IROTH:
            open_to_all.append(f"{variable} ({path})")
    if unreadable:
        advice = "Check the path, and that the user who runs the bot may read the file."
        return says.fail(Check.SECRET_FILES, f"can't be read: {', '.join(unreadable)}.", advice)
    if open_to_all:
        found = f"everybody on the machine can read {', '.join(open_to_all)}."
        return says.look(Check.SECRET_FILES, found, "chmod 0400, or 0440 with a group of its own.")
    return says.ok(Check.SECRET_FILES, f"{len(files)}, readable by the bot and not by everybody")


def _named_files(case: Case) -> Mapping[str, Path]:
    """The files that hold secrets, by the variable that names them; those of the policy's accounts too."""
    secret = [info.alias or name for name, info in type(case.settings).model_fields.items()]
    for account in case.accounts.values():
        secret += [account.api_key_env, account.app_key_env, account.access_token_env]
    named = {
        f"{variable}_FILE": case.environment.get(f"{variable}_FILE", "").strip() for variable in secret if variable
    }
    return {variable: Path(path) for variable, path in named.items() if path}
