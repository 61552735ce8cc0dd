"""An approver answers: with the buttons of the message, in the review window, or by command."""

from __future__ import annotations

from bot.domain.approvals import OPEN_APPROVALS, Standing
from bot.domain.people import Kind
from bot.domain.runs import Run
from bot.slack.blocks.modals import notice
from bot.slack.blocks.review_modal import CODE, COMMENT, ReviewMemory, review_modal
from bot.slack.blocks.text import code
from bot.slack.forms.command_text import Command
from bot.slack.forms.review import ReviewFields, read_review
from bot.slack.ids import Action, Subcommand
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from bot.slack.listeners.home import publish_home
from bot.slack.listeners.modal import Content, Said, open_modal
from bot.slack.review_words import SHOWN_BY_ITSELF, review_words
from bot.use_cases.approval_outcome import Requester
from bot.use_cases.ports import Reading
from bot.use_cases.review_run import Press, ReviewAnswer, Reviewed, not_theirs, review

CODES = frozenset({ReviewAnswer.CODE_NEEDED, ReviewAnswer.CODE_WRONG, ReviewAnswer.CODE_BLOCKED})


async def approve_pressed(context: Context, incoming: Incoming) -> None:
    """One press decides; the message shows it to everybody, so only what it doesn't show needs words."""
    memory = _memory(incoming.action.get("value"))
    reviewed = await _review(context, incoming, memory, ReviewFields(True, "", None))
    if reviewed.answer not in SHOWN_BY_ITSELF:
        await context.voice.tell(incoming, "Review a run", review_words(reviewed, context.command))


async def review_pressed(context: Context, incoming: Incoming) -> None:
    """A button that opens the review window."""
    incoming.reply.ack()
    memory = _memory(incoming.action.get("value"))
    approves = incoming.action.get("action_id") != Action.REVIEW_REFUSE
    await open_modal(context, incoming, _window(context, incoming, memory.run_id, approves))


async def review_submitted(context: Context, incoming: Incoming) -> None:
    """The review window. What is wrong with a field is said at the field."""
    memory = _memory(incoming.view.get("private_metadata"))
    fields = read_review((incoming.view.get("state") or {}).get("values") or {})
    if not fields.approves and not fields.comment.strip():
        words = "Say why: the requester and the audit trail see it."
        incoming.reply.ack({"response_action": "errors", "errors": {COMMENT: words}})
        return
    reviewed = await _review(context, incoming, memory, fields)
    words = review_words(reviewed, context.command)
    if reviewed.answer in CODES and incoming.reply.ack(
        {"response_action": "errors", "errors": {CODE: words.partition(" ")[2]}}
    ):
        return
    if reviewed.answer not in SHOWN_BY_ITSELF or not incoming.reply.ack():
        await context.voice.show(incoming, notice("Review a run", words))
    await publish_home(context, incoming.team_id, incoming.user_id)


async def review_by_name(context: Context, incoming: Incoming, parsed: Command) -> None:
    """`approve ID comment` and `refuse ID reason`."""
    incoming.reply.ack()
    approves = parsed.subcommand is Subcommand.APPROVE
    run_id, comment = (parsed.words[0].upper()[:40] if parsed.words else ""), " ".join(parsed.words[1:])
    if not run_id or not (approves or comment):
        usage = f"{context.command} {'approve ID' if approves else 'refuse ID reason'}"
        await context.voice.tell(incoming, "Review a run", f":information_source: Write {code(usage)}.")
        return
    standing = await context.store.read(lambda tx: tx.standing(run_id))
    if standing is not None and standing.approval.requirement.step_up and approves:
        await open_modal(context, incoming, _window(context, incoming, run_id, approves, comment))
        return
    memory = ReviewMemory(run_id, standing.approval.bound_to if standing else "")
    reviewed = await _review(context, incoming, memory, ReviewFields(approves, comment, None))
    await context.voice.tell(incoming, "Review a run", review_words(reviewed, context.command))


async def _review(context: Context, incoming: Incoming, memory: ReviewMemory, fields: ReviewFields) -> Reviewed:
    """Who presses, and what groups they are in, is asked of Slack now: a deciding press never counts on what was known."""
    found = await context.store.read(lambda tx: _of(tx, memory.run_id))
    if found is None:
        return Reviewed(ReviewAnswer.NO_SUCH_APPROVAL)
    run, standing = found
    actor = await context.directory.actor(incoming.team_id, incoming.user_id, fresh=True)
    # Slack allows 20 looks at groups a minute: none for strangers, nor for what is decided.
    asks = actor.kind is Kind.MEMBER and standing.approval.state in OPEN_APPROVALS
    groups = sorted(standing.approval.requirement.groups) if asks else []
    subjects = await context.directory.subjects(actor, groups, fresh=True)
    said = (fields.approves, fields.comment, fields.code)
    press = Press(actor, subjects, run.id, memory.bound_to, *said, incoming.request_id)
    reviewed = await review(press, await _requester(context, run), context.store, context.codes)
    if reviewed.answer is ReviewAnswer.STARTED and reviewed.run is not None:
        context.start(reviewed.run, None)
    context.wake()
    return reviewed


async def _requester(context: Context, run: Run) -> Requester:
    actor = await context.directory.actor("", run.user_id, fresh=True)
    groups = await context.store.read(lambda tx: tx.groups_named())
    return Requester(actor, await context.directory.subjects(actor, sorted(groups)), context.admitted)


async def _window(context: Context, incoming: Incoming, run_id: str, approves: bool, comment: str = "") -> Content:
    found = await context.store.read(lambda tx: _of(tx, run_id))
    if found is None:
        return Said("Review a run", review_words(Reviewed(ReviewAnswer.NO_SUCH_APPROVAL), context.command))
    run, standing = found
    actor = await context.directory.actor(incoming.team_id, incoming.user_id)
    subjects = await context.directory.subjects(actor, sorted(standing.approval.requirement.groups))
    answer = not_theirs(run, standing, actor, subjects)
    if standing.approval.state not in OPEN_APPROVALS:
        answer = answer or ReviewAnswer.OVER
    elif any(review.user_id == actor.user_id for review in standing.reviews):
        answer = answer or ReviewAnswer.ANSWERED_BEFORE
    if answer is not None:
        return Said("Review a run", review_words(Reviewed(answer, run, standing), context.command))
    return review_modal(run, standing, approves=approves, comment=comment)


def _memory(text: object) -> ReviewMemory:
    """What a button or window remembers; of nothing, where it is not one of ours."""
    try:
        return ReviewMemory.load(str(text))
    except (ValueError, RecursionError):
        return ReviewMemory("", "")


def _of(tx: Reading, run_id: str) -> tuple[Run, Standing] | None:
    run, standing = tx.run(run_id), tx.standing(run_id)
    return (run, standing) if run is not None and standing is not None else None
