"""Take the README's pictures of a report: `python docs/take_screenshot.py REPORT FOLDER`.

Writes FOLDER/report-light.png and FOLDER/report-dark.png: the head of the page, as a reader sees it
first. Needs Chromium.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1000, 760
"""Of the pictures, in pixels."""
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def take(report: Path, folder: Path) -> None:
    """Write the pictures.

    Args:
        report: A report's page.
        folder: Where to; made if it isn't there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=_ARGUMENTS
        )
        for scheme in _SCHEMES:
            context = browser.new_context(
                offline=True,
                color_scheme=scheme,
                viewport={"width": WIDTH, "height": HEIGHT},
            )
            page = context.new_page()
            page.goto(report.resolve().as_uri())
            page.screenshot(path=folder / f"report-{scheme}.png")
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    take(options.report, options.folder)
