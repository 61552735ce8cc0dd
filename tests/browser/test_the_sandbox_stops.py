"""Ctrl-C stops the sandbox cleanly, also while a browser looks at it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.sandbox_process import started_sandbox
from tests.browser.workspace_page import ALICE, OPS, WorkspacePage

pytestmark = pytest.mark.browser


def test_ctrl_c_stops_the_sandbox_with_exit_code_0_and_no_traceback(browser: Browser) -> None:
    with started_sandbox() as sandbox:
        closed = browser.new_page()
        WorkspacePage(closed, sandbox.url).show(ALICE, OPS)
        closed.close()
        page = browser.new_page()
        WorkspacePage(page, sandbox.url).show(ALICE, OPS)
        assert sandbox.interrupt() == 0
        page.close()
    said = "".join(sandbox.said)
    assert "Stopped." in said
    assert "Traceback" not in said
    assert "ERROR" not in said
