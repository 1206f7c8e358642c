"""The README says every setting and every error code, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import adapter_link
from adapter_link.config import LinkConfig
from adapter_link.mails import texts

PACKAGE = Path(adapter_link.__file__).parent
README = (PACKAGE.parent / "README.md").read_text("utf-8")


def test_every_setting_is_explained_with_its_default():
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", README, re.MULTILINE)
    explained = {name: default for names, default in rows for name in re.findall(r"`(\w+)`", names)}
    assert set(LinkConfig.model_fields) <= set(explained)
    for name, field in LinkConfig.model_fields.items():
        if isinstance(field.default, int | str):
            assert str(field.default) in explained[name], name


def test_every_error_code_is_explained():
    code = "".join(file.read_text("utf-8") for file in PACKAGE.glob("*.py"))
    raised = set(re.findall(r'"(link\.[a-z-]+)",\n', code)) | set(
        re.findall(r'_by_code\([^"]*"(link\.[a-z-]+)"', code)
    )
    assert len(raised) >= 9
    assert raised == set(re.findall(r"`(link\.[a-z-]+)`", README))


@pytest.mark.parametrize("event", ["request", "modify", "note", "status-request", "cancel", "code"])
def test_each_mail_says_the_same_things_in_both_languages(event):
    english, french = (texts()[language][event] for language in ("en", "fr"))
    assert english.keys() == french.keys()
    named = [
        [re.findall(r"\{(\w+)\}", each) for each in text["paragraphs"]]
        for text in (english, french)
    ]
    assert named[0] == named[1]


def test_french_mails_are_typeset_for_canada():
    words = repr(texts()["fr"]).replace("\\xa0", "\u00a0")
    assert "\u00a0:" in words
    assert not re.search(r" [:;?!]", words)
