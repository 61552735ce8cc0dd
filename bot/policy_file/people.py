"""Whom a rule names: sets of people, Slack users and user groups by id, or everyone."""

from __future__ import annotations

import re

from bot.domain.policy import EVERYONE
from bot.policy_file.reader import Place, PolicySource, did_you_mean
from bot.policy_file.schema import GROUP, USER

SUBJECT = re.compile(f"{USER}|{GROUP}")


def subjects_named(source: PolicySource, place: Place, names: list[str], problems: list[str]) -> list[str]:
    """The ids that the names stand for; a line in `problems` for each that stands for nobody."""
    people = source.fields.people
    subjects: dict[str, None] = {}
    for number, name in enumerate(names):
        if name in people:
            subjects.update(dict.fromkeys([*people[name].users, *people[name].groups]))
        elif name == EVERYONE or SUBJECT.fullmatch(name):
            subjects[name] = None
        else:
            hint = did_you_mean(name, list(people)) or ". Name a set under “people” or a Slack user id"
            problems.append(source.error((*place, number), f"nobody is called “{name}”{hint}"))
    return list(subjects)
