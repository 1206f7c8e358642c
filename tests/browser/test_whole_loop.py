"""The running service from end to end, with a person in a real browser, JavaScript off."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hl7
import pytest

from adapter.cli.demonstration.mailbox import code_in, link_in
from tests.integration.loop.harness import Loop, exchange, referral

pytestmark = pytest.mark.browser


@contextmanager
def running(folder: Path, language: str) -> Iterator[tuple[Loop, Callable[..., Any]]]:
    """The loop on a thread of its own, and a way to run something there."""
    events = asyncio.new_event_loop()
    thread = threading.Thread(target=events.run_forever)
    thread.start()

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, events).result(60)

    loop = Loop(folder, language)
    try:
        run(loop.open())
        yield loop, run
    finally:
        run(loop.close())
        events.call_soon_threadsafe(events.stop)
        thread.join()
        events.close()


def enter(tab: Any, loop: Loop, run: Callable[..., Any]) -> None:
    """From the first mail to the referral."""
    letter = run(loop.mailbox.wait_for(lambda each: link_in(each) is not None, 0))
    tab.goto(link_in(letter))
    seen = len(loop.mailbox.letters)
    tab.locator("button.go").click()
    letter = run(loop.mailbox.wait_for(lambda each: code_in(each) is not None, seen))
    tab.locator("#code").fill(code_in(letter))
    tab.locator("button.go").click()


def test_in_english_a_referral_is_accepted_closed_and_back_in_the_emr(page, tmp_path) -> None:
    with running(tmp_path, "en") as (loop, run):
        (answer,) = run(exchange(loop.mllp, referral("B-1")))
        assert str(answer.segment("MSA")[1]) == "AA"
        tab = page()
        enter(tab, loop, run)
        assert tab.locator("html").get_attribute("lang") == "en"

        tab.get_by_role("button", name="Accept", exact=True).click()
        run(loop.emr.wait_for(1))
        tab.get_by_text("Close with how it went").click()
        form = tab.locator("#form-complete")
        form.get_by_label("How many sessions did the person attend?").fill("8")
        for question, choice in {
            "Was what mattered to the person met?": "Yes",
            "Is the person enrolled in the program?": "Enrolled",
        }.items():
            form.get_by_role("group", name=question).get_by_label(choice, exact=True).check()
        for group in form.get_by_role("group").all():
            skip = group.get_by_label("Skip", exact=False)
            if skip.count() and not group.locator("input:checked").count():
                skip.first.check()
        form.get_by_label("In plain words, what happened?").fill("Eight walks, two friends.")
        form.get_by_role("button", name="Send and close").click()

        received = run(loop.emr.wait_for(2))
        kinds = [str(hl7.parse(each).segment("MSH")[9]) for each in received]
        assert kinds[0].startswith("RRI^I12")
        assert kinds[1].startswith("ORU^R01")
        assert "Eight walks, two friends." in received[1]


def test_in_french_a_referral_is_declined_with_a_reason(page, tmp_path) -> None:
    with running(tmp_path, "fr") as (loop, run):
        run(exchange(loop.mllp, referral("B-2")))
        tab = page()
        enter(tab, loop, run)
        assert tab.locator("html").get_attribute("lang") == "fr"

        tab.locator("summary", has_text="Refuser").click()
        form = tab.locator("#form-decline")
        form.get_by_label("La liste d’attente est complète.").check()
        form.get_by_role("textbox").first.fill("Le groupe est complet jusqu'au printemps.")
        form.get_by_role("button").click()

        (declined,) = run(loop.emr.wait_for(1))
        assert str(hl7.parse(declined).segment("RF1")[1]) == "R"
        assert "Le groupe est complet" in declined
