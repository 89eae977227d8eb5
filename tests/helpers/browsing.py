"""A page in Chromium, offline, and everything it does besides being shown."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RULES = {
    "runOnly": [
        "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice",
    ],
    "resultTypes": ["violations"],  # naming all that is sound takes longer than looking at it
}  # fmt: skip


@dataclass
class Log:
    """What a page did besides being shown."""

    requests: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium; without it the tests are skipped, but not where they must run."""
    browser = shutil.which("chromium")
    if browser is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing, and CI must look at the page.")
        pytest.skip("Chromium is missing (Debian: apt install chromium).")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser, args=ARGUMENTS)
        yield started
        started.close()


def opened(browser: Browser, path: Path, **options: object) -> tuple[Page, Log]:
    """Return a page shown offline, and the log of what it did."""
    context = browser.new_context(offline=True, **options)  # type: ignore[arg-type]
    page, log = context.new_page(), Log()
    page.on("request", lambda request: log.requests.append(request.url))
    page.on("console", lambda message: log.messages.append(message.text))
    page.on("pageerror", lambda error: log.messages.append(str(error)))
    page.on("dialog", lambda dialog: (log.messages.append(dialog.message), dialog.dismiss()))
    page.goto(path.resolve().as_uri())
    return page, log


def violations(page: Page) -> list[dict[str, Any]]:
    """Return what axe finds."""
    return list(Axe().run(page, options=RULES).response["violations"])


def unfold(page: Page) -> None:
    """Open everything that is folded."""
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
