"""The main job, as an evaluator sees it: type a command, fill in a form, and find the instance and the audit record."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.workspace_page import ALICE, AUDIT, BOB, OPS, WorkspacePage

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def run_restart(workspace: WorkspacePage, reason: str) -> None:
    """By form, with a reason by which its message and record are found again."""
    workspace.show(ALICE, OPS)
    workspace.type("/workflow")
    workspace.pick("Restart a service")
    workspace.choose("Service", "checkout")
    workspace.fill("Why", reason)
    workspace.submit()


def test_a_workflow_is_picked_filled_in_and_run_and_its_instance_and_audit_record_are_seen(
    workspace: WorkspacePage,
) -> None:
    run_restart(workspace, "disk is full")
    expect(workspace.modal).to_have_count(0)
    message = workspace.messages(has_text="disk is full").filter(has_text=UUID)
    expect(message).to_contain_text("Restart a service")
    expect(message).to_contain_text("@Alice Moreau")
    found = UUID.search(message.inner_text())
    assert found
    workspace.page.get_by_test_id(f"channel-{AUDIT}").click()
    expect(workspace.messages(has_text=f"launched · Alice Moreau {ALICE}")).to_contain_text(found[0])
    expect(workspace.messages(has_text="requested")).to_contain_text("reason=disk is full")


def test_open_in_datadog_leads_to_the_instance(workspace: WorkspacePage) -> None:
    run_restart(workspace, "look inside")
    with workspace.page.context.expect_page() as opened:
        workspace.messages(has_text="look inside").get_by_text("Open in Datadog").click()
    expect(opened.value.get_by_role("heading", level=1)).to_have_text("Restart a service")
    expect(opened.value.get_by_role("row", name="Check health")).to_be_visible()
    expect(opened.value.get_by_role("row", name="reason")).to_contain_text("look inside")


def test_bob_is_refused_what_no_rule_allows_and_told_whom_to_ask(workspace: WorkspacePage) -> None:
    workspace.show(BOB, OPS)
    workspace.type("/workflow run restart-service service=web env=production reason=x")
    refusal = workspace.messages(has_text="Only visible to you").last
    expect(refusal).to_contain_text("not with these values")
    expect(refusal).to_contain_text("Ask @Alice Moreau")
    workspace.show(BOB, AUDIT)
    expect(workspace.messages(has_text=f"denied · Bob Tanaka {BOB}").first).to_contain_text("restart-service")


def test_a_wrong_value_is_told_at_its_field_and_nothing_typed_is_lost(workspace: WorkspacePage) -> None:
    workspace.show(ALICE, OPS)
    workspace.type("/workflow")
    workspace.pick("Rotate credentials")
    workspace.fill("Token of the vault", "a secret of nobody")
    workspace.fill("Options", "{oops")
    workspace.submit()
    expect(workspace.page.get_by_test_id("error-input:options")).to_contain_text("not valid JSON")
    expect(workspace.modal.get_by_role("textbox", name="Options")).to_have_value("{oops")
    expect(workspace.modal.get_by_role("textbox", name="Token of the vault")).to_have_value("a secret of nobody")


def test_a_403_of_datadog_says_that_nothing_was_started_and_what_to_check(workspace: WorkspacePage) -> None:
    workspace.show(ALICE, OPS)
    workspace.break_datadog("A start is answered", "403: the key may not do that")
    run_restart(workspace, "without a right")
    message = workspace.messages(has_text="without a right")
    expect(message).to_contain_text("not started")
    expect(message).to_contain_text("403")


def test_a_lost_answer_ends_as_unknown_and_says_what_to_do(workspace: WorkspacePage) -> None:
    workspace.show(ALICE, OPS)
    workspace.break_datadog("After accepting a start", "the answer is lost")
    run_restart(workspace, "lost on the way")
    message = workspace.messages(has_text="lost on the way")
    expect(message).to_contain_text("unknown outcome")
    expect(message).to_contain_text("may or may not be running")


def test_a_narrow_screen_shows_the_form_whole(workspace: WorkspacePage) -> None:
    workspace.page.set_viewport_size({"width": 390, "height": 844})
    workspace.show(ALICE, OPS)
    workspace.type("/workflow")
    workspace.pick("Scale a service")
    box = workspace.modal.bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert box["y"] + box["height"] <= 844
    assert workspace.page.evaluate("document.documentElement.scrollWidth") <= 390
