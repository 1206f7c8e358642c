"""`make screenshots`: every page that an agency meets, EN and FR, on a desktop and at 320 px.

Real pages from the real door, in Debian's Chromium without JavaScript; the person is invented.
Pictures go to build/screenshots/<page>-<language>-<width>.png. Exits with 1 if a page is wider
than its window.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "plugins" / "link" / "tests")]

from debian_chromium import ARGUMENTS, chromium_path  # noqa: E402
from stage import Stage  # noqa: E402

FOLDER = ROOT / "build" / "screenshots"
LANGUAGES = ("en", "fr")
WIDTHS = (1280, 320)


def visit(stage: Stage, tab: Any, language: str) -> Iterator[str]:
    """Walk the agency's way; yields the name of each page when it is shown."""
    link = stage.deliver(language=language)
    tab.set_content(html_of(stage))
    yield "0-e-mail"
    tab.goto(link)
    yield "1-link"
    tab.locator("button.go").click()
    yield "2-code"
    code = stage.code()
    tab.locator("#code").fill("000000" if code != "000000" else "111111")
    tab.locator("button.go").click()
    yield "3-code-wrong"
    tab.locator("#code").fill(code)
    tab.locator("button.go").click()
    tab.locator("#answer").wait_for()
    yield "4-referral"
    tab.locator("details:has(#form-decline) summary").click()
    tab.locator("#form-decline button.go").click()
    tab.get_by_role("alert").wait_for()
    yield "5-decline-with-a-fault"
    stand(stage, "accepted")
    tab.goto(tab.url.split("#")[0].split("?")[0])
    yield "6-accepted"
    for details in tab.locator("details").all():
        details.locator("summary").click()
    yield "7-every-answer-open"
    form = tab.locator("#form-complete")
    for group in form.locator("fieldset").all():
        group.locator("input").first.check()
    form.locator("input[type=number], input[inputmode=numeric]").first.fill("6")
    form.locator("textarea").last.fill("Plantation de fèves, thé et rires.")
    form.locator("button.go").click()
    tab.wait_for_load_state()
    tab.locator("#answer").wait_for(state="detached", timeout=5000)
    yield "8-closed"
    stand(stage, "cancelled")
    tab.reload()
    yield "9-cancelled"
    tab.goto(link.replace("/l/", "/l/x"))
    yield "10-link-that-does-not-work"


def stand(stage: Stage, status: str) -> None:
    """Let the referral have this status, as if somebody had moved it."""
    work = replace(stage.desk.work, status=status)
    stage.desk.case = stage.desk.case.with_fulfilment(work)


def html_of(stage: Stage) -> str:
    """The newest mail as a mail program shows it."""
    part = stage.room.mails[-1].get_body(("html", "plain"))
    text = str(part.get_content())
    return text if part.get_content_subtype() == "html" else f"<pre>{text}</pre>"


def take(
    open_page: Callable[..., Any], language: str, width: int, folder: Path = FOLDER
) -> list[str]:
    """All pictures of one language and width; the names of those that scroll sideways."""
    wide = []
    stage = Stage()
    stage.open()
    try:
        tab = open_page(viewport={"width": width, "height": 800}, java_script_enabled=False)
        for name in visit(stage, tab, language):
            tab.wait_for_load_state()
            file = f"{name}-{language}-{width}.png"
            tab.screenshot(path=folder / file, full_page=True)
            if tab.evaluate("document.documentElement.scrollWidth") > width:
                wide.append(file)
    finally:
        stage.close()
    return wide


def main() -> int:
    """Take every picture; 1 if a page scrolls sideways."""
    from playwright.sync_api import sync_playwright

    found = chromium_path()
    if found is None:
        print("Chromium is missing; install it with: apt-get install chromium", file=sys.stderr)
        return 1
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    wide: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        for language in LANGUAGES:
            for width in WIDTHS:
                wide += take(browser.new_page, language, width)
        browser.close()
    for file in wide:
        print(f"wider than its window: {file}", file=sys.stderr)
    print(f"{len(list(FOLDER.iterdir()))} pictures in {FOLDER.relative_to(ROOT)}/")
    return 1 if wide else 0


if __name__ == "__main__":
    sys.exit(main())
