"""What the agency sees of a referral, in which order, and what it does not see."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from html_page import read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_desk import NOW

from adapter.referral.model import (
    Concept,
    Consent,
    ContactRules,
    Need,
    Note,
    Person,
    Referral,
)

MARK = "<script>alert('x')</script>&\"'"


def text_of(page):
    return read(page.body).text


def test_what_matters_to_the_client_comes_before_everything_about_them(show):
    text = text_of(show())
    places = [
        text.index(each)
        for each in (
            "What matters to me",
            "Interests and gifts",
            "Needs",
            "how to contact safely",
            "Language and access",
            "Consent",
            "Why the clinic refers",
            "Your answer",
        )
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "said",
    [
        "Maria Synthetic-Tremblay",
        "March 1, 1948 (78 years old)",
        "+1 613 555-0142",
        "12 Example Street, Ottawa, ON",
        "to get my hands in the soil",
        "gardening",
        "knows how to prune roses",
        "Go out twice a week",
        "Feels lonely since her husband died",
        "Call, do not text.",
        "Weekday mornings",
        "No. Do not leave a message.",
        "Luc Synthetic-Tremblay (son)",
        "Uses a walker",
        "Not needed",
        "The person agreed to this referral on November 19, 2026.",
        "You may tell the clinic the status and a short summary.",
        "Lives alone, would like company and fresh air.",
        "Dr. Synthetic Osei",
        "613-555-0100",
        "Bring outdoor shoes.",
        "Please answer by Friday, November 27, 2026 (in 5 days).",
        "Urgent",
        "This is not about a real person.",
    ],
)
def test_the_page_says_what_the_agency_needs(show, said):
    assert said in text_of(show())


@pytest.mark.parametrize("withheld", ["Hidden need", "Not for the agency."])
def test_what_the_policy_withholds_is_not_on_the_page(show, withheld):
    assert withheld not in text_of(show())


def test_a_person_who_must_not_be_contacted_cannot_be_by_mistake(show, desk):
    desk.set(contact_rules=ContactRules(do_not_contact=True, may_leave_message=True))
    page = show()
    text = text_of(page)
    assert text.index("Do not contact this person") < text.index("What matters to me")
    for way in ("613 555-0142", "maria@example.org", "Example Street", "Luc", "leave a message"):
        assert way not in text
    assert "613-555-0100" in text


def test_nobody_is_told_to_contact_a_person_who_must_not_be_contacted(show, desk, at):
    desk.set(contact_rules=ContactRules(do_not_contact=True), what_matters=None)
    for status in ("requested", "accepted", "in-progress", "on-hold"):
        at(status)
        text = text_of(show())
        assert "ontact the person" not in text
        assert "Ask the person first" not in text


def test_a_referral_with_nothing_in_it_is_still_a_page(show, desk):
    desk.case = replace(desk.case, referral=Referral(id="referral-1"))
    text = text_of(show())
    assert "Ask the person first: what matters to you?" in text
    assert "Not stated. Ask the person." in text
    assert "No consent is written down." in text
    assert "None" not in text


def test_a_person_without_card_address_or_birth_date_is_valid(show, desk):
    desk.set(subject=Person())
    assert show().status == 200


def test_withdrawn_consent_is_said(show, desk):
    desk.set(consent=Consent(withdrawn_at="2026-11-21"))
    assert "took back their consent on November 21, 2026" in text_of(show())


@pytest.mark.parametrize("status", ["rejected", "cancelled", "entered-in-error"])
def test_once_there_is_nothing_to_do_with_the_person_nothing_is_shown_of_them(show, at, status):
    at(status)
    text = text_of(show())
    assert "rx-7f3a2c" in text
    for detail in ("Maria", "soil", "555-0142", "Osei"):
        assert detail not in text


@pytest.mark.parametrize(
    ("status", "actions"),
    [
        ("requested", ["accept", "decline", "cancel", "note"]),
        ("accepted", ["start", "complete", "hold", "fail", "cancel", "note"]),
        ("in-progress", ["complete", "hold", "fail", "cancel", "note"]),
        ("on-hold", ["start", "complete", "fail", "cancel", "note"]),
        ("completed", []),
        ("rejected", []),
        ("cancelled", []),
        ("failed", []),
    ],
)
def test_the_actions_are_those_of_the_lifecycle(show, at, status, actions):
    at(status)
    assert [form["do"] for form in read(show().body).forms] == actions


def test_lateness_is_said_in_words(show, desk):
    desk.reply_by = NOW - timedelta(days=1)
    assert "The answer is late." in text_of(show())
    assert "(1 day late)" in text_of(show())


def test_times_are_those_of_the_agency_and_dates_without_a_time_stay(show, desk):
    desk.reply_by = datetime.fromisoformat("2026-11-24T02:00:00+00:00")
    assert "Monday, November 23, 2026 (tomorrow)" in text_of(show())
    desk.reply_by = datetime.fromisoformat("2026-11-24")
    assert "Tuesday, November 24, 2026 (in 2 days)" in text_of(show())


def test_a_fulfilment_of_another_site_is_not_found(show, desk):
    assert show(fulfilment="work-9").status == 404
    desk.site = "other"
    assert show().status == 404
    assert desk.views == []


def test_showing_a_page_changes_nothing(show, desk):
    before = desk.case
    show()
    assert desk.case is before
    assert desk.views == ["link:0123456789abcdef"]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("name", ["landing", "code", "referral", "gone", "not-found", "busy"])
def test_every_page_forbids_scripts_caches_frames_and_indexes(show, name, language):
    page = show(name, language=language)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in page.headers["X-Robots-Tag"]
    assert page.headers["Content-Language"] == language
    assert b"<script" not in page.body
    assert b"http" not in page.body
    assert not re.search(rb"<[^>]+\s(style|on[a-z]+)=", page.body)


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("status", ["requested", "accepted", "in-progress", "on-hold"])
def test_every_page_is_below_thirty_kilobytes(show, at, status, language):
    at(status)
    assert len(show(language=language).body) < 30_000


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(
    "status", ["requested", "accepted", "in-progress", "on-hold", "completed", "failed"]
)
def test_labels_links_and_descriptions_point_at_something(show, at, status, language):
    at(status)
    page = read(show(language=language).body)
    assert page.repeated_ids == []
    assert page.dangling == []
    assert page.unlabelled == []
    assert page.language == language


@pytest.mark.parametrize("name", ["landing", "code", "gone", "not-found", "busy"])
def test_pages_before_the_referral_say_nothing_of_it(show, desk, name):
    text = text_of(show(name))
    assert desk.views == []
    assert "Maria" not in text
    assert "Garden" not in text


def test_whatever_a_sender_wrote_is_shown_as_text(show, desk, at):
    desk.set(
        what_matters=MARK,
        reason=MARK,
        interests=(MARK,),
        needs=(Need(code=Concept(text=MARK)),),
        contact_rules=ContactRules(safe_contact=MARK, best_time=MARK, preferred=MARK),
        notes=(Note(text=MARK, author=MARK, kind="for-program"),),
    )
    at("requested", program=MARK)
    page = show()
    assert b"<script" not in page.body
    assert text_of(page).count(MARK) >= 9


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(words=st.text(min_size=1, max_size=60))
def test_any_text_of_the_client_keeps_the_page_whole(show, desk, words):
    desk.set(what_matters=words, language=words, accessibility=(words,))
    page = read(show().body)
    assert page.dangling == []
    assert page.language == "en"


def test_the_policy_allows_exactly_the_style_sheet_that_is_in_the_page(show):
    page = show()
    sheet = re.search(rb"<style>(.*?)</style>", page.body, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(sheet).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.headers["Content-Security-Policy"]
