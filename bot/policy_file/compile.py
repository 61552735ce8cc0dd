"""From a checked file, and Datadog's own definitions where they could be read, to the catalogue and the grants."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import rfc8785

from bot.domain.accounts import DEFAULT_ACCOUNT, Account
from bot.domain.catalogue import CatalogueEntry, Limits
from bot.domain.errors import InvalidPolicy
from bot.domain.inputs import Input, InvalidInput, as_text, same
from bot.domain.policy import EVERYONE, EVERYWHERE, Effect, Freeze, Grant, Policy
from bot.domain.workflows import AllowedValue, InputType, Parameter, WorkflowDefinition
from bot.policy_file.approval import compile_approval
from bot.policy_file.people import subjects_named
from bot.policy_file.reader import Place, PolicySource, did_you_mean
from bot.policy_file.schema import InputFields, LimitFields, WorkflowFields, seconds

TITLE_LIMIT = 150  # characters, as for a title in the file; Datadog's own names may be longer
INPUT_LIMIT = 90  # a modal holds 100 blocks (Slack docs: surfaces/modals); the rest is for words around the fields


def compile_policy(source: PolicySource, definitions: Mapping[str, WorkflowDefinition] | None) -> Policy:
    """The rows that the file means. Raises InvalidPolicy with every error found, a line each.

    `definitions` None checks the file by itself: what only Datadog's definitions could tell is not missed.
    """
    problems: list[str] = []
    alone, definitions = definitions is None, definitions or {}
    entries = []
    for name, fields in source.fields.workflows.items():
        definition = definitions.get(name)
        if fields.account is not None and fields.account not in source.fields.accounts:
            hint = did_you_mean(fields.account, list(source.fields.accounts))
            problems.append(
                source.error(("workflows", name, "account"), f"no account is called “{fields.account}”{hint}")
            )
        place = ("workflows", name, "inputs")
        compiler = _Inputs(lambda at, what, place=place: source.error((*place, *at), what), problems)  # type: ignore[misc]  # mypy can't type a lambda's default
        inputs = compiler.all(fields.inputs, definition)
        for number, field in enumerate(fields.lock_on):
            known = [one.name for one in inputs if not one.secret]
            if field not in known and (definition is not None or not alone):
                says = f"the workflow has no such input{did_you_mean(field, known)}"
                problems.append(source.error(("workflows", name, "lock_on", number), says))
        entries.append(_entry(name, fields, definition, inputs))
    hints = [*(entry.name for entry in entries), *{f"tag:{tag}" for entry in entries for tag in entry.tags}]
    grants = _grants(source, {entry.name: entry for entry in entries}, hints, problems, alone=alone)
    freezes = _freezes(source, hints, problems)
    if problems:
        raise InvalidPolicy("\n".join(problems))
    # Hashed only now: a value that is no JSON has been told of above.
    hashed = tuple(_hashed(entry, definitions.get(entry.name)) for entry in entries)
    return Policy(hashed, tuple(grants), tuple(freezes), tuple(accounts_in(source)))


def _entry(
    name: str, fields: WorkflowFields, definition: WorkflowDefinition | None, inputs: tuple[Input, ...]
) -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        datadog_id=fields.id,
        account=fields.account or DEFAULT_ACCOUNT,
        title=(fields.title or (definition.name if definition else "") or name)[:TITLE_LIMIT],
        description=fields.description or (definition.description if definition else ""),
        tags=tuple(dict.fromkeys(fields.tags)),
        inputs=inputs,
        datadog_hash=definition.definition_hash if definition else "",
        wording={name: f.model_dump(mode="json", exclude_unset=True) for name, f in fields.inputs.items()},
        lock_on=tuple(dict.fromkeys(fields.lock_on)),
        limits=_limits(fields.limits),
    )


def recompile(entry: CatalogueEntry, definition: WorkflowDefinition) -> CatalogueEntry:
    """The entry on a definition that has changed since the policy was applied: what the file says still holds.

    Where it no longer fits, the inputs stay as they were, and `unfit` says why.
    """
    problems: list[str] = []
    wording = {name: InputFields.model_validate(data) for name, data in entry.wording.items()}
    compiler = _Inputs(lambda at, what: f"{'.'.join(str(part) for part in at)}: {what}", problems)
    inputs = compiler.all(wording, definition)
    problems += [f"lock_on: there is no input {n} any more" for n in entry.lock_on if n not in {f.name for f in inputs}]
    if not definition.published:
        problems.append("it is not published any more")
    elif not definition.has_api_trigger:
        problems.append("it has no API trigger any more")
    changed = replace(
        entry,
        inputs=entry.inputs if problems else inputs,
        datadog_hash=definition.definition_hash,
        unfit="; ".join(problems),
    )
    return _hashed(changed, definition)


def _hashed(entry: CatalogueEntry, definition: WorkflowDefinition | None) -> CatalogueEntry:
    facts: Any = {
        "workflow": entry.datadog_id,
        "definition": definition.definition_hash if definition else "",
        "inputs": [_canonical(field) for field in entry.inputs],
    }
    return replace(entry, definition_hash=hashlib.sha256(rfc8785.dumps(facts)).hexdigest())


def _canonical(field: Input) -> dict[str, Any]:
    return {
        "name": field.name,
        "type": field.type.value,
        "default": [field.default] if field.has_default else [],
        "options": [option.value for option in field.options],
        "extra": field.extra,
        "pattern": field.pattern,
        "secret": field.secret,
    }


@dataclass
class _Inputs:
    """Compiles the inputs of one workflow, collecting problems; `say` makes a line of a place and what is wrong there."""

    say: Callable[[Place, str], str]
    problems: list[str]

    def all(self, fields: Mapping[str, InputFields], definition: WorkflowDefinition | None) -> tuple[Input, ...]:
        if definition is None:
            found = [self.one(name, data, None) for name, data in fields.items()]
        else:
            known = {parameter.name: parameter for parameter in definition.parameters}
            for name in fields:
                if name not in known:
                    self.problem((name,), f"the workflow in Datadog has no such input{did_you_mean(name, list(known))}")
            found = [self.one(name, fields.get(name, InputFields()), parameter) for name, parameter in known.items()]
        if len(found) > INPUT_LIMIT:
            self.problem((), f"{len(found)} inputs are more than a form in Slack can hold ({INPUT_LIMIT})")
        return tuple(found)

    def one(self, name: str, fields: InputFields, parameter: Parameter | None) -> Input:
        base = parameter or Parameter(name, fields.type or InputType.STRING)
        if fields.type is not None and fields.type is not base.type:
            self.problem((name, "type"), f"the input is of type {base.type.value.lower()} in Datadog")
        options = self._options(name, fields, base)
        if fields.extra_values and base.allowed_values and not base.allow_extra_values:
            self.problem((name, "extra_values"), "the workflow in Datadog allows no values beside its own")
        given = "default" in fields.model_fields_set
        extra = base.allow_extra_values and fields.options is None
        field = Input(
            name=name,
            type=base.type,
            label=fields.label or base.label,
            description=fields.description if fields.description is not None else base.description,
            has_default=given or base.has_default,
            default=fields.default if given else base.default,
            options=options,
            extra=extra if fields.extra_values is None else fields.extra_values,
            pattern=fields.pattern,
            secret=fields.secret,
        )
        if field.has_default:
            self._check(field, field.default, (name, "default"))
        return field

    def _options(self, name: str, fields: InputFields, base: Parameter) -> tuple[AllowedValue, ...]:
        if fields.options is None:
            return base.allowed_values
        options = tuple(_option(item) for item in fields.options)
        probe = Input(name=name, type=base.type)
        for number, option in enumerate(options):
            value = [option.value] if probe.is_list else option.value
            self._check(probe, value, (name, "options", number))
            known = [allowed.value for allowed in base.allowed_values]
            if known and not base.allow_extra_values and not any(same(option.value, one) for one in known):
                self.problem((name, "options", number), f"“{option.label}” is not allowed by the workflow in Datadog")
        return options

    def _check(self, field: Input, value: Any, place: Place) -> None:
        try:
            field.checked(value)
        except InvalidInput as error:
            self.problem(place, str(error))

    def problem(self, place: Place, message: str) -> None:
        self.problems.append(self.say(place, message))


def _option(item: Any) -> AllowedValue:
    if isinstance(item, dict) and set(item) == {"value", "label"}:
        return AllowedValue(item["value"], str(item["label"]))
    return AllowedValue(item, str(item).lower() if isinstance(item, bool) else str(item))


def _grants(
    source: PolicySource, entries: Mapping[str, CatalogueEntry], hints: list[str], problems: list[str], *, alone: bool
) -> list[Grant]:
    grants = []
    for index, rule in enumerate(source.fields.rules):
        effect = Effect.ALLOW if rule.allow is not None else Effect.DENY
        named = rule.allow or rule.deny or []
        subjects = subjects_named(source, ("rules", index, effect.value), named, problems)
        _check_targets(source, ("rules", index, "run"), rule.run, hints, problems)
        meant = [entry for entry in entries.values() if set(entry.targets) & set(rule.run)]
        known = [field.name for entry in meant for field in entry.inputs]
        for name in rule.when:
            # By itself the file needn't word every input that Datadog knows.
            if name not in known and not alone:
                says = f"no workflow of this rule has such an input{did_you_mean(name, known)}"
                problems.append(source.error(("rules", index, "when", name), says))
        _check_values(source, index, rule.when, meant, problems)
        approval = compile_approval(source, index, rule.approval, subjects, problems) if rule.approval else None
        words = rule_words(effect, named, rule.run, rule.in_, rule.when)
        if approval is not None:
            words += f" after approval by {approval.words}"
        when = {name: tuple(wanted) for name, wanted in rule.when.items()}
        grants += [
            Grant(effect, subject, target, channel, when, index + 1, words, approval=approval)
            for subject in subjects
            for target in dict.fromkeys(rule.run)
            for channel in dict.fromkeys(rule.in_ or [EVERYWHERE])
        ]
    return grants


def _check_values(
    source: PolicySource, index: int, when: Mapping[str, Any], meant: list[CatalogueEntry], problems: list[str]
) -> None:
    """A value that the input can't have would make the rule never apply, without anybody noticing."""
    for name, wanted in when.items():
        fields = [field for entry in meant if (field := entry.input(name)) is not None]
        if any(field.secret for field in fields):
            says = "this input is secret: a rule would show its value to everybody who asks why"
            problems.append(source.error(("rules", index, "when", name), says))
        for number, value in enumerate(wanted):
            errors = [_misfit(field, value) for field in fields]
            if fields and all(errors):
                problems.append(source.error(("rules", index, "when", name, number), str(errors[0])))


def _misfit(field: Input, value: Any) -> str | None:
    try:
        field.checked([value] if field.is_list else value)
    except InvalidInput as error:
        return str(error)
    return None


def rule_words(
    effect: Effect, people: list[str], targets: list[str], channels: list[str] | None, when: Mapping[str, Any]
) -> str:
    """A rule as a person says it: `allow sre to run restart-service in C01OPS when env is staging`."""
    run = "anything" if EVERYONE in targets else " or ".join(targets)
    words = f"{effect.value} {' or '.join('everyone' if p == EVERYONE else p for p in people)} to run {run}"
    if channels:
        words += f" in {' or '.join(channels)}"
    for number, (name, values) in enumerate(when.items()):
        words += f" {'and' if number else 'when'} {name} is {' or '.join(as_text(value) for value in values)}"
    return words


def _check_targets(
    source: PolicySource, place: Place, targets: list[str], hints: list[str], problems: list[str]
) -> None:
    for number, target in enumerate(targets):
        if target != EVERYONE and target not in hints:
            says = f"no workflow is called “{target}”{did_you_mean(target, hints)}"
            problems.append(source.error((*place, number), says))


def _freezes(source: PolicySource, hints: list[str], problems: list[str]) -> list[Freeze]:
    for index, fields in enumerate(source.fields.freezes):
        _check_targets(source, ("freezes", index, "run"), fields.run, hints, problems)
    return [Freeze(tuple(f.run), f.from_, f.until, f.reason) for f in source.fields.freezes]


def accounts_in(source: PolicySource) -> list[Account]:
    """The Datadog accounts that the file names."""
    return [
        Account(name, one.site, one.api_key_env or "", one.app_key_env or "", one.access_token_env or "")
        for name, one in source.fields.accounts.items()
    ]


def _limits(fields: LimitFields) -> Limits:
    count, _, within = (fields.per_person or "").partition("/")
    return Limits(
        at_once=fields.at_once,
        cool_down=timedelta(seconds=seconds(fields.cool_down)) if fields.cool_down else None,
        per_person=(int(count), timedelta(seconds=seconds(within))) if count else None,
    )
