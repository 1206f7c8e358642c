"""Dates, times and counts in words, in each language."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.portal.words import words

NOW = datetime(2026, 11, 22, 15, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "english", "french"),
    [
        ("1948-03-01", "March 1, 1948", "1er mars 1948"),
        ("1948-03-11", "March 11, 1948", "11 mars 1948"),
        ("1948-03", "March 1948", "mars 1948"),
        ("1948", "1948", "1948"),
        ("unknown", "unknown", "unknown"),
        ("1948-13-40", "1948-13-40", "1948-13-40"),
        (date(2026, 12, 1), "Tuesday, December 1, 2026", "mardi 1er décembre 2026"),
    ],
)
def test_a_date_is_said_as_precisely_as_it_was_given(value, english, french):
    assert words("en").day(value) == english
    assert words("fr").day(value) == french


def test_a_moment_is_said_in_the_zone_of_the_reader():
    zone = ZoneInfo("America/Toronto")
    said = words("en").moment("2026-11-22T02:30:00Z", zone).replace("\u202f", " ")
    assert said == "November 21, 2026 at 9:30 p.m."
    assert words("fr").moment("2026-11-22T02:30:00Z", zone) == "21 novembre 2026 à 21 h 30"


def test_a_moment_without_an_offset_is_not_moved():
    said = words("fr").moment("2026-11-22T02:30:00", ZoneInfo("America/Toronto"))
    assert said == "22 novembre 2026 à 02 h 30"


@pytest.mark.parametrize("value", ["2026-11-22", "2026", "soon", "Tomorrow", "2026-99-99T00:00"])
def test_a_moment_without_a_time_is_a_date(value):
    assert words("en").moment(value) in (words("en").day(value), value)


@pytest.mark.parametrize(
    ("days", "english", "french"),
    [
        (0, "today", "aujourd’hui"),
        (1, "tomorrow", "demain"),
        (2, "in 2 days", "dans 2 jours"),
        (-1, "1 day late", "1 jour de retard"),
        (-3, "3 days late", "3 jours de retard"),
    ],
)
def test_what_is_left_is_said_in_days(days, english, french):
    until = NOW + timedelta(days=days)
    assert words("en").left(until, NOW) == english
    assert words("fr").left(until, NOW) == french


@pytest.mark.parametrize(
    ("days", "english", "french"),
    [(0, "today", "aujourd’hui"), (1, "yesterday", "hier"), (5, "5 days ago", "il y a 5 jours")],
)
def test_how_long_ago_is_said_in_days(days, english, french):
    since = NOW - timedelta(days=days)
    assert words("en").ago(since, NOW) == english
    assert words("fr").ago(since, NOW) == french


def test_zero_is_singular_in_french_and_plural_in_english():
    assert words("en").count("%(num)s day ago", "%(num)s days ago", 0) == "0 days ago"
    assert words("fr").count("%(num)s day ago", "%(num)s days ago", 0) == "il y a 0 jour"


@pytest.mark.parametrize(
    ("born", "age"),
    [
        ("1948-11-22", "78 years old"),
        ("1948-11-23", "77 years old"),
        ("2025-11-01", "1 year old"),
        ("1948-11", None),
        ("2027-01-01", None),
    ],
)
def test_age_is_in_whole_years_and_only_for_a_whole_date(born, age):
    assert words("en").age(born, NOW) == age


@pytest.mark.parametrize(
    ("code", "english", "french"),
    [
        ("fr", "French", "Français"),
        ("fr-CA", "Canadian French", "Français canadien"),
        ("pa-Guru", "Punjabi", "Pendjabi"),
        ("iu", "Inuktitut", "Inuktitut"),
        ("other words", "other words", "other words"),
    ],
)
def test_a_language_has_a_name(code, english, french):
    assert words("en").tongue(code) == english
    assert words("fr").tongue(code) == french


@pytest.mark.parametrize(
    ("asked", "given_"), [("fr-CA", "fr"), ("FR", "fr"), ("en", "en"), ("de", "en"), ("", "en")]
)
def test_a_language_without_a_catalogue_is_answered_in_english(asked, given_):
    assert words(asked).language == given_


@given(st.text(max_size=30), st.sampled_from(["en", "fr"]))
def test_no_text_breaks_a_date(text, language):
    spoken = words(language)
    assert isinstance(spoken.day(text), str)
    assert isinstance(spoken.moment(text), str)
    assert isinstance(spoken.tongue(text), str)
    spoken.age(text, NOW)
