"""From a checked file, and Datadog's own definitions where they could be read, to the catalogue and the grants."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import rfc8785

from bot.domain.catalogue import CatalogueEntry
from bot.domain.errors import InvalidPolicy
from bot.domain.inputs import Input, InvalidInput, same
from bot.domain.policy import EVERYONE, EVERYWHERE, Effect, Grant
from bot.domain.workflows import AllowedValue, InputType, Parameter, WorkflowDefinition
from bot.policy_file.reader import Place, PolicySource, did_you_mean
from bot.policy_file.schema import InputFields, WorkflowFields

TITLE_LIMIT = 150  # characters, as for a title in the file; Datadog's own names may be longer
INPUT_LIMIT = 90  # a modal holds 100 blocks (Slack docs: surfaces/modals); the rest is for words around the fields


@dataclass(frozen=True)
class Policy:
    """What is written to the database when the file is applied."""

    entries: tuple[CatalogueEntry, ...]
    grants: tuple[Grant, ...]


def compile_policy(source: PolicySource, definitions: Mapping[str, WorkflowDefinition] | None) -> Policy:
    """The rows that the file means. Raises InvalidPolicy with every error found, a line each.

    `definitions` None checks the file by itself: what only Datadog's definitions could tell is not missed.
    """
    problems: list[str] = []
    alone, definitions = definitions is None, definitions or {}
    entries = []
    for name, fields in source.fields.workflows.items():
        definition = definitions.get(name)
        compiler = _Inputs(source, ("workflows", name, "inputs"), problems)
        inputs = compiler.all(fields.inputs, definition)
        entries.append(_entry(name, fields, definition, inputs))
    grants = _grants(source, {entry.name: entry for entry in entries}, problems, alone=alone)
    if problems:
        raise InvalidPolicy("\n".join(problems))
    # Hashed only now: a value that is no JSON has been told of above.
    return Policy(tuple(_hashed(entry, definitions.get(entry.name)) for entry in entries), tuple(grants))


def _entry(
    name: str, fields: WorkflowFields, definition: WorkflowDefinition | None, inputs: tuple[Input, ...]
) -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        datadog_id=fields.id,
        title=(fields.title or (definition.name if definition else "") or name)[:TITLE_LIMIT],
        description=fields.description or (definition.description if definition else ""),
        tags=tuple(dict.fromkeys(fields.tags)),
        inputs=inputs,
    )


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
    """Compiles the inputs of one workflow, collecting problems."""

    source: PolicySource
    place: tuple[str | int, ...]
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
        self.problems.append(self.source.error((*self.place, *place), message))


def _option(item: Any) -> AllowedValue:
    if isinstance(item, dict) and set(item) == {"value", "label"}:
        return AllowedValue(item["value"], str(item["label"]))
    return AllowedValue(item, str(item).lower() if isinstance(item, bool) else str(item))


def _grants(
    source: PolicySource,
    entries: Mapping[str, CatalogueEntry],
    problems: list[str],
    *,
    alone: bool,
) -> list[Grant]:
    grants = []
    tags = {f"tag:{tag}" for entry in entries.values() for tag in entry.tags}
    for index, rule in enumerate(source.fields.rules):
        effect = Effect.ALLOW if rule.allow is not None else Effect.DENY
        subjects = _subjects(source, ("rules", index, effect.value), rule.allow or rule.deny or [], problems)
        for number, target in enumerate(rule.run):
            if target != EVERYONE and target not in entries and target not in tags:
                hint = did_you_mean(target, [*entries, *tags])
                problems.append(
                    source.error(("rules", index, "run", number), f"no workflow is called “{target}”{hint}")
                )
        meant = [entry for entry in entries.values() if set(entry.targets) & set(rule.run)]
        known = [field.name for entry in meant for field in entry.inputs]
        for name in rule.when:
            # By itself the file needn't word every input that Datadog knows.
            if name not in known and not alone:
                says = f"no workflow of this rule has such an input{did_you_mean(name, known)}"
                problems.append(source.error(("rules", index, "when", name), says))
        grants += [
            Grant(effect, subject, target, channel, {k: tuple(v) for k, v in rule.when.items()}, index + 1)
            for subject in subjects
            for target in dict.fromkeys(rule.run)
            for channel in dict.fromkeys(rule.in_ or [EVERYWHERE])
        ]
    return grants


def _subjects(source: PolicySource, place: Place, names: list[str], problems: list[str]) -> list[str]:
    people = source.fields.people
    subjects: dict[str, None] = {}
    for number, name in enumerate(names):
        if name in people:
            subjects.update(dict.fromkeys(people[name].users))
        elif name == EVERYONE or (name[:1] in "UW" and name.isalnum() and name.isupper()):
            subjects[name] = None
        else:
            hint = did_you_mean(name, list(people)) or ". Name a set under “people” or a Slack user id"
            problems.append(source.error((*place, number), f"nobody is called “{name}”{hint}"))
    return list(subjects)
