"""Approval as three people see it: Bob asks and is refused, asks again and gets two approvals; and he breaks the glass."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.workspace_page import ALICE, AUDIT, BOB, CARA, OPS, REVIEWS, WorkspacePage

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)


def _ask(workspace: WorkspacePage, reason: str, *, glass: bool = False) -> Locator:
    workspace.show(BOB, OPS)
    workspace.type("/workflow")
    workspace.pick("Scale a service")
    expect(workspace.modal).to_contain_text("With Only pretend false this needs approval by 2 of leads")
    workspace.choose("Service", "web")
    workspace.choose("Zones", "a")
    workspace.modal.get_by_label("false").check()
    workspace.fill("Reason", reason)
    if glass:
        workspace.modal.get_by_label("Break the glass: start at once").check()
    workspace.submit()
    expect(workspace.modal).to_have_count(0)
    return workspace.messages(has_text="Scale a service").last


def _asked(workspace: WorkspacePage, person: str, reason: str) -> Locator:
    workspace.show(person, REVIEWS)
    return workspace.messages(has_text=reason).last


def test_bob_asks_is_refused_asks_again_and_gets_two_approvals(workspace: WorkspacePage) -> None:
    mine = _ask(workspace, "Black Friday, as every year")
    expect(mine).to_contain_text("waits for approval for @Bob Tanaka")

    question = _asked(workspace, ALICE, "Black Friday, as every year")
    expect(question).to_contain_text("@Bob Tanaka asks to run Scale a service")
    expect(question).to_contain_text("Still needed 2 of leads")
    workspace.press("Refuse…", question)
    workspace.fill("Comment", "How many replicas do you need, and until when?")
    workspace.submit()
    expect(question).to_contain_text("@Alice Moreau refused")
    workspace.show(BOB, OPS)
    expect(workspace.messages(has_text="was refused for").last).to_contain_text("How many replicas do you need")

    _ask(workspace, "Three replicas until Monday")
    question = _asked(workspace, ALICE, "Three replicas until Monday")
    workspace.press("Approve", question)
    expect(question).to_contain_text("Still needed 1 of leads")
    question = _asked(workspace, CARA, "Three replicas until Monday")
    expect(question).to_contain_text("@Alice Moreau approved")
    workspace.press("Approve", question)
    expect(question).to_contain_text("Approved: @Bob Tanaka runs Scale a service")
    expect(question).to_contain_text("The run: succeeded")
    workspace.show(BOB, OPS)
    mine = workspace.messages(has_text="succeeded after").filter(has_text="Approved by")
    expect(mine.last).to_contain_text("Approved by @Alice Moreau and @Cara Lindt")


def test_bob_breaks_the_glass_and_cara_reviews_it(workspace: WorkspacePage) -> None:
    mine = _ask(workspace, "The shop is down and nobody answers", glass=True)
    expect(mine).to_contain_text("Started without approval")
    workspace.show(ALICE, AUDIT)
    expect(workspace.messages(has_text="glass broken").last).to_contain_text("Bob Tanaka")

    alert = _asked(workspace, CARA, "The shop is down and nobody answers")
    expect(alert).to_contain_text("@Bob Tanaka broke the glass")
    workspace.press("Sign off", alert)
    expect(alert).to_contain_text("@Cara Lindt signed it off")
    expect(workspace.page.get_by_role("button", name="Sign off")).to_have_count(0)


def test_what_waits_for_me_is_in_the_apps_home(workspace: WorkspacePage) -> None:
    _ask(workspace, "To be found in the Home")
    workspace.show(CARA, REVIEWS)
    workspace.page.get_by_test_id("app-home").click()
    expect(workspace.page.get_by_text("Waiting for your answer")).to_be_visible()
    expect(workspace.page.get_by_text("needs 2 of leads").first).to_be_visible()
