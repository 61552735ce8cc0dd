"""What may stand in a policy file. A field this version doesn't know is refused: ignoring it could let somebody in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from bot.domain.approvals import LONGEST_WAIT
from bot.domain.workflows import InputType
from bot.policy_file.patterns import check_pattern

NAME = r"^[a-z0-9][a-z0-9_-]{0,79}$"
USER = r"^[UW][A-Z0-9]{2,20}$"
CHANNEL = r"^[CGD][A-Z0-9]{2,20}$"
GROUP = r"^S[A-Z0-9]{2,20}$"
DURATION = r"^[1-9][0-9]{0,5}[smhd]$"
RATE = r"^[1-9][0-9]{0,4}/([1-9][0-9]{0,5})?[smhd]$"
VARIABLE = r"^[A-Z][A-Z0-9_]{0,99}$"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _input_type(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _whole(value: Any) -> Any:
    """`true` and `1.0` equal 1 in Python, and are no version."""
    return value if type(value) is int else None


def _moment(value: Any) -> Any:
    """A number is no moment here, though pydantic would take one for seconds since 1970."""
    try:
        return datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        return None


Moment = Annotated[AwareDatetime, BeforeValidator(_moment, json_schema_input_type=AwareDatetime)]
TypeWord = Literal[
    "string", "number", "boolean", "object", "array_string", "array_number", "array_boolean", "array_object"
]
Type = Annotated[InputType, Field(strict=False), BeforeValidator(_input_type, json_schema_input_type=TypeWord)]
Variable = Annotated[str, StringConstraints(pattern=VARIABLE)]
Duration = Annotated[str, StringConstraints(pattern=DURATION)]
Rate = Annotated[str, StringConstraints(pattern=RATE)]
Group = Annotated[str, StringConstraints(pattern=GROUP)]
Name = Annotated[str, StringConstraints(pattern=NAME)]
User = Annotated[str, StringConstraints(pattern=USER)]
Channel = Annotated[str, StringConstraints(pattern=CHANNEL)]


class InputFields(_Strict):
    """`inputs.<name>`: narrows and words one input of Datadog's own schema."""

    label: str | None = Field(default=None, min_length=1, max_length=150)
    description: str | None = Field(default=None, max_length=1500)
    type: Type | None = None
    options: list[Any] | None = Field(default=None, min_length=1)
    extra_values: bool | None = None
    default: Any = None
    pattern: Annotated[str, StringConstraints(max_length=500), AfterValidator(check_pattern)] | None = None
    secret: bool = False


def seconds(duration: str) -> int:
    """`30s`, `5m`, `2h`, `7d`, or a unit alone, in seconds."""
    return int(duration[:-1] or 1) * SECONDS[duration[-1]]


class AccountFields(_Strict):
    """`accounts.<name>`: one Datadog organisation beside the environment's own; keys by reference, never by value."""

    site: str = Field(min_length=1, max_length=100, description="As in DD_SITE.")
    api_key_env: Variable | None = Field(default=None, description="The environment variable that holds the API key.")
    app_key_env: Variable | None = Field(default=None, description="That of the application key.")
    access_token_env: Variable | None = Field(default=None, description="That of an OAuth token, instead of the keys.")

    @model_validator(mode="after")
    def _complete(self) -> AccountFields:
        if bool(self.access_token_env) == bool(self.api_key_env and self.app_key_env):
            raise ValueError("name either api_key_env and app_key_env, or access_token_env")
        return self


class LimitFields(_Strict):
    """`workflows.<name>.limits`: how often it may run."""

    at_once: int | None = Field(default=None, ge=1, description="How many runs may be under way at the same time.")
    cool_down: Duration | None = Field(default=None, description="Time between one start and the next, as in 5m.")
    per_person: Rate | None = Field(default=None, description="How often one person may start it, as in 10/h or 3/30m.")


class WorkflowFields(_Strict):
    """`workflows.<name>`: one workflow of Datadog's that may be run at all."""

    id: str = Field(min_length=1, max_length=100)
    account: Name | None = Field(default=None, description="One of `accounts`; default: that of the environment.")
    title: str | None = Field(default=None, min_length=1, max_length=150)
    description: str | None = Field(default=None, max_length=2000)
    tags: list[Name] = []
    inputs: dict[str, InputFields] = {}
    limits: LimitFields = LimitFields()
    lock_on: list[str] = []

    @model_validator(mode="after")
    def _input_names(self) -> WorkflowFields:
        for name in self.inputs:
            if not 1 <= len(name) <= 200:
                raise ValueError("an input's name has 1 to 200 characters")
        return self


class PeopleFields(_Strict):
    """`people.<name>`: a set of people that rules can name."""

    users: list[User] = []
    groups: list[Group] = []


class EscalationFields(_Strict):
    """`approval.escalate`: who may answer too when nobody has for a while."""

    to: list[str] = Field(min_length=1)
    after: Duration


class ApprovalFields(_Strict):
    """`approval` of a rule: who has to approve before the run starts, and until when."""

    from_: list[str] = Field(alias="from", min_length=1, description="Names of people, or ids, who may approve.")
    count: int = Field(default=1, ge=1, le=20, description="How many different people have to approve.")
    each: bool = Field(default=False, description="`count` people of each that `from` names, not of all together.")
    expires: Duration = Field(default="1d", description="How long the answer is waited for, at most 30d.")
    remind: Duration | None = Field(default=None, description="How often to remind; default: after half the time.")
    channel: Channel | None = Field(default=None, description="Where to ask; default: each approver directly.")
    escalate: EscalationFields | None = None
    include_requester: bool = Field(default=False, description="The requester may be one of the approvers.")
    step_up: bool = Field(default=False, description="Approvers type a one-time code.")
    break_glass: Duration | None = Field(
        default=None, description="It may start without approval, and has to be reviewed within this time."
    )

    @model_validator(mode="after")
    def _times_fit(self) -> ApprovalFields:
        for name in ("expires", "break_glass"):
            if (given := getattr(self, name)) and timedelta(seconds=seconds(given)) > LONGEST_WAIT:
                raise ValueError(f"“{name}” can be {LONGEST_WAIT.days}d at most")
        if self.escalate and seconds(self.escalate.after) >= seconds(self.expires):
            raise ValueError("“escalate.after” has to be shorter than “expires”")
        if self.channel is None and "*" in [*self.from_, *(self.escalate.to if self.escalate else ())]:
            raise ValueError("where everyone may approve, name the “channel” in which to ask")
        return self


class RuleFields(_Strict):
    """One entry of `rules`: allow or deny, whom, what, where, with which values, and after whose approval."""

    allow: list[str] | None = None
    deny: list[str] | None = None
    run: list[str] = Field(min_length=1)
    in_: list[Channel] | None = Field(default=None, alias="in", min_length=1)
    when: dict[str, list[Any]] = {}
    approval: ApprovalFields | None = None

    @model_validator(mode="after")
    def _one_effect(self) -> RuleFields:
        if (self.allow is None) == (self.deny is None):
            raise ValueError("a rule has either “allow” or “deny”")
        if self.deny is not None and self.approval is not None:
            raise ValueError("only an “allow” can ask for approval; a “deny” wins over everything")
        if not (self.allow or self.deny):
            raise ValueError("name at least one person, set of people or “*”")
        for name, values in self.when.items():
            if not values:
                raise ValueError(f"“when: {name}” lists no value, so it could never apply")
        return self


class FreezeFields(_Strict):
    """One entry of `freezes`: a period in which nothing that `run` names may start."""

    run: list[str] = Field(min_length=1)
    from_: Moment = Field(alias="from")
    until: Moment
    reason: str = Field(min_length=1, max_length=500)

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> FreezeFields:
        if self.until <= self.from_:
            raise ValueError("“until” has to be later than “from”")
        return self


class ExampleFields(_Strict):
    """One entry of `tests`: what the rules are expected to say."""

    who: User
    groups: list[Group] = Field(default=[], description="The Slack user groups the person is taken to be in.")
    in_: Channel | None = Field(default=None, alias="in")
    run: Name
    with_: dict[str, Any] = Field(default={}, alias="with")
    expect: Literal["allow", "needs approval", "deny"]


class PolicyFields(_Strict):
    """The whole file."""

    version: Annotated[Literal[1], BeforeValidator(_whole)]
    accounts: dict[Name, AccountFields] = {}
    people: dict[Name, PeopleFields] = {}
    workflows: dict[Name, WorkflowFields] = {}
    rules: list[RuleFields] = []
    freezes: list[FreezeFields] = []
    tests: list[ExampleFields] = []


def policy_schema() -> dict[str, Any]:
    """The JSON Schema of the file (docs/policy.md tells how an editor is pointed to it)."""
    schema = PolicyFields.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Workflow Bot policy file"}
