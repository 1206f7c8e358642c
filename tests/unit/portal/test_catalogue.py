"""Every string of the pages exists in both languages, in plain words, with values and plurals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file
from babel.messages.plurals import get_plural

from adapter.portal.catalogue import LANGUAGES, source, translations
from adapter.portal.questions import shipped, walk
from adapter.referral.reasons import reasons

PORTAL = Path(str(resources.files("adapter.portal")))
KEYWORDS = {"mark": None, "say": None, "count": (1, 2), "_": None, "ngettext": (1, 2)}
JINJA = {"trim_blocks": "true", "lstrip_blocks": "true"}
VALUE = re.compile(r"%\((\w+)\)s")


def extracted() -> set[str | tuple[str, ...]]:
    found: set[str | tuple[str, ...]] = set()
    for file in [*PORTAL.glob("*.py"), *PORTAL.glob("templates/*.html")]:
        method, options = (
            ("python", {}) if file.suffix == ".py" else ("jinja2.ext:babel_extract", JINJA)
        )
        for _, message, _, _ in extract_from_file(method, file, KEYWORDS, (), options):
            found.add(message)
    return found


def catalogue(language: str) -> dict[str | tuple[str, ...], str | tuple[str, ...]]:
    return {
        (m.id if isinstance(m.id, str) else tuple(m.id)): (
            m.string if isinstance(m.string, str) else tuple(m.string)
        )
        for m in source(language)
        if m.id
    }


def sentences(language: str) -> Iterator[str]:
    for string in catalogue(language).values():
        yield from [string] if isinstance(string, str) else string


def test_there_is_something_to_translate():
    assert len(extracted()) > 100


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_string_is_missing_and_none_is_left_over(language):
    assert extracted() == set(catalogue(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_string_is_untranslated_or_fuzzy(language):
    wrong = [m.id for m in source(language) if m.id and (m.fuzzy or not all(_forms(m.string)))]
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_translation_has_the_values_and_plural_forms_of_its_text(language):
    for key, string in catalogue(language).items():
        wanted = set(VALUE.findall(" ".join(_forms(key))))
        for form in _forms(string):
            assert set(VALUE.findall(form)) == wanted, key
        if isinstance(key, tuple):
            assert len(_forms(string)) == get_plural(language).num_plurals


def test_french_is_french():
    same = {key for key, string in catalogue("fr").items() if key == string}
    assert same <= {"Code", "Notes and messages", "Web"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_that_is_used_is_the_one_that_is_shipped(language):
    used = translations(language)
    for key, string in catalogue(language).items():
        if isinstance(key, str):
            assert used.gettext(key) == string
        else:
            assert (used.ngettext(*key, 1), used.ngettext(*key, 2)) == string


@pytest.mark.parametrize("file", sorted(PORTAL.glob("templates/*.html")), ids=lambda f: f.name)
def test_no_template_has_words_outside_the_catalogue(file):
    text = file.read_text("utf-8")
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", text, flags=re.DOTALL)
    text = re.sub(r"<!doctype html>|<[^>]*>|\b[a-z-]+=\"[^\"]*\"", "", text)
    assert re.findall(r"[^\W\d_]{2,}", text) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_people_are_not_spoken_to_in_the_words_of_the_trade(language):
    trade = re.compile(r"\b(task|FHIR|HL7|EMR|patient|token|fulfil\w*|payload|tâche)\b", re.I)
    assert [text for text in sentences(language) if trade.search(text)] == []


def test_english_reads_at_grade_eight_or_below():
    text = " ".join(s if s[-1] in ".!?:" else f"{s}." for s in sentences("en"))
    assert grade(text) <= 6
    hard = [s for s in sentences("en") if len(s.split()) > 8 and grade(s) > 9]
    assert hard == []


def test_the_measure_of_reading_tells_hard_from_plain():
    hard = "Notwithstanding the aforementioned considerations, organizations must collaborate."
    assert grade(hard) > 12
    assert grade("The clinic has been told. There is nothing more to do.") < 6


@pytest.mark.parametrize("language", LANGUAGES)
def test_reasons_and_questions_exist_in_each_language(language):
    assert all(each.text[language] for each in reasons().values())
    assert all(control.label for control in walk(shipped("program-outcome", language).controls))


def test_the_catalogue_needs_no_compiled_file():
    assert list(PORTAL.rglob("*.mo")) == []


def grade(text: str) -> float:
    """Flesch-Kincaid grade level, with syllables counted as groups of vowels."""
    words = re.findall(r"[A-Za-z’']+", text)
    ends = max(1, len(re.findall(r"[.!?:]+(?=\s|$)", text)))
    syllables = sum(_syllables(word) for word in words)
    return 0.39 * len(words) / ends + 11.8 * syllables / len(words) - 15.59


def _syllables(word: str) -> int:
    word = word.lower().strip("’'")
    groups = len(re.findall(r"[aeiouy]+", word))
    silent = word.endswith("e") and not word.endswith("le") and groups > 1
    return max(1, groups - silent)


def _forms(text: str | tuple[str, ...] | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


def test_extraction_sees_marks_and_templates():
    found = list(
        extract_from_file.__globals__["extract"](
            "python", BytesIO(b'mark("One")\nsay("Two")\nother("Three")'), KEYWORDS
        )
    )
    assert [message for _, message, _, _ in found] == ["One", "Two"]
