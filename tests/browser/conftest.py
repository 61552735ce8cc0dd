"""A real Chromium before the real `workflow-bot sandbox`.

Both live as long as one file of tests: Playwright's loop must be gone before tests with loops of their own run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.sandbox_process import SandboxProcess, started_sandbox
from tests.browser.workspace_page import WorkspacePage, open_browser

LIMIT = 30_000  # milliseconds until a wait counts as failed; a busy machine is slow


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    with open_browser(chromium_path) as browser:
        yield browser


@pytest.fixture(scope="module")
def sandbox(browser: Browser) -> Iterator[SandboxProcess]:
    with started_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def workspace(browser: Browser, sandbox: SandboxProcess) -> Iterator[WorkspacePage]:
    """A fresh tab, with nothing broken; a script error in it fails the test."""
    context = browser.new_context()
    context.set_default_timeout(LIMIT)
    workspace = WorkspacePage(context.new_page(), sandbox.url)
    yield workspace
    workspace.tidy()
    context.close()
    assert workspace.complaints == []
