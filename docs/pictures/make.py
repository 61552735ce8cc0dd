"""Takes the pictures of the documents anew: `make pictures`. Starts the real sandbox and needs a Chromium, as its tests do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from playwright.sync_api import Locator, Page

from tests.browser.sandbox_process import started_sandbox
from tests.browser.workspace_page import ALICE, BOB, CARA, OPS, REVIEWS, WorkspacePage, open_browser
from tests.conftest import BROWSERS

FOLDER = Path(__file__).resolve().parent
SIZE = {"width": 1100, "height": 640}


def main() -> None:
    """Write every picture beside this file."""
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        raise SystemExit("No Chromium found: install the package `chromium`, or set CHROMIUM to the path of one.")
    with open_browser(Path(chromium)) as browser, started_sandbox() as sandbox:
        page = browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]  # a dict of its two keys
        workspace = WorkspacePage(page, sandbox.url)
        _form(workspace)
        _run_and_refusal(workspace)
        _running(workspace)
        _unknown(workspace)
        _cancelled(workspace)
        _rules(workspace)
        _approval(workspace)
        _break_glass(workspace)


def _form(workspace: WorkspacePage) -> None:
    workspace.show(ALICE, OPS)
    workspace.type("/workflow")
    workspace.pick("Restart a service")
    workspace.choose("Service", "checkout")
    workspace.fill("Why", "Stuck consumers since the 14:00 deploy")
    _take(workspace.page, "form")
    workspace.submit()
    workspace.messages(has_text="Stuck consumers").get_by_text("Open in Datadog").wait_for()


def _run_and_refusal(workspace: WorkspacePage) -> None:
    workspace.show(BOB, OPS)
    workspace.type('/workflow run restart-service service=checkout env=production reason="same here"')
    workspace.messages(has_text="Only visible to you").wait_for()
    _hide(workspace.page.locator("#hint"))
    _take(workspace.page, "sandbox")


def _running(workspace: WorkspacePage) -> None:
    message = _ask(workspace, "Leaking memory since Tuesday")
    message.get_by_text("Restart pods").wait_for()
    _take(workspace.page, "running", message)


def _cancelled(workspace: WorkspacePage) -> None:
    message = _ask(workspace, "Wrong service, sorry")
    message.get_by_text("is running for").wait_for()
    message.get_by_text("Drain traffic").wait_for()
    workspace.press("Cancel", message)
    _take(workspace.page, "cancel")
    workspace.page.get_by_role("button", name="Cancel the run").click()
    message.get_by_text("cancelled after").wait_for()
    workspace.messages(has_text="↳ thread").filter(has_text="was cancelled after").last.wait_for()
    _take(workspace.page, "cancelled")


def _unknown(workspace: WorkspacePage) -> None:
    workspace.break_datadog("After accepting a start", "the answer is lost")
    message = _ask(workspace, "Deadlock in the pool")
    message.get_by_text("unknown outcome").wait_for()
    workspace.messages(has_text="↳ thread").filter(has_text="unknown outcome").last.wait_for()
    _take(workspace.page, "unknown")
    message.get_by_text("succeeded after").wait_for()
    workspace.tidy()


def _rules(workspace: WorkspacePage) -> None:
    workspace.show(ALICE, OPS)
    workspace.type("/workflow")
    workspace.pick("Deploy the website")
    _take(workspace.page, "frozen")
    workspace.tidy()
    workspace.type("/workflow lock restart-service service=web Deploy of the shop for 2h")
    workspace.messages(has_text="has locked").last.wait_for()
    workspace.show(BOB, OPS)
    workspace.type("/workflow why restart-service service=api env=production reason=x")
    workspace.messages(has_text="not with these values").last.wait_for()
    workspace.type("/workflow run restart-service service=web env=staging reason=x")
    workspace.messages(has_text="restart-service is locked").last.wait_for()
    _take(workspace.page, "rules")


def _approval(workspace: WorkspacePage) -> None:
    _fill_in_scaling(workspace, "Black Friday: orders have doubled since noon")
    workspace.modal.get_by_text("this needs approval").scroll_into_view_if_needed()
    _take(workspace.page, "approval-form")
    workspace.submit()
    question = _question(workspace, ALICE, "Black Friday")
    _take(workspace.page, "approval-asked", question)
    workspace.press("Refuse…", question)
    workspace.fill("Comment", "Please say until when, so that we can scale it down again")
    workspace.submit()
    question.get_by_text("refused").first.wait_for()
    _fill_in_scaling(workspace, "Black Friday, until Monday morning")
    workspace.submit()
    for person in (ALICE, CARA):
        question = _question(workspace, person, "until Monday morning")
        workspace.press("Approve", question)
        question.get_by_text("approved").first.wait_for()
    question.get_by_text("The run: succeeded").wait_for()
    _take(workspace.page, "approval-decided", question)


def _break_glass(workspace: WorkspacePage) -> None:
    _fill_in_scaling(workspace, "The shop is down, and none of the leads answers")
    workspace.modal.get_by_label("Break the glass: start at once").check()
    workspace.submit()
    question = _question(workspace, CARA, "none of the leads answers")
    question.get_by_text("The run: succeeded").wait_for()
    _take(workspace.page, "break-glass", question)


def _fill_in_scaling(workspace: WorkspacePage, reason: str) -> None:
    workspace.show(BOB, OPS)
    workspace.type("/workflow")
    workspace.pick("Scale a service")
    workspace.choose("Service", "web")
    workspace.choose("Zones", "a")
    workspace.modal.get_by_label("false").check()
    workspace.fill("Reason", reason)


def _question(workspace: WorkspacePage, person: str, reason: str) -> Locator:
    workspace.show(person, REVIEWS)
    _hide(workspace.page.locator("#hint"))
    question = workspace.messages(has_text=reason).last
    question.wait_for()
    return question


def _ask(workspace: WorkspacePage, reason: str) -> Locator:
    workspace.show(ALICE, OPS)
    _hide(workspace.page.locator("#hint"))
    workspace.type(f'/workflow run restart-service service=checkout env=production reason="{reason}"')
    message = workspace.messages(has_text=reason)
    message.wait_for()
    return message


def _hide(part: Locator) -> None:
    part.evaluate("part => { part.hidden = true; }")


def _take(page: Page, name: str, message: Locator | None = None) -> None:
    if message is not None:
        message.scroll_into_view_if_needed()
    page.wait_for_timeout(400)  # until what moves has come to rest
    page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
