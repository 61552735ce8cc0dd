"""Takes the pictures of the documents anew: `make pictures`. Starts the real sandbox and needs a Chromium, as its tests do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from playwright.sync_api import Locator, Page

from tests.browser.sandbox_process import started_sandbox
from tests.browser.workspace_page import ALICE, BOB, OPS, WorkspacePage, open_browser
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


def _hide(part: Locator) -> None:
    part.evaluate("part => { part.hidden = true; }")


def _take(page: Page, name: str) -> None:
    page.wait_for_timeout(400)  # until what moves has come to rest
    page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
