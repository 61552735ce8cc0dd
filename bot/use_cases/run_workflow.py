"""Ask to run a workflow: decide, record the intent, and only then say yes.

Touches only the database, so it fits before an ack.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bot.domain.approvals import Requirement, binding
from bot.domain.audit import Act, Entry, about
from bot.domain.catalogue import CatalogueEntry, Limits
from bot.domain.facts import decided
from bot.domain.people import Actor, Kind
from bot.domain.policy import Decision, Grant, Reason, Verdict, approvals_possible, decide, narrowed
from bot.domain.runs import Run, State
from bot.use_cases import pace
from bot.use_cases.ask_approval import ask_approval
from bot.use_cases.obstacles import obstacle
from bot.use_cases.ports import Sealer, Store, Writing

NO_LIMITS = Limits()
REQUIRED = "This is required."
NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Values:
    """What a person gave: typed values, and an error for each field that holds none."""

    given: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `key` is the same for each delivery of the same press; `read` turns what was typed into values.

    `definition_hash` is the definition the form was drawn from; None for a slash command. `reason` is for those who have to
    approve; with `break_glass` they are asked afterwards, where the rule allows that.
    """

    actor: Actor
    subjects: frozenset[str]
    channel_id: str
    workflow: str
    key: str
    request_id: str
    read: Callable[[CatalogueEntry], Values]
    definition_hash: str | None = None
    reason: str = ""
    break_glass: bool = False


@dataclass(frozen=True, slots=True)
class FormParts:
    """What the form is drawn from for this person: the workflow with the options they have, and the rules by which it may
    need approval."""

    entry: CatalogueEntry
    asks: tuple[Grant, ...] = ()


@dataclass(frozen=True, slots=True)
class Requested:
    """Committed: the run is this process's to launch. `entry` is the workflow that it was decided about."""

    run: Run
    entry: CatalogueEntry


@dataclass(frozen=True, slots=True)
class AwaitsApproval:
    """Committed: the approvers are asked, and the run waits for them."""

    run: Run
    requirement: Requirement


@dataclass(frozen=True, slots=True)
class ReasonNeeded:
    """Permitted after an approval, and the approvers have to be told why. Nothing was recorded."""

    form: FormParts
    values: Values
    requirement: Requirement


@dataclass(frozen=True, slots=True)
class AlreadyRequested:
    """The same press came before; `run` is what became of it. `same_values` is false where the values differ now."""

    run: Run
    same_values: bool


@dataclass(frozen=True, slots=True)
class Denied:
    """Not permitted, and recorded as such."""

    workflow: str
    decision: Decision


@dataclass(frozen=True, slots=True)
class Incomplete:
    """Permitted, but the values have to be completed or corrected first. Nothing was recorded."""

    form: FormParts
    values: Values


@dataclass(frozen=True, slots=True)
class Outdated:
    """The form was drawn from a definition that has changed since: refused and recorded as such, to be looked at again."""

    form: FormParts


Outcome = Requested | AwaitsApproval | AlreadyRequested | Denied | Incomplete | ReasonNeeded | Outdated


async def request(ask: Ask, store: Store, sealer: Sealer, admitted: frozenset[Kind]) -> Outcome:
    """Decide and record in one transaction. Raises NotRecorded: then nothing happened at all."""

    def work(tx: Writing) -> Outcome:
        entry = tx.entry(ask.workflow)
        grants = tx.grants(ask.subjects, entry.targets) if entry else []
        decision = _permission(ask, entry, grants, admitted)
        if entry is None or not decision.allowed:
            return _deny(tx, ask, decision)
        if ask.definition_hash not in (None, entry.definition_hash):
            _record_denied(tx, ask, Decision(Verdict.DENY, Reason.OUTDATED), _what(entry))
            return Outdated(_form(ask, entry, grants))
        values = ask.read(entry)
        missing = {field.name: REQUIRED for field in entry.missing(values.given)}
        if values.errors or missing:
            return Incomplete(_form(ask, entry, grants), Values(values.given, {**missing, **values.errors}))
        inputs = entry.with_defaults(values.given)
        what = _what(entry, inputs, sealer)
        decision = decide(grants, ask.subjects, entry, ask.channel_id, inputs)
        if decision.approval is not None and ask.break_glass:
            decision = _glass(decision)
        if not decision.allowed:
            return _deny(tx, ask, decision, what)
        if decision.approval is not None and not ask.reason.strip():
            return ReasonNeeded(_form(ask, entry, grants), values, decision.approval)
        if entry.limits != NO_LIMITS or entry.lock_on:
            tx.hold_limits()
        in_the_way = obstacle(tx, entry, inputs, ask.actor.user_id, tx.now)
        if in_the_way is not None and tx.run_by_key(ask.key) is None:
            return _deny(tx, ask, in_the_way, what)
        return _accept(tx, ask, entry, inputs, decision, sealer)

    return await store.write(work)


def _glass(decision: Decision) -> Decision:
    """Without the approval, by the rule that allows that: its approvers review it, within its time."""
    rule = decision.glass
    if rule is None:
        return replace(decision, verdict=Verdict.DENY, reason=Reason.NO_BREAK_GLASS)
    return replace(decision, rule=rule.rule, words=rule.words, when=rule.when, approval=rule.approval)


def _form(ask: Ask, entry: CatalogueEntry, grants: list[Grant]) -> FormParts:
    asks = approvals_possible(grants, ask.subjects, entry, ask.channel_id)
    return FormParts(narrowed(grants, ask.subjects, entry, ask.channel_id), asks)


def _permission(ask: Ask, entry: CatalogueEntry | None, grants: list[Grant], admitted: frozenset[Kind]) -> Decision:
    if not ask.actor.may_act(admitted):
        return Decision(Verdict.DENY, Reason.NOT_A_MEMBER)
    if entry is None:
        return Decision(Verdict.DENY, Reason.NOT_IN_CATALOGUE)
    return decide(grants, ask.subjects, entry, ask.channel_id, None)


def _deny(tx: Writing, ask: Ask, decision: Decision, what: Mapping[str, Any] = NOTHING) -> Denied:
    _record_denied(tx, ask, decision, what)
    return Denied(ask.workflow, decision)


def _record_denied(tx: Writing, ask: Ask, decision: Decision, what: Mapping[str, Any]) -> None:
    tx.record(
        Entry(
            Act.DENIED,
            team_id=ask.actor.team_id,
            user_id=ask.actor.user_id,
            user_name=ask.actor.name,
            workflow=ask.workflow,
            request_id=ask.request_id,
            facts={"channel": ask.channel_id, **decided(decision), **what},
        )
    )


def _what(
    entry: CatalogueEntry, inputs: Mapping[str, Any] | None = None, sealer: Sealer | None = None
) -> dict[str, Any]:
    """What was asked for, as the trail tells it: secret inputs by their fingerprints."""
    what: dict[str, Any] = {
        "account": entry.account,
        "datadog_workflow": entry.datadog_id,
        "definition": entry.definition_hash,
        "policy": entry.policy_version,
    }
    if inputs is not None and sealer is not None:
        hidden = _hidden(entry, inputs)
        what["inputs"] = {name: value for name, value in inputs.items() if name not in hidden}
        what["secret_inputs"] = {name: sealer.fingerprint(value) for name, value in hidden.items()}
    return what


def _hidden(entry: CatalogueEntry, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: inputs[field.name] for field in entry.inputs if field.secret and field.name in inputs}


def _accept(
    tx: Writing, ask: Ask, entry: CatalogueEntry, inputs: dict[str, Any], decision: Decision, sealer: Sealer
) -> Requested | AwaitsApproval | AlreadyRequested | Denied:
    run = _new_run(ask, entry, inputs, sealer, tx.now)
    if decision.approval is not None:
        run = _waiting(replace(run, bound_to=binding(run)), at_once=ask.break_glass)
    if not tx.insert_run(run):
        earlier = tx.run_by_key(ask.key)
        if earlier is None:  # another replica has just taken the same lock
            words = f"a run with the same {', '.join(entry.lock_on)} is not over"
            taken = Decision(Verdict.DENY, Reason.LOCKED, words=words)
            return _deny(tx, ask, taken, _what(entry, inputs, sealer))
        return AlreadyRequested(earlier, (earlier.inputs, earlier.secrets) == (run.inputs, run.secrets))
    tx.record(about(run, Act.REQUESTED, **decided(decision), **_what(entry, inputs, sealer)))
    if decision.approval is not None:
        ask_approval(tx, run, decision, decision.approval, ask.reason.strip())
    if run.state is State.AWAITING_APPROVAL and decision.approval is not None:
        tx.announce_run(run, tx.now)
        return AwaitsApproval(run, decision.approval)
    tx.announce_run(run, tx.now + pace.QUIET)
    return Requested(run, entry)


def _waiting(run: Run, *, at_once: bool) -> Run:
    """The run as one that waits for its approval; with broken glass it doesn't. It takes no lock before it starts."""
    if at_once:
        return run
    return replace(run, state=State.AWAITING_APPROVAL, due=None, lock_key=None, accepted_at=None)


def _new_run(ask: Ask, entry: CatalogueEntry, inputs: dict[str, Any], sealer: Sealer, now: datetime) -> Run:
    hidden = _hidden(entry, inputs)
    return Run(
        id=new_run_id(),
        request_key=ask.key,
        request_id=ask.request_id,
        team_id=ask.actor.team_id,
        user_id=ask.actor.user_id,
        user_name=ask.actor.name,
        channel_id=ask.channel_id,
        workflow=entry.name,
        title=entry.title,
        datadog_id=entry.datadog_id,
        account=entry.account,
        inputs={name: value for name, value in inputs.items() if name not in hidden},
        secrets={name: sealer.fingerprint(value) for name, value in hidden.items()},
        sealed=sealer.seal(hidden) if hidden else None,
        definition_hash=entry.definition_hash,
        policy_version=entry.policy_version,
        state=State.READY,
        created_at=now,
        accepted_at=now,
        due=now + pace.LEASE,
        token=1,
        lock_key=entry.lock_key(inputs),
    )


# Crockford's base 32: no I, L, O or U, so that an id can be read aloud.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_run_id() -> str:
    """A new run's id: `R-` and ten characters, 50 random bits."""
    return "R-" + "".join(secrets.choice(_ALPHABET) for _ in range(10))
