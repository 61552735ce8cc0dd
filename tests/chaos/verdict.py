"""What came of it all: the four numbers that have to be 0, and what else has to be so, with the proof of each exception.

Asked of Slack, of Datadog and of the database, never of the bot.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from bot import connections
from bot.domain.audit import Record
from bot.domain.runs import ENDED, Run, State
from bot.slack.blocks.run_message import run_message
from bot.slack.blocks.run_words import MARKS
from bot.storage.tables import audit_posts, runs
from bot.storage.tables import messages as messages_table
from bot.use_cases.ports import Message
from bot.use_cases.verify_trail import Verified, verify
from tests.chaos.company import AUDIT, GUARDED, KEY, REVIEWS, TAG, Company
from tests.chaos.replay import missing

OVERDUE = timedelta(seconds=3)


@dataclass
class Verdict:
    """Each list holds a line for each case; the first four are the promise, and `wrong` is whatever else is not so."""

    executed_twice: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    stories: dict[str, str] = field(default_factory=dict)  # of each run named above

    @property
    def clean(self) -> bool:
        return not (self.executed_twice or self.lost or self.stuck or self.unanswered or self.wrong)

    def __str__(self) -> str:
        lines = []
        for name in ("executed_twice", "lost", "stuck", "unanswered", "wrong"):
            found = getattr(self, name)
            lines.append(f"{name.replace('_', ' ')}: {len(found)}")
            lines += [f"    {line}" for line in found[:20]]
        return "\n".join([*lines, *list(self.stories.values())[:10]])


@dataclass
class _Evidence:
    company: Company
    runs: list[Run]
    messages: dict[str, dict[str, Message]]
    records: list[Record]
    told: int
    overdue: set[str]
    verified: Verified

    def __post_init__(self) -> None:
        self.bodies: list[dict[str, Any]] = [json.loads(record.body) for record in self.records]
        self.acts: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for body in self.bodies:
            if body["run"]:
                self.acts[body["run"]].append(body)
        self.executions = {execution.instance_id: execution for execution in self.company.datadog.executions}
        self.by_tag = {str(run.inputs.get(TAG)): run for run in self.runs}
        slack = self.company.slack
        self.posts = {
            (channel, post["ts"]): post
            for channel in list(slack.workspace.channels)
            for post in slack.messages(channel)
            if post.get("bot_id")
        }
        self.threads: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        self.roots: dict[str, list[dict[str, Any]]] = defaultdict(list)
        places = {run.id: {run.channel_id, self._live_in(run.id)} for run in self.runs}
        for (channel, _), post in self.posts.items():
            if channel == AUDIT or post["ephemeral_to"]:
                continue
            if post["thread_ts"]:
                self.threads[channel, post["thread_ts"]].append(post)
            else:
                text = json.dumps(post, ensure_ascii=False)
                if '"block_id": "review:' in text or channel == REVIEWS:  # what approvers are asked
                    continue
                for part in text.split("`")[1::2]:
                    if part in places:
                        if channel in places[part]:  # elsewhere approvers were asked, and have been told the answer
                            self.roots[part].append(post)
                        break

    def _live_in(self, run_id: str) -> str | None:
        """Where the run's one message is, if that isn't where it was asked for."""
        live = self.messages[run_id].get("live")
        return live.posted_in if live else None


async def judge(company: Company) -> Verdict:
    """Look at everything there is. Raises NotRecorded where the database can't be read."""
    evidence = await _evidence(company)
    verdict = Verdict()
    checks: list[tuple[list[str], Callable[[_Evidence], Iterator[str]]]] = [
        (verdict.executed_twice, _executed_twice),
        (verdict.lost, _lost),
        (verdict.stuck, _stuck),
        (verdict.unanswered, _unanswered_runs),
        (verdict.unanswered, _unanswered_people),
        (verdict.wrong, _mixed_up),
        (verdict.wrong, _incomplete_trails),
        (verdict.wrong, _without_approval),
        (verdict.wrong, _trails_of_nothing),
        (verdict.wrong, _broken_chain),
        (verdict.wrong, _audit_channel_gaps),
    ]
    for found, check in checks:
        found.extend(check(evidence))
    _count(evidence, verdict)
    every = "\n".join(line for found, _ in checks for line in found)
    verdict.stories = {run.id: _story(evidence, run) for run in evidence.runs if run.id in every}
    return verdict


async def _evidence(company: Company) -> _Evidence:
    async with connections.open_store(company.settings) as store:

        def question(tx: Any) -> _Evidence:
            messages: dict[str, dict[str, Message]] = defaultdict(dict)
            for row in tx.connection.execute(sa.select(messages_table)):
                messages[row.run_id][row.kind] = Message(**row._mapping)
            late = tx.connection.execute(sa.select(runs.c.id).where(runs.c.due < tx.now - OVERDUE))
            told = (tx.connection.execute(sa.select(audit_posts.c.told))).scalar_one()
            found = tx.runs(100_000), tx.records(0, 1_000_000)
            return _Evidence(company, found[0], messages, found[1], told, {row.id for row in late}, verified)

        verified = await verify(store, (KEY.encode(),))
        return await store.read(question)


def _executed_twice(evidence: _Evidence) -> Iterator[str]:
    times = Counter(str(execution.payload.get(TAG)) for execution in evidence.executions.values())
    for tag, count in times.items():
        if count > 1:
            run = evidence.by_tag.get(tag)
            yield f"{tag}: {count} executions, run {run.id if run else 'none'}"
    for key, count in Counter(run.inputs.get(TAG) for run in evidence.runs).items():
        if count > 1:
            yield f"{key}: {count} runs of one ask"


def _lost(evidence: _Evidence) -> Iterator[str]:
    for ask in evidence.company.asks.values():
        if ask.acknowledged and ask.tag not in evidence.by_tag and not ask.told:
            yield f"{ask}: acknowledged, and there is no run"
    executed = {str(execution.payload.get(TAG)): execution for execution in evidence.executions.values()}
    for tag in executed:
        run = evidence.by_tag.get(tag)
        if run is None:
            yield f"{tag}: executed, and there is no run"
        elif run.state is State.NOT_STARTED or (run.state in ENDED and run.instance_id is None):
            yield f"run {run.id}: executed, and it says {run.state}"
    for run in evidence.runs:
        if run.state not in ENDED and not (run.state is State.UNKNOWN and run.due is None):
            yield f"run {run.id}: still {run.state}, due {run.due}"


def _stuck(evidence: _Evidence) -> Iterator[str]:
    for run_id in sorted(evidence.overdue):
        yield f"run {run_id}: long due, and nobody looks at it"
    for run_id, kinds in evidence.messages.items():
        for message in kinds.values():
            if message.due is not None:
                yield f"run {run_id}: its message {message.kind} is not delivered: {message.error or 'no error'}"
            elif message.error:
                yield f"run {run_id}: its message {message.kind} was given up: {message.error}"
    if evidence.records and evidence.told < evidence.records[-1].seq:
        yield f"the audit channel knows {evidence.told} of {evidence.records[-1].seq} records"


def _unanswered_runs(evidence: _Evidence) -> Iterator[str]:
    for run in evidence.runs:
        live, end = (evidence.messages[run.id].get(kind) for kind in ("live", "end"))
        post = evidence.posts.get((live.posted_in or "", live.ts or "")) if live else None
        if live is None or post is None:
            yield f"run {run.id}: has no message"
            continue
        replies = evidence.threads[live.posted_in or "", live.ts or ""]
        text, _ = run_message(run, None)
        said = [shown for shown in [post, *replies] if shown["text"] == text]
        if not said:
            yield f"run {run.id}: is {run.state}, and its message says {post['text']!r}"
        elif said[0] is post and not _shows_the_end(post, run):
            yield f"run {run.id}: is {run.state}, and its message looks otherwise"
        finals = [one for one in evidence.roots[run.id] if one["text"] == text]
        if len(finals) > 1:
            yield f"run {run.id}: {len(finals)} messages show its end"
        if end is None or not _end_words(evidence, run):
            yield f"run {run.id}: is {run.state}, and its requester was not told"


def _shows_the_end(post: dict[str, Any], run: Run) -> bool:
    blocks = json.dumps(post["blocks"], ensure_ascii=False)
    buttons = {name for name in ("cancel_run", "run_again") if name in blocks}
    return MARKS[run.state] in blocks and buttons == ({"run_again"} if run.state in ENDED else set())


def _end_words(evidence: _Evidence, run: Run) -> list[dict[str, Any]]:
    live, end = evidence.messages[run.id]["live"], evidence.messages[run.id].get("end")
    replies = list(evidence.threads[live.posted_in or "", live.ts or ""])
    if (
        end is not None and end.posted_in != live.posted_in
    ):  # the channel was closed to the bot: a direct message says it
        replies += filter(None, [evidence.posts.get((end.posted_in or "", end.ts or ""))])
    return [reply for reply in replies if f"<@{run.user_id}>" in reply["text"] and MARKS[run.state] in reply["text"]]


def _unanswered_people(evidence: _Evidence) -> Iterator[str]:
    for ask in evidence.company.asks.values():
        if ask.presses and not ask.acknowledged and not ask.told and ask.tag not in evidence.by_tag:
            yield f"{ask}: neither taken nor refused"


def _mixed_up(evidence: _Evidence) -> Iterator[str]:
    for run in evidence.runs:
        execution = evidence.executions.get(run.instance_id or "")
        if run.instance_id and (execution is None or execution.payload.get(TAG) != run.inputs.get(TAG)):
            yield f"run {run.id}: holds the instance of another: {run.instance_id}"


def _incomplete_trails(evidence: _Evidence) -> Iterator[str]:
    for run in evidence.runs:
        acts = [body["act"] for body in evidence.acts[run.id]]
        wrong = _why_incomplete(run, acts) or missing(evidence.acts[run.id], run.state)
        if wrong:
            yield f"run {run.id}: {wrong}: {acts}"


def _without_approval(evidence: _Evidence) -> Iterator[str]:
    """What needed approval, and was sent without one, or with a person's counted twice."""
    for run in evidence.runs:
        bodies = evidence.acts[run.id]
        acts = [body["act"] for body in bodies]
        approvers = [body["actor"]["user"] for body in bodies if body["act"] == "approved"]
        if len(approvers) != len(set(approvers)):
            yield f"run {run.id}: a person's approval was counted twice: {acts}"
        sent = "launching" in acts
        if run.workflow in GUARDED and sent and "approved" not in acts[: acts.index("launching")]:
            yield f"run {run.id}: was sent without approval: {acts}"
        if run.user_id in approvers:
            yield f"run {run.id}: its requester approved it"


def _trails_of_nothing(evidence: _Evidence) -> Iterator[str]:
    known = {run.id for run in evidence.runs}
    for run_id in sorted((set(evidence.acts) | set(evidence.messages)) - known):
        yield f"run {run_id}: has records or messages, and there is no such run"


def _why_incomplete(run: Run, acts: list[str]) -> str:
    launches = acts.count("launching")
    answers = sum(map(acts.count, ("launched", "launch refused", "launch postponed", "unknown")))
    if acts[:1] != ["requested"] or acts.count("requested") != 1:
        return "does not begin with one request"
    if launches != run.attempts:
        return f"{run.attempts} attempts and {launches} records of them"
    if answers < launches:
        return "a launch without an answer"
    if run.instance_id and not {"launched", "resolved"} & set(acts):
        return "an instance out of nowhere"
    if run.instance_id and run.state in ENDED and acts.count("ended") != 1:
        return "not one end"
    if run.state is State.UNKNOWN and "unknown" not in acts:
        return "nothing says that it is unknown"
    if run.state is State.NOT_STARTED and acts[-1] != "launch refused":
        return "nothing says why it was not started"
    return ""


def _broken_chain(evidence: _Evidence) -> Iterator[str]:
    for found in evidence.verified.breaks:
        yield f"record {found.seq}: {found.kind}: {found.words}"


def _audit_posts(evidence: _Evidence) -> list[int]:
    """The numbers of the records told to the audit channel, in the order of its posts."""
    return [
        int(block["text"]["text"].split("*#")[1].split(" ")[0])
        for (channel, _), post in evidence.posts.items()
        if channel == AUDIT
        for block in post["blocks"]
    ]


def _audit_channel_gaps(evidence: _Evidence) -> Iterator[str]:
    told = set(_audit_posts(evidence))
    missing = [record.seq for record in evidence.records if record.seq <= evidence.told and record.seq not in told]
    if missing:
        yield f"records that the audit channel was not told of: {missing[:20]}"


def _count(evidence: _Evidence, verdict: Verdict) -> None:
    company, counts = evidence.company, verdict.counts
    counts["asked"] = sum(1 for ask in company.asks.values() if ask.presses)
    counts["acknowledged"] = sum(1 for ask in company.asks.values() if ask.acknowledged)
    counts["runs"] = len(evidence.runs)
    counts["executed"] = len(evidence.executions)
    for run in evidence.runs:
        counts[f"state {run.state}"] += 1
        counts["end told more than once"] += len(_end_words(evidence, run)) > 1 if evidence.messages[run.id] else 0
        counts["messages left behind, without an end"] += max(0, len(evidence.roots[run.id]) - 1)
        acts = [body["act"] for body in evidence.acts[run.id]]
        counts["was unknown for a while"] += "unknown" in acts
        counts["found again by searching"] += "resolved" in acts
        counts["cancelled by a person"] += "cancel asked" in acts
    posts = _audit_posts(evidence)
    counts["audit records"] = len(evidence.records)
    counts["audit records told twice"] = len(posts) - len(set(posts))
    counts["rules of Slack broken"] = len(company.slack.violations)


def _story(evidence: _Evidence, run: Run) -> str:
    acts = [f"    {body['at']} {body['act']} {body.get('error') or ''}" for body in evidence.acts[run.id]]
    rows = [f"    {message}" for message in evidence.messages[run.id].values()]
    return "\n".join([f"{run}", *acts, *rows])
