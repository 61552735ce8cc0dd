"""What the rules let people do, as they see it: options, refusals with their why, locks and freezes."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.workspace_page import ALICE, BOB, OPS, WorkspacePage

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)


def test_a_value_that_one_may_not_choose_is_not_offered(workspace: WorkspacePage) -> None:
    workspace.show(BOB, OPS)
    workspace.type("/workflow")
    workspace.pick("Restart a service")
    workspace.modal.get_by_role("combobox", name="Environment").click()

    expect(workspace.page.get_by_role("option")).to_contain_text(["staging"])


def test_why_tells_the_rule_that_decides(workspace: WorkspacePage) -> None:
    workspace.show(BOB, OPS)
    workspace.type("/workflow why restart-service service=web env=production reason=x")
    answer = workspace.messages(has_text="Only visible to you").last
    expect(answer).to_contain_text("not with these values")
    expect(answer).to_contain_text("Rule 3 allows env as staging")

    workspace.type("/workflow why restart-service service=web env=staging reason=x")
    answer = workspace.messages(has_text="You may run restart-service here").last
    expect(answer).to_contain_text("rule 3 of the policy says")


def test_a_lock_keeps_others_out_until_it_is_released(workspace: WorkspacePage) -> None:
    workspace.show(ALICE, OPS)
    workspace.type("/workflow lock restart-service service=web deploy of the shop for 2h")
    expect(workspace.messages(has_text="has locked").last).to_contain_text("restart-service service=web")
    workspace.show(BOB, OPS)

    workspace.type("/workflow run restart-service service=web env=staging reason=impatience")
    refusal = workspace.messages(has_text="restart-service is locked").last
    expect(refusal).to_contain_text("deploy of the shop")
    expect(refusal).to_contain_text("Come back after")
    workspace.type("/workflow run restart-service service=api env=staging reason=elsewhere")
    expect(workspace.messages(has_text="elsewhere")).to_contain_text("is running for @Bob Tanaka")

    workspace.show(ALICE, OPS)
    workspace.type("/workflow unlock restart-service service=web")
    expect(workspace.messages(has_text="has unlocked").last).to_be_visible()
    workspace.show(BOB, OPS)
    workspace.type("/workflow run restart-service service=web env=staging reason=patience")
    expect(workspace.messages(has_text="patience").last).to_contain_text("is running for @Bob Tanaka")


def test_a_freeze_is_told_in_the_form_and_refuses_with_its_reason(workspace: WorkspacePage) -> None:
    workspace.show(ALICE, OPS)
    workspace.type("/workflow")
    workspace.pick("Deploy the website")
    expect(workspace.modal).to_contain_text("Just now it would not start. deploy-website is frozen: Sale of the year")

    workspace.fill("Version", "2.0")
    workspace.submit()

    expect(workspace.modal).to_contain_text("Nothing was started")
    expect(workspace.modal).to_contain_text("Come back after")
