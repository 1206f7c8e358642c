"""axe-core finds nothing on any page, in either language (WCAG 2.2 A and AA, best practices)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_agency_page import enter

pytestmark = pytest.mark.browser

RUN = "axe.run(document, {rules: {'target-size': {enabled: true}}})"
OPEN = "document.querySelectorAll('details').forEach(each => each.open = true)"


def violations(tab, axe):
    tab.wait_for_load_state()
    tab.add_script_tag(content=axe)
    found = tab.evaluate(RUN)
    assert len(found["passes"]) > 10, "axe looked at nothing"
    return [
        (rule["id"], [node["html"][:160] for node in rule["nodes"]]) for rule in found["violations"]
    ]


@pytest.fixture
def tab(page):
    return page(java_script_enabled=True, bypass_csp=True)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_axe_finds_nothing_on_the_way_in(stage, tab, axe, language):
    tab.goto(stage.deliver(language=language))
    assert violations(tab, axe) == []
    tab.locator("button.go").click()
    tab.locator("#code").wait_for()
    assert violations(tab, axe) == []
    tab.locator("#code").fill("1")
    tab.locator("button.go").click()
    tab.get_by_role("alert").wait_for()
    assert violations(tab, axe) == []
    tab.goto(tab.url.replace("/l/", "/l/x"))
    assert violations(tab, axe) == []


@pytest.mark.parametrize(("language", "width"), [("en", 1024), ("fr", 320)])
def test_axe_finds_nothing_on_the_referral_in_any_state(stage, tab, axe, language, width):
    tab.set_viewport_size({"width": width, "height": 800})
    enter(stage, tab, language=language)
    for status in ("requested", "accepted", "completed", "cancelled"):
        work = replace(stage.desk.work, status=status)
        stage.desk.case = stage.desk.case.with_fulfilment(work)
        tab.reload()
        tab.evaluate(OPEN)
        assert violations(tab, axe) == []


@pytest.mark.parametrize("language", ["en", "fr"])
def test_axe_finds_nothing_on_a_form_with_faults(stage, tab, axe, language):
    work = replace(stage.desk.work, status="accepted")
    stage.desk.case = stage.desk.case.with_fulfilment(work)
    enter(stage, tab, language=language)
    tab.locator("details:has(#form-complete) summary").click()
    tab.locator("#form-complete button.go").click()
    tab.get_by_role("alert").wait_for()
    assert violations(tab, axe) == []


def test_axe_would_find_a_fault(stage, tab, axe):
    enter(stage, tab)
    tab.evaluate(OPEN)
    tab.evaluate("document.documentElement.removeAttribute('lang')")
    tab.evaluate("document.querySelector('#decline-words').labels[0].remove()")
    assert {rule for rule, _ in violations(tab, axe)} >= {"html-has-lang", "label"}
