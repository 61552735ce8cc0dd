"""The sandbox's page by what a person does on it: type, pick, fill in, read. Nothing is asserted here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, sync_playwright

ALICE, BOB, CARA = "U01ALICE", "U02BOB", "U04CARA"
OPS, AUDIT, REVIEWS = "C01OPS", "C03AUDIT", "C04REVIEWS"
# Nothing but the page itself may make Chromium use the network.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextlib.contextmanager
def open_browser(executable: Path) -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        browser.close()


class WorkspacePage:
    """One tab. `complaints` holds what went wrong in it: script errors, and whatever the content policy stopped."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self._url = page, url
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    def show(self, person: str, channel: str) -> None:
        """Act as a person, with a channel on show."""
        # The same address with another fragment would not load the page again.
        self.page.goto("about:blank")
        self.page.goto(f"{self._url}/#as={person}&in={channel}")
        self.page.get_by_test_id("composer").wait_for()

    def type(self, text: str) -> None:
        """Write into the composer and press Enter."""
        composer = self.page.get_by_test_id("composer")
        composer.fill(text)
        composer.press("Enter")

    def pick(self, title: str) -> None:
        """Choose a workflow in the picker, by a part of its title, and wait for its form."""
        picker = self.modal.get_by_role("combobox")
        picker.fill(title)
        self.page.get_by_role("option", name=title).click()
        self.page.get_by_test_id("modal-submit").wait_for()

    def choose(self, label: str, option: str) -> None:
        """Choose in a field of the form."""
        self.modal.get_by_role("combobox", name=label).click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def fill(self, label: str, text: str) -> None:
        """Write into a field of the form."""
        self.modal.get_by_role("textbox", name=label).fill(text)

    def submit(self) -> None:
        self.page.get_by_test_id("modal-submit").click()

    def break_datadog(self, dial: str, choice: str) -> None:
        """Turn a dial of the faults drawer, and close the drawer."""
        self.page.get_by_test_id("faults").click()
        with self.page.expect_response("**/ui/faults"):
            self.page.get_by_role("group", name="Datadog").get_by_label(dial).select_option(choice)
        self.page.keyboard.press("Escape")

    def tidy(self) -> None:
        """Leave nothing to the next test: the sandbox keeps a person's open modals and what was broken."""
        if self.modal.count():
            self.modal.last.get_by_role("button", name="Dismiss").click()
            self.modal.first.wait_for(state="detached")
        self.page.request.post(
            f"{self._url}/ui/faults", data={"as": ALICE, "slack": {}, "datadog": {}}, fail_on_status_code=True
        )

    @property
    def modal(self) -> Locator:
        return self.page.get_by_test_id("modal")

    def messages(self, **having: Any) -> Locator:
        """The channel's messages, as `Locator.filter` narrows them."""
        return self.page.get_by_test_id("message").filter(**having)

    def press(self, button: str, message: Locator, sure: str = "") -> None:
        """Press a button of a message; `sure` is what to answer where it asks."""
        message.get_by_role("button", name=button, exact=True).click()
        if sure:
            self.page.get_by_role("button", name=sure, exact=True).click()
