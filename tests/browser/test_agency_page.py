"""An agency with nothing but e-mail and a browser, JavaScript off, in English and in French."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser


def enter(stage, page, **invitation):
    """From the mail to the referral: link, button, code."""
    page.goto(stage.deliver(**invitation))
    page.locator("button.go").click()
    page.locator("#code").fill(stage.code())
    page.locator("button.go").click()
    page.locator("h1 ~ section, h1 ~ p.under").first.wait_for()
    page.wait_for_load_state()
    return page


def no_sideways_scroll(tab):
    tab.wait_for_load_state()
    wide = tab.evaluate("document.documentElement.scrollWidth")
    return wide <= tab.viewport_size["width"]


@pytest.mark.parametrize("width", [320, 1024])
def test_an_agency_accepts_and_closes_with_an_outcome_in_english(stage, page, width):
    tab = enter(stage, page(viewport={"width": width, "height": 800}))
    assert tab.locator("html").get_attribute("lang") == "en"
    assert "Maria Synthetic-Tremblay" in tab.locator("h1").inner_text()
    headings = tab.locator("main h2").all_inner_texts()
    assert headings[:2] == ["Waiting for your answer", "What matters to me"]
    assert "hands in the soil" in tab.locator("blockquote").inner_text()

    tab.get_by_role("button", name="Accept", exact=True).click()
    assert tab.locator("main h2").first.inner_text() == "You accepted this referral"
    assert stage.desk.work.status == "accepted"

    tab.get_by_text("Close with how it went").click()
    form = tab.locator("#form-complete")
    form.get_by_label("How many sessions did the person attend?").fill("6")
    for question, answer in {
        "Was what mattered to the person met?": "Partly",
        "Is the person enrolled in the program?": "Enrolled",
        "Was the person invited to give back": "Said yes",
        "In which language was the person served?": "French",
    }.items():
        form.get_by_role("group", name=question).get_by_label(answer, exact=True).check()
    form.get_by_label("In plain words, what happened?").fill("She planted beans & made friends.")
    form.get_by_role("button", name="Send and close").click()

    assert tab.locator("main h2").first.inner_text() == "Closed. Thank you for what you did."
    outcome = stage.desk.work.outcome
    assert (outcome.enrolment, outcome.language_received) == ("enrolled", "fr")
    assert outcome.give_back.invitation == "accepted"
    assert outcome.summary == "She planted beans & made friends."
    assert outcome.measures[0].status == "completed"
    assert tab.locator("form").count() == 0
    assert no_sideways_scroll(tab)


@pytest.mark.parametrize("width", [320, 1024])
def test_an_agency_declines_in_french(stage, page, width):
    tab = enter(stage, page(viewport={"width": width, "height": 800}), language="fr")
    assert tab.locator("html").get_attribute("lang") == "fr"
    assert "Ce qui compte pour moi" in tab.locator("main h2").all_inner_texts()
    assert "vendredi 27 novembre 2026 (dans 5 jours)" in tab.locator("main").inner_text()

    tab.get_by_text("Refuser", exact=True).click()
    form = tab.locator("#form-decline")
    form.get_by_label("Plus de détails").fill("Nous rouvrons en mars.")
    form.get_by_role("button", name="Refuser cette orientation").click()

    assert "À corriger d’abord" in tab.get_by_role("alert").inner_text()
    assert form.get_by_label("Plus de détails").input_value() == "Nous rouvrons en mars."
    assert stage.desk.work.status == "requested"

    form.get_by_label("Le programme n’a pas de place pour le moment.").check()
    form.get_by_label("Un autre programme").fill("Chorale du jeudi")
    form.get_by_role("button", name="Refuser cette orientation").click()

    assert tab.locator("main h2").first.inner_text() == "Vous avez refusé cette orientation"
    reason = stage.desk.work.reason
    assert reason.code == "no-capacity"
    assert reason.text == "Nous rouvrons en mars.\nProgramme suggéré\u00a0: Chorale du jeudi"
    assert no_sideways_scroll(tab)


def test_the_language_can_be_switched_on_every_page(stage, page):
    tab = page()
    tab.goto(stage.deliver())
    tab.get_by_role("link", name="Français").click()
    assert tab.locator("h1").inner_text() == "Une orientation vous attend"
    tab.locator("button.go").click()
    assert tab.locator("h1").inner_text() == "Entrez votre code"
    tab.get_by_role("link", name="English").click()
    assert tab.locator("h1").inner_text() == "Enter your code"
    tab.locator("#code").fill(stage.code())
    tab.locator("button.go").click()
    tab.get_by_role("link", name="Français").click()
    assert "Orientation de Maria" in tab.locator("h1").inner_text()


def test_what_was_typed_stays_when_the_language_is_switched(stage, page):
    tab = enter(stage, page())
    tab.get_by_text("Decline", exact=True).click()
    tab.locator("#decline-words").fill("Two lines\n\nof text")
    tab.get_by_role("button", name="Decline this referral").click()
    tab.get_by_role("button", name="Français").click()
    assert tab.locator("html").get_attribute("lang") == "fr"
    assert tab.locator("#decline-words").input_value() == "Two lines\n\nof text"
    assert stage.desk.moves == []


def test_the_whole_way_works_with_the_keyboard_alone(stage, page):
    tab = page(java_script_enabled=True, bypass_csp=True)
    tab.goto(stage.deliver())

    def until(wanted, most=60):
        for _ in range(most):
            tab.keyboard.press("Tab")
            if tab.evaluate(f"document.activeElement.matches({wanted!r})"):
                return
        raise AssertionError(f"the keyboard does not reach {wanted}")

    until("button.go")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#code")
    until("#code")
    tab.keyboard.type(stage.code())
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#answer")
    until("details summary")
    tab.keyboard.press("Enter")
    until("#form-decline input[type=radio]")
    tab.keyboard.press("Space")
    until("#form-decline button.go")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("text=You declined this referral")
    assert stage.desk.work.reason.code == "no-capacity"


def test_a_cancelled_referral_is_gone(stage, page):
    tab = enter(stage, page())
    stage.deliver("cancel", number=2)
    answer = tab.reload()
    assert answer.status == 410
    assert tab.locator("h1").inner_text() == "This link no longer works"


def test_a_reload_after_an_answer_sends_nothing_again(stage, page):
    tab = enter(stage, page())
    tab.get_by_role("button", name="Accept", exact=True).click()
    tab.get_by_text("You accepted this referral").wait_for()
    tab.reload()
    tab.go_back()
    assert [move.to for move in stage.desk.moves] == ["accepted"]


def test_the_page_loads_nothing_else_and_is_small(stage, page):
    tab = page()
    asked = []
    tab.on("request", lambda request: asked.append((request.resource_type, request.url)))
    enter(stage, tab)
    assert {kind for kind, _ in asked} == {"document"}
    assert len(tab.content().encode()) < 30_000


def test_at_double_text_size_nothing_is_cut_off(stage, page):
    tab = enter(stage, page(viewport={"width": 640, "height": 800}))
    tab.locator("footer").wait_for()
    tab.evaluate("document.documentElement.style.fontSize = '200%'")
    assert tab.evaluate("getComputedStyle(document.querySelector('dd')).fontSize") == "34px"
    assert no_sideways_scroll(tab)


def test_the_browser_has_nothing_to_complain_about(stage, page):
    tab = page(java_script_enabled=True)
    said = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    enter(stage, tab)
    tab.get_by_role("button", name="Accept", exact=True).click()
    tab.get_by_text("You accepted this referral").wait_for()
    styled = tab.evaluate("getComputedStyle(document.querySelector('header')).backgroundColor")
    assert styled == "rgb(11, 85, 99)"
    assert said == []


def test_faults_are_focused_so_that_a_screen_reader_says_them(stage, page):
    tab = enter(stage, page())
    tab.get_by_text("Decline", exact=True).click()
    tab.get_by_role("button", name="Decline this referral").click()
    tab.get_by_role("link", name="Choose a reason.").wait_for()
    assert tab.evaluate("document.activeElement.getAttribute('role')") == "alert"
    tab.get_by_role("link", name="Choose a reason.").click()
    assert tab.evaluate("document.activeElement.id") == "decline-reason"


def test_the_print_has_the_referral_and_no_buttons(stage, page):
    tab = enter(stage, page())
    tab.emulate_media(media="print")
    assert tab.locator("blockquote").is_visible()
    assert not tab.get_by_role("button", name="Accept", exact=True).is_visible()
    assert not tab.locator("header").is_visible()
