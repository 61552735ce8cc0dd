"""What may stand in a policy file. A field this version doesn't know is refused: ignoring it could let somebody in."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from bot.domain.workflows import InputType

NAME = r"^[a-z0-9][a-z0-9_-]{0,79}$"
USER = r"^[UW][A-Z0-9]{2,20}$"
CHANNEL = r"^[CGD][A-Z0-9]{2,20}$"
LATER = {
    "accounts": "more than one Datadog account",
    "groups": "Slack user groups",
    "approval": "approval",
    "limits": "limits",
    "lock_on": "locks",
    "freezes": "freezes",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _not_yet(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for key in data:
                if key in LATER and key not in cls.model_fields and f"{key}_" not in cls.model_fields:
                    raise ValueError(f"“{key}”: this version of the bot has no {LATER[key]} yet; remove it")
        return data


def _input_type(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a valid regular expression: {error}") from None
    return value


Name = Annotated[str, StringConstraints(pattern=NAME)]
User = Annotated[str, StringConstraints(pattern=USER)]
Channel = Annotated[str, StringConstraints(pattern=CHANNEL)]


class InputFields(_Strict):
    """`inputs.<name>`: narrows and words one input of Datadog's own schema."""

    label: str | None = Field(default=None, min_length=1, max_length=150)
    description: str | None = Field(default=None, max_length=1500)
    type: Annotated[InputType, BeforeValidator(_input_type)] | None = None
    options: list[Any] | None = Field(default=None, min_length=1)
    extra_values: bool | None = None
    default: Any = None
    pattern: Annotated[str, StringConstraints(max_length=500), BeforeValidator(_pattern)] | None = None
    secret: bool = False


class WorkflowFields(_Strict):
    """`workflows.<name>`: one workflow of Datadog's that may be run at all."""

    id: str = Field(min_length=1, max_length=100)
    title: str | None = Field(default=None, min_length=1, max_length=150)
    description: str | None = Field(default=None, max_length=2000)
    tags: list[Name] = []
    inputs: dict[str, InputFields] = {}

    @model_validator(mode="after")
    def _input_names(self) -> WorkflowFields:
        for name in self.inputs:
            if not 1 <= len(name) <= 200:
                raise ValueError("an input's name has 1 to 200 characters")
        return self


class PeopleFields(_Strict):
    """`people.<name>`: a set of people that rules can name."""

    users: list[User] = []


class RuleFields(_Strict):
    """One entry of `rules`: allow or deny, whom, what, where, with which values."""

    allow: list[str] | None = None
    deny: list[str] | None = None
    run: list[str] = Field(min_length=1)
    in_: list[Channel] | None = Field(default=None, alias="in", min_length=1)
    when: dict[str, list[Any]] = {}

    @model_validator(mode="after")
    def _one_effect(self) -> RuleFields:
        if (self.allow is None) == (self.deny is None):
            raise ValueError("a rule has either “allow” or “deny”")
        if not (self.allow or self.deny):
            raise ValueError("name at least one person, set of people or “*”")
        for name, values in self.when.items():
            if not values:
                raise ValueError(f"“when: {name}” lists no value, so it could never apply")
        return self


class ExampleFields(_Strict):
    """One entry of `tests`: what the rules are expected to say."""

    who: User
    in_: Channel | None = Field(default=None, alias="in")
    run: Name
    with_: dict[str, Any] = Field(default={}, alias="with")
    expect: Literal["allow", "deny"]


class PolicyFields(_Strict):
    """The whole file."""

    version: Literal[1]
    people: dict[Name, PeopleFields] = {}
    workflows: dict[Name, WorkflowFields] = {}
    rules: list[RuleFields] = []
    tests: list[ExampleFields] = []
