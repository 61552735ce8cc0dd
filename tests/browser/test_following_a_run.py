"""A run as its channel sees it: step by step to its end, cancelled, run again, lost and found."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.workspace_page import ALICE, OPS, WorkspacePage

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)


def run_restart(workspace: WorkspacePage, reason: str) -> Locator:
    """By command; returns its message, which the reason tells from others."""
    workspace.show(ALICE, OPS)
    workspace.type(f'/workflow run restart-service service=checkout reason="{reason}"')
    return workspace.messages(has_text=reason)


def replies(workspace: WorkspacePage, has_text: str) -> Locator:
    """What was said in threads."""
    return workspace.messages(has_text="↳ thread").filter(has_text=has_text)


def test_a_run_is_seen_step_by_step_to_its_end_and_its_requester_is_told(workspace: WorkspacePage) -> None:
    message = run_restart(workspace, "step by step")
    expect(message).to_contain_text("is running for @Alice Moreau")
    expect(message).to_contain_text("Check health")
    expect(message).not_to_contain_text("Wait until ready")
    expect(message.get_by_role("button", name="Cancel", exact=True)).to_be_visible()

    # A step that was over when it was first seen has taken nobody knows how long: the last one may be such.
    expect(message).to_contain_text(re.compile(r"Check health\s+\d s"))
    expect(message).to_contain_text("Wait until ready")
    expect(message).to_contain_text(re.compile(r"succeeded after \d+ s"))
    expect(message).to_contain_text('{"restarted_pods": 6}')
    expect(message.get_by_role("button", name="Cancel", exact=True)).to_have_count(0)
    expect(replies(workspace, "@Alice Moreau").last).to_contain_text("succeeded after")


def test_a_run_is_cancelled_after_a_question_and_only_when_datadog_has_stopped_it(workspace: WorkspacePage) -> None:
    message = run_restart(workspace, "not this time")
    expect(message).to_contain_text("is running for")

    workspace.press("Cancel", message, "Let it run")
    expect(message).to_contain_text("is running for")
    workspace.press("Cancel", message, "Cancel the run")

    expect(message).to_contain_text(re.compile(r"was cancelled after \d+ s"))
    expect(message).to_contain_text("Cancelled by @Alice Moreau")


def test_run_again_opens_the_form_as_it_was_filled_in(workspace: WorkspacePage) -> None:
    message = run_restart(workspace, "once and again")
    expect(message).to_contain_text("succeeded after")

    workspace.press("Run again", message)
    expect(workspace.modal.get_by_role("combobox", name="Service")).to_have_value("checkout")
    expect(workspace.modal.get_by_role("textbox", name="Why")).to_have_value("once and again")
    workspace.fill("Why", "the second time")
    workspace.submit()

    expect(workspace.messages(has_text="the second time")).to_contain_text("is running for")


def test_a_lost_run_is_found_in_datadog_and_followed_to_its_end(workspace: WorkspacePage) -> None:
    workspace.show(ALICE, OPS)
    workspace.break_datadog("After accepting a start", "the answer is lost")
    message = run_restart(workspace, "lost and found")
    expect(message).to_contain_text("unknown outcome")
    expect(message).to_contain_text("may or may not be running")
    expect(message).to_contain_text("The bot searches Datadog for it and will not send it again")
    expect(replies(workspace, "has an unknown outcome").last).to_be_visible()

    expect(message).to_contain_text("succeeded after")
    expect(message).to_contain_text('{"restarted_pods": 6}')
